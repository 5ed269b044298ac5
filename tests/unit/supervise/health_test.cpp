// The health of a unit as stories: a fake clock, checks that answer what the story says.
#include "supervise/health.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::supervise;
using namespace std::chrono_literals;
using unit::HealthKind;
using unit::OnUnhealthy;

namespace {

class Sim {
  public:
    Sim() {
        config.name = "web.service";
        edit(HealthKind::Both).tcp_connect = {"80"};
    }
    unit::HealthCheck& edit(HealthKind kind) { return config.health.edit().checks[static_cast<std::size_t>(kind)]; }

    void up() {
        make();
        act([&](auto& out) { monitor->unit_up(now, out); });
    }
    void down() {
        act([&](auto& out) { monitor->unit_down(out); });
    }
    void reload(bool is_up = true) {
        act([&](auto& out) { monitor->replace_config(std::make_shared<unit::UnitConfig>(config), is_up, now, out); });
    }
    void make() {
        if (!monitor)
            monitor.emplace(std::make_shared<unit::UnitConfig>(config), [this] { return GuardId{++last_guard}; });
    }
    /// Deadlines fire on the way.
    void advance(base::Duration span) {
        const Instant until = now.mono + span;
        while (monitor->deadline() <= until) {
            now.mono = std::max(monitor->deadline(), now.mono);
            act([&](auto& out) { monitor->on_deadline(now, out); });
        }
        now.mono = until;
    }
    /// What runs answers, and is gone.
    void answer(bool ok, const std::string& text = "refused") {
        const GuardId guard = running.guard;
        result(ok, text);
        gone(guard);
    }
    void result(bool ok, const std::string& text = "refused", const std::string& output = "") {
        act([&](auto& out) { monitor->on(CheckResult{running.guard, ok, ok ? "" : text, output}, now, out); });
    }
    void gone(GuardId guard) {
        act([&](auto& out) { monitor->on(CheckGone{guard}, now, out); });
    }
    /// Until the next run is asked for.
    void next_run() {
        const std::size_t before = runs;
        for (int i = 0; i < 100 && runs == before; i++) {
            REQUIRE(monitor->deadline() != base::never);
            advance(monitor->deadline() - now.mono);
        }
        REQUIRE(runs > before);
    }
    void fail_until_unhealthy() {
        for (int i = 0; i < 100 && monitor->overall() != Health::Unhealthy; i++) {
            next_run();
            answer(false);
        }
        REQUIRE(monitor->overall() == Health::Unhealthy);
    }
    const HealthMonitor::Check& check(HealthKind kind = HealthKind::Both) const { return monitor->data()[static_cast<std::size_t>(kind)]; }

    unit::UnitConfig config;
    std::optional<HealthMonitor> monitor;
    Moment now{Instant{100s}, 100s};
    RunCheck running;
    std::size_t runs = 0;
    std::vector<GuardId> ended;
    std::vector<Health> changes;
    std::vector<Consequence> consequences;
    std::vector<std::string> said;

  private:
    template <class Call> void act(Call&& call) {
        std::vector<HealthAction> out;
        call(out);
        for (const HealthAction& action : out) {
            if (const auto* run = std::get_if<RunCheck>(&action)) {
                running = *run;
                runs++;
            } else if (const auto* end = std::get_if<EndCheck>(&action)) {
                ended.push_back(end->guard);
            } else if (const auto* change = std::get_if<HealthChange>(&action)) {
                changes.push_back(change->after);
            } else if (const auto* consequence = std::get_if<Consequence>(&action)) {
                consequences.push_back(*consequence);
            } else if (const auto* say = std::get_if<Say>(&action)) {
                said.push_back(say->text);
            }
        }
    }
    std::uint32_t last_guard = 0;
};

} // namespace

TEST_CASE("a unit without checks has no health") {
    Sim sim;
    sim.edit(HealthKind::Both).tcp_connect.clear();
    sim.up();
    CHECK(sim.monitor->overall() == Health::None);
    CHECK(sim.monitor->deadline() == base::never);
    CHECK(sim.monitor->answer(HealthQuestion::Live) == Health::None);
}

TEST_CASE("starting, healthy, and the pauses between checks") {
    Sim sim;
    sim.up();
    CHECK(sim.monitor->overall() == Health::Starting);
    sim.advance(199ms);
    CHECK(sim.runs == 0);
    sim.advance(1ms);
    CHECK(sim.runs == 1);
    CHECK(sim.running.timeout == 5s);
    sim.answer(false);
    sim.advance(999ms);
    CHECK(sim.runs == 1);
    sim.advance(1ms); // StartInterval=
    CHECK(sim.runs == 2);
    sim.answer(true);
    CHECK(sim.said == std::vector<std::string>{"healthy after 1.2 s"});
    CHECK(sim.changes == std::vector{Health::Healthy});
    sim.advance(9999ms);
    CHECK(sim.runs == 2);
    sim.advance(1ms); // Interval=
    CHECK(sim.runs == 3);
    CHECK(sim.consequences.empty());
}

