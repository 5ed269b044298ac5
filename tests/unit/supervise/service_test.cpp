// Stories of a service's life: starting, stopping, restarting.

#include "sim.hpp"

using namespace monoinit;
using namespace monoinit::supervise;

namespace {

auto& list(unit::UnitConfig& unit, ExecList which) {
    return unit.service.edit().commands[static_cast<std::size_t>(which)];
}

} // namespace

TEST_CASE("simple: started when the command runs, stopped by SIGTERM") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        unit.exec.edit().user = "dev";
        unit.exec.edit().group = "staff";
    });
    CHECK(sim.start() == StartVerdict::Started);
    CHECK(sim.state() == "running");
    CHECK(sim.states == Lines{"start", "running"});
    CHECK(sim.said == Lines{"started (pid 101, dev:staff)"});
    CHECK(sim.data().main_pid == 101);
    CHECK(sim.start() == StartVerdict::AlreadyActive);

    sim.stop();
    CHECK(sim.state() == "dead");
    CHECK(sim.result() == ServiceResult::Success); // SIGTERM is a clean end of a daemon
    CHECK(sim.signal_numbers() == std::vector{15});
    CHECK(sim.signals[0].scope == KillScope::Tree);
    CHECK(sim.last_said() == "stopped");
    CHECK(sim.data().guards.empty());
    CHECK(sim.service().deadline() == base::never);
}

TEST_CASE("one that ignores SIGTERM is killed when the timeout is over") {
    Sim sim(ServiceType::Simple, [](auto& unit) { unit.service.edit().timeout_stop = 5s; });
    sim.obedient = false;
    sim.start();
    sim.stop();
    sim.advance(4999ms);
    CHECK(sim.signal_numbers() == std::vector{15});
    CHECK(sim.state() == "stop-sigterm");
    sim.advance(1ms);
    CHECK(sim.signal_numbers() == std::vector{15, 9});
    CHECK(sim.state() == "stop-sigkill");
    CHECK(sim.last_said() == "did not end within 5 s; sending SIGKILL");
    sim.main_exits(killed(9));
    CHECK(sim.state() == "failed");
    CHECK(sim.result() == ServiceResult::Timeout);
    CHECK(sim.last_said() == "failed: stop timed out after 5 s");
}

TEST_CASE("a crash is restarted with growing delays, anew after a minute up") {
    Sim sim(ServiceType::Simple, [](auto& unit) { unit.service.edit().restart = unit::RestartPolicy::Always; });
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
    for (const auto* delay : {"400 ms", "800 ms", "1.6 s", "3.2 s", "6.4 s", "12 s", "25 s", "30 s", "30 s"}) {
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
        CHECK(sim.last_said() == "exited (exit 1) after 0 ms; restarting in 1 s (attempt " + std::to_string(i) + ")");
        sim.advance(1s);
        CHECK(sim.state() == "running");
    }
    sim.main_exits(exited(1));
    sim.advance(1s);
    CHECK(sim.state() == "failed");
    CHECK(sim.result() == ServiceResult::StartLimitHit);
    CHECK(sim.last_said() == "restarting too quickly; stays failed: 5 starts in 10 s. initctl restart web tries again");
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

TEST_CASE("what is left when the main process ends is ended before the next start") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        unit.service.edit().restart = unit::RestartPolicy::Always;
        unit.service.edit().timeout_stop = 2s;
    });
    sim.start();
    const GuardId guard = sim.data().main_guard;
    sim.guards[guard].children = {777};
    sim.obedient = false;
    sim.main_exits(exited(0));
    CHECK(sim.state() == "stop-sigterm");
    CHECK(sim.signal_numbers() == std::vector{15});
    CHECK(sim.spawned.size() == 1);
    sim.advance(2s);
    CHECK(sim.state() == "stop-sigkill");
    CHECK(sim.signal_numbers() == std::vector{15, 9});
    sim.empties(guard);
    CHECK(sim.state() == "auto-restart");
    CHECK(sim.data().guards.empty());
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

