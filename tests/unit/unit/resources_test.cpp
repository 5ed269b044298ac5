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

TEST_CASE("where a unit's group lies") {
    CHECK(cgroup_path(*loaded("")) == Path{"system.slice", "x.service"});
    CHECK(cgroup_path(*loaded("Slice=a-b-c.slice")) == Path{"a.slice", "a-b.slice", "a-b-c.slice", "x.service"});
    CHECK(cgroup_path(*loaded("Slice=-.slice")) == Path{"x.service"});
    CHECK(cgroup_path(*loaded("Slice=../etc.slice")) == Path{"system.slice", "x.service"});
    CHECK(cgroup_path(*loaded("", "memory.service")) == Path{"system.slice", "_memory.service"});
}
