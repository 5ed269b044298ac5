// Stories of services that speak sd_notify.

#include "sim.hpp"

using namespace monoinit;
using namespace monoinit::supervise;
using Sender = Notified::Sender;

TEST_CASE("notify: up with READY=1, whose message may overtake the guard's report") {
    Sim sim(ServiceType::Notify);
    sim.answer_spawns = GENERATE(true, false);
    sim.start();
    CHECK(sim.state() == "start");
    sim.notify("READY=1\nSTATUS=serving");
    if (!sim.answer_spawns) {
        CHECK(sim.state() == "start");
        sim.tell(SpawnResult{sim.data().main_guard, true, 101, 0, 0, {}, false});
    }
    CHECK(sim.state() == "running");
    CHECK(sim.said == Lines{"started (pid 101)"});
    CHECK(sim.data().status_text == "serving");
}

TEST_CASE("notify: ending before READY=1 is a protocol failure when clean, else what it is") {
    Sim sim(ServiceType::Notify);
    sim.start();
    const bool clean = GENERATE(true, false);
    sim.main_exits(exited(clean ? 0 : 1));
    CHECK(sim.state() == "failed");
    CHECK(sim.result() == (clean ? ServiceResult::Protocol : ServiceResult::ExitCode));
    if (clean)
        CHECK(sim.last_said() == "failed: exited (exit 0) after 0 ms without READY=1");
}

TEST_CASE("who may notify") {
    using A = unit::NotifyAccess;
    const auto [access, sender, counts] = GENERATE(table<A, Sender, bool>({
        {A::Main, Sender::Main, true},
        {A::Main, Sender::Control, false},
        {A::Main, Sender::Tree, false},
        {A::Exec, Sender::Main, true},
        {A::Exec, Sender::Control, true},
        {A::Exec, Sender::Tree, false},
        {A::All, Sender::Main, true},
        {A::All, Sender::Control, true},
        {A::All, Sender::Tree, true},
        {A::Main, Sender::GoneSameUser, false},
        {A::Exec, Sender::GoneSameUser, false},
        {A::All, Sender::GoneSameUser, true},
        {A::Main, Sender::Stranger, false},
        {A::Exec, Sender::Stranger, false},
        {A::All, Sender::Stranger, false},
    }));
    Sim sim(ServiceType::Notify,
            [a = access](auto& unit) { unit.service.edit().notify_access = a; });
    sim.start();
    sim.notify("READY=1", sender);
    sim.notify("READY=1", sender);
    CHECK(sim.state() == (counts ? "running" : "start"));
    CHECK(sim.said.size() == 1); // "started", or the refusal, said once
    if (!counts)
        CHECK(sim.said[0].find("ignored") != std::string::npos);
}

TEST_CASE("NotifyAccess=none, and a service that is down") {
    Sim sim;
    sim.start();
    sim.notify("STATUS=x");
    CHECK(sim.data().status_text.empty());
    CHECK(sim.last_said() == "notify message of pid 101 ignored: NotifyAccess=none");
    sim.stop();
    sim.forget();
    sim.notify("STATUS=x");
    CHECK(sim.said.empty());
}

TEST_CASE("MAINPID= counts for processes of the service only") {
    Sim sim(ServiceType::Notify);
    sim.start();
    const GuardId guard = sim.data().main_guard;
    sim.guards[guard].children = {500};
    sim.notify("MAINPID=4711", Sender::Main, GuardId{});
    CHECK(sim.data().main_pid == 101);
    CHECK(sim.last_said() == "MAINPID=4711 ignored: not a process of this service");
    sim.notify("READY=1\nMAINPID=500", Sender::Main, guard);
    CHECK(sim.data().main_pid == 500);
    CHECK(sim.state() == "running");
    CHECK(sim.count<WatchPid>() == 1);
    sim.command_exits(guard, exited(0)); // the one that was started leaves
    CHECK(sim.state() == "running");
    sim.child_exits(guard, 500, exited(0));
    CHECK(sim.state() == "dead");
}

