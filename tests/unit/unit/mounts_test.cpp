// Mount units: names, commands, mistakes, dependencies, and units of what is mounted without a file.
#include "../memory_files.hpp"
#include "unit/loader.hpp"
#include "unit/mounts.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::unit;

namespace {

const std::string etc = "/etc/systemd/system/";

struct World {
    MemoryFiles files;
    std::vector<MountPoint> mounts{{"/", "overlay", "overlay", "rw"}};
    Loader loader() {
        Environment environment;
        environment.unit_path = {"/etc/systemd/system", "/usr/lib/systemd/system"};
        Loader made(files, environment);
        made.set_mounted(MountTable(mounts));
        return made;
    }
};

bool has(const UnitConfig& unit, DependencyKind kind, const std::string& name) {
    return std::ranges::any_of(unit.unit.dependencies, [&](const Dependency& each) { return each.kind == kind && each.name == name; });
}

std::vector<std::string> words(const UnitConfig& unit, ExecList list) { return unit.service->list(list).at(0).argv; }

} // namespace

TEST_CASE("what is mounted has a unit without a file, by the name of its path") {
    World world;
    world.mounts.push_back({"/work space", "/dev/vdb", "ext4", "rw,noatime"});
    world.mounts.push_back({"/work space", "over", "tmpfs", "rw"});
    const Loader loader = world.loader();
    const auto unit = loader.load("work\\x20space.mount");
    CHECK(unit->load_state == LoadState::Loaded);
    CHECK(unit->builtin);
    CHECK(unit->mount->where == "/work space");
    CHECK(unit->mount->what == "over"); // on top
    CHECK(words(*unit, ExecList::Stop) == std::vector<std::string>{"umount", "/work space"});
    CHECK_FALSE(has(*unit, DependencyKind::Requires, "-.mount")); // always there
    CHECK_FALSE(has(*unit, DependencyKind::Conflicts, "umount.target"));
    CHECK(loader.load("elsewhere.mount")->load_state == LoadState::NotFound);
    CHECK(loader.load("-.mount")->load_state == LoadState::Loaded);
}

TEST_CASE("commands of a mount unit are those of mount(8)") {
    World world;
    world.files.file(etc + "srv-data.mount", "[Mount]\nWhat=/dev/sdb1\nType=ext4\nOptions=ro,noatime,nofail,x-systemd.device-timeout=5\n"
                                             "SloppyOptions=yes\nReadWriteOnly=yes\nLazyUnmount=yes\nForceUnmount=yes\nTimeoutSec=7\n");
    const auto unit = world.loader().load("srv-data.mount");
    CHECK(unit->load_state == LoadState::Loaded);
    CHECK(unit->mount->where == "/srv/data"); // from the name
    CHECK(words(*unit, ExecList::Start) == std::vector<std::string>{"mount", "/dev/sdb1", "/srv/data", "-s", "-w", "-t", "ext4", "-o", "ro,noatime"});
    CHECK(words(*unit, ExecList::Reload).back() == "remount,ro,noatime");
    CHECK(words(*unit, ExecList::Stop) == std::vector<std::string>{"umount", "/srv/data", "-l", "-f"});
    CHECK(unit->mount->timeout == std::chrono::seconds(7));
    CHECK(has(*unit, DependencyKind::Requires, "dev-sdb1.device"));
    CHECK(has(*unit, DependencyKind::After, "dev-sdb1.device"));
    CHECK(has(*unit, DependencyKind::After, "local-fs-pre.target"));
    CHECK(has(*unit, DependencyKind::Conflicts, "umount.target"));
    CHECK_FALSE(has(*unit, DependencyKind::Before, "local-fs.target")); // nofail
}

TEST_CASE("mistakes of mount units are named") {
    World world;
    const auto error = [&](const std::string& name, const std::string& text) {
        world.files.file(etc + name, "[Mount]\n" + text);
        const auto unit = world.loader().load(name);
        CHECK(unit->load_state == LoadState::BadSetting);
        return unit->load_error;
    };
    CHECK(error("a.mount", "What=x\nWhere=/b/c\n") == "Where=/b/c does not fit the unit's name: the file must be called b-c.mount");
    CHECK(error("d.mount", "Where=/d\n") == "no What=: there is nothing to mount");
    CHECK(error("proc.mount", "What=proc\n") == "/proc is the container's own: it is mounted already");
}

TEST_CASE("network file systems, bind mounts and parents are ordered and required") {
    World world;
    world.mounts.push_back({"/srv", "vol", "ext4", "rw"});
    world.files.file(etc + "srv-nfs.mount", "[Mount]\nWhat=server:/x\nType=nfs\n");
    world.files.file(etc + "opt-app.mount", "[Mount]\nWhat=/srv/app\nOptions=bind\n");
    world.files.file(etc + "web.service", "[Unit]\nRequiresMountsFor=/opt/app/data\nWantsMountsFor=/srv\n[Service]\nExecStart=/bin/true\n");
    const Loader loader = world.loader();
    const auto nfs = loader.load("srv-nfs.mount");
    CHECK(has(*nfs, DependencyKind::Before, "remote-fs.target"));
    CHECK(has(*nfs, DependencyKind::Wants, "network-online.target"));
    CHECK(has(*nfs, DependencyKind::Requires, "srv.mount")); // its parent
    const auto bind = loader.load("opt-app.mount");
    CHECK(has(*bind, DependencyKind::Requires, "srv.mount")); // where What= lies
    const auto web = loader.load("web.service");
    CHECK(has(*web, DependencyKind::Requires, "opt-app.mount"));
    CHECK(has(*web, DependencyKind::After, "opt-app.mount"));
    CHECK(has(*web, DependencyKind::Wants, "srv.mount"));
}

TEST_CASE("every device has a unit; its path is that of its name") {
    World world;
    const auto unit = world.loader().load("dev-disk-by\\x2dlabel-x.device");
    CHECK(unit->load_state == LoadState::Loaded);
    CHECK(device_path(unit->name) == "/dev/disk/by-label/x");
    CHECK(device_path("sys-subsystem-net-devices-eth0.device") == "/sys/class/net/eth0");
}