TEST_CASE("KillMode=process leaves the others, also over a restart") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        unit.kill.edit().mode = unit::KillMode::Process;
        unit.service.edit().restart = unit::RestartPolicy::Always;
    });
    sim.start();
    const GuardId first = sim.data().main_guard;
    sim.guards[first].children = {777};
    sim.main_exits(exited(0));
    CHECK(sim.state() == "auto-restart");
    CHECK(sim.signals.empty());
    sim.advance(1s);
    CHECK(sim.state() == "running");
    CHECK(sim.data().guards.size() == 2);
    sim.stop();
    CHECK(sim.state() == "dead");
    CHECK(sim.data().guards == std::vector{first});
    CHECK(sim.signals.size() == 1);
    CHECK(sim.signals[0].scope == KillScope::Main);
    sim.force_kill(); // the end of the container spares nothing
    CHECK(sim.data().guards.empty());
}

TEST_CASE("KillMode=mixed: SIGTERM to the main process, SIGKILL to the rest once it is gone") {
    Sim sim(ServiceType::Simple, [](auto& unit) { unit.kill.edit().mode = unit::KillMode::Mixed; });
    sim.start();
    const GuardId guard = sim.data().main_guard;
    sim.guards[guard].children = {777};
    sim.stop();
    CHECK(sim.state() == "dead");
    REQUIRE(sim.signals.size() == 2);
    CHECK(sim.signals[0].scope == KillScope::Main);
    CHECK(sim.signals[0].signal == 15);
    CHECK(sim.signals[1].scope == KillScope::Tree);
    CHECK(sim.signals[1].signal == 9);
}

TEST_CASE("KillMode=none only runs ExecStop=") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        unit.kill.edit().mode = unit::KillMode::None;
        list(unit, ExecList::Stop).push_back(command("/bin/stop"));
    });
    sim.start();
    sim.stop();
    CHECK(sim.state() == "stop");
    sim.control_exits(exited(0));
    CHECK(sim.state() == "dead");
    CHECK(sim.signals.empty());
    CHECK(sim.data().guards.size() == 1);
}

TEST_CASE("kill settings: signals, SendSIGHUP, SendSIGKILL, RestartKillSignal") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        auto& kill = unit.kill.edit();
        kill.kill_signal = SIGQUIT;
        kill.restart_kill_signal = SIGUSR2;
        kill.final_kill_signal = SIGABRT;
        kill.send_sighup = true;
        unit.service.edit().timeout_stop = 1s;
    });
    sim.obedient = false;
    sim.start();
    SECTION("stop") {
        sim.stop();
        CHECK(sim.signals[0].signal == SIGQUIT);
        CHECK(sim.signals[0].then_sighup);
        sim.advance(1s);
        CHECK(sim.signals[1].signal == SIGABRT);
        CHECK_FALSE(sim.signals[1].then_sighup);
    }
    SECTION("restart job") {
        sim.stop(true);
        CHECK(sim.signals[0].signal == SIGUSR2);
    }
    SECTION("SendSIGKILL=no") {
        sim.reconfigure([](auto& unit) { unit.kill.edit().send_sigkill = false; });
        sim.stop();
        sim.advance(10s);
        CHECK(sim.signal_numbers() == std::vector<int>{SIGQUIT, SIGQUIT});
        CHECK(sim.state() == "failed");
        CHECK(sim.start() == StartVerdict::LeftoversRemain);
    }
}

