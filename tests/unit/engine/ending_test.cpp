// What ends the container: X-Essential=, exit_when_done, orchestrated, SuccessAction= and FailureAction=.

#include "fake_shell.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::test;
using monoinit::unit::EmergencyAction;
using monoinit::unit::ExecList;
using monoinit::unit::OnUnhealthy;
using monoinit::unit::RestartPolicy;

namespace {

monoinit::engine::EngineOptions when_done() {
    monoinit::engine::EngineOptions options;
    options.exit_when_done = true;
    options.shutdown_budget = 8s;
    return options;
}

monoinit::engine::EngineOptions orchestrated() {
    monoinit::engine::EngineOptions options = when_done();
    options.orchestrated = true;
    options.policy.restarts = false;
    return options;
}

} // namespace

TEST_CASE("the end of an essential service is the container's") {
    FakeShell world;
    world.load({target("default").wants("web").wants("db").after("web").after("db"), service("web").after("db").essential(), service("db")});
    world.boot("default.target");
    SECTION("with its status") {
        world.exit("web", 3);
        CHECK(world.said("web failed (exit 3) and is essential, so the container ends with 3: stopping 1 unit"));
        CHECK(world.left == 3);
    }
    SECTION("with 128 and the signal that killed it") {
        world.kill("web", SIGKILL);
        CHECK(world.left == 137);
    }
    SECTION("with 0 when that was a success") {
        world.exit("web", 0);
        CHECK(world.said("web ended and is essential, so the container ends with 0"));
        CHECK(world.left == 0);
    }
    SECTION("with 0 after a signal that is a clean end") {
        world.kill("web", SIGTERM);
        CHECK(world.left == 0);
    }
    SECTION("others end nothing") {
        world.exit("db", 3);
        CHECK_FALSE(world.left);
    }
}

TEST_CASE("an essential service that will be restarted has not ended") {
    FakeShell world;
    world.load({service("web").essential().restarts(RestartPolicy::OnFailure).with([](auto& config) {
        config.unit.start_limit = {10s, 2, true, EmergencyAction::None};
    })});
    world.start("web");
    world.exit("web", 3);
    CHECK_FALSE(world.ending);
    world.advance(200ms);
    REQUIRE(world.sub("web") == "running");
    SECTION("until its policy lets it end") {
        world.exit("web", 0);
        CHECK(world.left == 0);
    }
    SECTION("until the start limit") {
        world.exit("web", 4);
        world.advance(10s);
        CHECK(world.said("restarting too quickly"));
        CHECK(world.left == 4);
    }
}

TEST_CASE("what is asked for is no end of the container") {
    FakeShell world;
    world.load({service("web").essential(), service("api").needs("web").after("web").essential()});
    world.start("api");
    SECTION("a stop, which also stops an essential unit that needs it") {
        world.stop("web");
        CHECK(world.active("web") == ActiveState::Inactive);
        CHECK(world.active("api") == ActiveState::Inactive);
        CHECK(world.said("web: essential, but a stop job has ended it: the container stays"));
        CHECK(world.said("api: essential, but a stop job has ended it: the container stays"));
        CHECK_FALSE(world.ending);
        world.start("web");
        world.exit("web", 5);
        CHECK(world.left == 5);
    }
    SECTION("a stop that takes a failure to the end") {
        world.programs["web"].ignores_term = true;
        world.stop("web");
        world.advance(100s);
        CHECK(world.active("web") == ActiveState::Failed);
        CHECK_FALSE(world.ending);
    }
    SECTION("a restart, of which nothing need be said") {
        world.restart("web");
        CHECK(world.sub("web") == "running");
        CHECK_FALSE(world.said("essential"));
        CHECK_FALSE(world.ending);
    }
    SECTION("but a restart that does not come off is") {
        world.programs["web"].spawn_fails = true;
        world.restart("web");
        CHECK(world.left == 203);
    }
    SECTION("initctl kill asks for a signal, not for a stop") {
        world.feed(monoinit::engine::KillUnit{world.id("web"), 0, SIGKILL});
        CHECK(world.left == 137);
    }
}

TEST_CASE("of several essential services the first to end decides") {
    FakeShell world;
    world.load({service("a").essential(), service("b").essential(), service("c")});
    for (const char* name : {"a", "b", "c"})
        world.start(name);
    world.programs["c"].ignores_term = true;
    world.exit("a", 3);
    CHECK(world.said("a failed (exit 3) and is essential (the first of 2 to end decides), so the container ends with 3"));
    CHECK_FALSE(world.left);
    world.advance(100s);
    CHECK(world.left == 3);
}

TEST_CASE("an essential service that is never started, or skipped, ends nothing") {
    FakeShell world;
    world.load({service("web").essential().needs("init").after("init"), service("init").oneshot(), service("job").essential().condition("/x")});
    world.programs["init"].exits = 1;
    world.conditions["job"] = false;
    world.start("web");
    world.start("job");
    CHECK_FALSE(world.ending);
}