TEST_CASE("failures in StartPeriod do not count, those after it do") {
    Sim sim;
    sim.edit(HealthKind::Both).start_period = 5s;
    sim.up();
    while (sim.now.mono < Instant{104s}) {
        sim.next_run();
        sim.answer(false, "connection refused");
    }
    CHECK(sim.check().streak == 0);
    CHECK(sim.said.empty());
    sim.fail_until_unhealthy();
    CHECK(sim.check().streak == 3);
    CHECK(sim.now.mono >= Instant{105s});
    REQUIRE(sim.consequences.size() == 1);
    CHECK(sim.consequences[0].what == OnUnhealthy::Restart);
    CHECK(sim.said == std::vector<std::string>{"unhealthy: refused (3 of 3); restarting"});
}

TEST_CASE("a success ends the start period") {
    Sim sim;
    sim.up();
    sim.next_run();
    sim.answer(true);
    sim.fail_until_unhealthy();
    CHECK(sim.check().streak == 3);
    CHECK(sim.now.mono < Instant{135s}); // 3 x Interval=, long before StartPeriod= would have been over
}

TEST_CASE("Retries failures in a row; one success in between begins anew") {
    Sim sim;
    sim.up();
    sim.next_run();
    sim.answer(true);
    for (int i = 0; i < 5; i++) {
        sim.next_run();
        sim.answer(false);
        sim.next_run();
        sim.answer(false);
        sim.next_run();
        sim.answer(true);
    }
    CHECK(sim.changes == std::vector{Health::Healthy});
}

TEST_CASE("a check that hangs is ended and has failed") {
    Sim sim;
    sim.edit(HealthKind::Both).start_period = 0s;
    sim.edit(HealthKind::Both).retries = 1;
    sim.up();
    sim.next_run();
    const GuardId guard = sim.running.guard;
    sim.advance(5s);
    CHECK(sim.ended == std::vector{guard});
    CHECK(sim.check().phase == CheckPhase::Ending);
    CHECK(sim.said == std::vector<std::string>{"unhealthy: no answer from port 80 within 5 s (1 of 1); restarting"});
    sim.result(true); // too late
    CHECK(sim.monitor->overall() == Health::Unhealthy);
}

TEST_CASE("what cannot be ended keeps failing, and nothing is started beside it") {
    Sim sim;
    sim.edit(HealthKind::Both).start_period = 0s;
    sim.edit(HealthKind::Both).on_unhealthy = OnUnhealthy::None;
    sim.up();
    sim.next_run();
    const GuardId guard = sim.running.guard;
    sim.advance(5s + 20s);
    CHECK(sim.runs == 1);
    CHECK(sim.monitor->overall() == Health::Unhealthy);
    CHECK(sim.check().last_text == "the check before cannot be ended");
    sim.gone(guard);
    sim.next_run();
    sim.answer(true);
    CHECK(sim.said.back() == "healthy again");
}

TEST_CASE("the next run waits for what the last one left behind") {
    Sim sim;
    sim.up();
    sim.next_run();
    const GuardId guard = sim.running.guard;
    sim.result(true);
    CHECK(sim.monitor->overall() == Health::Healthy);
    CHECK(sim.ended == std::vector{guard});
    sim.advance(9s);
    CHECK(sim.runs == 1);
    sim.gone(guard);
    sim.advance(9999ms);
    CHECK(sim.runs == 1);
    sim.advance(1ms);
    CHECK(sim.runs == 2);
}

TEST_CASE("steps run one after the other, within one Timeout") {
    Sim sim;
    sim.edit(HealthKind::Both).file_exists = {"/a"};
    sim.edit(HealthKind::Both).exec.resize(1);
    sim.up();
    sim.next_run();
    CHECK(sim.running.step == 0);
    sim.advance(2s);
    sim.answer(true);
    CHECK(sim.runs == 2); // at once
    CHECK(sim.running.step == 1);
    CHECK(sim.running.timeout == 3s);
    CHECK(sim.monitor->overall() == Health::Starting);
    sim.answer(true);
    CHECK(sim.running.step == 2);
    sim.answer(true);
    CHECK(sim.monitor->overall() == Health::Healthy);
    sim.next_run();
    sim.answer(false); // the first step: no other follows
    CHECK(sim.runs == 4);
    CHECK(sim.check().phase == CheckPhase::Waiting);
}

TEST_CASE("a killed guard is a failure") {
    Sim sim;
    sim.up();
    sim.next_run();
    sim.gone(sim.running.guard);
    CHECK(sim.check().phase == CheckPhase::Waiting);
    CHECK(sim.check().last_text == "the check was killed");
}

TEST_CASE("the unit goes down: what runs is ended, all is forgotten") {
    Sim sim;
    sim.up();
    sim.next_run();
    sim.answer(true);
    sim.next_run();
    const GuardId guard = sim.running.guard;
    sim.down();
    CHECK(sim.ended.back() == guard);
    CHECK(sim.monitor->deadline() == base::never);
    CHECK(sim.monitor->overall() == Health::Starting);
    sim.result(false);
    sim.gone(guard);
    CHECK(sim.monitor->deadline() == base::never);
    sim.up();
    CHECK(sim.check().phase == CheckPhase::Waiting);
    sim.next_run();
    CHECK(sim.running.guard != guard);
}

