// Timers in the engine: they start their unit, follow it, survive a crash and a reload, and say what is wrong.
#include "fake_shell.hpp"

#include "base/calendar.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::test;

namespace {

engine::ConfigPtr timer(const std::string& name, const char* calendar, const std::string& starts, bool persistent = false,
                        unit::TimerSection section = {}) {
    auto config = std::make_shared<unit::UnitConfig>();
    config->name = name + ".timer";
    config->names = {config->name};
    config->type = unit::UnitType::Timer;
    config->load_state = unit::LoadState::Loaded;
    base::TimeZones zones(nullptr, "");
    if (calendar != nullptr)
        section.calendars.push_back(std::make_shared<const base::Calendar>(*base::Calendar::parse(calendar, zones)));
    section.persistent = persistent;
    config->timer.edit() = std::move(section);
    config->unit.dependencies.push_back({unit::DependencyKind::Triggers, unit::Origin::Implicit, 0, 0, starts});
    return config;
}

std::size_t starts_of(const FakeShell& shell, const std::string& name) {
    std::size_t count = 0;
    for (const auto& action : shell.all<engine::UnitAction>())
        count += action.unit == shell.id(name) && std::holds_alternative<supervise::Spawn>(action.action) ? 1U : 0U;
    return count;
}

} // namespace

TEST_CASE("a timer starts its service each time it elapses") {
    FakeShell shell;
    shell.load({service("job").oneshot(false), timer("job", "*:0/10", "job.service")});
    shell.programs["job"].exits = 0;
    shell.start("job.timer");
    CHECK(shell.sub("job.timer") == "waiting");
    CHECK(shell.engine.status(shell.id("job.timer")).next_elapse);
    shell.advance(35min);
    CHECK(starts_of(shell, "job") >= 3);
    CHECK(starts_of(shell, "job") <= 4);
    CHECK(shell.sub("job.timer") == "waiting");
    shell.stop("job.timer");
    CHECK(shell.sub("job.timer") == "dead");
    const std::size_t before = starts_of(shell, "job");
    shell.advance(2h);
    CHECK(starts_of(shell, "job") == before);
}

TEST_CASE("a timer that only follows its unit is not said to never elapse") {
    unit::TimerSection follows;
    follows.spans[static_cast<std::size_t>(unit::TimerBase::UnitActive)] = {10min};
    FakeShell shell;
    shell.load({service("job").oneshot(false), timer("job", nullptr, "job.service", false, follows), service("late").oneshot(false),
                timer("late", "2001-01-01", "late.service")});
    shell.programs["job"].exits = 0;
    shell.start("job.timer");
    CHECK_FALSE(shell.said("never elapse"));
    CHECK(shell.sub("job.timer") == "elapsed");
    shell.start("job");
    CHECK(shell.sub("job.timer") == "waiting");
    shell.start("late.timer");
    CHECK(shell.said("never elapse"));
}

TEST_CASE("a timer that is started too often fails, until somebody resets it") {
    FakeShell shell;
    auto often = std::make_shared<unit::UnitConfig>(*timer("job", "*:0/10", "job.service"));
    often->unit.start_limit = {.interval = 10s, .burst = 2};
    shell.load({service("job").oneshot(false), often});
    for (int i = 0; i < 2; i++) {
        CHECK(shell.result(shell.start("job.timer")) == graph::JobResult::Done);
        shell.stop("job.timer");
    }
    CHECK(shell.result(shell.start("job.timer")) == graph::JobResult::Failed);
    CHECK(shell.sub("job.timer") == "failed");
    CHECK(shell.said("started too often: 2 times in 10s"));
    shell.feed(engine::ResetFailed{shell.id("job.timer")});
    CHECK(shell.result(shell.start("job.timer")) == graph::JobResult::Done);
    CHECK(shell.sub("job.timer") == "waiting");
}

TEST_CASE("while the service runs the timer waits for it") {
    FakeShell shell;
    shell.load({service("job").oneshot(false), timer("job", "*:0/10", "job.service")});
    shell.start("job.timer");
    shell.advance(30min);
    CHECK(shell.sub("job.timer") == "running");
    CHECK(starts_of(shell, "job") == 1);
    shell.exit("job", 0);
    shell.advance(1s); // what passed is made up for, once
    CHECK(starts_of(shell, "job") == 2);
}