TEST_CASE("watchdog: late, too late, by request, with another span") {
    Sim sim(ServiceType::Notify, [](auto& unit) {
        unit.service.edit().watchdog = 10s;
        unit.service.edit().restart = unit::RestartPolicy::OnWatchdog;
        unit.service.edit().timeout_abort = 3s;
    });
    sim.obedient = false;
    sim.start();
    CHECK(sim.spawned[0].watchdog == 10s);
    sim.advance(60s); // not before it is up
    sim.notify("READY=1");
    sim.advance(9s);
    sim.notify("WATCHDOG=1");
    sim.advance(9s);
    CHECK(sim.state() == "running");
    SECTION("too late") {
        sim.advance(1s);
        CHECK(sim.state() == "stop-watchdog");
        CHECK(sim.signal_numbers() == std::vector{SIGABRT});
        CHECK(sim.last_said() == "no WATCHDOG=1 for 10 s; aborting it");
        sim.advance(3s);
        CHECK(sim.signal_numbers() == std::vector{SIGABRT, SIGKILL});
        sim.main_exits(killed(9));
        CHECK(sim.result() == ServiceResult::Watchdog);
        CHECK(sim.state() == "auto-restart");
    }
    SECTION("watchdogs are off") {
        sim.set_watchdogs(false);
        sim.advance(1s);
        CHECK(sim.state() == "running");
        CHECK(sim.last_said() == "no WATCHDOG=1 for 10 s; service-watchdogs is off");
        sim.set_watchdogs(true);
        sim.advance(1000s); // the next ping arms it
        CHECK(sim.state() == "running");
        sim.notify("WATCHDOG=1");
        sim.advance(10s);
        CHECK(sim.state() == "stop-watchdog");
    }
    SECTION("by request") {
        sim.notify("WATCHDOG=trigger");
        CHECK(sim.state() == "stop-watchdog");
        CHECK(sim.result() == ServiceResult::Watchdog);
    }
    SECTION("another span") {
        sim.notify("WATCHDOG_USEC=60000000");
        sim.advance(59s);
        CHECK(sim.state() == "running");
        sim.advance(1s);
        CHECK(sim.state() == "stop-watchdog");
    }
    SECTION("switched off") {
        sim.notify("WATCHDOG_USEC=18446744073709551615");
        sim.advance(1000s);
        CHECK(sim.state() == "running");
    }
}

TEST_CASE("EXTEND_TIMEOUT_USEC= prolongs start, run and stop, never beyond a shutdown") {
    Sim sim(ServiceType::Notify, [](auto& unit) {
        unit.service.edit().timeout_start = 10s;
        unit.service.edit().timeout_stop = 10s;
        unit.service.edit().runtime_max = 10s;
    });
    sim.obedient = false;
    sim.start();
    sim.notify("EXTEND_TIMEOUT_USEC=1000000"); // shorter than what is left: no effect
    sim.advance(9s);
    sim.notify("EXTEND_TIMEOUT_USEC=5000000");
    sim.advance(4s);
    CHECK(sim.state() == "start");
    sim.notify("READY=1");
    sim.advance(9s);
    sim.notify("EXTEND_TIMEOUT_USEC=5000000");
    sim.advance(4s);
    CHECK(sim.state() == "running");
    sim.advance(1s);
    CHECK(sim.state() == "stop-sigterm");
    sim.service().set_stop_deadline(sim.now().mono + 8s);
    sim.notify("EXTEND_TIMEOUT_USEC=18446744073709551615");
    sim.advance(8s);
    CHECK(sim.state() == "stop-sigkill");
}

TEST_CASE("STOPPING=1: it goes by itself, no signal") {
    Sim sim(ServiceType::Notify,
            [](auto& unit) { unit.service.edit().restart = unit::RestartPolicy::Always; });
    sim.start();
    sim.notify("READY=1");
    sim.notify("STOPPING=1");
    CHECK(sim.state() == "stop-sigterm");
    CHECK(sim.signals.empty());
    sim.main_exits(exited(0));
    CHECK(sim.state() == "auto-restart");
    CHECK(sim.last_said() == "exited (exit 0) after 0 ms; restarting in 100 ms (attempt 1)");
}