TEST_CASE("commands run in order; the first that fails ends the start; ExecStopPost= always runs") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        list(unit, ExecList::StartPre) = {command("/a", true), command("/b")};
        list(unit, ExecList::StartPost) = {command("/c")};
        list(unit, ExecList::Stop) = {command("/d")};
        list(unit, ExecList::StopPost) = {command("/e")};
    });
    sim.start();
    CHECK(sim.state() == "start-pre");
    sim.control_exits(exited(1)); // "-"
    CHECK(sim.data().control_index == 1);
    SECTION("ExecStartPre= fails") {
        sim.control_exits(exited(2));
        CHECK(sim.state() == "stop-post");
        CHECK(sim.spawned.back().result == ServiceResult::ExitCode);
        sim.control_exits(exited(0));
        CHECK(sim.state() == "failed");
        CHECK(sim.spawned_from(ExecList::Start) == 0);
        CHECK(sim.spawned_from(ExecList::Stop) == 0);
        CHECK(sim.last_said() == "failed: ExecStartPre= exited (exit 2)");
    }
    SECTION("all is well") {
        sim.control_exits(exited(0));
        CHECK(sim.state() == "start-post");
        CHECK(sim.said.empty());
        sim.control_exits(exited(0));
        CHECK(sim.state() == "running");
        sim.stop();
        CHECK(sim.state() == "stop");
        CHECK(sim.spawned.back().main_pid == sim.data().main_pid);
        sim.control_exits(exited(0));
        CHECK(sim.state() == "stop-post");
        CHECK(sim.spawned.back().main_exit == killed(15));
        sim.control_exits(exited(0));
        CHECK(sim.state() == "dead");
        CHECK(sim.result() == ServiceResult::Success);
    }
    SECTION("the main process dies: ExecStop= runs without MAINPID") {
        sim.control_exits(exited(0));
        sim.control_exits(exited(0));
        sim.main_exits(exited(1));
        CHECK(sim.state() == "stop");
        CHECK(sim.spawned.back().main_pid == 0);
        CHECK(sim.spawned.back().result == ServiceResult::ExitCode);
        sim.control_exits(exited(0));
        sim.control_exits(exited(0));
        CHECK(sim.state() == "failed");
    }
    SECTION("ExecStartPost= fails: no ExecStop=") {
        sim.control_exits(exited(0));
        sim.control_exits(exited(1));
        CHECK(sim.spawned_from(ExecList::Stop) == 0);
        CHECK(sim.state() == "stop-post");
        sim.control_exits(exited(0));
        CHECK(sim.last_said() == "failed: ExecStartPost= exited (exit 1)");
    }
    SECTION("ExecStop= hangs") {
        sim.control_exits(exited(0));
        sim.control_exits(exited(0));
        sim.stop();
        sim.advance(90s);
        CHECK(sim.state() == "stop-post");
        sim.control_exits(exited(0));
        CHECK(sim.result() == ServiceResult::Timeout);
        CHECK(sim.last_said() == "failed: ExecStop= timed out after 90 s");
    }
}

TEST_CASE("what ExecStartPre= leaves behind is killed before the next command") {
    Sim sim(ServiceType::Simple, [](auto& unit) { list(unit, ExecList::StartPre) = {command("/a")}; });
    sim.start();
    const GuardId pre = sim.data().control_guard;
    sim.guards[pre].children = {777};
    sim.control_exits(exited(0));
    REQUIRE(sim.signals.size() == 1);
    CHECK(sim.signals[0].guard == pre);
    CHECK(sim.signals[0].signal == 9);
    CHECK(sim.state() == "running");
}

TEST_CASE("ExecCondition=: 1 to 254 skips, 255 and signals fail") {
    const auto [exit, state, result] = GENERATE(table<base::ExitInfo, std::string, ServiceResult>({
        {exited(0), "running", ServiceResult::Success},
        {exited(1), "dead", ServiceResult::ExecCondition},
        {exited(254), "dead", ServiceResult::ExecCondition},
        {exited(255), "failed", ServiceResult::ExitCode},
        {killed(15), "failed", ServiceResult::Signal},
    }));
    Sim sim(ServiceType::Simple, [](auto& unit) {
        list(unit, ExecList::Condition) = {command("/cond")};
        unit.unit.success_action = unit::EmergencyAction::Exit;
    });
    sim.start();
    sim.control_exits(exit);
    CHECK(sim.state() == state);
    CHECK(sim.result() == result);
    CHECK(sim.count<Emergency>() == 0);
    if (result == ServiceResult::ExecCondition)
        CHECK(sim.last_said() == "skipped: ExecCondition= exited (exit " + std::to_string(exit.status) + ")");
}

