// Mounts, devices and automounts in the engine: they follow what is mounted and what is there, whoever made it so.
#include "fake_shell.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::test;

namespace {

Build mount_unit(const std::string& name, const std::string& where) {
    Build build(name, unit::UnitType::Mount);
    build.with([&](unit::UnitConfig& config) { config.mount.edit().where = where; });
    for (const auto list : {unit::ExecList::Start, unit::ExecList::Reload, unit::ExecList::Stop})
        build.command(list, list == unit::ExecList::Stop ? "umount" : "mount");
    return build;
}

Build device(const std::string& name) { return Build(name, unit::UnitType::Device).builtin(); }

void table(FakeShell& shell, base::StringSet mounted, bool given = false) {
    shell.mounted = std::move(mounted);
    shell.feed(engine::MountsRead{shell.mounted, given});
}

const supervise::Mount::Data& data(const FakeShell& shell, const std::string& name) { return *shell.engine.status(shell.id(name)).mount; }

/// Mounts and unmounts as the commands say.
void obey(FakeShell& shell, const std::string& name) {
    for (const auto& [guard, running] : std::map(shell.guards)) {
        if (running.unit != shell.id(name))
            continue;
        if (running.spawn.list == unit::ExecList::Start)
            shell.mounted.insert(name);
        if (running.spawn.list == unit::ExecList::Stop)
            shell.mounted.erase(name);
        shell.finish_guard(guard, {base::ExitInfo::Code::Exited, 0});
    }
}

} // namespace

TEST_CASE("a volume is active from the beginning, is not unmounted, and satisfies who requires it") {
    FakeShell shell;
    shell.load({mount_unit("srv.mount", "/srv"), service("web").needs("srv.mount").after("srv.mount"), target("multi-user").wants("web")});
    table(shell, {"srv.mount"}, true);
    CHECK(shell.sub("srv.mount") == "mounted");
    shell.boot("multi-user.target");
    CHECK(shell.sub("web") == "running");
    const auto refused = shell.stop("srv.mount");
    CHECK(shell.replies.at(refused).refusal == graph::RefusalReason::Manual);
    CHECK(shell.replies.at(refused).text == "srv.mount was mounted by whoever started the container (a volume), so it is not unmounted here");
    CHECK(shell.sub("web") == "running");
    shell.feed(engine::Shutdown{});
    CHECK(shell.left == 0);
    CHECK(shell.sub("srv.mount") == "mounted");
}

TEST_CASE("what a unit mounts is unmounted when it is stopped, and at the end, after those that use it") {
    FakeShell shell;
    shell.programs["srv.mount"].silent = true;
    shell.load({mount_unit("srv.mount", "/srv"), service("web").needs("srv.mount").after("srv.mount")});
    const auto request = shell.start("web");
    CHECK(shell.sub("srv.mount") == "mounting");
    CHECK(shell.sub("web") == "dead");
    for (const auto& [guard, running] : std::map(shell.guards))
        shell.feed(engine::GuardEvent{running.unit, supervise::SpawnResult{guard, true, running.pid}});
    obey(shell, "srv.mount");
    CHECK(shell.result(request) == JobResult::Done);
    CHECK(shell.sub("srv.mount") == "mounted");
    CHECK(data(shell, "srv.mount").ours);
    CHECK(shell.said("srv.mount: mounted"));
    shell.programs.clear();
    shell.feed(engine::Shutdown{});
    REQUIRE(shell.left == 0);
    CHECK(shell.trace.back() == "-web");
    // umount said that it went well, however often, and it was still there: that holds up nobody.
    CHECK(data(shell, "srv.mount").state == supervise::MountState::Mounted);
    CHECK(data(shell, "srv.mount").result == supervise::MountResult::Protocol);
}

TEST_CASE("others mount and unmount: the unit follows, and what is bound to it") {
    FakeShell shell;
    shell.load({mount_unit("srv.mount", "/srv"), service("web").dep(DependencyKind::BindsTo, "srv.mount").after("srv.mount")});
    table(shell, {"srv.mount"});
    CHECK(shell.sub("srv.mount") == "mounted");
    CHECK_FALSE(data(shell, "srv.mount").given);
    shell.start("web");
    table(shell, {});
    CHECK(shell.sub("srv.mount") == "dead");
    CHECK(shell.active("web") == ActiveState::Inactive);
    table(shell, {"srv.mount"});
    CHECK(shell.sub("srv.mount") == "mounted");
    shell.feed(engine::Shutdown{});
    CHECK(shell.left == 0);
    CHECK(shell.all<engine::UnitAction>().size() > 0);
    CHECK(shell.sub("srv.mount") == "mounted"); // not ours: left alone
}

