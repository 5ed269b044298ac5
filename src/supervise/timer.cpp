// See timer.hpp. Tested by tests/unit/supervise/timer_test.cpp.
#include "supervise/timer.hpp"

#include "base/enum_names.hpp"
#include "supervise/start_limit.hpp"

#include <algorithm>

namespace monoinit::supervise {

using base::Duration;
using unit::TimerBase;

namespace {

constexpr auto state_names = base::enum_names<TimerState>({{TimerState::Dead, "dead"},
                                                           {TimerState::Waiting, "waiting"},
                                                           {TimerState::Running, "running"},
                                                           {TimerState::Elapsed, "elapsed"},
                                                           {TimerState::Failed, "failed"}});

/// A unit that is over at once, or skipped, must not turn a span of 0 into a busy loop.
constexpr Duration shortest_round = std::chrono::milliseconds(10);

std::uint64_t mixed(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

std::uint64_t hash_of(std::string_view name, std::uint64_t seed) {
    std::uint64_t hash = 14695981039346656037ULL ^ seed;
    for (const char c : name)
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return mixed(hash);
}

Duration up_to(Duration most, std::uint64_t hash) {
    if (most <= Duration{} || most == base::infinity)
        return {};
    return Duration(static_cast<Duration::rep>(hash % static_cast<std::uint64_t>(most.count())));
}

bool is_set(const Moment& moment) { return moment.wall.count() != 0; }

Duration plus(Duration wall, Duration span) { return span == base::infinity ? base::infinity : wall + span; }

} // namespace

std::string_view name(TimerState state) { return base::name_of(state_names, state); }

ActiveState active_state(TimerState state) {
    switch (state) {
    case TimerState::Dead: return ActiveState::Inactive;
    case TimerState::Waiting:
    case TimerState::Running:
    case TimerState::Elapsed: return ActiveState::Active;
    case TimerState::Failed: return ActiveState::Failed;
    }
    return ActiveState::Inactive;
}

// ---- what is asked of it --------------------------------------------------------------------------------------------

void Timer::begin_anew() {
    std::vector<Instant> starts = std::move(data_.recent_starts);
    data_ = {};
    data_.recent_starts = std::move(starts);
}

bool Timer::start(Duration stamp, Moment now, const TimerContext& context) {
    begin_anew();
    if (!count_start(config_->unit.start_limit, data_.recent_starts, now.mono)) {
        fail();
        return false;
    }
    data_.started = now;
    if (stamp.count() > 0 && stamp < now.wall) // one from the future is of a clock that was wrong
        data_.last_trigger.wall = stamp;
    enter_waiting(now, context);
    return true;
}

void Timer::stop() {
    const Moment last = data_.last_trigger;
    begin_anew();
    data_.last_trigger = last;
}

void Timer::trigger_changed(Moment now, const TimerContext& context) {
    const bool down = context.trigger == ActiveState::Inactive || context.trigger == ActiveState::Failed;
    switch (data_.state) {
    case TimerState::Waiting: // of what a calendar says nothing depends on the unit, but for DeferReactivation=
    case TimerState::Elapsed:
        return enter_waiting(now, context);
    case TimerState::Running:
        if (down)
            enter_waiting(now, context);
        return;
    case TimerState::Dead:
    case TimerState::Failed:
        return;
    }
}

bool Timer::clock_changed(Moment now, const TimerContext& context) {
    if (data_.last_trigger.wall > now.wall) // set backwards: it would wait for the old time to come again
        data_.last_trigger.wall = now.wall;
    if (data_.state != TimerState::Waiting)
        return false;
    if (section().on_clock_change)
        return true;
    enter_waiting(now, context);
    return false;
}

bool Timer::zone_changed(Moment now, const TimerContext& context) {
    if (data_.state != TimerState::Waiting)
        return false;
    if (section().on_timezone_change)
        return true;
    enter_waiting(now, context);
    return false;
}

void Timer::recompute(Moment now, const TimerContext& context) {
    if (data_.state == TimerState::Waiting || data_.state == TimerState::Elapsed)
        enter_waiting(now, context);
    else
        trigger_changed(now, context);
}

bool Timer::due(Moment now) const {
    if (data_.state != TimerState::Waiting)
        return false;
    return data_.next_mono <= now.mono || (data_.next_wall.count() != 0 && data_.next_wall <= now.wall);
}

void Timer::elapsed(Moment now) {
    data_.last_trigger = now;
    enter(TimerState::Running);
}

bool Timer::never_elapses() const {
    if (data_.state != TimerState::Elapsed && data_.state != TimerState::Dead)
        return false;
    const auto& spans = section().spans;
    return spans[static_cast<std::size_t>(TimerBase::UnitActive)].empty() && spans[static_cast<std::size_t>(TimerBase::UnitInactive)].empty();
}

void Timer::fail() { enter(TimerState::Failed); }

void Timer::reset_failed() {
    data_.recent_starts.clear();
    if (data_.state == TimerState::Failed)
        enter(TimerState::Dead);
}

Instant Timer::deadline(Moment now) const {
    if (data_.state != TimerState::Waiting)
        return base::never;
    Instant at = data_.next_mono;
    if (data_.next_wall.count() != 0 && data_.next_wall != base::infinity)
        at = std::min(at, now.mono + std::max(data_.next_wall - now.wall, Duration{}));
    return at;
}

Moment Timer::next(Moment now) const {
    const Instant at = deadline(now);
    if (at == base::never)
        return {};
    const bool by_wall = data_.next_wall.count() != 0 && data_.next_mono > at;
    return {at, by_wall ? data_.next_wall : now.wall + (at - now.mono)};
}

// ---- when it elapses next -------------------------------------------------------------------------------------------

void Timer::enter_waiting(Moment now, const TimerContext& context) {
    bool depends_on_unit = false;
    const std::optional<Duration> wall = next_calendar(now, context);
    const Instant mono = next_span(now, context, depends_on_unit);
    data_.next_wall = wall ? plus(*wall, random_delay(context)) : Duration{};
    data_.next_mono = mono == base::never ? mono : mono + random_delay(context);
    if (wall || mono != base::never || section().on_clock_change || section().on_timezone_change)
        return enter(TimerState::Waiting);
    enter(section().remain_after_elapse || depends_on_unit ? TimerState::Elapsed : TimerState::Dead);
}

Duration Timer::random_delay(const TimerContext& context) {
    const Duration most = section().randomized_delay;
    if (most <= Duration{})
        return {};
    if (section().fixed_random_delay)
        return up_to(most, hash_of(config_->name, context.machine));
    return up_to(most, hash_of(config_->name, context.random + 0x9e3779b97f4a7c15ULL * ++data_.draws));
}

std::optional<Duration> Timer::next_calendar(Moment now, const TimerContext& context) const {
    static const base::TimeZone utc;
    if (section().calendars.empty())
        return std::nullopt;
    // From the last time it elapsed, so that what passed meanwhile is made up for, once. A moment before this container
    // was started counts as its start, lest RandomizedDelaySec= be over before it begins.
    Duration from = now.wall;
    bool earlier_life = false;
    if (section().defer_reactivation && is_set(context.trigger_down)) {
        from = std::max(context.trigger_down.wall, data_.last_trigger.wall);
    } else if (is_set(data_.last_trigger)) {
        from = data_.last_trigger.wall;
        earlier_life = data_.last_trigger.mono == Instant{}; // it stood in a stamp file
    } else if (is_set(data_.started)) {
        from = std::min(data_.started.wall, now.wall);
    }
    const Duration offset = up_to(section().randomized_offset, hash_of(config_->name, context.machine ^ 0x0ff5e7));
    std::optional<Duration> first;
    for (const auto& calendar : section().calendars)
        if (auto next = calendar->next(from - offset, context.zone != nullptr ? *context.zone : utc)) {
            Duration at = *next + offset;
            if (earlier_life)
                at = std::max(at, context.started.wall);
            first = first ? std::min(*first, at) : at;
        }
    return first;
}

Instant Timer::next_span(Moment now, const TimerContext& context, bool& depends_on_unit) const {
    Instant first = base::never;
    for (std::size_t i = 0; i < unit::timer_bases; i++) {
        const auto kind = static_cast<TimerBase>(i);
        const bool of_unit = kind == TimerBase::UnitActive || kind == TimerBase::UnitInactive;
        for (const Duration span : section().spans[i]) {
            Instant from;
            switch (kind) {
            case TimerBase::Active: from = data_.started.mono; break;
            case TimerBase::Boot: // not the host's: a container counts from its own start
            case TimerBase::Startup: from = context.started.mono; break;
            case TimerBase::UnitActive: from = std::max(context.trigger_up.mono, data_.last_trigger.mono); break;
            case TimerBase::UnitInactive: from = std::max(context.trigger_down.mono, data_.last_trigger.mono); break;
            }
            depends_on_unit = depends_on_unit || of_unit;
            if (of_unit && from == Instant{})
                continue; // never yet
            Instant at = from + span;
            if (of_unit && data_.last_trigger.mono != Instant{})
                at = std::max(at, data_.last_trigger.mono + shortest_round);
            if (!of_unit && is_set(data_.last_trigger) && (at < now.mono || at <= data_.last_trigger.mono))
                continue; // these come once
            first = std::min(first, at);
        }
    }
    return first;
}

} // namespace monoinit::supervise
