// Scopes in the engine: they come with processes, are stopped as units are, and hold up the end until theirs are gone.
#include "fake_shell.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::test;

namespace {

Build scope(const std::string& name) { return Build(name + ".scope", unit::UnitType::Scope); }

} // namespace

TEST_CASE("a scope is up with its processes; a start of one without any says what it is") {
    FakeShell shell;
    shell.load({scope("run-1"), Build("batch.slice", unit::UnitType::Slice).builtin()});
    CHECK(shell.result(shell.start("run-1.scope")) == JobResult::Unsupported);
    CHECK(shell.said("a scope has no command of its own"));
    shell.feed(engine::ScopeAdopted{shell.id("run-1.scope")});
    CHECK(shell.sub("run-1.scope") == "running");
    shell.feed(engine::ScopeEmptied{shell.id("run-1.scope")});
    CHECK(shell.sub("run-1.scope") == "dead");
}

TEST_CASE("a stop of a scope, or of its slice, ends its processes; so does the end of the container") {
    FakeShell shell;
    shell.load({scope("run-1").needs("batch.slice").after("batch.slice"), scope("run-2"), Build("batch.slice", unit::UnitType::Slice).builtin()});
    shell.start("batch.slice");
    shell.feed(engine::ScopeAdopted{shell.id("run-1.scope")});
    const auto request = shell.stop("batch.slice");
    CHECK(shell.sub("run-1.scope") == "stop-sigterm");
    CHECK_FALSE(shell.result(request));
    shell.feed(engine::ScopeEmptied{shell.id("run-1.scope")});
    CHECK(shell.result(request) == JobResult::Done);
    shell.feed(engine::ScopeAdopted{shell.id("run-2.scope")});
    shell.feed(engine::Shutdown{engine::Shutdown::Kind::Signal, 8s, 0, "SIGTERM"});
    CHECK_FALSE(shell.left);
    shell.feed(engine::ScopeEmptied{shell.id("run-2.scope")});
    CHECK(shell.left == 0);
}

TEST_CASE("a scope survives a crash") {
    FakeShell before, after;
    for (FakeShell* shell : {&before, &after})
        shell->load({scope("run-1")});
    before.feed(engine::ScopeAdopted{before.id("run-1.scope")});
    REQUIRE(after.engine.restore_globals(before.engine.save_globals(), after.clock));
    REQUIRE(after.engine.restore(before.engine.save(before.id("run-1.scope")), after.clock));
    after.feed(engine::Tick{});
    CHECK(after.sub("run-1.scope") == "running");
}