TEST_CASE("a service that is skipped does not stop its timer") {
    FakeShell shell;
    shell.load({service("job").oneshot(false).condition("/no"), timer("job", "*:0/10", "job.service")});
    shell.conditions["job"] = false;
    shell.start("job.timer");
    shell.advance(30min);
    CHECK(shell.sub("job.timer") == "waiting");
    CHECK(starts_of(shell, "job") == 0);
}

TEST_CASE("a timer without its unit is refused; one whose unit is refused later fails") {
    FakeShell shell;
    shell.load({timer("lonely", "daily", "nobody.service")});
    const auto lonely = shell.start("lonely.timer");
    CHECK(shell.result(lonely) == JobResult::Failed);
    CHECK(shell.said("lonely.timer: not started: the unit it starts is not there"));
}

TEST_CASE("a persistent timer asks for its stamp first, and leaves one") {
    FakeShell shell;
    shell.load({service("job").oneshot(false), timer("job", "daily", "job.service", true)});
    shell.programs["job"].exits = 0;
    shell.start("job.timer");
    REQUIRE(shell.all<engine::ReadStamp>().size() == 1);
    CHECK(shell.active("job.timer") == ActiveState::Inactive); // not before it is known
    shell.feed(engine::StampRead{shell.id("job.timer"), shell.clock.wall - 72h});
    CHECK(shell.active("job.timer") == ActiveState::Active);
    shell.advance(1s);
    CHECK(starts_of(shell, "job") == 1);
    REQUIRE(shell.all<engine::WriteStamp>().size() == 1);
    shell.feed(engine::StampRead{shell.id("job.timer"), {}}); // nobody asked
    CHECK(starts_of(shell, "job") == 1);
}

TEST_CASE("a timer goes on after a crash") {
    FakeShell shell;
    const std::vector<engine::ConfigPtr> units{service("job").oneshot(false), timer("job", "*:0/10", "job.service")};
    shell.load(units);
    shell.programs["job"].exits = 0;
    shell.start("job.timer");
    shell.advance(25min);
    const auto last = shell.engine.status(shell.id("job.timer")).timer->last_trigger;
    engine::Engine again{engine::EngineOptions{}};
    again.sync(units, true, shell.clock);
    for (const char* name : {"job.service", "job.timer"})
        REQUIRE(again.restore(shell.engine.save(shell.id(name)), shell.clock));
    REQUIRE(again.restore_globals(shell.engine.save_globals(), shell.clock));
    (void)again.handle(engine::Tick{}, shell.clock);
    const auto status = again.status(again.find("job.timer"));
    CHECK(status.sub == "waiting");
    CHECK(status.timer->last_trigger == last);
    CHECK(again.next_deadline() == shell.engine.next_deadline());
}

TEST_CASE("new settings count at once after a reload") {
    FakeShell shell;
    shell.load({service("job").oneshot(false), timer("job", "*:0/10", "job.service")});
    shell.start("job.timer");
    shell.load({service("job").oneshot(false), timer("job", "2100-01-01", "job.service")}, true);
    shell.feed(engine::Tick{});
    CHECK(shell.engine.next_deadline() - shell.clock.mono > 24h * 365);
    shell.load({service("job").oneshot(false), timer("job", "*-02-30", "job.service")}, true);
    shell.feed(engine::Tick{});
    CHECK(shell.sub("job.timer") == "elapsed");
}

TEST_CASE("a time that never comes is said") {
    FakeShell shell;
    shell.load({service("job").oneshot(false), timer("job", "*-02-30", "job.service")});
    shell.start("job.timer");
    CHECK(shell.said("job.timer: will never elapse"));
}

TEST_CASE("a thousand timers at one instant, and no wake-up beside") {
    FakeShell shell;
    std::vector<engine::ConfigPtr> units{service("job").oneshot(false)};
    for (int i = 0; i < 1000; i++)
        units.push_back(timer("t" + std::to_string(i), "hourly", "job.service"));
    shell.load(units);
    shell.programs["job"].exits = 0;
    for (int i = 0; i < 1000; i++)
        shell.start("t" + std::to_string(i) + ".timer");
    const base::Instant next = shell.engine.next_deadline();
    CHECK(next - shell.clock.mono <= 1h);
    shell.advance(next - shell.clock.mono);
    CHECK(starts_of(shell, "job") == 1);
    CHECK(shell.engine.next_deadline() - shell.clock.mono > 59min);
}
