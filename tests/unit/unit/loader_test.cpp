#include "unit/loader.hpp"

#include "../memory_files.hpp"
#include "unit/index.hpp"
#include "unit/parse.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>

using namespace monoinit;
using namespace monoinit::unit;

namespace {

const std::string etc = "/etc/systemd/system/", run = "/run/systemd/system/", lib = "/usr/lib/systemd/system/";
const std::string service = "[Service]\nExecStart=/bin/true\n";

struct World {
    MemoryFiles files;
    Environment environment;

    World() { environment.unit_path = default_unit_path("", ""); }
    Loader loader() const { return Loader(files, environment); }
    auto load(std::string_view name) const { return loader().load(name); }
    World& file(const std::string& path, const std::string& text) {
        files.file(path, text);
        return *this;
    }
    World& link(const std::string& path, const std::string& target) {
        files.link(path, target);
        return *this;
    }
};

bool has(const UnitConfig& unit, DependencyKind kind, std::string_view name) {
    return std::ranges::any_of(unit.unit.dependencies, [&](const Dependency& d) { return d.kind == kind && d.name == name; });
}

std::vector<std::string> names_of(const std::vector<std::shared_ptr<const UnitConfig>>& units) {
    std::vector<std::string> names;
    for (const auto& unit : units)
        names.push_back(unit->name);
    std::ranges::sort(names);
    return names;
}

bool says(const UnitConfig& unit, std::string_view file, std::string_view text) {
    return std::ranges::any_of(unit.problems, [&](const Problem& p) {
        return p.file == file && p.text.find(text) != std::string::npos;
    });
}

using Names = std::vector<std::string>;

} // namespace

TEST_CASE("the search path") {
    const auto standard = default_unit_path("", "");
    CHECK(standard.front() == "/etc/systemd/system.control");
    CHECK(default_unit_path("/a:/b", "") == Names{"/a", "/b"});
    CHECK(default_unit_path("/a", "/c") == Names{"/c"});
    CHECK(default_unit_path("/a:", "").size() == standard.size() + 1);
    CHECK(default_unit_path(":", "") == standard);
}

TEST_CASE("the first directory of the path decides") {
    World world;
    world.file(lib + "a.service", "[Unit]\nDescription=lib\n" + service).file(etc + "a.service", "[Unit]\nDescription=etc\n" + service);
    const auto unit = world.load("a.service");
    CHECK(unit->load_state == LoadState::Loaded);
    CHECK(unit->unit.description == "etc");
    CHECK(unit->files == Names{etc + "a.service"});
    CHECK(world.load("b.service")->load_state == LoadState::NotFound);
    CHECK(world.loader().fragment_path("a.service") == etc + "a.service");
    CHECK(world.loader().fragment_path("b.service").empty());
}

TEST_CASE("what came after the directories were listed is found once they are looked at again") {
    World world;
    world.file(lib + "a.service", service);
    Loader loader = world.loader();
    world.file(etc + "b.service", service);
    CHECK(loader.load("b.service")->load_state == LoadState::NotFound);
    CHECK(loader.rescan_if_outdated());
    CHECK(loader.load("b.service")->load_state == LoadState::Loaded);
    const std::size_t lists = world.files.lists;
    CHECK_FALSE(loader.rescan_if_outdated()); // nothing has changed
    CHECK(world.files.lists == lists);
    world.link(run + "c.service", "/dev/null");
    CHECK(loader.rescan_if_outdated());
    CHECK(loader.load("c.service")->load_state == LoadState::Masked);
}

TEST_CASE("masks") {
    World world;
    world.file(lib + "a.service", service).link(etc + "a.service", "/dev/null");
    world.file(lib + "b.service", service).file(etc + "b.service", "");
    world.file(lib + "t@.service", service).link(etc + "t@x.service", "../../../dev/null");
    CHECK(world.load("a.service")->load_state == LoadState::Masked);
    CHECK(world.load("a.service")->load_error == "masked by " + etc + "a.service");
    CHECK(world.load("b.service")->load_state == LoadState::Masked);
    CHECK(world.load("t@x.service")->load_state == LoadState::Masked);
    CHECK(world.load("t@y.service")->load_state == LoadState::Loaded);
}

