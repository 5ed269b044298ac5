// Timer units in the engine: their machines hear of the clock and of the unit they start, and what they ask for becomes a
// start job. A timer's job ends at once, but for Persistent=: when it last elapsed stands in a file, which the shell reads.
// Tested by tests/unit/engine/timers_test.cpp.

#include "base/fmt.hpp"
#include "base/time.hpp"
#include "engine/codec.hpp"
#include "engine/impl.hpp"

#include <algorithm>

namespace monoinit::engine {

using graph::Atom;
using graph::Edge;
using graph::JobResult;
using graph::JobType;
using supervise::Severity;
using supervise::Timer;
using supervise::TimerState;

namespace {

constexpr Tag timer_tag = 103;

template <class Codec, class D> void timer_fields(Codec& io, D& data) {
    io.enumeration(1, data.state, TimerState::Failed);
    io(2, data.last_trigger);
    io(3, data.next_wall);
    io(4, data.next_mono);
    io(5, data.started);
    io(6, data.draws);
    io(7, data.recent_starts);
}

} // namespace

Unit* Engine::Impl::triggered_by(const Unit& timer) const {
    Unit* found = nullptr;
    graph_.for_each(timer.id, Atom::Triggers, [&](const Edge& edge) {
        if (found == nullptr)
            found = units_.get(edge.to);
    });
    return found;
}

supervise::TimerContext Engine::Impl::timer_context(const Unit& unit) const {
    supervise::TimerContext context;
    context.started = options_.started;
    context.zone = options_.zone.get();
    context.random = options_.random_seed;
    context.machine = options_.machine_seed;
    if (const Unit* other = triggered_by(unit)) {
        context.trigger = other->active;
        context.trigger_up = other->inactive_exit;
        context.trigger_down = other->inactive_enter;
    }
    return context;
}

void Engine::Impl::start_timer(Unit& unit) {
    const Unit* other = triggered_by(unit);
    if (!unit.config->builtin && (other == nullptr || other->config->load_state != unit::LoadState::Loaded)) {
        const std::string name = other != nullptr ? other->config->name : "the unit it starts";
        unit.failure = name + (other != nullptr && other->config->load_state == unit::LoadState::Masked ? " is masked" : " is not there");
        log(Severity::Error, unit.id, brief(unit) + ": not started: " + unit.failure);
        return finish(unit, JobResult::Failed, unit.failure);
    }
    if (unit.config->timer->persistent && !unit.config->timer->calendars.empty())
        return effects_.emplace_back(ReadStamp{unit.id}), void();
    on(StampRead{unit.id, {}});
}

void Engine::Impl::on(const StampRead& event) {
    Unit* unit = units_.get(event.unit);
    const bool expected = unit != nullptr && unit->config->type == unit::UnitType::Timer && unit->job && unit->job->type == JobType::Start &&
                          unit->job->state == graph::JobState::Running && graph::is_down(static_cast<graph::Activity>(unit->active));
    if (!expected)
        return;
    touch(*unit);
    if (!unit->timer)
        unit->timer = std::make_unique<Timer>(unit->config);
    if (!unit->timer->start(event.wall, now_, timer_context(*unit))) {
        unit->failure = fmt::format("started too often: {} times in {}", unit->config->unit.start_limit.burst,
                                    base::format_time_span(unit->config->unit.start_limit.interval));
        log(Severity::Error, unit->id, brief(*unit) + ": not started: " + unit->failure);
        follow_timer(*unit);
        return finish(*unit, JobResult::Failed, unit->failure);
    }
    unit->invocation = ++last_invocation_;
    if (event.wall.count() == 0 && unit->config->timer->persistent)
        effects_.emplace_back(WriteStamp{unit->id, now_.wall}); // from now on there is one to make up from
    change(*unit, ActiveState::Active);
    if (unit->timer->never_elapses())
        log(Severity::Warning, unit->id, brief(*unit) + ": will never elapse: all its times are past, or do not exist");
    follow_timer(*unit);
}

void Engine::Impl::follow_timer(Unit& unit) {
    touch(unit);
    maybe_all_ended_ = true;
    const ActiveState after = supervise::active_state(unit.timer->data().state);
    const auto queued = std::find_if(changes_.rbegin(), changes_.rend(), [&](const Change& change) { return change.unit == unit.id; });
    const ActiveState before = queued == changes_.rend() ? unit.active : queued->after;
    if (before != after)
        changes_.push_back({unit.id, before, after});
}

bool Engine::Impl::may_elapse(const Unit& unit) const {
    return !stopping_.on && (!unit.job || unit.job->type != JobType::Stop);
}

void Engine::Impl::timer_due(Unit& unit) {
    if (!may_elapse(unit))
        return;
    touch(unit);
    Unit* other = triggered_by(unit);
    if (other == nullptr) { // a new file says so
        unit.timer->fail();
        unit.failure = "the unit it starts is gone";
        log(Severity::Error, unit.id, brief(unit) + ": failed: " + unit.failure);
        return follow_timer(unit);
    }
    unit.timer->elapsed(now_);
    if (unit.config->timer->persistent)
        effects_.emplace_back(WriteStamp{unit.id, now_.wall});
    const bool up = graph::is_up(static_cast<graph::Activity>(other->active));
    const Outcome outcome = carry_out({JobType::Start, other->id, unit::JobMode::Replace}, nullptr);
    if (outcome.refusal != graph::RefusalReason::None) {
        unit.timer->fail();
        unit.failure = other->config->name + " not started: " + outcome.text;
        log(Severity::Error, unit.id, brief(unit) + ": failed: " + unit.failure);
    } else if (!up && !outcome.job) {
        unit.timer->trigger_changed(now_, timer_context(unit));
    } else {
        note_activation(*other, {unit.config->name, {}, now_});
    }
    follow_timer(unit);
}

void Engine::Impl::tell_timers(const Unit& unit) {
    std::vector<UnitId> timers;
    graph_.for_each(unit.id, Atom::TriggeredBy, [&](const Edge& edge) { timers.push_back(edge.to); });
    for (const UnitId id : timers)
        if (Unit* timer = units_.get(id); timer != nullptr && timer->timer) {
            const bool starting = unit.job && unit.job->type == JobType::Start; // it is not down for good
            if (starting && timer->timer->data().state == TimerState::Running)
                continue;
            timer->timer->trigger_changed(now_, timer_context(*timer));
            follow_timer(*timer);
        }
}

void Engine::Impl::tell_all_timers(bool (Timer::*changed)(Moment, const supervise::TimerContext&)) {
    units_.each([&](Unit& unit) {
        if (!unit.timer)
            return;
        touch(unit);
        if ((unit.timer.get()->*changed)(now_, timer_context(unit)))
            timer_due(unit);
    });
}

void Engine::Impl::on(const ClockChanged&) { tell_all_timers(&Timer::clock_changed); }

void Engine::Impl::on(const ZoneChanged& event) {
    options_.zone = event.zone;
    tell_all_timers(&Timer::zone_changed);
}

void Engine::Impl::refresh_timer(Unit& unit) {
    if (!unit.timer)
        return;
    touch(unit);
    unit.timer->recompute(now_, timer_context(unit));
    follow_timer(unit);
}

void Engine::Impl::save_timer(const Unit& unit, Writer& io) const {
    if (unit.timer)
        io.nested(timer_tag, [&](Writer& inner) { timer_fields(inner, unit.timer->data()); });
}

std::optional<Timer::Data> Engine::Impl::read_timer(Reader& io) {
    std::optional<Timer::Data> data;
    io.nested(timer_tag, [&](Reader& inner) { timer_fields(inner, data.emplace()); });
    return data;
}

} // namespace monoinit::engine
