// A unit has changed its state. Its job may be over; if no job asked for the change, what is bound to the unit follows
// it; OnFailure= and OnSuccess= units are started; and neighbours that must run, or must not, because of this unit are
// looked at. Tested by tests/unit/engine and tests/sim.

#include "engine/impl.hpp"

namespace monoinit::engine {

using graph::Atom;
using graph::Edge;
using graph::is_down;
using graph::is_down_or_going;
using graph::is_up;
using graph::is_up_or_coming;
using graph::JobResult;
using graph::JobState;
using graph::JobType;
using unit::JobMode;

namespace {

graph::Activity activity(ActiveState state) {
    return static_cast<graph::Activity>(state);
}

} // namespace

void Engine::Impl::take_change(const Change& change) {
    Unit* found = units_.get(change.unit);
    if (found == nullptr)
        return;
    Unit& unit = touch(*found);
    unit.active = change.after;
    if (change.before != change.after) {
        stamp(unit, change.before, change.after);
        failed_ += change.after == ActiveState::Failed ? 1 : 0;
        failed_ -= change.before == ActiveState::Failed ? 1 : 0;
        effects_.emplace_back(UnitChanged{unit.id, change.before, change.after});
        health_follows(unit, change.before, change.after);
        if (is_down(activity(change.after)) && !change.will_restart)
            unit.activation = {};
        if (is_down(activity(change.before)))
            refresh_sources(unit);
    }
    tell_timers(unit);
    tell_sockets(unit);
    tell_paths(unit);
    const bool stop_asked = stop_is_asked(unit);
    const bool unasked = judge_job(unit, change);
    if (change.before == change.after)
        return;
    const bool stays = unit.mount && is_up(activity(change.after)) && !unit.job; // it is in use, and could not be unmounted
    if (stopping_.on && (is_down(activity(change.after)) || stays) && !change.will_restart)
        note_down(unit);
    if (unasked)
        retroactive(unit, change);
    if (!change.will_restart)
        start_handlers(unit, change);
    look_at_neighbours(unit);
    container_follows(unit, change, stop_asked);
}

void Engine::Impl::stamp(Unit& unit, ActiveState before, ActiveState after) {
    unit.state_change = now_;
    if (is_down(activity(before)) && !is_down(activity(after)))
        unit.inactive_exit = now_;
    if (!is_down(activity(before)) && is_down(activity(after)))
        unit.inactive_enter = now_;
    if (!is_up(activity(before)) && is_up(activity(after)))
        unit.active_enter = now_;
    if (is_up(activity(before)) && !is_up(activity(after)))
        unit.active_exit = now_;
}

bool Engine::Impl::judge_job(Unit& unit, const Change& change) {
    if (!unit.job)
        return true;
    const graph::Activity now_is = activity(change.after);
    const bool running = unit.job->state == JobState::Running;
    if (!running)
        jobs_.enqueue(unit); // it may have waited for just this
    const JobResult down_result = change.after == ActiveState::Failed ? JobResult::Failed : JobResult::Done;
    switch (unit.job->type) {
    case JobType::Start:
    case JobType::VerifyActive:
        if (is_up(now_is)) {
            finish(unit, JobResult::Done);
        } else if (running && change.after != ActiveState::Activating) {
            if (is_down(now_is) && unit.job->checks != Job::Checks::Asked)
                finish(unit, down_result);
            return true;
        }
        return false;
    case JobType::Stop:
        if (change.will_restart)
            return false; // only passing through: its restart is to be cancelled yet
        [[fallthrough]];
    case JobType::Restart:
        if (is_down(now_is)) {
            finish(unit, JobResult::Done);
        } else if (running && change.after != ActiveState::Deactivating) {
            finish(unit, JobResult::Failed, "it did not stop");
            return true;
        }
        return false;
    case JobType::Reload:
        if (!running)
            return false;
        if (change.after == ActiveState::Active) {
            finish(unit, change.reload_failed ? JobResult::Failed : JobResult::Done);
        } else if (is_down_or_going(now_is)) {
            if (is_down(now_is))
                finish(unit, down_result);
            return true;
        }
        return false;
    case JobType::ReloadOrStart:
    case JobType::TryRestart:
    case JobType::TryReload:
    case JobType::ReloadOrRestart:
    case JobType::TryReloadOrRestart:
    case JobType::Nop:
        return false;
    }
    return false;
}

void Engine::Impl::retroactive(Unit& unit, const Change& change) {
    const auto others = [&](Atom atom, auto&& wanted) {
        std::vector<UnitId> found; // first collected: jobs change what is looked at
        graph_.for_each(unit.id, atom, [&](const Edge& edge) {
            const Unit* other = units_.get(edge.to);
            if (other != nullptr && wanted(*other))
                found.push_back(edge.to);
        });
        return found;
    };
    const auto startable = [&](const Unit& other) {
        return !is_up_or_coming(activity(other.active)) && !graph_.has(unit.id, Atom::After, other.id);
    };
    const auto stoppable = [](const Unit& other) { return !is_down_or_going(activity(other.active)); };

    if (is_down(activity(change.before)) && is_up_or_coming(activity(change.after))) {
        for (const UnitId other : others(Atom::RetroactiveStartReplace, startable))
            enqueue(JobType::Start, other, JobMode::Replace, "needed by " + unit.config->name);
        for (const UnitId other : others(Atom::RetroactiveStartFail, startable))
            enqueue(JobType::Start, other, JobMode::Fail, "wanted by " + unit.config->name);
        for (const UnitId other : others(Atom::RetroactiveStopOnStart, stoppable))
            enqueue(JobType::Stop, other, JobMode::Replace, "conflicts with " + unit.config->name);
    }
    // With RestartMode=direct the others do not notice that it goes down and comes back; only when it stays down.
    const bool direct = unit.service && unit.config->service->restart_mode == unit::RestartMode::Direct &&
                        unit.config->service->restart != unit::RestartPolicy::No;
    const bool goes = direct ? is_down(activity(change.after)) && !change.will_restart
                             : is_up_or_coming(activity(change.before)) && is_down_or_going(activity(change.after));
    if (goes)
        for (const UnitId other : others(Atom::RetroactiveStopOnStop, stoppable))
            enqueue(JobType::Stop, other, JobMode::Replace, unit.config->name + " has gone");
}

bool Engine::Impl::will_restart(const Unit& unit) const {
    return unit.service && (unit.service->data().will_restart ||
                            unit.service->data().state == supervise::ServiceState::AutoRestart);
}

void Engine::Impl::start_handlers(Unit& unit, const Change& change) {
    const bool failed = change.after == ActiveState::Failed;
    const bool succeeded = change.after == ActiveState::Inactive && change.before != ActiveState::Failed;
    if (!failed && !succeeded)
        return;
    const unit::UnitSection& section = unit.config->unit;
    std::vector<UnitId> handlers;
    graph_.for_each(unit.id, failed ? Atom::OnFailure : Atom::OnSuccess, [&](const Edge& edge) { handlers.push_back(edge.to); });
    for (const UnitId handler : handlers)
        enqueue(JobType::Start,
                handler,
                failed ? section.on_failure_job_mode : section.on_success_job_mode,
                (failed ? "OnFailure= of " : "OnSuccess= of ") + unit.config->name);
    if (unit.service)
        return; // its machine asks for FailureAction= and SuccessAction= itself
    const auto& status = failed ? section.failure_action_exit_status : section.success_action_exit_status;
    emergency(failed ? section.failure_action : section.success_action,
              status ? std::optional<int>(*status) : std::nullopt,
              failed,
              (failed ? "FailureAction= of " : "SuccessAction= of ") + unit.config->name);
}

// ---- units that must run, or must not, because of others ----------------------------------------------------------

void Engine::Impl::look_at(UnitId id) {
    Unit* unit = units_.get(id);
    if (unit == nullptr || unit->steady_queued || stopping_.on)
        return;
    unit->steady_queued = true;
    steady_.push_back(id);
}

void Engine::Impl::look_at_neighbours(Unit& unit) {
    if (stopping_.on)
        return;
    for (const Atom atom : {Atom::MayUnpinOther, Atom::BindsOther, Atom::UpholdsOther})
        graph_.for_each(unit.id, atom, [&](const Edge& edge) { look_at(edge.to); });
    look_at(unit.id);
}

void Engine::Impl::steady(Unit& unit) {
    if (unit.job || stopping_.on)
        return;
    if (unit.service && unit.service->restart_is_due()) { // its start did not come off; it would wait for ever
        std::vector<supervise::Action> actions;
        unit.service->stop(now_, actions);
        return apply(unit, std::move(actions));
    }
    if (is_down(activity(unit.active))) {
        UnitId upholder;
        graph_.for_each(unit.id, Atom::StartSteadily, [&](const Edge& edge) {
            const Unit* other = units_.get(edge.to);
            if (other != nullptr && !other->job && is_up(activity(other->active)))
                upholder = edge.to;
        });
        const Instant free = upholder && unit.service ? unit.service->may_start_at(now()) : now();
        if (free > now()) { // one refusal is enough
            if (unit.look_again != free)
                log(supervise::Severity::Warning,
                    unit.id,
                    brief(unit) + ": restarting too quickly; " + units_.get(upholder)->config->name + " upholds it, so it is tried again in " +
                        base::human_time_span(free - now()));
            touch(unit).look_again = free;
        } else if (upholder)
            enqueue(JobType::Start, unit.id, JobMode::Fail, "upheld by " + units_.get(upholder)->config->name);
        return;
    }
    if (!is_up(activity(unit.active)))
        return;
    UnitId missing;
    graph_.for_each(unit.id, Atom::CannotBeActiveWithout, [&](const Edge& edge) {
        const Unit* other = units_.get(edge.to);
        if (other != nullptr && !other->job && is_down(activity(other->active)) && !will_restart(*other))
            missing = edge.to;
    });
    bool needed = !unit.config->unit.stop_when_unneeded;
    if (!needed)
        graph_.for_each(unit.id, Atom::PinsStopWhenUnneeded, [&](const Edge& edge) {
            const Unit* other = units_.get(edge.to);
            needed = needed || (other != nullptr && (other->job || !is_down(activity(other->active)) || will_restart(*other)));
        });
    if ((missing || !needed) && within_rate(unit))
        enqueue(JobType::Stop, unit.id, JobMode::Fail, missing ? units_.get(missing)->config->name + " is not running" : "not needed any more");
}

} // namespace monoinit::engine
