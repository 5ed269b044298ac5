// Path units in the engine: they start their unit, follow it, survive a crash, say what is wrong; X-Watch=.
#include "fake_shell.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::test;
using unit::PathKind;

namespace {

engine::ConfigPtr path(const std::string& name, std::vector<unit::WatchedPath> paths) {
    auto config = std::make_shared<unit::UnitConfig>();
    config->name = name + ".path";
    config->names = {config->name};
    config->type = unit::UnitType::Path;
    config->load_state = unit::LoadState::Loaded;
    config->path.edit().paths = std::move(paths);
    for (const auto kind : {unit::DependencyKind::Triggers, unit::DependencyKind::Before})
        config->unit.dependencies.push_back({kind, unit::Origin::Implicit, 0, 0, name + ".service"});
    return config;
}

void see(FakeShell& shell, const std::string& name, std::vector<std::uint64_t> files, const std::string& good = {}) {
    shell.feed(engine::PathsLookedAt{shell.id(name), {{}, files, files, good}});
}

std::size_t looks(const FakeShell& shell) {
    std::size_t count = 0;
    for (const auto& action : shell.all<engine::UnitAction>())
        count += std::holds_alternative<supervise::LookAtPaths>(action.action) ? 1U : 0U;
    return count;
}

/// What a new image makes of what the old one has saved.
void crash(FakeShell& shell, FakeShell& next, const std::vector<engine::ConfigPtr>& configs) {
    next.clock = shell.clock;
    next.guards = shell.guards;
    next.load(configs);
    for (const UnitId unit : shell.engine.units())
        REQUIRE(next.engine.restore(shell.engine.save(unit), next.clock));
    REQUIRE(next.engine.restore_globals(shell.engine.save_globals(), next.clock));
    next.feed(engine::Tick{});
}

engine::ConfigPtr watched(const std::string& name, unit::WatchAction action = unit::WatchAction::Restart) {
    auto config = std::make_shared<unit::UnitConfig>(*engine::ConfigPtr(service(name)));
    config->watch.edit().patterns = {"/src"};
    config->watch.edit().action = action;
    config->watch.edit().signal = 12;
    config->exec.edit().working_directory = "/src";
    return config;
}

std::optional<bool> watching(const FakeShell& shell) {
    std::optional<bool> last;
    for (const auto& action : shell.all<engine::UnitAction>())
        if (const auto* watch = std::get_if<supervise::WatchSources>(&action.action))
            last = watch->on;
    return last;
}

} // namespace

TEST_CASE("a path starts its unit, with the reason, and again when it is down") {
    FakeShell shell;
    shell.load({service("job"), path("job", {{PathKind::Exists, "/x"}})});
    const auto request = shell.start("job.path");
    CHECK_FALSE(shell.result(request));
    see(shell, "job.path", {0});
    CHECK(shell.result(request) == JobResult::Done);
    CHECK(shell.sub("job.path") == "waiting");
    shell.feed(engine::PathsChanged{shell.id("job.path")});
    see(shell, "job.path", {7}, "/x");
    CHECK(shell.sub("job") == "running");
    CHECK(shell.sub("job.path") == "running");
    REQUIRE(shell.engine.status(shell.id("job")).activation != nullptr);
    CHECK(shell.engine.status(shell.id("job")).activation->unit == "job.path");
    CHECK(shell.engine.status(shell.id("job")).activation->path == "/x");
    const auto before = looks(shell);
    shell.exit("job", 0);
    CHECK(shell.sub("job.path") == "waiting");
    CHECK(looks(shell) == before + 1);
    CHECK(shell.engine.status(shell.id("job")).activation == nullptr);
    see(shell, "job.path", {7}, "/x");
    CHECK(shell.sub("job") == "running");
    shell.stop("job.path");
    CHECK(shell.sub("job.path") == "dead");
    CHECK(shell.sub("job") == "running");
}