TEST_CASE("aliases lead to the main name") {
    World world;
    world.file(lib + "rsyslog.service", service).link(etc + "syslog.service", lib + "rsyslog.service");
    world.link(etc + "log.service", "syslog.service").link(etc + "rsyslog.service", lib + "rsyslog.service");
    for (const char* name : {"rsyslog.service", "syslog.service", "log.service"}) {
        const auto unit = world.load(name);
        CHECK(unit->name == "rsyslog.service");
        CHECK(unit->load_state == LoadState::Loaded);
        CHECK(unit->files == Names{lib + "rsyslog.service"});
        CHECK(unit->names == Names{"rsyslog.service", "syslog.service", "log.service"});
    }
}

TEST_CASE("an alias gets the override of the unit it names") {
    World world;
    world.file(lib + "a.service", "[Unit]\nDescription=old\n" + service).link(lib + "b.service", "a.service");
    world.file(etc + "a.service", "[Unit]\nDescription=new\n" + service);
    CHECK(world.load("b.service")->unit.description == "new");
    world.link(run + "a.service", "/dev/null"); // lower than /etc: no effect
    CHECK(world.load("b.service")->load_state == LoadState::Loaded);
}

TEST_CASE("links out of the unit path are the unit itself") {
    World world;
    world.file("/opt/app/a.service", "[Unit]\nDescription=%n in %Y\n" + service).link(etc + "a.service", "/opt/app/a.service");
    const auto unit = world.load("a.service");
    CHECK(unit->files == Names{"/opt/app/a.service"});
    CHECK(unit->unit.description == "a.service in /opt/app");
}

TEST_CASE("templates and instances") {
    World world;
    world.file(lib + "t@.service", "[Unit]\nDescription=%i\nWants=u@.service\n" + service).file(lib + "t@own.service", "[Unit]\nDescription=own\n" + service);
    world.link(etc + "alias@.service", lib + "t@.service").link(etc + "one@x.service", lib + "t@.service");
    CHECK(world.load("t@a.service")->unit.description == "a");
    CHECK(has(*world.load("t@a.service"), DependencyKind::Wants, "u@a.service"));
    CHECK(world.load("t@own.service")->unit.description == "own");
    CHECK(world.load("alias@z.service")->name == "t@z.service");
    CHECK(world.load("alias@z.service")->names == Names{"t@z.service", "alias@z.service"});
    CHECK(world.load("one@x.service")->name == "t@x.service");
    CHECK(world.load("one@y.service")->load_state == LoadState::NotFound);
    CHECK(world.load("t@x.service")->names == Names{"t@x.service", "alias@x.service", "one@x.service"});
    CHECK(world.load("t@.service")->load_state == LoadState::Loaded);
}

TEST_CASE("drop-ins apply by file name, the more specific directory hides the others") {
    World world;
    world.file(lib + "foo-bar@.service", service);
    world.file(lib + "service.d/10-type.conf", "[Unit]\nWants=type.service\n");
    world.file(etc + "foo-.service.d/20-prefix.conf", "[Unit]\nWants=prefix.service\n");
    world.file(etc + "foo-@.service.d/20-prefix.conf", "[Unit]\nWants=hidden-prefix.service\n");
    world.file(lib + "foo-bar@.service.d/30-t.conf", "[Unit]\nWants=hidden.service\n");
    world.file(etc + "foo-bar@.service.d/30-t.conf", "[Unit]\nWants=template.service\n");
    world.file(run + "foo-bar@x.service.d/40-i.conf", "[Unit]\nDescription=of %i\n");
    world.file(run + "foo-bar@x.service.d/readme", "[Unit]\nDescription=no\n");
    world.file(lib + "foo-bar@x.service.d/50-masked.conf", "[Unit]\nWants=masked.service\n");
    world.link(etc + "foo-bar@x.service.d/50-masked.conf", "/dev/null");
    const auto unit = world.load("foo-bar@x.service");
    CHECK(unit->files == Names{lib + "foo-bar@.service", lib + "service.d/10-type.conf", etc + "foo-.service.d/20-prefix.conf",
                               etc + "foo-bar@.service.d/30-t.conf", run + "foo-bar@x.service.d/40-i.conf"});
    CHECK(unit->unit.description == "of x");
    CHECK(has(*unit, DependencyKind::Wants, "template.service"));
}

