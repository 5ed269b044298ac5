// Booting a target: order, parallel start, results, what "ready" counts.

#include "fake_shell.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::test;
using Trace = std::vector<std::string>;

TEST_CASE("a boot target starts what it wants, in order") {
    FakeShell world;
    world.load({target("default").wants("web").wants("init").after("web").after("init"),
                service("web").needs("init").after("init"), service("init").oneshot()});
    world.programs["init"].exits = 0;
    world.boot("default.target");

    CHECK(world.trace == Trace{"+init", "+web"});
    CHECK(world.sub("init") == "exited");
    CHECK(world.sub("web") == "running");
    CHECK(world.active("default.target") == ActiveState::Active);
    REQUIRE(world.booted);
    CHECK(world.booted->running == 1);
    CHECK(world.booted->done == 1);
    CHECK(world.booted->failed == 0);
    CHECK(world.engine.system_state() == monoinit::engine::Engine::SystemState::Running);
    CHECK(world.engine.jobs().empty());
}

TEST_CASE("what is not ordered starts in parallel") {
    FakeShell world;
    world.load({target("default").wants("a").wants("b"), service("a").type(monoinit::unit::ServiceType::Notify),
                service("b").type(monoinit::unit::ServiceType::Notify)});
    world.boot("default.target");
    CHECK(world.trace == Trace{"+a", "+b"});
    CHECK(world.active("a") == ActiveState::Activating);
    CHECK_FALSE(world.booted);
    world.notify("b", "READY=1");
    world.notify("a", "READY=1");
    CHECK(world.booted);
}

TEST_CASE("a failed init job keeps the service down, and says why") {
    FakeShell world;
    world.load({target("default").wants("code-server").wants("docker-entrypoint"),
                service("code-server").needs("docker-entrypoint").after("docker-entrypoint"),
                service("docker-entrypoint").oneshot()});
    world.programs["docker-entrypoint"].exits = 3;
    world.boot("default.target");

    CHECK(world.trace == Trace{"+docker-entrypoint"});
    CHECK(world.active("code-server") == ActiveState::Inactive);
    CHECK(world.said("code-server not started: docker-entrypoint failed (exit 3); it is in Requires="));
    CHECK(world.why("code-server") == "docker-entrypoint.service failed (exit 3) <- Requires= (code-server.service:2)");
    REQUIRE(world.booted);
    CHECK(world.booted->failed == 2);
    CHECK(world.engine.system_state() == monoinit::engine::Engine::SystemState::Degraded);
}

TEST_CASE("the chain of causes leads to the root unit") {
    FakeShell world;
    world.load({service("a").needs("b").after("b"), service("b").needs("c").after("c"), service("c").oneshot()});
    world.programs["c"].exits = 1;
    const auto request = world.start("a");
    CHECK(world.result(request) == JobResult::Dependency);
    CHECK(world.why("a") == "c.service failed (exit 1) <- Requires= (b.service:2) <- Requires= (a.service:2)");
    CHECK(world.finished[request].reason == world.why("a"));
}