TEST_CASE("what others start is followed, and is nobody's activation") {
    FakeShell shell;
    shell.load({service("job"), path("job", {{PathKind::Changed, "/x"}})});
    shell.start("job.path");
    see(shell, "job.path", {1});
    shell.start("job");
    CHECK(shell.sub("job.path") == "running");
    CHECK(shell.engine.status(shell.id("job")).activation == nullptr);
    shell.feed(engine::PathsChanged{shell.id("job.path"), 0}); // an event that comes late
    shell.stop("job");
    CHECK(shell.sub("job.path") == "waiting");
    see(shell, "job.path", {2});
    CHECK(shell.sub("job.path") == "waiting");
}

TEST_CASE("a unit that ends at once takes its path with it when it hits its start limit") {
    FakeShell shell;
    shell.load({service("job"), path("job", {{PathKind::Exists, "/x"}})});
    shell.programs["job"].exits = 1;
    shell.start("job.path");
    for (int i = 0; i < 10 && shell.sub("job.path") != "failed"; i++)
        see(shell, "job.path", {7}, "/x");
    CHECK(shell.sub("job.path") == "failed");
    CHECK(shell.engine.status(shell.id("job.path")).path->result == supervise::PathResult::UnitStartLimitHit);
    CHECK(shell.said("job.path: failed: job.service was started too often"));
}

TEST_CASE("a missing unit, and one whose start is refused, are said") {
    FakeShell shell;
    shell.load({path("alone", {{PathKind::Exists, "/x"}})});
    const auto request = shell.start("alone.path");
    CHECK(shell.result(request) == JobResult::Failed);
    CHECK(shell.said("alone.path: not started: the unit it starts is not there"));
    shell.load({service("job"), path("job", {{PathKind::Exists, "/x"}})});
    shell.start("job.path");
    see(shell, "job.path", {0});
    shell.load({Build("job.service", unit::UnitType::Service).state(unit::LoadState::Masked), path("job", {{PathKind::Exists, "/x"}})}, true);
    see(shell, "job.path", {7}, "/x");
    shell.feed(engine::PathsChanged{shell.id("job.path")});
    see(shell, "job.path", {7}, "/x");
    CHECK(shell.sub("job.path") == "failed");
}

TEST_CASE("a path that is about to be stopped starts nothing; if it is not, nothing is missed") {
    FakeShell shell;
    shell.load({service("job"), Build(service("late")).dep(unit::DependencyKind::After, "job.path"), path("job", {{PathKind::Changed, "/x"}})});
    shell.start("job.path");
    see(shell, "job.path", {1});
    shell.start("late");
    shell.programs["late"].ignores_term = true;
    shell.stop("late");
    const auto stop = shell.stop("job.path"); // waits for late
    REQUIRE_FALSE(shell.result(stop));
    shell.feed(engine::PathsChanged{shell.id("job.path"), 0});
    CHECK(shell.sub("job") == "dead");
    for (const auto& job : shell.engine.jobs())
        if (job.unit == shell.id("job.path"))
            shell.feed(engine::CancelJob{job.id});
    shell.advance(1s);
    see(shell, "job.path", {2});
    CHECK(shell.sub("job") == "running");
}

TEST_CASE("a checkpoint holds where a path stands, and why its unit runs") {
    const std::vector<engine::ConfigPtr> configs{service("job"), path("job", {{PathKind::Changed, "/x"}})};
    FakeShell first, shell, last;
    first.load(configs);
    first.start("job.path");
    see(first, "job.path", {1});
    crash(first, shell, configs);
    CHECK(looks(shell) == 1);
    shell.feed(engine::PathsLookedAt{shell.id("job.path"), {{}, {1}, {99}, {}}}); // written to meanwhile
    CHECK(shell.sub("job") == "running");
    crash(shell, last, configs);
    CHECK(last.sub("job.path") == "running");
    REQUIRE(last.engine.status(last.id("job")).activation != nullptr);
    CHECK(last.engine.status(last.id("job")).activation->path == "/x");
}