TEST_CASE("drop-ins of an alias apply, those of a missing unit do not") {
    World world;
    world.file(lib + "a.service", service).link(lib + "b.service", "a.service");
    world.file(etc + "b.service.d/x.conf", "[Unit]\nDescription=by alias\n").file(etc + "gone.service.d/x.conf", "[Unit]\nDescription=x\n");
    CHECK(world.load("a.service")->unit.description == "by alias");
    CHECK(world.load("gone.service")->load_state == LoadState::NotFound);
}

TEST_CASE("an instance has the drop-ins of all its names, the more specific first") {
    // What systemd 252 does, asked by `systemd --test`: of two files with one name the first of these wins.
    const std::vector<std::string> levels = {"a-b-c@x", "a-b-c@", "a-b-", "a-", "a-b-@x", "a-b-@", "a-@x", "a-@", ""};
    for (std::size_t i = 1; i < levels.size(); i++) {
        World world;
        world.file(etc + "a-b-c@.service", service);
        const auto path = [&](const std::string& level) { return etc + (level.empty() ? "" : level + ".") + "service.d/x.conf"; };
        world.file(path(levels[i - 1]), "[Unit]\n").file(path(levels[i]), "[Unit]\n");
        CHECK(world.load("a-b-c@x.service")->files == Names{etc + "a-b-c@.service", path(levels[i - 1])});
    }
}

TEST_CASE("links that cannot be aliases are passed over") {
    World world;
    world.file(lib + "t@.service", service).file(lib + "plain.service", service).file(lib + "a.service", service);
    world.link(etc + "plain.service", "t@1.service").link(etc + "a.service", "a.service").link(etc + "t@1.service", lib + "a.service");
    CHECK(world.load("plain.service")->files == Names{lib + "plain.service"});
    CHECK(world.load("a.service")->files == Names{lib + "a.service"});
    CHECK(world.load("t@1.service")->files == Names{lib + "t@.service"});
    CHECK(world.load("t@1.service")->names == Names{"t@1.service"});
    CHECK(world.load("a.service")->names == Names{"a.service"});
}

TEST_CASE("links in .wants, .requires and .upholds directories") {
    World world;
    world.file(lib + "a.service", service).file(etc + "x.target", "[Unit]\nDescription=x\n");
    world.link(etc + "x.target.wants/a.service", lib + "a.service").link(etc + "x.target.requires/b.service", lib + "b.service");
    world.link(lib + "x.target.upholds/t@1.service", "../t@.service").link(lib + "x.target.wants/m.service", "../m.service");
    world.link(etc + "x.target.wants/m.service", "/dev/null");
    world.file(etc + "empty.service", "").link(etc + "x.target.requires/empty.service", "../empty.service");
    world.link(etc + "x.target.wants/not a unit", "/x").link(etc + "multi-user.target.wants/a.service", lib + "a.service");
    const auto unit = world.load("x.target");
    CHECK(has(*unit, DependencyKind::Wants, "a.service"));
    CHECK(has(*unit, DependencyKind::Requires, "b.service"));
    CHECK(has(*unit, DependencyKind::Upholds, "t@1.service"));
    CHECK_FALSE(has(*unit, DependencyKind::Requires, "empty.service")); // it could never be met
    CHECK_FALSE(has(*unit, DependencyKind::Wants, "m.service"));
    CHECK(std::ranges::find(unit->unit.dependencies, "a.service", &Dependency::name)->origin == Origin::Link);
    CHECK(has(*world.load("multi-user.target"), DependencyKind::Wants, "a.service")); // built in, links from the disk
}