TEST_CASE("oneshot: several commands, done, and what RemainAfterExit= makes of it") {
    const bool remain = GENERATE(false, true);
    Sim sim(ServiceType::Oneshot, [&](auto& unit) {
        list(unit, ExecList::Start) = {command("/a"), command("/b", true), command("/c")};
        list(unit, ExecList::Stop) = {command("/undo")};
        unit.service.edit().remain_after_exit = remain;
    });
    sim.start();
    CHECK(sim.service().deadline() == base::never); // no start timeout
    sim.advance(100ms);
    sim.main_exits(exited(0));
    sim.advance(100ms);
    sim.main_exits(exited(7));
    CHECK(sim.state() == "start");
    CHECK(sim.data().main_index == 2);
    sim.advance(110ms);
    sim.main_exits(exited(0));
    if (remain) {
        CHECK(sim.state() == "exited");
        CHECK(sim.said == Lines{"done in 0.31 s"});
        sim.stop();
    }
    CHECK(sim.state() == "stop"); // ExecStop= of a oneshot that does not remain runs at once
    sim.control_exits(exited(0));
    CHECK(sim.state() == "dead");
    CHECK(sim.last_said() == (remain ? "stopped" : "done in 0.31 s"));
}

TEST_CASE("oneshot: a failing command ends it, and is restarted only on failure") {
    Sim sim(ServiceType::Oneshot, [](auto& unit) {
        list(unit, ExecList::Start) = {command("/a"), command("/b")};
        unit.service.edit().restart = unit::RestartPolicy::OnFailure;
    });
    sim.start();
    sim.main_exits(killed(15)); // no clean end for a oneshot
    CHECK(sim.state() == "auto-restart");
    CHECK(sim.result() == ServiceResult::Signal);
    CHECK(sim.spawned.size() == 1);
    sim.advance(1s);
    sim.main_exits(exited(0));
    sim.main_exits(exited(0));
    CHECK(sim.state() == "dead");
}

TEST_CASE("oneshot without ExecStart= is up at once") {
    Sim sim(ServiceType::Oneshot, [](auto& unit) {
        list(unit, ExecList::Start).clear();
        list(unit, ExecList::Stop) = {command("/undo")};
        unit.service.edit().remain_after_exit = true;
    });
    sim.start();
    CHECK(sim.state() == "exited");
    CHECK(sim.service().deadline() == base::never);
}

TEST_CASE("a missing binary: type simple counts as started, type exec does not") {
    const ServiceType type = GENERATE(ServiceType::Simple, ServiceType::Exec);
    Sim sim(type);
    sim.exec_fails = 203;
    sim.exec_error = "/opt/api/run not found";
    sim.start();
    CHECK(sim.state() == "failed");
    CHECK(sim.result() == ServiceResult::ExitCode);
    CHECK(sim.said == Lines{"failed: 203/EXEC: /opt/api/run not found"});
    CHECK(sim.data().last_failure == "203/EXEC: /opt/api/run not found");
    const Lines simple{"start", "running", "stop-sigterm", "failed"}, exec{"start", "stop-sigterm", "failed"};
    CHECK(sim.states == (type == ServiceType::Simple ? simple : exec));
}

TEST_CASE("no process to be had is a failure that Restart= mends") {
    Sim sim(ServiceType::Simple, [](auto& unit) { unit.service.edit().restart = unit::RestartPolicy::OnFailure; });
    sim.answer_spawns = false;
    sim.start();
    const GuardId guard = sim.data().main_guard;
    sim.guards.clear();
    sim.tell(SpawnResult{guard, false, 0, 0, EAGAIN, "fork: Resource temporarily unavailable", true});
    CHECK(sim.state() == "auto-restart");
    CHECK(sim.result() == ServiceResult::Resources);
    CHECK(sim.data().guards.empty());
    CHECK(sim.last_said() == "no process could be made: fork: Resource temporarily unavailable; restarting in 100 ms (attempt 1)");
}

