// Stories of starting: commands, conditions, types, finding the main process, timeouts.

#include "sim.hpp"

using namespace monoinit;
using namespace monoinit::supervise;

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
    Sim sim(ServiceType::Simple,
            [](auto& unit) { list(unit, ExecList::StartPre) = {command("/a")}; });
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
        CHECK(sim.last_said() ==
              "skipped: ExecCondition= exited (exit " + std::to_string(exit.status) + ")");
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
    const Lines simple{"start", "running", "stop-sigterm", "failed"},
        exec{"start", "stop-sigterm", "failed"};
    CHECK(sim.states == (type == ServiceType::Simple ? simple : exec));
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

    SECTION("an image that takes over asks for what the one before may have been told") {
        std::vector<Action> asked;
        sim.service().ask_again(asked);
        REQUIRE(asked.size() == 1);
        CHECK(std::get<ReadPidFile>(asked[0]).path == "/run/web.pid");
        sim.tell(PidFileRead{500, guard, {}});
        asked.clear();
        sim.service().ask_again(asked);
        REQUIRE(asked.size() == 1);
        CHECK(std::get<WatchPid>(asked[0]).pid == 500);
    }
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
        CHECK(sim.data().last_failure ==
              "start timed out after 10 s (PIDFile=/run/web.pid: pid 1234 is not of this service)");
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

TEST_CASE("a daemon-reload that shortens a list ends the list") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        list(unit, ExecList::StartPre) = {command("/a"), command("/b")};
    });
    sim.start();
    sim.reconfigure([](auto& unit) { list(unit, ExecList::StartPre) = {}; });
    sim.control_exits(exited(0));
    CHECK(sim.state() == "running");
}

TEST_CASE("a daemon that forks loses its guard while its main process is looked for") {
    Sim sim(ServiceType::Forking,
            [](auto& unit) { unit.service.edit().pid_file = "/run/web.pid"; });
    sim.obedient = false;
    sim.start();
    const GuardId guard = sim.data().control_guard;
    sim.guards[guard].children = {500};
    sim.control_exits(exited(0));
    sim.tell(GuardLost{guard});
    CHECK(sim.state() == "stop-sigterm");
    sim.empties(guard);
    CHECK(sim.result() == ServiceResult::GuardLost);
}