TEST_CASE("built-in units") {
    World world;
    const auto target = world.load("network-online.target");
    CHECK(target->builtin);
    CHECK(target->load_state == LoadState::Loaded);
    CHECK(world.load("default.target")->name == "multi-user.target");
    CHECK(world.load("runlevel5.target")->name == "graphical.target");
    CHECK(world.load("anything.slice")->load_state == LoadState::Loaded);
    world.file(lib + "network-online.target", "[Unit]\nDescription=from disk\n");
    CHECK(world.load("network-online.target")->unit.description == "from disk");
    world.link(etc + "default.target", lib + "graphical.target");
    CHECK(world.load("default.target")->name == "graphical.target");
    CHECK(world.load("graphical.target")->names == Names{"graphical.target", "default.target", "runlevel5.target"});
}

TEST_CASE("every built-in unit loads, and so does what it needs") {
    const Loader loader = World().loader();
    for (const std::string& name : loader.all_names()) {
        const auto unit = loader.load(name);
        INFO(name << ": " << unit->load_error << (unit->problems.empty() ? "" : unit->problems.front().text));
        CHECK(unit->load_state == LoadState::Loaded);
        CHECK(unit->problems.empty());
        CHECK_FALSE(unit->unit.description.empty());
        for (const Dependency& dependency : unit->unit.dependencies)
            if (dependency.kind == DependencyKind::Requires)
                CHECK(loader.load(dependency.name)->load_state == LoadState::Loaded);
    }
}

TEST_CASE("stand-ins hide what packages ship, not what the administrator wrote") {
    World world;
    world.file(lib + "systemd-journald.service", service).file(lib + "systemd-journald.service.d/x.conf", "[Unit]\nDescription=x\n");
    CHECK(world.load("systemd-journald.service")->builtin);
    CHECK(world.load("systemd-journald.service")->unit.description != "x");
    world.file(etc + "systemd-journald.service", service);
    CHECK_FALSE(world.load("systemd-journald.service")->builtin);
}

TEST_CASE("units of the machine are masked, the administrator's word counts more") {
    World world;
    world.file(lib + "getty@.service", service).file(lib + "fstrim.timer", "[Timer]\nOnCalendar=weekly\n").file(lib + "logrotate.timer", "[Timer]\nOnCalendar=daily\n");
    world.file(lib + "systemd-timesyncd.service", service);
    world.link(etc + "dbus-org.freedesktop.timesync1.service", lib + "systemd-timesyncd.service");
    const auto getty = world.load("getty@tty1.service");
    CHECK(getty->load_state == LoadState::Masked);
    CHECK(getty->machine_masked);
    CHECK(getty->load_error.find("terminals") != std::string::npos);
    CHECK(world.load("fstrim.timer")->machine_masked);
    CHECK(world.load("logrotate.timer")->load_state == LoadState::Loaded);
    CHECK(world.load("dbus-org.freedesktop.timesync1.service")->machine_masked);
    CHECK(world.load("e2scrub_all.timer")->load_state == LoadState::NotFound);
    CHECK(world.loader().load_as_written("fstrim.timer")->load_state == LoadState::Loaded);
    world.link(etc + "fstrim.timer", lib + "fstrim.timer"); // what unmask makes
    CHECK(world.load("fstrim.timer")->load_state == LoadState::Loaded);
    world.environment.masked_patterns.clear();
    CHECK(world.load("getty@tty1.service")->load_state == LoadState::Loaded);
    world.environment.masked_patterns = machine_masks({"logrot*", "!getty@tty1.*"});
    CHECK(world.load("logrotate.timer")->machine_masked);
    CHECK_FALSE(world.load("getty@tty1.service")->machine_masked);
    CHECK(world.load("getty@tty2.service")->machine_masked);
}

