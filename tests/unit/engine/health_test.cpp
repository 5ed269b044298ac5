// Health checks in the engine: their life beside the unit's, what OnUnhealthy= does, X-AfterHealthy=, the checkpoint.
#include "fake_shell.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::test;
using supervise::Health;
using unit::OnUnhealthy;

namespace {

Health health(const FakeShell& shell, const std::string& name) { return shell.engine.status(shell.id(name)).health; }

std::size_t runs(const FakeShell& shell) {
    std::size_t count = 0;
    for (const auto& action : shell.all<engine::HealthAction>())
        count += std::holds_alternative<supervise::RunCheck>(action.what) ? 1U : 0U;
    return count;
}

std::size_t ends(const FakeShell& shell) { return shell.all<engine::HealthAction>().size() - runs(shell); }

} // namespace

TEST_CASE("a check begins when its unit is up, and ends with it") {
    FakeShell shell;
    shell.load({service("web").checked()});
    CHECK(health(shell, "web") == Health::None);
    shell.start("web");
    CHECK(health(shell, "web") == Health::Starting);
    CHECK(runs(shell) == 0);
    shell.advance(200ms);
    CHECK(runs(shell) == 1); // it hangs
    shell.stop("web");
    CHECK(health(shell, "web") == Health::None);
    CHECK(ends(shell) == 1);
    shell.advance(1h);
    CHECK(runs(shell) == 1);
}

TEST_CASE("subscribers hear of it") {
    FakeShell shell;
    shell.load({service("web").checked()});
    shell.healthy["web"] = true;
    shell.start("web");
    shell.advance(1s);
    CHECK(health(shell, "web") == Health::Healthy);
    const auto changes = shell.all<engine::HealthChanged>();
    REQUIRE(!changes.empty());
    CHECK(changes.back().after == Health::Healthy);
    CHECK(shell.said("web: healthy after 0.2 s"));
}

TEST_CASE("an unhealthy unit comes back, later each time, and is counted") {
    FakeShell shell;
    shell.load({service("web").checked()});
    shell.healthy["web"] = false;
    shell.start("web");
    shell.advance(10min);
    CHECK(shell.said("web: unhealthy: refused (2 of 2); restarting"));
    const auto* data = shell.engine.status(shell.id("web")).service;
    CHECK(data->restarts > 3);
    CHECK(data->restarts < 200); // 1.2 s a round without the wait would be 500
    shell.healthy["web"] = true;
    shell.advance(2min);
    CHECK(health(shell, "web") == Health::Healthy);
}

TEST_CASE("OnUnhealthy=stop, reload, none") {
    FakeShell shell;
    shell.load({service("stop").checked(OnUnhealthy::Stop), service("reload").reloadable().checked(OnUnhealthy::Reload),
                service("none").checked(OnUnhealthy::None), service("cannot").checked(OnUnhealthy::Reload)});
    for (const char* name : {"stop", "reload", "none", "cannot"}) {
        shell.healthy[name] = false;
        shell.start(name);
    }
    shell.advance(2s);
    CHECK(shell.active("stop") == ActiveState::Inactive);
    CHECK(shell.active("none") == ActiveState::Active);
    CHECK(health(shell, "none") == Health::Unhealthy);
    CHECK(shell.active("reload") == ActiveState::Active);
    CHECK(shell.said("cannot: unhealthy"));
    CHECK(shell.engine.status(shell.id("cannot")).service->restarts == 1); // nothing to reload: restarted
    shell.healthy["none"] = true;
    shell.advance(2s);
    CHECK(shell.said("none: healthy again"));
}

TEST_CASE("OnUnhealthy=fail-container ends everything in order, with status 1") {
    FakeShell shell;
    shell.load({service("web").checked(OnUnhealthy::FailContainer), service("db").before("web")});
    shell.healthy["web"] = false;
    shell.start("db");
    shell.start("web");
    shell.advance(2s);
    CHECK(shell.left == 1);
    CHECK(std::find(shell.trace.begin(), shell.trace.end(), "-web") < std::find(shell.trace.begin(), shell.trace.end(), "-db"));
}

TEST_CASE("X-AfterHealthy: the dependent waits for the check") {
    FakeShell shell;
    shell.load({service("db").checked(), service("web").after_healthy("db"), target("boot").wants("db").wants("web").after("web")});
    shell.boot("boot.target");
    shell.advance(500ms);
    CHECK(shell.active("db") == ActiveState::Active);
    CHECK(shell.active("web") == ActiveState::Inactive);
    CHECK(shell.said("web: waits until db is healthy"));
    CHECK_FALSE(shell.booted);
    shell.healthy["db"] = true;
    shell.advance(10s); // the hanging run first meets its Timeout=
    CHECK(shell.active("web") == ActiveState::Active);
    CHECK(shell.booted);
}