TEST_CASE("RELOADING=1 by itself, and READY=1") {
    Sim sim(ServiceType::Notify);
    sim.start();
    sim.notify("READY=1");
    sim.notify("RELOADING=1\nMONOTONIC_USEC=5");
    CHECK(sim.state() == "reload-notify");
    SECTION("done") {
        sim.notify("READY=1");
        CHECK(sim.state() == "running");
        CHECK(sim.last_said() == "reloaded");
    }
    SECTION("never done") {
        sim.advance(90s);
        CHECK(sim.state() == "running");
        CHECK(sim.changes.back().reload_failed);
    }
    SECTION("dies of it") {
        sim.main_exits(killed(11));
        CHECK(sim.state() == "failed");
    }
    SECTION("stopped meanwhile") {
        sim.stop();
        CHECK(sim.state() == "dead");
    }
}

TEST_CASE("notify-reload: signal, answer, done") {
    Sim sim(ServiceType::NotifyReload,
            [](auto& unit) { unit.service.edit().reload_signal = SIGUSR1; });
    CHECK(sim.service().can_reload());
    sim.obedient = false;
    sim.start();
    sim.notify("READY=1");
    sim.reload();
    CHECK(sim.state() == "reload-signal");
    CHECK(sim.signals.back().signal == SIGUSR1);
    CHECK(sim.signals.back().scope == KillScope::Main);
    const auto usec = [&](base::Duration offset) {
        return std::to_string((sim.now().mono.since_boot + offset).count());
    };
    SECTION("in two messages") {
        sim.notify("RELOADING=1\nMONOTONIC_USEC=" + usec(1ms));
        CHECK(sim.state() == "reload-notify");
        sim.notify("READY=1");
        CHECK(sim.state() == "running");
    }
    SECTION("in one") {
        sim.notify("RELOADING=1\nREADY=1\nMONOTONIC_USEC=" + usec(1ms));
        CHECK(sim.state() == "running");
        CHECK(sim.last_said() == "reloaded");
    }
    SECTION("without a time it is no answer") {
        sim.notify("RELOADING=1");
        CHECK(sim.state() == "reload-signal");
        sim.advance(90s);
        CHECK(sim.changes.back().reload_failed);
    }
    SECTION("sent before the signal it is none either, the suspended time counted in") {
        const base::Duration suspended = 50s;
        const auto message = [&](base::Duration since_signal) {
            return Notified{Sender::Main,
                            101,
                            "RELOADING=1\nMONOTONIC_USEC=" + usec(since_signal - suspended),
                            0,
                            {},
                            suspended};
        };
        sim.tell(message(-1ms));
        CHECK(sim.state() == "reload-signal");
        sim.tell(message(1ms));
        CHECK(sim.state() == "reload-notify");
    }
}

TEST_CASE("notify-reload with ExecReload=: both") {
    Sim sim(ServiceType::NotifyReload, [](auto& unit) {
        unit.service.edit().commands[static_cast<std::size_t>(ExecList::Reload)] = {
            command("/reload")};
    });
    sim.start();
    sim.notify("READY=1");
    sim.reload();
    CHECK(sim.state() == "reload");
    CHECK(sim.signals.back().signal == SIGHUP);
    SECTION("answered after the command") {
        sim.control_exits(exited(0));
        CHECK(sim.state() == "reload-signal");
        sim.notify("RELOADING=1\nREADY=1\nMONOTONIC_USEC=999999999");
    }
    SECTION("answered before") {
        sim.notify("RELOADING=1\nMONOTONIC_USEC=999999999");
        sim.control_exits(exited(0));
        CHECK(sim.state() == "reload-notify");
        sim.notify("READY=1");
    }
    CHECK(sim.state() == "running");
}

TEST_CASE("without FileDescriptorStoreMax= FDSTORE=1 is refused, which is said once") {
    Sim sim(ServiceType::Notify);
    sim.start();
    sim.tell(Notified{Sender::Main, 101, "FDSTORE=1", 2, {}, std::nullopt});
    sim.tell(Notified{Sender::Main, 101, "FDSTORE=1", 2, {}, std::nullopt});
    CHECK(sim.said == Lines{"FDSTORE=1: FileDescriptorStoreMax= is not set; 2 closed"});
}