TEST_CASE("default dependencies") {
    using K = DependencyKind;
    World world;
    world.file(etc + "a.service", service).file(etc + "b.service", "[Unit]\nDefaultDependencies=no\n" + service);
    world.file(etc + "a.timer", "[Timer]\n").file(etc + "a.socket", "[Socket]\n").file(etc + "a.path", "[Path]\n");
    const auto a = world.load("a.service");
    CHECK(has(*a, K::Requires, "sysinit.target"));
    CHECK(has(*a, K::After, "sysinit.target"));
    CHECK(has(*a, K::After, "basic.target"));
    CHECK(has(*a, K::Conflicts, "shutdown.target"));
    CHECK(has(*a, K::Before, "shutdown.target"));
    CHECK(a->unit.dependencies.size() == 5);
    CHECK(world.load("b.service")->unit.dependencies.empty());
    CHECK(has(*world.load("a.timer"), K::Before, "timers.target"));
    CHECK(has(*world.load("a.timer"), K::Triggers, "a.service"));
    CHECK(has(*world.load("a.socket"), K::Before, "sockets.target"));
    CHECK(has(*world.load("a.socket"), K::Before, "a.service"));
    CHECK(has(*world.load("a.path"), K::Requires, "sysinit.target"));
    CHECK_FALSE(has(*world.load("shutdown.target"), K::Conflicts, "shutdown.target"));
}

TEST_CASE("a target comes after what it pulls in") {
    using K = DependencyKind;
    World world;
    world.file(etc + "x.target", "[Unit]\nWants=a.service no.service late.service gone.service\nRequires=b.service\n");
    world.file(etc + "a.service", service).file(etc + "b.service", service);
    world.file(etc + "no.service", "[Unit]\nDefaultDependencies=no\n" + service);
    world.file(etc + "late.service", "[Unit]\nAfter=x.target\n" + service);
    const auto check = [&](const UnitConfig& target) {
        CHECK(has(target, K::After, "a.service"));
        CHECK(has(target, K::After, "b.service"));
        CHECK_FALSE(has(target, K::After, "no.service"));
        CHECK_FALSE(has(target, K::After, "late.service"));
        CHECK_FALSE(has(target, K::After, "gone.service"));
    };
    check(*world.load("x.target"));
    const auto units = world.loader().load_closure({"x.target"});
    check(**std::ranges::find_if(units, [](const auto& unit) { return unit->name == "x.target"; }));
}

TEST_CASE("RequiresMountsFor= names the mounts there are") {
    using K = DependencyKind;
    World world;
    world.file(etc + "a.service", "[Unit]\nRequiresMountsFor=/mnt/my-data/x\n" + service);
    CHECK(world.load("a.service")->unit.dependencies.size() == 5);
    world.file(etc + "mnt-my\\x2ddata.mount", "[Mount]\nWhat=x\nWhere=/mnt/my-data\n");
    const auto unit = world.load("a.service");
    CHECK(has(*unit, K::Requires, "mnt-my\\x2ddata.mount"));
    CHECK(has(*unit, K::After, "mnt-my\\x2ddata.mount"));
    CHECK(unit->unit.dependencies.size() == 7);
}

TEST_CASE("settings that cannot run make a unit bad-setting, with file and line") {
    World world;
    const auto why = [&](const std::string& text) {
        world.file(etc + "x.service", text);
        const auto unit = world.load("x.service");
        CHECK((unit->load_state == LoadState::BadSetting) == !unit->load_error.empty());
        return unit->load_error;
    };
    CHECK(why(service) == "");
    CHECK(why("[Service]\nType=oneshot\nExecStart=/a\nExecStart=/b\n") == "");
    CHECK(why("[Unit]\nDescription=x\n").find("nothing to do") != std::string::npos);
    CHECK(why("[Service]\nType=simple\nExecStop=/a\n").find("only Type=oneshot") != std::string::npos);
    CHECK(why("[Service]\nExecStop=/a\n").find("RemainAfterExit=yes") != std::string::npos);
    CHECK(why("[Service]\nExecStop=/a\nRemainAfterExit=yes\n") == "");
    CHECK(why("[Unit]\nSuccessAction=exit\n") == "");
    CHECK(why("[Service]\nType=oneshot\nExecStart=/a\nRestart=always\n").find("Restart=always") != std::string::npos);
    CHECK(why("[Service]\nType=dbus\nExecStart=/a\n") == "Type=dbus needs BusName=");
    CHECK(why("[Service]\nExecStart=/a\nExecStart=/b\n").find("second ExecStart=") != std::string::npos);
    const auto unit = world.load("x.service");
    REQUIRE_FALSE(unit->problems.empty());
    CHECK(unit->problems.back().file == etc + "x.service");
    CHECK(unit->problems.back().line == 3);
}

