// Stories of what comes after the end: restart, limits, actions, tidying up.

#include "sim.hpp"

using namespace monoinit;
using namespace monoinit::supervise;

TEST_CASE("a crash is restarted with growing delays, anew after a minute up") {
    Sim sim(ServiceType::Simple,
            [](auto& unit) { unit.service.edit().restart = unit::RestartPolicy::Always; });
    sim.start();
    sim.advance(14s);
    sim.forget();
    sim.main_exits(killed(9));
    CHECK(sim.said == Lines{"killed (SIGKILL) after 14 s; restarting in 100 ms (attempt 1)"});
    CHECK(sim.states == Lines{"stop-sigterm", "failed", "auto-restart"});
    CHECK(sim.changes[1].will_restart);
    CHECK(sim.data().result == ServiceResult::Signal);
    sim.advance(99ms);
    CHECK(sim.state() == "auto-restart");
    sim.advance(1ms);
    CHECK(sim.state() == "running");
    CHECK(sim.data().restarts == 1);

    sim.advance(2s);
    sim.main_exits(exited(3));
    CHECK(sim.last_said() == "exited (exit 3) after 2 s; restarting in 200 ms (attempt 2)");
    sim.advance(200ms);
    for (const auto* delay :
         {"400 ms", "800 ms", "1.6 s", "3.2 s", "6.4 s", "12 s", "25 s", "30 s", "30 s"}) {
        sim.main_exits(exited(3));
        CHECK(sim.last_said().find(std::string("restarting in ") + delay) != std::string::npos);
        sim.advance(31s);
        CHECK(sim.state() == "running");
    }
    sim.advance(59s);
    sim.main_exits(exited(0));
    CHECK(sim.last_said() == "exited (exit 0) after 60 s; restarting in 100 ms (attempt 1)");
}

TEST_CASE("explicit timing is systemd's, with its start limit") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        auto& service = unit.service.edit();
        service.restart = unit::RestartPolicy::OnFailure;
        service.restart_delay = 1s;
        service.restart_timing_set = true;
        unit.unit.start_limit.action = unit::EmergencyAction::Exit;
    });
    sim.start();
    for (int i = 1; i <= 4; i++) {
        sim.main_exits(exited(1));
        CHECK(sim.last_said() ==
              "exited (exit 1) after 0 ms; restarting in 1 s (attempt " + std::to_string(i) + ")");
        sim.advance(1s);
        CHECK(sim.state() == "running");
    }
    sim.main_exits(exited(1));
    sim.advance(1s);
    CHECK(sim.state() == "failed");
    CHECK(sim.result() == ServiceResult::StartLimitHit);
    CHECK(
        sim.last_said() ==
        "restarting too quickly; stays failed: 5 starts in 10 s. initctl restart web tries again");
    CHECK(sim.count<Emergency>() == 1);
    CHECK(sim.start() == StartVerdict::StartLimitHit);
    sim.service().clear_restart_counter(); // a person
    CHECK(sim.start() == StartVerdict::Started);
    CHECK(sim.data().restarts == 0);
}

TEST_CASE("the default limit does not end the default backoff, a limit set by the unit does") {
    const bool set = GENERATE(false, true);
    Sim sim(ServiceType::Simple, [&](auto& unit) {
        unit.service.edit().restart = unit::RestartPolicy::Always;
        unit.unit.start_limit.burst = 3;
        unit.unit.start_limit.set = set;
    });
    sim.start();
    for (int i = 0; i < 6 && sim.state() == "running"; i++) {
        sim.main_exits(exited(1));
        sim.advance(1s);
    }
    CHECK(sim.result() == (set ? ServiceResult::StartLimitHit : ServiceResult::ExitCode));
}

TEST_CASE("what survives SIGKILL keeps the unit failed") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        unit.service.edit().restart = unit::RestartPolicy::Always;
        unit.service.edit().timeout_stop = 1s;
    });
    sim.start();
    const GuardId guard = sim.data().main_guard;
    sim.guards[guard].children = {777};
    sim.obedient = false;
    sim.main_exits(exited(1));
    sim.advance(10s);
    CHECK(sim.state() == "failed");
    CHECK(sim.data().guards == std::vector{guard});
    CHECK(sim.count<RestartDue>() == 0);
    CHECK(sim.start() == StartVerdict::LeftoversRemain);
    sim.empties(guard);
    CHECK(sim.start() == StartVerdict::Started);
}

TEST_CASE("no process to be had is a failure that Restart= mends") {
    Sim sim(ServiceType::Simple,
            [](auto& unit) { unit.service.edit().restart = unit::RestartPolicy::OnFailure; });
    sim.answer_spawns = false;
    sim.start();
    const GuardId guard = sim.data().main_guard;
    sim.guards.clear();
    sim.tell(
        SpawnResult{guard, false, 0, 0, EAGAIN, "fork: Resource temporarily unavailable", true});
    CHECK(sim.state() == "auto-restart");
    CHECK(sim.result() == ServiceResult::Resources);
    CHECK(sim.data().guards.empty());
    CHECK(sim.last_said() == "no process could be made: fork: Resource temporarily unavailable; "
                             "restarting in 100 ms (attempt 1)");
}

