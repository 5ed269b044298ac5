// Stories of a service's life: the plain one, reload, kill, what stays active.

#include "sim.hpp"

using namespace monoinit;
using namespace monoinit::supervise;

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
    Sim sim(ServiceType::Simple,
            [](auto& unit) { unit.service.edit().exit_type = unit::ExitType::Cgroup; });
    sim.start();
    const GuardId guard = sim.data().main_guard;
    sim.guards[guard].children = {777};
    sim.main_exits(exited(0));
    CHECK(sim.state() == "running");
    sim.empties(guard);
    CHECK(sim.state() == "dead");
    CHECK(sim.signals.empty());
}

TEST_CASE("a service that the kernel ended for want of memory says so, unless OOMPolicy=continue") {
    for (const bool goes_on : {false, true}) {
        Sim sim(ServiceType::Simple, [goes_on](auto& unit) {
            if (goes_on)
                unit.service.edit().oom_policy = unit::OomPolicy::Continue;
        });
        sim.start();
        const GuardId guard = sim.data().main_guard;
        sim.guards.at(guard).command_alive = false;
        sim.tell(CommandExited{guard, sim.guards.at(guard).pid, {base::ExitInfo::Code::Killed, 9}, true});
        sim.empties(guard);
        CHECK(sim.state() == "failed");
        CHECK(sim.data().result == (goes_on ? ServiceResult::Signal : ServiceResult::OomKill));
    }
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

TEST_CASE("ExecReload=: runs, fails, hangs; the service goes on") {
    Sim sim(ServiceType::Simple, [](auto& unit) {
        list(unit, ExecList::Reload) = {command("/a"), command("/b")};
    });
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

TEST_CASE("reset-failed") {
    Sim sim;
    sim.start();
    sim.main_exits(exited(1));
    CHECK(sim.state() == "failed");
    sim.reset_failed();
    CHECK(sim.state() == "dead");
    CHECK(sim.result() == ServiceResult::Success);
}