TEST_CASE("the type follows from the rest") {
    World world;
    const auto type = [&](const std::string& text) {
        world.file(etc + "x.service", text);
        return world.load("x.service")->service->type;
    };
    CHECK(type(service) == ServiceType::Simple);
    CHECK(type("[Service]\nExecStart=/a\nBusName=org.x\n") == ServiceType::Dbus);
    CHECK(type("[Service]\nExecStop=/a\nRemainAfterExit=yes\n") == ServiceType::Oneshot);
}

TEST_CASE("one bad file costs one unit and is named") {
    World world;
    world.file(etc + "good.service", service);
    world.file(etc + "big.service", std::string(10 << 20, 'x'));
    world.files.fifo(etc + "fifo.service");
    world.files.unreadable(etc + "secret.service", 13);
    world.link(etc + "dangling.service", "/opt/none.service").link(etc + "dangling2.service", lib + "none.service");
    world.link(etc + "loop.service", "loop2.service").link(etc + "loop2.service", "loop.service").link(etc + "self.service", "self.service");
    world.link(etc + "circle.service", "/opt/circle.service").link("/opt/circle.service", etc + "circle.service");
    world.link(etc + "wrong.service", lib + "a.target").link(etc + "wrong2.service", lib + "t@.service");
    world.file(etc + "garbage.service", std::string("\0\1\2\xff[\n=\n[Service", 14));
    world.file(etc + "dropin.service", service);
    world.files.fifo(etc + "dropin.service.d/x.conf");
    for (const char* bad : {"big", "fifo", "secret", "dangling", "dangling2", "loop", "loop2", "self", "circle", "wrong", "wrong2"}) {
        const auto unit = world.load(std::string(bad) + ".service");
        INFO(bad << ": " << unit->load_error);
        CHECK(unit->load_state == LoadState::Error);
        CHECK_FALSE(unit->load_error.empty());
        REQUIRE_FALSE(unit->problems.empty());
        CHECK(unit->problems.front().file.ends_with(".service"));
    }
    CHECK(world.load("garbage.service")->load_state == LoadState::BadSetting);
    const auto dropin = world.load("dropin.service");
    CHECK(dropin->load_state == LoadState::Loaded);
    CHECK(says(*dropin, etc + "dropin.service.d/x.conf", "not a regular file"));
    CHECK(world.load("good.service")->load_state == LoadState::Loaded);
    for (const char* name : {"../../x", "../../x.service", "/etc/passwd", "", "@.service", "a b.service"})
        CHECK(world.load(name)->load_state == LoadState::Error);
    CHECK(world.loader().load_closure({"good.service", "big.service", "../../x"}).size() > 3);
}

TEST_CASE("files whose name no unit can have are told of, those that nobody takes for a unit are not") {
    World world;
    for (const char* name : {"good.service", "a b.service", "web.servic", "x.sockets", "@.service", "README", "good.service~", "good.service.bak", ".good.service.swp", "good.conf"})
        world.file("/etc/systemd/system/" + std::string(name), "");
    world.file("/etc/systemd/system/" + std::string(250, 'x') + ".service", "");
    auto misnamed = world.loader().misnamed();
    std::ranges::sort(misnamed);
    CHECK(misnamed == Names{"/etc/systemd/system/@.service", "/etc/systemd/system/a b.service", "/etc/systemd/system/web.servic", "/etc/systemd/system/x.sockets",
                            "/etc/systemd/system/" + std::string(250, 'x') + ".service"});
}