TEST_CASE("garbage changes nothing") {
    Sim sim(ServiceType::Notify);
    sim.start();
    sim.notify(std::string("READY=1\0STATUS=x", 16));
    sim.notify("BARRIER=1\nREADY=1");
    sim.notify("");
    CHECK(sim.state() == "start");
}

TEST_CASE("STOPPING=1 and the main process gone: the others are still to be asked") {
    Sim sim(ServiceType::Notify);
    sim.start();
    sim.notify("READY=1\nSTOPPING=1");
    CHECK(sim.state() == "stop-sigterm");
    const GuardId guard = sim.data().main_guard;
    sim.guards[guard].children = {777};
    sim.main_exits(exited(0));
    CHECK(sim.signal_numbers() == std::vector{15});
    CHECK(sim.state() == "dead");
}

TEST_CASE("READY=1 from ExecStartPre= is not the service's") {
    Sim sim(ServiceType::Notify, [](auto& unit) {
        unit.service.edit().notify_access = unit::NotifyAccess::All;
        unit.service.edit().commands[static_cast<std::size_t>(ExecList::StartPre)] = {
            command("/pre")};
    });
    sim.start();
    sim.notify("READY=1", Sender::Control);
    sim.control_exits(exited(0));
    CHECK(sim.state() == "start");
}

TEST_CASE("descriptors are stored, taken back by name, and let go of with the service") {
    using unit::Preserve;
    const auto with = [](Preserve preserve) {
        return [preserve](auto& unit) {
            unit.service.edit().file_descriptor_store_max = 4;
            unit.service.edit().file_descriptor_store_preserve = preserve;
        };
    };
    std::vector<Action> out;
    const auto count = [&out](auto want) {
        return std::count_if(out.begin(), out.end(), [](const Action& action) { return std::holds_alternative<decltype(want)>(action); });
    };
    for (const Preserve preserve : {Preserve::No, Preserve::Restart, Preserve::Yes}) {
        auto config = Sim::make_config(ServiceType::Simple);
        with(preserve)(config);
        std::uint32_t last_guard = 0;
        Service service(std::make_shared<const unit::UnitConfig>(config), {}, [&] { return GuardId{++last_guard}; });
        const Moment now{base::Instant{1000s}, 1'700'000'000s};
        for (const bool restart : {true, false}) {
            out.clear();
            service.start(now, out);
            service.on(SpawnResult{GuardId{last_guard}, true, 101}, now, out);
            Notified told{Notified::Sender::Main, 101, "FDSTORE=1\nFDNAME=db\nFDPOLL=0", 1, {}, std::nullopt, 9};
            CHECK(service.data().state == ServiceState::Running);
            service.on(told, now, out);
            REQUIRE(count(StoreDescriptors{}) == 1);
            told.text = "FDSTOREREMOVE=1";
            service.on(told, now, out);
            CHECK(count(RemoveStored{}) == 0); // of which name?
            told.text = "FDSTOREREMOVE=1\nFDNAME=db";
            service.on(told, now, out);
            CHECK(count(RemoveStored{}) == 1);
            CHECK(count(StoreDescriptors{}) == 1);
            for (const Action& action : out)
                if (const auto* stored = std::get_if<StoreDescriptors>(&action)) {
                    CHECK(stored->name == "db");
                    CHECK(stored->offer == 9);
                    CHECK_FALSE(stored->poll);
                }
            service.stop(now, out, restart);
            service.on(CommandExited{GuardId{last_guard}, 101, killed(SIGTERM)}, now, out);
            service.on(TreeEmpty{GuardId{last_guard}}, now, out);
            CHECK(service.data().state == ServiceState::Dead);
            const bool kept = preserve == Preserve::Yes || (preserve == Preserve::Restart && restart);
            CHECK(count(ReleaseStored{}) == (kept ? 0 : 1));
        }
    }
}
