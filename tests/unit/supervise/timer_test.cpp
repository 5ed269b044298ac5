// Stories of one timer's machine, with both clocks in hand.
#include "supervise/timer.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace monoinit;
using namespace monoinit::supervise;
using namespace std::chrono_literals;
using base::Duration;
using base::Moment;

namespace {

std::shared_ptr<const base::Calendar> when(const char* text) {
    base::TimeZones zones(nullptr, "");
    auto calendar = base::Calendar::parse(text, zones);
    REQUIRE(calendar);
    return std::make_shared<const base::Calendar>(std::move(*calendar));
}

/// A timer, and a world that starts at 1 000 s after boot, on 2026-11-26 12:00 UTC.
struct Story {
    explicit Story(unit::TimerSection section, std::string name = "x.timer") {
        auto config = std::make_shared<unit::UnitConfig>();
        config->name = std::move(name);
        config->timer.edit() = std::move(section);
        timer.emplace(std::move(config));
        context.started = now;
        context.random = 7;
        context.machine = 9;
    }
    void start(Duration stamp = {}) { timer->start(stamp, now, context); }
    void advance(Duration span) {
        now.mono = now.mono + span;
        now.wall += span;
    }
    /// How long it waits, or infinity.
    Duration wait() const {
        const base::Instant at = timer->deadline(now);
        return at == base::never ? base::infinity : at - now.mono;
    }
    /// The unit it starts runs, and ends.
    void elapse(Duration runs) {
        REQUIRE(timer->due(now));
        timer->elapsed(now);
        context.trigger = ActiveState::Active;
        context.trigger_up = now;
        timer->trigger_changed(now, context);
        CHECK(timer->data().state == TimerState::Running);
        advance(runs);
        context.trigger = ActiveState::Inactive;
        context.trigger_down = now;
        timer->trigger_changed(now, context);
    }