TEST_CASE("a command that succeeds and mounts nothing, one that fails, and one that cannot be run are failures") {
    FakeShell shell;
    shell.load({mount_unit("srv.mount", "/srv"), service("web").needs("srv.mount").after("srv.mount")});
    shell.programs["srv.mount"].exits = 0;
    auto request = shell.start("web");
    CHECK(shell.result(request) == JobResult::Dependency);
    CHECK(data(shell, "srv.mount").result == supervise::MountResult::Protocol);
    CHECK(shell.said("srv.mount: failed: the mount command succeeded, but nothing is mounted at /srv"));
    shell.programs["srv.mount"].exits = 32;
    request = shell.start("srv.mount");
    CHECK(shell.result(request) == JobResult::Failed);
    CHECK(data(shell, "srv.mount").result == supervise::MountResult::ExitCode);
    CHECK(shell.why("web").find("srv.mount failed") != std::string::npos);
    shell.programs["srv.mount"].spawn_fails = true;
    request = shell.start("srv.mount");
    CHECK(shell.result(request) == JobResult::Failed);
    table(shell, {"srv.mount"});
    CHECK(shell.sub("srv.mount") == "mounted");
}

TEST_CASE("a crash in between: the table is read again, and says what has become of it") {
    FakeShell before;
    before.programs["srv.mount"].silent = true;
    before.load({mount_unit("srv.mount", "/srv"), mount_unit("old.mount", "/old")});
    table(before, {"old.mount"}, true);
    before.start("srv.mount");
    FakeShell after;
    after.load({mount_unit("srv.mount", "/srv"), mount_unit("old.mount", "/old")});
    REQUIRE(after.engine.restore_globals(before.engine.save_globals(), after.clock));
    for (const char* name : {"srv.mount", "old.mount"})
        REQUIRE(after.engine.restore(before.engine.save(before.id(name)), after.clock));
    CHECK(data(after, "old.mount").given);
    after.feed(engine::Tick{});
    CHECK(after.sub("old.mount") == "mounted");
    CHECK(after.sub("srv.mount") == "mounting");
    const auto guard = before.guards.begin()->first;
    after.feed(engine::GuardEvent{after.id("srv.mount"), supervise::SpawnResult{guard, true, 7}});
    after.mounted = {"srv.mount", "old.mount"};
    after.feed(engine::GuardEvent{after.id("srv.mount"), supervise::CommandExited{guard, 7, {base::ExitInfo::Code::Exited, 0}}});
    CHECK(after.sub("srv.mount") == "mounted");
    CHECK(data(after, "old.mount").given);
}

TEST_CASE("a device is up when it is there; an absent one fails at once, and says how a container gets it") {
    FakeShell shell;
    shell.load({device("dev-fuse.device"), device("dev-sdb.device"), service("one").needs("dev-fuse.device").after("dev-fuse.device"),
                service("two").needs("dev-sdb.device").after("dev-sdb.device")});
    shell.devices.insert("dev-fuse.device");
    CHECK(shell.result(shell.start("one")) == JobResult::Done);
    CHECK(shell.sub("dev-fuse.device") == "plugged");
    CHECK(shell.result(shell.start("two")) == JobResult::Dependency);
    CHECK(shell.said("dev-sdb.device: /dev/sdb is not there; a container gets a device by its run command (--device)"));
    CHECK(shell.replies.at(shell.stop("dev-fuse.device")).refusal == graph::RefusalReason::Manual);
    shell.feed(engine::DeviceSeen{shell.id("dev-fuse.device"), false});
    CHECK(shell.sub("dev-fuse.device") == "dead");
}

TEST_CASE("automount and swap units are not supported, but an automount whose place is mounted is active") {
    FakeShell shell;
    shell.load({Build("srv.automount", unit::UnitType::Automount), Build("x.swap", unit::UnitType::Swap),
                service("web").wants("srv.automount").wants("x.swap").after("srv.automount")});
    CHECK(shell.result(shell.start("web")) == JobResult::Done);
    CHECK(shell.result(shell.start("srv.automount")) == JobResult::Unsupported);
    CHECK(shell.said("srv.automount: not started: containers have no autofs"));
    CHECK(shell.result(shell.start("x.swap")) == JobResult::Unsupported);
    CHECK(shell.said("x.swap: not started: swap belongs to the machine"));
    table(shell, {"srv.mount"});
    CHECK(shell.result(shell.start("srv.automount")) == JobResult::Done);
    CHECK(shell.active("srv.automount") == ActiveState::Active);
}