TEST_CASE("an essential oneshot is a job: its end is the container's, and ExecStartPre= counts") {
    FakeShell world;
    world.load({service("job").oneshot(false).essential()});
    world.programs["job"].exits = GENERATE(0, 7);
    world.start("job");
    CHECK(world.left == world.programs["job"].exits);
}

TEST_CASE("a failed health check that stops an essential service ends the container") {
    FakeShell world;
    world.load({service("web").essential().checked(OnUnhealthy::Stop)});
    world.healthy["web"] = false;
    world.start("web");
    world.advance(10s);
    CHECK(world.left == 1);
}

TEST_CASE("the end of an essential service survives a crash of PID 1") {
    FakeShell world;
    const std::vector<monoinit::engine::ConfigPtr> configs{service("web").essential(), service("slow")};
    world.load(configs);
    world.start("web");
    world.start("slow");
    world.programs["slow"].silent = true;
    world.programs["slow"].ignores_term = true;
    world.exit("web", 9);
    REQUIRE(world.ending);

    monoinit::engine::Engine resumed{{}};
    resumed.sync(configs, false, world.clock);
    for (const auto unit : world.engine.units())
        REQUIRE(resumed.restore(world.engine.save(unit), world.clock));
    REQUIRE(resumed.restore_globals(world.engine.save_globals(), world.clock));
    const auto effects = resumed.handle(monoinit::engine::Tick{}, world.clock);
    const auto began = std::find_if(effects.begin(), effects.end(), [](const Effect& effect) {
        return std::holds_alternative<monoinit::engine::ShutdownBegan>(effect);
    });
    REQUIRE(began != effects.end());
    CHECK(std::get<monoinit::engine::ShutdownBegan>(*began).exit_status == 9);
}

TEST_CASE("exit_when_done: the container ends when all units have") {
    FakeShell world(when_done());
    world.load({target("default").wants("a").wants("b").wants("init").after("a").after("b").after("init"), service("a"),
                service("b").restarts(RestartPolicy::OnFailure), service("init").oneshot()});
    world.programs["init"].exits = 0;
    world.boot("default.target");
    CHECK_FALSE(world.ending);
    world.exit("a", 0);
    CHECK_FALSE(world.ending);
    SECTION("with 0") {
        world.exit("b", 0);
        CHECK(world.said("all units have ended: stopping 1 unit"));
        CHECK(world.left == 0);
    }
    SECTION("not while one waits to be restarted") {
        world.exit("b", 1);
        CHECK_FALSE(world.ending);
        world.advance(1s);
        world.exit("b", 0);
        CHECK(world.left == 0);
    }
    SECTION("also when the last one was stopped by hand") {
        world.stop("b");
        CHECK(world.left == 0);
    }
    SECTION("not while one that was started by hand runs") {
        world.start("a");
        world.exit("b", 0);
        CHECK_FALSE(world.ending);
        world.exit("a", 0);
        CHECK(world.left == 0);
    }
}

TEST_CASE("exit_when_done: a timer that will elapse keeps the container, one that cannot does not") {
    FakeShell world(when_done());
    auto timer = std::make_shared<monoinit::unit::UnitConfig>();
    timer->name = "job.timer";
    timer->names = {timer->name};
    timer->type = monoinit::unit::UnitType::Timer;
    timer->load_state = monoinit::unit::LoadState::Loaded;
    timer->timer.edit().spans[static_cast<std::size_t>(monoinit::unit::TimerBase::Active)] = {10s};
    timer->unit.dependencies.push_back({monoinit::unit::DependencyKind::Triggers, monoinit::unit::Origin::Implicit, 0, 0, "job.service"});
    world.load({target("default").wants("job.timer").after("job.timer"), service("job").oneshot(false), timer});
    world.programs["job"].exits = 0;
    world.boot("default.target");
    CHECK_FALSE(world.ending);
    world.advance(9s);
    CHECK_FALSE(world.ending);
    world.advance(2s);
    CHECK(world.left == 0);
}

TEST_CASE("exit_when_done: the status is that of the first that failed and stayed so") {
    FakeShell world(when_done());
    world.load({target("default").wants("a").wants("b").wants("c"), service("a"), service("b"), service("c")});
    world.boot("default.target");
    world.exit("a", 3);
    world.advance(1s);
    world.exit("b", 4);
    SECTION("the first") {
        world.exit("c", 0);
        CHECK(world.said("all units have ended; a failed (exit 3) first: stopping"));
        CHECK(world.left == 3);
    }
    SECTION("one that was made good does not count") {
        world.start("a");
        world.exit("a", 0);
        world.exit("c", 0);
        CHECK(world.left == 4);
    }
}