TEST_CASE("files of random bytes and broken syntax cost themselves only") {
    World world;
    std::uint32_t state = 1;
    const auto random = [&](std::size_t below) {
        state = state * 1664525U + 1013904223U;
        return static_cast<std::size_t>(state >> 8) % below;
    };
    const std::vector<std::string> pieces = {"[Unit]\n", "[Service]\n", "[Install]\n", "ExecStart=", "After=", "Wants=../../x ", "%i", "%", "\\\n",
                                             "\"", "=", "\n", "#", std::string(1, '\0'), "\xff\xfe", "Type=", "a@.service ", "/bin/true"};
    Names roots{"good.service"};
    world.file(etc + "good.service", service);
    for (int i = 0; i < 300; i++) {
        std::string text;
        for (std::size_t n = random(40); n > 0; n--)
            text += random(3) != 0 ? pieces[random(pieces.size())] : std::string(1, static_cast<char>(random(256)));
        roots.push_back("r" + std::to_string(i) + ".service");
        world.file(etc + roots.back(), text).file(etc + "good.service.d/" + std::to_string(i) + ".conf", text.substr(0, text.find("Type=")));
    }
    const auto units = world.loader().load_closure(roots);
    CHECK(units.size() >= roots.size());
    for (const auto& unit : units)
        for (const Dependency& dependency : unit->unit.dependencies)
            CHECK(dependency.name.find("..") == std::string::npos);
}

TEST_CASE("the closure has every unit once, under its main name") {
    World world;
    world.file(etc + "a.service", "[Unit]\nWants=alias.service c.service missing.service\n" + service);
    world.file(etc + "b.service", "[Unit]\nAfter=a.service\n" + service).link(etc + "alias.service", "b.service").file(etc + "c.service", "[Unit]\nWants=b.service\n" + service);
    const auto names = names_of(world.loader().load_closure({"a.service", "b.service"}));
    CHECK(std::ranges::count(names, "b.service") == 1);
    CHECK(std::ranges::count(names, "missing.service") == 1);
    CHECK(std::ranges::count(names, "sysinit.target") == 1);
    CHECK(std::ranges::adjacent_find(names) == names.end());
}

TEST_CASE("units that could be enabled and are not") {
    World world;
    const std::string install = service + "[Install]\nWantedBy=multi-user.target\n";
    world.file(etc + "off.service", install).file(etc + "on.service", install).file(etc + "static.service", service);
    world.file(lib + "dpkg-db-backup.timer", "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n"); // not of a kind that starts
    world.file(etc + "t@.service", install).file(lib + "systemd-networkd.service", install).file(etc + "masked.service", "");
    world.file(etc + "alias.service", service + "[Install]\nAlias=other.service\n").link(etc + "other.service", etc + "alias.service");
    world.link(etc + "multi-user.target.wants/on.service", etc + "on.service");
    CHECK(world.loader().not_enabled() == Names{"off.service"});
}

TEST_CASE("a rescan sees what changed") {
    World world;
    Loader loader = world.loader();
    CHECK(loader.load("a.service")->load_state == LoadState::NotFound);
    world.file(etc + "a.service", service);
    loader.rescan();
    CHECK(loader.load("a.service")->load_state == LoadState::Loaded);
}

TEST_CASE("merged /usr: a directory is read once") {
    World world;
    world.link("/lib", "usr/lib").file(lib + "a.service", service);
    CHECK(world.loader().fragment_path("a.service") == "/lib/systemd/system/a.service");
    world.link(etc + "b.service", lib + "a.service"); // written the other way
    CHECK(world.load("b.service")->name == "a.service");
}

TEST_CASE("loading is linear and lists each directory once") {
    World world;
    for (int i = 0; i < 2000; i++) {
        const std::string name = "unit-" + std::to_string(i) + ".service";
        world.file(lib + name, "[Unit]\nAfter=unit-" + std::to_string(i / 2) + ".service\n" + service);
        world.link(etc + "multi-user.target.wants/" + name, lib + name);
    }
    const Loader loader = world.loader();
    const std::size_t lists = world.files.lists;
    const auto begin = std::chrono::steady_clock::now();
    const auto units = loader.load_closure({"multi-user.target"});
    const auto took = std::chrono::steady_clock::now() - begin;
    CHECK(units.size() >= 2000);
    CHECK(world.files.lists - lists <= 2); // the .wants directory
    CHECK(world.files.reads <= 2100);
    WARN("2,000 units in " << std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms");
}