TEST_CASE("X-AfterHealthy: without a check, or without the unit, it is After") {
    FakeShell shell;
    shell.load({service("db"), service("off").checked(), service("web").after_healthy("db").after_healthy("off").after_healthy("ghost")});
    shell.start("web");
    CHECK(shell.active("web") == ActiveState::Active);
}

TEST_CASE("X-AfterHealthy: a unit that fails for good takes the dependent's start with it") {
    FakeShell shell;
    SECTION("its process ends") {
        shell.load({service("db").checked(), service("web").after_healthy("db")});
        shell.start("db");
        const auto request = shell.start("web");
        CHECK_FALSE(shell.result(request));
        shell.exit("db", 3);
        CHECK(shell.result(request) == JobResult::Dependency);
        CHECK(shell.said("web not started: db failed (exit 3"));
    }
    SECTION("OnUnhealthy=stop") {
        shell.load({service("db").checked(OnUnhealthy::Stop), service("web").after_healthy("db")});
        shell.healthy["db"] = false;
        shell.start("db");
        const auto request = shell.start("web");
        shell.advance(5s);
        CHECK(shell.result(request) == JobResult::Dependency);
        CHECK(shell.said("web not started: db was stopped (unhealthy: refused (2 of 2)); it is in X-AfterHealthy="));
        CHECK(shell.why("web").find("X-AfterHealthy=") != std::string::npos);
    }
}

TEST_CASE("X-AfterHealthy: restarts are waited for") {
    FakeShell shell;
    shell.load({service("db").checked(), service("web").after_healthy("db")});
    shell.healthy["db"] = false;
    shell.start("db");
    const auto request = shell.start("web");
    shell.advance(1min);
    CHECK_FALSE(shell.result(request));
    shell.healthy["db"] = true;
    shell.advance(1min);
    CHECK(shell.result(request) == JobResult::Done);
}

TEST_CASE("X-AfterHealthy: a start that waits can be cancelled, and gives way to a stop") {
    FakeShell shell;
    shell.load({service("db").checked(), service("web").after_healthy("db")});
    shell.start("db");
    const auto request = shell.start("web");
    const auto stop = shell.stop("web");
    CHECK(shell.result(request) == JobResult::Canceled);
    CHECK(shell.replies.at(stop).refusal == graph::RefusalReason::None);
    CHECK(shell.active("web") == ActiveState::Inactive);
}

TEST_CASE("at shutdown checks end and nothing follows from them") {
    FakeShell shell;
    shell.programs["web"].ignores_term = true;
    shell.load({service("web").checked()});
    shell.healthy["web"] = false;
    shell.start("web");
    shell.feed(engine::Shutdown{engine::Shutdown::Kind::Signal, 8s, 0, "SIGTERM"});
    shell.advance(1min);
    CHECK(shell.left == 0);
    CHECK_FALSE(shell.said("unhealthy"));
}

TEST_CASE("daemon-reload brings and takes checks") {
    FakeShell shell;
    shell.load({service("web")});
    shell.start("web");
    CHECK(health(shell, "web") == Health::None);
    shell.load({service("web").checked()}, true);
    shell.feed(engine::Tick{});
    CHECK(health(shell, "web") == Health::Starting);
    shell.healthy["web"] = true;
    shell.advance(1s);
    CHECK(health(shell, "web") == Health::Healthy);
    shell.load({service("web")}, true);
    shell.feed(engine::Tick{});
    CHECK(health(shell, "web") == Health::None);
    const std::size_t before = runs(shell);
    shell.advance(1min);
    CHECK(runs(shell) == before);
}

TEST_CASE("the checkpoint keeps health") {
    FakeShell shell;
    shell.load({service("web").checked(OnUnhealthy::None)});
    shell.healthy["web"] = true;
    shell.start("web");
    shell.advance(1s);
    shell.healthy["web"] = false;
    shell.advance(1s);
    const auto before = shell.engine.status(shell.id("web")).monitor->data()[0];
    REQUIRE(before.streak == 1);

    engine::Engine again{engine::EngineOptions{}};
    again.sync({service("web").checked(OnUnhealthy::None)}, true, shell.clock);
    REQUIRE(again.restore_globals(shell.engine.save_globals(), shell.clock));
    REQUIRE(again.restore(shell.engine.save(shell.id("web")), shell.clock));
    (void)again.handle(engine::Tick{}, shell.clock);
    const auto status = again.status(again.find("web.service"));
    CHECK(status.health == Health::Healthy);
    const auto& after = status.monitor->data()[0];
    CHECK(after.streak == 1);
    CHECK(after.verdict == Health::Healthy);
    CHECK(after.last_text == before.last_text);
    CHECK(after.last_run == before.last_run);
    CHECK(after.due == before.due);
    CHECK(again.next_deadline() == shell.engine.next_deadline());
}