TEST_CASE("exit_when_done: not before the boot is over, and a unit that could not be started is a failure") {
    FakeShell world(when_done());
    world.load({target("default").wants("a").wants("b").after("b"), service("a"), service("b").after("a").condition("/x", true)});
    world.programs["a"].exits = 0;
    world.answer_conditions = false;
    world.boot("default.target");
    CHECK_FALSE(world.ending);
    world.feed(monoinit::engine::ConditionsChecked{world.id("b"), false, true, "AssertPathExists=/x"});
    CHECK(world.booted);
    CHECK(world.said("all units have ended, some could not be started"));
    CHECK(world.left == 1);
}

TEST_CASE("orchestrated: nothing is restarted, the first failure ends the container") {
    FakeShell world(orchestrated());
    world.load({target("default").wants("a").wants("b"), service("a").restarts(), service("b").restarts()});
    world.boot("default.target");
    SECTION("at once, with its status") {
        world.exit("a", 3);
        CHECK(world.said("a: failed: exited (exit 3)"));
        CHECK(world.said("; not restarted: this container is orchestrated"));
        CHECK(world.said("a failed (exit 3), so this orchestrated container ends with 3: stopping 1 unit, 8 s at most"));
        CHECK(world.left == 3);
    }
    SECTION("a success only when it is the last") {
        world.exit("a", 0);
        CHECK(world.said("not restarted: this container is orchestrated"));
        CHECK_FALSE(world.ending);
        world.exit("b", 0);
        CHECK(world.left == 0);
    }
    SECTION("what a person stops is no failure") {
        world.programs["a"].ignores_term = true;
        world.stop("a");
        world.advance(100s);
        CHECK(world.active("a") == ActiveState::Failed);
        CHECK_FALSE(world.ending);
    }
}

TEST_CASE("orchestrated: a failing health check is a failure too") {
    FakeShell world(orchestrated());
    const OnUnhealthy what = GENERATE(OnUnhealthy::Restart, OnUnhealthy::Stop);
    world.load({target("default").wants("a").wants("b"), service("a").checked(what), service("b")});
    world.healthy["a"] = false;
    world.boot("default.target");
    world.advance(10s);
    REQUIRE(world.left);
    CHECK(*world.left != 0);
}

TEST_CASE("SuccessAction= and FailureAction= as systemd.unit(5) says") {
    FakeShell world;
    const auto acts = [](EmergencyAction success, EmergencyAction failure, std::optional<std::uint8_t> on_success = {},
                         std::optional<std::uint8_t> on_failure = {}) {
        return [=](monoinit::unit::UnitConfig& config) {
            config.unit.success_action = success;
            config.unit.failure_action = failure;
            config.unit.success_action_exit_status = on_success;
            config.unit.failure_action_exit_status = on_failure;
        };
    };
    const auto begin = [&](auto&& change) {
        world.load({service("web").with(change), service("other")});
        world.start("web");
        world.start("other");
        world.programs["other"].ignores_term = true;
    };
    SECTION("exit: in order, with the main process' status") {
        begin(acts(EmergencyAction::None, EmergencyAction::Exit));
        world.exit("web", 6);
        REQUIRE(world.ending);
        CHECK(world.ending->budget == monoinit::base::infinity); // the units' own timeouts
        CHECK_FALSE(world.left);
        world.advance(89s);
        CHECK_FALSE(world.left);
        world.advance(2s);
        CHECK(world.left == 6);
    }
    SECTION("exit-force: at once") {
        begin(acts(EmergencyAction::None, EmergencyAction::ExitForce));
        world.exit("web", 6);
        CHECK(world.left == 6);
    }
    SECTION("255 where a signal left no status, as systemd") {
        begin(acts(EmergencyAction::None, EmergencyAction::ExitForce));
        world.kill("web", SIGKILL);
        CHECK(world.left == 255);
    }
    SECTION("FailureActionExitStatus= wins") {
        begin(acts(EmergencyAction::None, EmergencyAction::ExitForce, {}, 42));
        world.exit("web", 6);
        CHECK(world.left == 42);
    }
    SECTION("SuccessAction=, also after a stop by hand") {
        begin(acts(EmergencyAction::ExitForce, EmergencyAction::None, 17));
        if (GENERATE(true, false))
            world.exit("web", 0);
        else
            world.stop("web");
        CHECK(world.left == 17);
    }
    SECTION("each for its own end only") {
        begin(acts(EmergencyAction::Exit, EmergencyAction::None));
        world.exit("web", 1);
        CHECK_FALSE(world.ending);
    }
    SECTION("and before X-Essential=") {
        begin([&](monoinit::unit::UnitConfig& config) {
            acts(EmergencyAction::None, EmergencyAction::ExitForce, {}, 42)(config);
            config.service.edit().essential = true;
        });
        world.exit("web", 6);
        CHECK(world.left == 42);
    }
}
