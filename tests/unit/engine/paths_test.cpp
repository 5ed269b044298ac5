// Path units in the engine: they start their unit, follow it, survive a crash, say what is wrong.
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
    shell.load({service("job"), path("job", {{PathKind::Changed, "/z"}})}, true); // with a look under way
    shell.feed(engine::Tick{});
    CHECK(looks(shell) == before + 2);
    shell.load({service("job"), path("job", {{PathKind::Exists, "/y"}})}, true);
    shell.feed(engine::Tick{});
    see(shell, "job.path", {5}, "/y");
    CHECK(shell.sub("job") == "running");
}