TEST_CASE("a lost guard: failed, and no restart before its processes are gone") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        unit.service.edit().restart = unit::RestartPolicy::OnFailure;
        unit.kill.edit().mode =
            GENERATE(unit::KillMode::ControlGroup, unit::KillMode::Process, unit::KillMode::None);
    });
    sim.start();
    const GuardId guard = sim.data().main_guard;
    sim.obedient = false;
    sim.tell(GuardLost{guard});
    CHECK(sim.state() == "stop-sigterm");
    CHECK(sim.data().main_pid == 0);
    sim.advance(1s);
    CHECK(sim.count<RestartDue>() == 0);
    sim.empties(guard);
    CHECK(sim.state() == "auto-restart");
    CHECK(sim.result() == ServiceResult::GuardLost);
    CHECK(sim.last_said() == "its guard was killed; restarting in 100 ms (attempt 1)");
}

TEST_CASE("RestartMode=direct skips failed") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        unit.service.edit().restart = unit::RestartPolicy::Always;
        unit.service.edit().restart_mode = unit::RestartMode::Direct;
    });
    sim.start();
    sim.forget();
    sim.main_exits(exited(1));
    CHECK(sim.states == Lines{"stop-sigterm", "auto-restart"});
}

TEST_CASE("a stop cancels a pending restart; a start does not wait for it") {
    Sim sim(ServiceType::Simple,
            [](auto& unit) { unit.service.edit().restart = unit::RestartPolicy::Always; });
    sim.start();
    sim.main_exits(exited(1));
    REQUIRE(sim.state() == "auto-restart");
    SECTION("stop") {
        sim.stop();
        CHECK(sim.state() == "dead");
        CHECK(sim.last_said() == "stopped; its restart is cancelled");
        CHECK(sim.service().deadline() == base::never);
    }
    SECTION("start") {
        CHECK(sim.start() == StartVerdict::Started);
        CHECK(sim.state() == "running");
    }
    SECTION("the engine's restart job stops, then starts: the counter stays") {
        sim.restart_jobs = false;
        sim.advance(1s);
        CHECK(sim.state() == "auto-restart");
        sim.forget();
        sim.stop(true);
        sim.start();
        CHECK(sim.data().restarts == 1);
        CHECK(sim.said == Lines{"started (pid 102)"});
    }
}

TEST_CASE("FailureAction= and SuccessAction=") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        unit.unit.failure_action = unit::EmergencyAction::Exit;
        unit.unit.success_action = unit::EmergencyAction::ExitForce;
        unit.unit.success_action_exit_status = std::uint8_t{9};
    });
    sim.start();
    const bool fails = GENERATE(false, true);
    sim.main_exits(exited(fails ? 3 : 0));
    REQUIRE(sim.count<Emergency>() == 1);
    const auto found = std::ranges::find_if(
        sim.others, [](const auto& a) { return std::holds_alternative<Emergency>(a); });
    const auto& emergency = std::get<Emergency>(*found);
    CHECK(emergency.action ==
          (fails ? unit::EmergencyAction::Exit : unit::EmergencyAction::ExitForce));
    CHECK(emergency.exit_status == (fails ? 3 : 9));
}

TEST_CASE("RuntimeDirectory= and PIDFile= go when the service is down, as "
          "RuntimeDirectoryPreserve= says") {
    const auto [preserve, removed] = GENERATE(table<unit::Preserve, int>(
        {{unit::Preserve::No, 2}, {unit::Preserve::Yes, 0}, {unit::Preserve::Restart, 1}}));
    Sim sim(ServiceType::Simple, [p = preserve](auto& unit) {
        unit.exec.edit().directories[0].paths = {"web"};
        unit.exec.edit().runtime_directory_preserve = p;
        unit.service.edit().restart = unit::RestartPolicy::Always;
    });
    sim.start();
    sim.main_exits(exited(1));
    sim.advance(1s);
    sim.stop();
    CHECK(sim.count<RemoveDirectories>() == removed);
}

TEST_CASE("credentials go whenever the service is down, whatever RuntimeDirectoryPreserve= says") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        unit.exec.edit().credentials.edit().import = {"*"};
        unit.exec.edit().directories[0].paths = {"web"};
        unit.exec.edit().runtime_directory_preserve = unit::Preserve::Yes;
        unit.service.edit().restart = unit::RestartPolicy::Always;
    });
    sim.start();
    sim.main_exits(exited(1));
    sim.advance(1s);
    sim.stop();
    CHECK(sim.count<RemoveDirectories>() == 2);
}

TEST_CASE("a restored machine goes on where the checkpoint left it") {
    Sim before(ServiceType::Simple,
               [](auto& unit) { unit.service.edit().restart = unit::RestartPolicy::Always; });
    before.start();
    Sim after(ServiceType::Simple,
              [](auto& unit) { unit.service.edit().restart = unit::RestartPolicy::Always; });
    after.guards = before.guards;
    after.service().restore(before.data());
    CHECK(after.state() == "running");
    after.main_exits(exited(1));
    CHECK(after.state() == "auto-restart");
}

TEST_CASE("the start limit counts as a failure for FailureAction= too") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        unit.service.edit().restart = unit::RestartPolicy::Always;
        unit.unit.start_limit.burst = 1;
        unit.unit.start_limit.set = true;
        unit.unit.failure_action = unit::EmergencyAction::Exit;
    });
    sim.start();
    sim.main_exits(exited(1));
    CHECK(sim.count<Emergency>() == 0);
    sim.advance(1s);
    CHECK(sim.result() == ServiceResult::StartLimitHit);
    CHECK(sim.count<Emergency>() == 1);
}