TEST_CASE("a reload with other paths looks at them; with the same it does not") {
    FakeShell shell;
    shell.load({service("job"), path("job", {{PathKind::Changed, "/x"}})});
    shell.start("job.path");
    see(shell, "job.path", {1});
    const auto before = looks(shell);
    shell.load({service("job"), path("job", {{PathKind::Changed, "/x"}})}, true);
    shell.feed(engine::Tick{});
    CHECK(looks(shell) == before);
    shell.load({service("job"), path("job", {{PathKind::Exists, "/y"}})}, true);
    shell.feed(engine::Tick{});
    CHECK(looks(shell) == before + 1);
    see(shell, "job.path", {5}, "/y");
    CHECK(shell.sub("job") == "running");
}

TEST_CASE("X-Watch: a change restarts what runs, starts what has failed, and leaves alone what was stopped") {
    FakeShell shell;
    shell.load({watched("web")});
    shell.start("web");
    CHECK(watching(shell) == true);
    const auto pid = shell.engine.status(shell.id("web")).service->main_pid;
    shell.feed(engine::SourcesChanged{shell.id("web"), "/src/app.py", 2});
    CHECK(shell.said("web: app.py and 2 more have changed; restarting"));
    CHECK(shell.sub("web") == "running");
    CHECK(shell.engine.status(shell.id("web")).service->main_pid != pid);
    CHECK(watching(shell) == true);
    for (int i = 0; i < 20; i++) { // an edit is a person's doing: no start limit
        shell.exit("web", 1);
        CHECK(shell.active("web") == ActiveState::Failed);
        shell.feed(engine::SourcesChanged{shell.id("web"), "/src/app.py"});
        REQUIRE(shell.sub("web") == "running");
    }
    CHECK(shell.said("app.py has changed; starting"));
    CHECK(shell.said("belongs in X-WatchIgnore="));
    CHECK(watching(shell) == true);
    FakeShell next;
    crash(shell, next, {watched("web")});
    CHECK(watching(next) == true);
    shell.stop("web");
    CHECK(watching(shell) == false);
    shell.feed(engine::SourcesChanged{shell.id("web"), "/src/app.py"});
    CHECK(shell.sub("web") == "dead");
    shell.start("web");
    CHECK(watching(shell) == true);
    shell.exit("web", 1);
    shell.stop("web"); // it has failed: nothing to stop, but the watch
    CHECK(watching(shell) == false);
}

TEST_CASE("X-WatchAction: a signal, a reload, and a restart where it cannot be reloaded") {
    FakeShell shell;
    shell.load({watched("signalled", unit::WatchAction::Signal), watched("reloaded", unit::WatchAction::Reload)});
    shell.start("signalled");
    const auto pid = shell.engine.status(shell.id("signalled")).service->main_pid;
    shell.feed(engine::SourcesChanged{shell.id("signalled"), "/src/a"});
    CHECK(shell.engine.status(shell.id("signalled")).service->main_pid == pid);
    int sent = 0;
    for (const auto& action : shell.all<engine::UnitAction>())
        if (const auto* signal = std::get_if<supervise::Signal>(&action.action))
            sent = signal->signal;
    CHECK(sent == 12);
    shell.start("reloaded");
    shell.feed(engine::SourcesChanged{shell.id("reloaded"), "/src/a"});
    CHECK(shell.said("reloaded: a has changed; restarting"));
}

TEST_CASE("X-Watch: settings that come, change and go with a reload") {
    FakeShell shell;
    shell.load({service("web")});
    shell.start("web");
    CHECK_FALSE(watching(shell));
    shell.load({watched("web")}, true);
    shell.feed(engine::Tick{});
    CHECK(watching(shell) == true);
    shell.load({service("web")}, true);
    shell.feed(engine::Tick{});
    CHECK(watching(shell) == false);
}