TEST_CASE("the startup check holds the others up, and is over once it has succeeded") {
    Sim sim;
    sim.edit(HealthKind::Startup).file_exists = {"/up"};
    sim.edit(HealthKind::Startup).start_period = 0s;
    sim.edit(HealthKind::Startup).retries = 1000;
    sim.up();
    for (int i = 0; i < 40; i++) {
        sim.next_run();
        CHECK(sim.running.kind == HealthKind::Startup);
        sim.answer(false);
    }
    CHECK(sim.check().phase == CheckPhase::Blocked);
    CHECK(sim.monitor->answer(HealthQuestion::Startup) == Health::Starting);
    CHECK(sim.monitor->answer(HealthQuestion::Live) == Health::Healthy); // not to be ended
    sim.next_run();
    sim.answer(true);
    CHECK(sim.check(HealthKind::Startup).phase == CheckPhase::Over);
    CHECK(sim.monitor->answer(HealthQuestion::Startup) == Health::Healthy);
    CHECK(sim.monitor->answer(HealthQuestion::Ready) == Health::Starting);
    sim.next_run();
    CHECK(sim.running.kind == HealthKind::Both);
    sim.answer(true);
    CHECK(sim.monitor->answer(HealthQuestion::Ready) == Health::Healthy);
    CHECK(sim.changes == std::vector{Health::Healthy});
    sim.down();
    sim.up();
    CHECK(sim.check(HealthKind::Startup).phase == CheckPhase::Waiting);
}

TEST_CASE("not ready is no reason to restart, not alive is") {
    Sim sim;
    sim.edit(HealthKind::Both).tcp_connect.clear();
    sim.edit(HealthKind::Ready).tcp_connect = {"80"};
    sim.edit(HealthKind::Ready).start_period = 0s;
    sim.edit(HealthKind::Live).tcp_connect = {"81"};
    sim.up();
    for (int i = 0; i < 30; i++) {
        sim.advance(std::max(base::Duration{}, sim.monitor->deadline() - sim.now.mono));
        if (sim.running.guard && sim.check(sim.running.kind).phase == CheckPhase::Running)
            sim.answer(sim.running.kind == HealthKind::Live);
    }
    CHECK(sim.monitor->answer(HealthQuestion::Ready) == Health::Unhealthy);
    CHECK(sim.monitor->answer(HealthQuestion::Live) == Health::Healthy);
    CHECK(sim.monitor->overall() == Health::Unhealthy);
    CHECK(sim.consequences.empty());
}

TEST_CASE("a reload that does not help is repeated, other consequences are not") {
    Sim sim;
    sim.edit(HealthKind::Both).start_period = 0s;
    sim.edit(HealthKind::Both).on_unhealthy = GENERATE(OnUnhealthy::Reload, OnUnhealthy::Stop);
    sim.up();
    for (int i = 0; i < 9; i++) {
        sim.next_run();
        sim.answer(false);
    }
    CHECK(sim.consequences.size() == (sim.config.health->consequence(HealthKind::Both) == OnUnhealthy::Reload ? 3 : 1));
}

TEST_CASE("daemon-reload: checks come and go with the file") {
    Sim sim;
    sim.up();
    sim.next_run();
    const GuardId guard = sim.running.guard;
    sim.edit(HealthKind::Both).tcp_connect.clear();
    sim.edit(HealthKind::Live).file_exists = {"/x"};
    sim.reload();
    CHECK(sim.ended.back() == guard);
    CHECK(sim.check().phase == CheckPhase::Off);
    sim.next_run();
    CHECK(sim.running.kind == HealthKind::Live);
    sim.answer(true);
    sim.edit(HealthKind::Live).file_exists.clear();
    sim.reload();
    CHECK(sim.monitor->overall() == Health::None);
    CHECK(sim.changes.back() == Health::None);
}

TEST_CASE("a startup check that daemon-reload takes away no longer holds the others up") {
    Sim sim;
    sim.edit(HealthKind::Startup).file_exists = {"/up"};
    sim.up();
    sim.edit(HealthKind::Startup).file_exists.clear();
    sim.reload();
    CHECK(sim.check().phase == CheckPhase::Waiting);
}

TEST_CASE("a restored monitor runs again what was under way, and keeps what it knew") {
    Sim sim;
    sim.up();
    sim.next_run();
    sim.answer(true);
    sim.next_run();
    const GuardId guard = sim.running.guard;
    HealthMonitor again(std::make_shared<unit::UnitConfig>(sim.config), [] { return GuardId{99}; });
    again.restore(sim.monitor->data(), sim.now);
    CHECK(again.overall() == Health::Healthy);
    CHECK(again.deadline() == sim.now.mono);
    std::vector<HealthAction> out;
    again.on(CheckGone{guard}, sim.now, out);
    CHECK(out.empty());
    again.on_deadline(sim.now, out);
    REQUIRE(out.size() == 1);
    CHECK(std::get<RunCheck>(out[0]).guard == GuardId{99});
}
