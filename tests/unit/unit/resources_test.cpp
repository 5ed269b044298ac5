// systemd.resource-control(5): what the values mean, and what the kernel's files are told of them.
#include "../memory_files.hpp"
#include "unit/cgroup_settings.hpp"
#include "unit/loader.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::unit;

namespace {

std::shared_ptr<const UnitConfig> loaded(const std::string& lines, const std::string& name = "x.service") {
    static MemoryFiles files;
    files = {};
    files.file("/etc/systemd/system/" + name, "[Service]\nExecStart=/bin/x\n" + lines + "\n");
    Environment environment;
    environment.unit_path = {"/etc/systemd/system"};
    return Loader(files, environment).load(name);
}

using Settings = std::vector<CgroupSetting>;

Settings settings(const std::string& lines) { return cgroup_settings(*loaded(lines), {1000000, 32768}); }

using Path = std::vector<std::string>;

} // namespace

TEST_CASE("a unit that asks for nothing writes nothing") {
    CHECK(settings("").empty());
}

TEST_CASE("values of resource control become the texts of the kernel's files") {
    CHECK(settings("MemoryMax=512M") == Settings{{"memory.max", "536870912"}});
    CHECK(settings("MemoryMax=infinity") == Settings{{"memory.max", "max"}});
    CHECK(settings("MemoryMax=12.5%") == Settings{{"memory.max", "125000"}});
    CHECK(settings("MemoryLimit=1K") == Settings{{"memory.max", "1024"}});
    CHECK(settings("MemoryMin=1\nMemoryLow=2\nMemoryHigh=3\nMemorySwapMax=0") ==
          Settings{{"memory.min", "1"}, {"memory.low", "2"}, {"memory.high", "3"}, {"memory.swap.max", "0"}});
    CHECK(settings("TasksMax=100") == Settings{{"pids.max", "100"}});
    CHECK(settings("TasksMax=50%") == Settings{{"pids.max", "16384"}});
    CHECK(settings("CPUWeight=200") == Settings{{"cpu.weight", "200"}});
    CHECK(settings("CPUWeight=idle") == Settings{{"cpu.idle", "1"}});
    CHECK(settings("CPUQuota=150%") == Settings{{"cpu.max", "150000 100000"}});
    CHECK(settings("CPUQuota=20%\nCPUQuotaPeriodSec=10ms") == Settings{{"cpu.max", "2000 10000"}});
    CHECK(settings("CPUQuota=1%\nCPUQuotaPeriodSec=1ms") == Settings{{"cpu.max", "1000 1000"}}); // the kernel's least
    CHECK(settings("IOWeight=50") == Settings{{"io.weight", "50"}});
    CHECK(settings("AllowedCPUs=0-2 4") == Settings{{"cpuset.cpus", "0,1,2,4"}});
    CHECK(settings("OOMPolicy=kill") == Settings{{"memory.oom.group", "1"}});
}

TEST_CASE("an empty value takes a limit back, a wrong one leaves it") {
    CHECK(settings("MemoryMax=512M\nMemoryMax=").empty());
    for (const char* wrong : {"MemoryMax=many", "MemoryMax=101%", "MemoryMax=5.%", "TasksMax=0", "TasksMax=0%", "CPUWeight=10001",
                              "CPUQuota=50", "CPUQuota=0%", "IOWeight=idle"}) {
        INFO(wrong);
        CHECK(settings(wrong).empty());
    }
}