TEST_CASE("start times out") {
    using Mode = unit::TimeoutFailureMode;
    const auto [mode, signal, state] = GENERATE(table<Mode, int, std::string>({
        {Mode::Terminate, SIGTERM, "stop-sigterm"},
        {Mode::Abort, SIGABRT, "stop-watchdog"},
        {Mode::Kill, SIGKILL, "stop-sigkill"},
    }));
    Sim sim(ServiceType::Notify, [m = mode](auto& unit) {
        unit.service.edit().timeout_start_failure_mode = m;
        list(unit, ExecList::Stop) = {command("/stop")};
    });
    sim.obedient = false;
    sim.start();
    sim.advance(90s);
    CHECK(sim.state() == state);
    CHECK(sim.signal_numbers() == std::vector{signal});
    CHECK(sim.said == Lines{"start timed out after 90 s; stopping it"});
    sim.main_exits(exited(0));
    CHECK(sim.last_said() == "failed: start timed out after 90 s");
    CHECK(sim.result() == ServiceResult::Timeout);
}

TEST_CASE("forking: the main process is guessed") {
    Sim sim(ServiceType::Forking);
    sim.start();
    const GuardId guard = sim.data().control_guard;
    CHECK(sim.data().main_guard == GuardId{});
    sim.guards[guard].children = {500, 501};
    sim.control_exits(exited(0));
    CHECK(sim.state() == "start");
    REQUIRE(sim.count<QueryTree>() == 1);
    sim.tell(TreeListed{guard, {500, 501}, 1});
    CHECK(sim.state() == "running");
    CHECK(sim.data().main_pid == 500);
    CHECK(sim.count<WatchPid>() == 1);
    CHECK(sim.last_said() == "started (pid 500)");

    SECTION("it ends: the service ends, with all of it") {
        sim.child_exits(guard, 500, exited(0));
        CHECK(sim.state() == "dead");
        CHECK(sim.guards.empty());
        CHECK(sim.last_said() == "exited (exit 0) after 0 ms");
    }
    SECTION("stop in KillMode=process reaches exactly it") {
        sim.reconfigure([](auto& unit) { unit.kill.edit().mode = unit::KillMode::Process; });
        sim.obedient = false;
        sim.stop();
        CHECK(sim.signals.back().scope == KillScope::Pid);
        CHECK(sim.signals.back().pid == 500);
    }
}

TEST_CASE("forking: several children, no main process; it lives as long as any") {
    Sim sim(ServiceType::Forking);
    sim.start();
    const GuardId guard = sim.data().control_guard;
    sim.guards[guard].children = {500, 501};
    sim.control_exits(exited(0));
    sim.tell(TreeListed{guard, {500, 501}, 2});
    CHECK(sim.state() == "running");
    CHECK(sim.data().main_pid == 0);
    CHECK(sim.last_said() == "started");
    sim.empties(guard);
    CHECK(sim.state() == "dead");
    CHECK(sim.last_said() == "all its processes ended");
}

TEST_CASE("forking with PIDFile=") {
    Sim sim(ServiceType::Forking, [](auto& unit) {
        unit.service.edit().pid_file = "/run/web.pid";
        unit.service.edit().timeout_start = 10s;
    });
    sim.start();
    const GuardId guard = sim.data().control_guard;
    sim.guards[guard].children = {500};
    sim.control_exits(exited(0));
    CHECK(sim.count<ReadPidFile>() == 1);
    CHECK(sim.state() == "start");
    sim.tell(PidFileRead{0, {}, "No such file or directory"});
    sim.advance(100ms);
    CHECK(sim.count<ReadPidFile>() == 2);

    SECTION("written late") {
        sim.tell(PidFileRead{500, guard, {}});
        CHECK(sim.state() == "running");
        CHECK(sim.data().main_pid == 500);
        SECTION("it hands over to a successor") {
            sim.guards[guard].children = {500, 600};
            sim.child_exits(guard, 500, exited(0));
            CHECK(sim.state() == "running");
            CHECK(sim.count<ReadPidFile>() == 3);
            sim.tell(PidFileRead{600, guard, {}});
            CHECK(sim.data().main_pid == 600);
            sim.child_exits(guard, 600, exited(0));
            sim.tell(PidFileRead{600, guard, {}}); // nobody new
            CHECK(sim.state() == "dead");
            CHECK(sim.count<RemovePidFile>() == 1);
        }
        SECTION("it ends, and the file cannot be read") {
            sim.child_exits(guard, 500, exited(4));
            CHECK(sim.state() == "failed"); // nothing was left, so there was nothing to wait for
            CHECK(sim.result() == ServiceResult::ExitCode);
        }
    }
    SECTION("names a stranger") {
        sim.tell(PidFileRead{1234, {}, {}});
        CHECK(sim.state() == "start");
        sim.advance(10s);
        CHECK(sim.result() == ServiceResult::Timeout);
        CHECK(sim.data().last_failure == "start timed out after 10 s (PIDFile=/run/web.pid: pid 1234 is not of this service)");
    }
    SECTION("everything ended before it was written") {
        sim.empties(guard);
        CHECK(sim.state() == "failed");
        CHECK(sim.result() == ServiceResult::Protocol);
    }
}

