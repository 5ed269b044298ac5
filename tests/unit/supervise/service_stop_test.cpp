// Stories of stopping: signals, KillMode=, timeouts, shutdown.

#include "sim.hpp"

using namespace monoinit;
using namespace monoinit::supervise;

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

TEST_CASE("stop while the stop is under way, and start then") {
    Sim sim(ServiceType::Simple,
            [](auto& unit) { unit.service.edit().restart = unit::RestartPolicy::Always; });
    sim.obedient = false;
    sim.start();
    sim.stop();
    sim.stop();
    CHECK(sim.signals.size() == 1);
    CHECK(sim.start() == StartVerdict::Busy);
    sim.main_exits(killed(15));
    CHECK(sim.state() == "dead"); // asked for: no restart
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
    SECTION("start") {
        sim.control_exits(exited(0));
    }
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
    Sim sim(ServiceType::Simple,
            [](auto& unit) { list(unit, ExecList::Reload) = {command("/reload")}; });
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

TEST_CASE("SendSIGKILL=no with KillMode=mixed waits for the others") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        unit.kill.edit().mode = unit::KillMode::Mixed;
        unit.kill.edit().send_sigkill = false;
    });
    sim.start();
    const GuardId guard = sim.data().main_guard;
    const bool leaves = GENERATE(false, true);
    if (leaves)
        sim.guards[guard].children = {777};
    sim.stop();
    CHECK(sim.state() == (leaves ? "stop-sigterm" : "dead"));
    sim.advance(300s);
    CHECK(sim.state() == (leaves ? "failed" : "dead"));
    CHECK(sim.signal_numbers() == std::vector{15});
}