TEST_CASE("limits of IO are for devices, or for what a path lies on; the last line for one counts") {
    CHECK(settings("IOReadBandwidthMax=/dev/vda 5M\nIOWriteBandwidthMax=/srv 1K\nIOReadBandwidthMax=/dev/vda infinity") ==
          Settings{{"io.max", "wbps=1000", "/srv"}, {"io.max", "rbps=max", "/dev/vda"}});
    CHECK(settings("IOReadIOPSMax=/dev/vda 1K\nIODeviceWeight=/dev/vda 200\nIODeviceLatencyTargetSec=/dev/vda 25ms") ==
          Settings{{"io.max", "riops=1000", "/dev/vda"}, {"io.weight", "200", "/dev/vda"}, {"io.latency", "target=25000", "/dev/vda"}});
    CHECK(settings("IOReadIOPSMax=/dev/vda 1K\nIOWriteIOPSMax=/dev/vda 1\nIOReadIOPSMax=") == Settings{{"io.max", "wiops=1", "/dev/vda"}});
    CHECK(settings("BlockIOReadBandwidth=/dev/vda 1\nCPUShares=512\nBlockIOWeight=1000") ==
          Settings{{"cpu.weight", "50"}, {"io.weight", "200"}, {"io.max", "rbps=1", "/dev/vda"}});
    for (const char* wrong : {"IOReadBandwidthMax=5M", "IOReadBandwidthMax=vda 5M", "IODeviceWeight=/dev/vda 0", "IOReadIOPSMax=/dev/vda -1"})
        CHECK(settings(wrong).empty());
}

TEST_CASE("Startup settings hold while the container boots or stops") {
    const auto unit = loaded("CPUWeight=100\nStartupCPUWeight=900\nStartupMemoryMax=1G\nMemoryHigh=2\nStartupAllowedCPUs=0");
    CHECK(cgroup_settings(*unit, {}) == Settings{{"memory.high", "2"}, {"cpu.weight", "100"}});
    CHECK(cgroup_settings(*unit, {}, Phase::Startup) ==
          Settings{{"memory.high", "2"}, {"memory.max", "1073741824"}, {"cpu.weight", "900"}, {"cpuset.cpus", "0"}});
}

TEST_CASE("from one set of limits to another: what is not said any more goes back to the kernel's default") {
    const Settings before{{"memory.max", "5"}, {"cpu.max", "1000 1000"}, {"io.max", "rbps=1", "/a"}, {"io.max", "wbps=1", "/a"}, {"cpuset.cpus", "0"}};
    const Settings after{{"memory.max", "6"}, {"cpu.max", "1000 1000"}, {"io.max", "wbps=2", "/a"}};
    CHECK(cgroup_changes(before, after) ==
          Settings{{"io.max", "rbps=max", "/a"}, {"cpuset.cpus", "\n"}, {"memory.max", "6"}, {"io.max", "wbps=2", "/a"}});
    CHECK(cgroup_changes(after, after).empty());
}

TEST_CASE("a unit depends on its slice, a slice on the one above it; system.slice is always there") {
    const auto needs = [](const UnitConfig& unit, const std::string& name) {
        unsigned found = 0;
        for (const Dependency& each : unit.unit.dependencies)
            found += each.name == name && (each.kind == DependencyKind::Requires || each.kind == DependencyKind::After) ? 1U : 0U;
        return found == 2;
    };
    CHECK(needs(*loaded("Slice=a-b.slice"), "a-b.slice"));
    CHECK_FALSE(needs(*loaded(""), "system.slice"));
    const auto instance = loaded("", "web@1.service");
    CHECK(slice_of(*instance) == "system-web.slice");
    CHECK(needs(*instance, "system-web.slice"));
    UnitConfig slice;
    slice.name = "a-b.slice";
    slice.type = UnitType::Slice;
    CHECK(slice_of(slice) == "a.slice");
    CHECK(cgroup_path(slice) == Path{"a.slice", "a-b.slice"});
}

TEST_CASE("where a unit's group lies") {
    CHECK(cgroup_path(*loaded("")) == Path{"system.slice", "x.service"});
    CHECK(cgroup_path(*loaded("Slice=a-b-c.slice")) == Path{"a.slice", "a-b.slice", "a-b-c.slice", "x.service"});
    CHECK(cgroup_path(*loaded("Slice=-.slice")) == Path{"x.service"});
    CHECK(cgroup_path(*loaded("Slice=../etc.slice")) == Path{"system.slice", "x.service"});
    CHECK(cgroup_path(*loaded("", "memory.service")) == Path{"system.slice", "_memory.service"});
}