TEST_CASE("forking: ExecStartPost= may write the PID file") {
    Sim sim(ServiceType::Forking, [](auto& unit) {
        unit.service.edit().pid_file = "/run/web.pid";
        list(unit, ExecList::StartPost) = {command("/bin/pid")};
    });
    sim.start();
    const GuardId guard = sim.data().control_guard;
    sim.guards[guard].children = {500};
    sim.control_exits(exited(0));
    sim.tell(PidFileRead{0, {}, {}});
    CHECK(sim.state() == "start-post");
    sim.control_exits(exited(0));
    CHECK(sim.state() == "start-post");
    CHECK(sim.count<ReadPidFile>() == 2);
    sim.tell(PidFileRead{500, guard, {}});
    CHECK(sim.state() == "running");
    CHECK(sim.data().main_pid == 500);
}

TEST_CASE("idle waits until nothing else is to do, five seconds at most") {
    Sim sim(ServiceType::Idle);
    sim.start();
    CHECK(sim.spawned.empty());
    CHECK(sim.service().waits_for_idle());
    SECTION("told") {
        std::vector<Action> out;
        sim.service().release_idle(sim.now(), out);
        CHECK(std::holds_alternative<Spawn>(out.at(0)));
        CHECK_FALSE(sim.service().waits_for_idle());
    }
    SECTION("not told") {
        sim.advance(5s);
        CHECK(sim.state() == "running");
    }
    SECTION("stopped meanwhile") {
        sim.stop();
        CHECK(sim.state() == "dead");
        CHECK(sim.spawned.empty());
    }
}

TEST_CASE("RemainAfterExit= keeps a service active after a clean end only") {
    Sim sim(ServiceType::Simple, [](auto& unit) { unit.service.edit().remain_after_exit = true; });
    sim.start();
    SECTION("clean") {
        sim.main_exits(exited(0));
        CHECK(sim.state() == "exited");
        CHECK(sim.last_said() == "exited (exit 0) after 0 ms; stays active (RemainAfterExit=yes)");
    }
    SECTION("not") {
        sim.main_exits(exited(1));
        CHECK(sim.state() == "failed");
    }
}

TEST_CASE("ExitType=cgroup: up as long as any process is") {
    Sim sim(ServiceType::Simple, [](auto& unit) { unit.service.edit().exit_type = unit::ExitType::Cgroup; });
    sim.start();
    const GuardId guard = sim.data().main_guard;
    sim.guards[guard].children = {777};
    sim.main_exits(exited(0));
    CHECK(sim.state() == "running");
    sim.empties(guard);
    CHECK(sim.state() == "dead");
    CHECK(sim.signals.empty());
}

TEST_CASE("RuntimeMaxSec=") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        unit.service.edit().runtime_max = 10s;
        unit.service.edit().runtime_randomized_extra = 5s;
    });
    sim.start();
    sim.advance(9999ms);
    CHECK(sim.state() == "running");
    sim.advance(5s);
    CHECK(sim.state() == "failed");
    CHECK(sim.result() == ServiceResult::Timeout);
    CHECK(sim.last_said() == "failed: reached RuntimeMaxSec=10s");
}