    Moment now{{1000s}, Duration(1'795'694'400LL * 1'000'000)};
    TimerContext context;
    std::optional<Timer> timer;
};

unit::TimerSection spans(unit::TimerBase base, Duration span) {
    unit::TimerSection section;
    section.spans[static_cast<std::size_t>(base)] = {span};
    return section;
}

unit::TimerSection calendar(const char* text) {
    unit::TimerSection section;
    section.calendars.push_back(when(text));
    return section;
}

} // namespace

TEST_CASE("a calendar timer elapses at its moment, and again") {
    Story story(calendar("*:0/15"));
    story.advance(1min);
    story.start();
    CHECK(story.timer->data().state == TimerState::Waiting);
    CHECK(story.wait() == 14min);
    CHECK_FALSE(story.timer->due(story.now));
    story.advance(14min);
    story.elapse(5s);
    CHECK(story.timer->data().state == TimerState::Waiting);
    CHECK(story.wait() == 15min - 5s);
}

TEST_CASE("moments that pass while the unit runs are made up for once, or left out") {
    for (const bool deferred : {false, true}) {
        auto section = calendar("*:0/15");
        section.defer_reactivation = deferred;
        Story story(section);
        story.start();
        story.advance(15min);
        story.elapse(40min); // 12:15 to 12:55
        CHECK(story.wait() == (deferred ? Duration(5min) : Duration(0)));
        CHECK(story.timer->due(story.now) == !deferred);
    }
}

TEST_CASE("spans count from what their name says") {
    Story active(spans(unit::TimerBase::Active, 10min));
    active.advance(5min);
    active.start();
    CHECK(active.wait() == 10min);
    Story boot(spans(unit::TimerBase::Boot, 10min));
    boot.advance(4min);
    boot.start();
    CHECK(boot.wait() == 6min);
    boot.advance(6min);
    boot.elapse(1s);
    CHECK(boot.timer->data().state == TimerState::Elapsed); // it comes once
    CHECK(boot.wait() == base::infinity);
    Story late(spans(unit::TimerBase::Boot, 10min));
    late.advance(1h);
    late.start();
    CHECK(late.timer->due(late.now)); // it never was, so it is now
}

TEST_CASE("spans of the unit begin when it has been up, or down") {
    for (const auto kind : {unit::TimerBase::UnitActive, unit::TimerBase::UnitInactive}) {
        auto section = spans(kind, 10min);
        section.spans[static_cast<std::size_t>(unit::TimerBase::Active)] = {1s};
        Story story(section);
        story.start();
        CHECK(story.wait() == 1s);
        story.advance(1s);
        story.elapse(3min);
        CHECK(story.wait() == (kind == unit::TimerBase::UnitActive ? Duration(7min) : Duration(10min)));
    }
    Story alone(spans(unit::TimerBase::UnitActive, 10min));
    alone.start();
    CHECK(alone.timer->data().state == TimerState::Elapsed); // until the unit is started by somebody
    alone.context.trigger = ActiveState::Active;
    alone.context.trigger_up = alone.now;
    alone.timer->trigger_changed(alone.now, alone.context);
    CHECK(alone.wait() == 10min);
}

TEST_CASE("a span of 0 is no busy loop") {
    auto section = spans(unit::TimerBase::UnitInactive, 0s);
    section.spans[static_cast<std::size_t>(unit::TimerBase::Active)] = {0s};
    Story story(section);
    story.start();
    story.elapse(0s);
    CHECK(story.wait() == 10ms);
}

TEST_CASE("Persistent=: what the stamp of an earlier life says was missed is made up for") {
    Story missed(calendar("daily"));
    missed.start(missed.now.wall - 30h);
    CHECK(missed.timer->due(missed.now));
    Story fresh(calendar("daily"));
    fresh.start(fresh.now.wall - 1h);
    CHECK(fresh.wait() == 12h);
    Story future(calendar("daily")); // of a clock that was wrong
    future.start(future.now.wall + 240h);
    CHECK(future.wait() == 12h);
}

TEST_CASE("random delays: within the span, the same each time if so wanted") {
    auto section = calendar("hourly");
    section.randomized_delay = 10min;
    std::set<Duration> seen;
    for (int i = 0; i < 20; i++) {
        Story story(section, "t" + std::to_string(i) + ".timer");
        story.start();
        CHECK(story.wait() >= 1h);
        CHECK(story.wait() < 70min);
        seen.insert(story.wait());
    }
    CHECK(seen.size() > 15);
    section.fixed_random_delay = true;
    Story once(section), twice(section);
    once.start();
    twice.context.random = 1234;
    twice.start();
    CHECK(once.wait() == twice.wait());
    auto offset = calendar("hourly");
    offset.randomized_offset = 30min;
    Story moved(offset);
    moved.start();
    moved.advance(moved.wait());
    moved.elapse(1s);
    CHECK(moved.wait() == 1h - 1s); // the same offset
}

TEST_CASE("the clock is set") {
    Story story(calendar("13:00"));
    story.start();
    CHECK(story.wait() == 1h);
    story.now.wall += 30min;
    CHECK_FALSE(story.timer->clock_changed(story.now, story.context));
    CHECK(story.wait() == 30min);
    story.now.wall += 2h; // past it
    CHECK_FALSE(story.timer->clock_changed(story.now, story.context));
    CHECK(story.timer->due(story.now));
    story.elapse(1s);
    story.now.wall -= 240h; // back: it must not wait ten days for the last time to come again
    CHECK_FALSE(story.timer->clock_changed(story.now, story.context));
    CHECK(story.wait() < 24h);
    unit::TimerSection section;
    section.on_clock_change = true;
    Story on_change(section);
    on_change.start();
    CHECK(on_change.timer->data().state == TimerState::Waiting);
    CHECK(on_change.timer->clock_changed(on_change.now, on_change.context));
    CHECK_FALSE(on_change.timer->zone_changed(on_change.now, on_change.context));
}

TEST_CASE("what can never be is elapsed, or ends, at once") {
    Story never(calendar("*-02-30"));
    never.start();
    CHECK(never.timer->data().state == TimerState::Elapsed);
    auto section = calendar("2001-01-01");
    section.remain_after_elapse = false;
    Story gone(section);
    gone.start();
    CHECK(gone.timer->data().state == TimerState::Dead);
    Story infinite(spans(unit::TimerBase::Active, base::infinity));
    infinite.start();
    CHECK(infinite.wait() == base::infinity);
}