TEST_CASE("a lost guard: failed, and no restart before its processes are gone") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        unit.service.edit().restart = unit::RestartPolicy::OnFailure;
        unit.kill.edit().mode = GENERATE(unit::KillMode::ControlGroup, unit::KillMode::Process, unit::KillMode::None);
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
    Sim sim(ServiceType::Simple, [](auto& unit) { unit.service.edit().restart = unit::RestartPolicy::Always; });
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

TEST_CASE("stop while the stop is under way, and start then") {
    Sim sim(ServiceType::Simple, [](auto& unit) { unit.service.edit().restart = unit::RestartPolicy::Always; });
    sim.obedient = false;
    sim.start();
    sim.stop();
    sim.stop();
    CHECK(sim.signals.size() == 1);
    CHECK(sim.start() == StartVerdict::Busy);
    sim.main_exits(killed(15));
    CHECK(sim.state() == "dead"); // asked for: no restart
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
    const auto found = std::ranges::find_if(sim.others, [](const auto& a) { return std::holds_alternative<Emergency>(a); });
    const auto& emergency = std::get<Emergency>(*found);
    CHECK(emergency.action == (fails ? unit::EmergencyAction::Exit : unit::EmergencyAction::ExitForce));
    CHECK(emergency.exit_status == (fails ? 3 : 9));
}

TEST_CASE("RuntimeDirectory= and PIDFile= go when the service is down, as RuntimeDirectoryPreserve= says") {
    const auto [preserve, removed] = GENERATE(table<unit::Preserve, int>({
        {unit::Preserve::No, 2}, {unit::Preserve::Yes, 0}, {unit::Preserve::Restart, 1}}));
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

TEST_CASE("shutdown: SIGKILL is sent in time, and nothing is restarted") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        list(unit, ExecList::Stop) = {command("/stop")};
        list(unit, ExecList::StopPost) = {command("/post")};
        unit.service.edit().restart = unit::RestartPolicy::Always;
        unit.kill.edit().send_sigkill = false;
        unit.kill.edit().mode = unit::KillMode::Mixed;
    });
    sim.obedient = false;
    sim.start();
    const Instant begin = sim.now().mono;
    sim.service().set_stop_deadline(begin + 8s);
    sim.stop();
    CHECK(sim.state() == "stop");
    sim.advance(4s);
    CHECK(sim.state() == "stop-sigterm");
    sim.advance(3999ms);
    CHECK(sim.state() == "stop-sigterm");
    sim.advance(1ms);
    CHECK(sim.state() == "stop-sigkill");
    CHECK(sim.signals.back().scope == KillScope::Tree);
    CHECK(sim.signals.back().signal == 9);
    sim.obedient = true;
    const auto left = sim.guards;
    for (const auto& [id, guard] : left)
        sim.empties(id);
    CHECK(sim.data().guards.empty());
    CHECK(active_state(sim.data().state) == ActiveState::Failed);
    CHECK(sim.spawned_from(ExecList::StopPost) == 0); // no time
}

TEST_CASE("a second signal kills at once, from any state") {
    Sim sim(ServiceType::Notify, [](auto& unit) {
        list(unit, ExecList::StartPre) = {command("/pre")};
        list(unit, ExecList::Stop) = {command("/stop")};
        list(unit, ExecList::StopPost) = {command("/post")};
    });
    sim.start();
    SECTION("start-pre") {}
    SECTION("start") { sim.control_exits(exited(0)); }
    SECTION("running") {
        sim.control_exits(exited(0));
        sim.notify("READY=1");
    }
    SECTION("stop") {
        sim.control_exits(exited(0));
        sim.notify("READY=1");
        sim.stop();
    }
    SECTION("stop-post") {
        sim.control_exits(exited(0));
        sim.main_exits(exited(1));
        REQUIRE(sim.state() == "stop-post");
    }
    sim.forget();
    sim.force_kill();
    CHECK(sim.data().guards.empty());
    CHECK(sim.signals.size() >= 1);
    for (const Signal& signal : sim.signals)
        CHECK(signal.signal == 9);
    CHECK(sim.spawned.empty());
}

TEST_CASE("initctl kill") {
    Sim sim(ServiceType::Simple, [](auto& unit) { list(unit, ExecList::Reload) = {command("/reload")}; });
    sim.obedient = false;
    sim.start();
    sim.reload();
    std::vector<Action> out;
    sim.service().kill(Service::KillWho::Main, SIGUSR1, out);
    sim.service().kill(Service::KillWho::Control, SIGUSR2, out);
    sim.service().kill(Service::KillWho::All, SIGHUP, out);
    REQUIRE(out.size() == 4);
    CHECK(std::get<Signal>(out[0]).guard == sim.data().main_guard);
    CHECK(std::get<Signal>(out[1]).guard == sim.data().control_guard);
    CHECK(std::get<Signal>(out[3]).scope == KillScope::Tree);
    CHECK(sim.state() == "reload");
}

TEST_CASE("ExecReload=: runs, fails, hangs; the service goes on") {
    Sim sim(ServiceType::Simple, [](auto& unit) { list(unit, ExecList::Reload) = {command("/a"), command("/b")}; });
    CHECK(sim.service().can_reload());
    sim.start();
    sim.reload();
    CHECK(sim.state() == "reload");
    CHECK(sim.spawned.back().main_pid == sim.data().main_pid);
    SECTION("fine") {
        sim.control_exits(exited(0));
        sim.control_exits(exited(0));
        CHECK(sim.last_said() == "reloaded");
        CHECK_FALSE(sim.changes.back().reload_failed);
    }
    SECTION("fails") {
        sim.control_exits(exited(1));
        CHECK(sim.last_said() == "reload failed: ExecReload= exited (exit 1)");
        CHECK(sim.changes.back().reload_failed);
        CHECK(sim.data().reload_result == ServiceResult::ExitCode);
    }
    SECTION("hangs") {
        sim.advance(90s);
        CHECK(sim.last_said() == "reload timed out after 90 s; it keeps running");
        CHECK(sim.data().reload_result == ServiceResult::Timeout);
        CHECK(sim.changes.back().reload_failed);
    }
    SECTION("the service dies of it") {
        sim.main_exits(exited(1));
        CHECK(sim.state() == "reload");
        sim.control_exits(exited(0));
        sim.control_exits(exited(0));
        CHECK(sim.state() == "failed");
        return;
    }
    SECTION("stop meanwhile") {
        sim.stop();
        CHECK(sim.state() == "dead");
        CHECK(sim.data().guards.empty());
        return;
    }
    CHECK(sim.state() == "running");
    CHECK(sim.result() == ServiceResult::Success);
}

TEST_CASE("a daemon-reload that shortens a list ends the list") {
    Sim sim(ServiceType::Simple, [](auto& unit) { list(unit, ExecList::StartPre) = {command("/a"), command("/b")}; });
    sim.start();
    sim.reconfigure([](auto& unit) { list(unit, ExecList::StartPre) = {}; });
    sim.control_exits(exited(0));
    CHECK(sim.state() == "running");
}

TEST_CASE("reset-failed") {
    Sim sim;
    sim.start();
    sim.main_exits(exited(1));
    CHECK(sim.state() == "failed");
    sim.reset_failed();
    CHECK(sim.state() == "dead");
    CHECK(sim.result() == ServiceResult::Success);
}

TEST_CASE("a restored machine goes on where the checkpoint left it") {
    Sim before(ServiceType::Simple, [](auto& unit) { unit.service.edit().restart = unit::RestartPolicy::Always; });
    before.start();
    Sim after(ServiceType::Simple, [](auto& unit) { unit.service.edit().restart = unit::RestartPolicy::Always; });
    after.guards = before.guards;
    after.service().restore(before.data());
    CHECK(after.state() == "running");
    after.main_exits(exited(1));
    CHECK(after.state() == "auto-restart");
}
