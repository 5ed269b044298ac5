// Events in, effects out. Each event acts on one unit or makes jobs; settle() then works off what follows from it.
// Tested by tests/unit/engine/*_test.cpp.

#include "engine/impl.hpp"

#include <algorithm>

namespace monoinit::engine {

using graph::JobState;
using supervise::Action;

std::vector<Effect> Engine::Impl::handle(const Event& event, Moment now) {
    now_ = now;
    fresh_graph();
    if (std::exchange(timers_stale_, false))
        units_.each([this](Unit& unit) {
            refresh_timer(unit);
            refresh_path(unit);
            refresh_sources(unit);
        });
    if (std::exchange(mounts_stale_, false) && !mounted_.empty())
        units_.each([this](Unit& unit) { look_at_table(unit); });
    if (std::exchange(restored_, false))
        resume();
    std::visit([this](const auto& each) { on(each); }, event);
    settle();
    rearm();
    return std::exchange(effects_, {});
}

void Engine::Impl::settle() {
    for (;;) {
        if (!failures_.empty()) {
            fail_dependents();
        } else if (!changes_.empty()) {
            const Change change = changes_.front();
            changes_.pop_front();
            take_change(change);
        } else if (const UnitId id = jobs_.next_runnable()) {
            run_job(*units_.get(id));
        } else if (!steady_.empty()) {
            const UnitId looked_at = steady_.front();
            steady_.pop_front();
            if (Unit* unit = units_.get(looked_at)) {
                unit->steady_queued = false;
                steady(*unit);
            }
        } else if (!idle_.empty() && jobs_.running() <= idle_.size()) {
            release_idle();
        } else if (const UnitId ring = jobs_.stalled()) {
            Unit& unit = touch(*units_.get(ring));
            log(supervise::Severity::Warning,
                ring,
                brief(unit) + ": its order has become a cycle; its " + std::string(graph::name(unit.job->type)) +
                    " job does not wait");
            jobs_.ignore_order(unit);
        } else if (!check_all_ended()) {
            break;
        }
    }
    check_shutdown();
}

/// Type=idle: nothing runs any more but such commands themselves (whatever waits, waits for them).
void Engine::Impl::release_idle() {
    for (const UnitId id : std::exchange(idle_, {})) {
        Unit* unit = units_.get(id);
        if (unit == nullptr || !unit->service || !unit->service->waits_for_idle())
            continue;
        std::vector<Action> actions;
        unit->service->release_idle(now_, actions);
        apply(*unit, std::move(actions));
    }
}

Unit& Engine::Impl::touch(Unit& unit) {
    if (!unit.touched) {
        unit.touched = true;
        touched_.push_back(unit.id);
    }
    if (!unit.dirty) {
        unit.dirty = true;
        dirty_.push_back(unit.id);
    }
    return unit;
}

// ---- timers -------------------------------------------------------------------------------------------------------

Instant Engine::Impl::deadline_of(const Unit& unit) const {
    Instant earliest = unit.service ? unit.service->deadline() : base::never;
    earliest = std::min(earliest, unit.look_again);
    if (unit.health)
        earliest = std::min(earliest, unit.health->deadline());
    if (unit.socket)
        earliest = std::min(earliest, unit.socket->deadline());
    if (unit.mount)
        earliest = std::min(earliest, unit.mount->deadline());
    if (unit.path)
        earliest = std::min(earliest, unit.path->deadline());
    if (unit.scope)
        earliest = std::min(earliest, unit.scope->deadline());
    if (unit.timer && may_elapse(unit))
        earliest = std::min(earliest, unit.timer->deadline(now_));
    if (unit.job) {
        earliest = std::min(earliest, unit.job->deadline);
        if (unit.job->state == JobState::Running)
            earliest = std::min(earliest, unit.job->next_report);
    }
    return earliest;
}

void Engine::Impl::rearm() {
    for (const UnitId id : std::exchange(touched_, {})) {
        Unit* unit = units_.get(id);
        if (unit == nullptr)
            continue; // its timer went with it
        unit->touched = false;
        if (!unit->listed) {
            forget_if_gone(*unit);
            if (units_.get(id) == nullptr)
                continue;
        }
        const Instant next = deadline_of(*unit);
        if (next == unit->armed)
            continue;
        if (unit->armed != base::never)
            timers_.erase({unit->armed, id});
        if (next != base::never)
            timers_.insert({next, id});
        unit->armed = next;
    }
}

Instant Engine::Impl::next_deadline() const {
    if (stopping_.over)
        return base::never;
    Instant next = timers_.empty() ? base::never : timers_.begin()->first;
    if (stopping_.on)
        next = std::min(next, stopping_.killed ? stopping_.leave_at : stopping_.kill_at);
    return next;
}

void Engine::Impl::on(const Tick&) {
    std::vector<UnitId> due;
    for (const auto& [at, id] : timers_) {
        if (at > now())
            break;
        due.push_back(id);
    }
    for (const UnitId id : due) {
        Unit* unit = units_.get(id);
        if (unit == nullptr)
            continue;
        touch(*unit);
        if (unit->look_again <= now()) {
            unit->look_again = base::never;
            look_at(id);
        }
        if (unit->service && unit->service->deadline() <= now()) {
            (void)with_service(id);
            std::vector<Action> actions;
            unit->service->on_deadline(now_, actions);
            apply(*unit, std::move(actions));
        }
        const auto wake = [&](const auto& machine, void (Impl::*follow)(Unit&, std::vector<Action>)) {
            if (!machine || machine->deadline() > now())
                return;
            std::vector<Action> actions;
            machine->on_deadline(now_, actions);
            (this->*follow)(*unit, std::move(actions));
        };
        wake(unit->socket, &Impl::follow_socket);
        wake(unit->mount, &Impl::follow_mount);
        wake(unit->path, &Impl::follow_path);
        wake(unit->scope, &Impl::follow_scope);
        if (unit->timer && unit->timer->due(now_))
            timer_due(*unit);
        if (unit->health && unit->health->deadline() <= now())
            health_tick(*unit);
        if (unit->job && unit->job->deadline <= now()) {
            const auto action = unit->config->unit.job_timeout_action;
            const bool whole = unit->job->deadline == unit->job->installed + unit->config->unit.job_timeout;
            finish(*unit, graph::JobResult::Timeout,
                   whole ? "took too long (JobTimeoutSec=)" : "took too long (JobRunningTimeoutSec=)");
            emergency(action, std::nullopt, true, "JobTimeoutAction= of " + unit->config->name);
        }
        if (unit->job && unit->job->next_report <= now())
            report_slow(*unit);
    }
}

/// A unit whose machine is about to hear something; it must know whether it is to go down.
Unit* Engine::Impl::with_service(UnitId id) {
    Unit* unit = units_.get(id);
    if (unit == nullptr || !unit->service)
        return nullptr;
    unit->service->set_stop_pending(unit->job && unit->job->type == graph::JobType::Stop);
    return &touch(*unit);
}

// ---- what the world says about one unit ---------------------------------------------------------------------------

void Engine::Impl::on(const GuardEvent& event) {
    if (Unit* owner = units_.get(event.unit); owner != nullptr && owner->socket) {
        std::vector<Action> actions;
        std::visit([&](const auto& each) { owner->socket->on(each, now_, actions); }, event.what);
        return follow_socket(*owner, std::move(actions));
    }
    if (Unit* owner = units_.get(event.unit); owner != nullptr && owner->mount) {
        std::vector<Action> actions;
        std::visit([&](const auto& each) { owner->mount->on(each, now_, actions); }, event.what);
        return follow_mount(*owner, std::move(actions));
    }
    Unit* unit = with_service(event.unit);
    if (unit == nullptr)
        return; // of a unit that is long forgotten
    std::vector<Action> actions;
    std::visit([&](const auto& each) { unit->service->on(each, now_, actions); }, event.what);
    apply(*unit, std::move(actions));
}

void Engine::Impl::on(const PidFileEvent& event) {
    Unit* unit = with_service(event.unit);
    if (unit == nullptr)
        return;
    std::vector<Action> actions;
    unit->service->on(event.what, now_, actions);
    apply(*unit, std::move(actions));
}

void Engine::Impl::on(const NotifyEvent& event) {
    Unit* unit = with_service(event.unit);
    if (unit == nullptr)
        return;
    std::vector<Action> actions;
    unit->service->on(event.what, now_, actions);
    apply(*unit, std::move(actions));
}

void Engine::Impl::on(const BusNameEvent& event) {
    Unit* unit = with_service(event.unit);
    if (unit == nullptr)
        return;
    std::vector<Action> actions;
    unit->service->on(event.what, now_, actions);
    apply(*unit, std::move(actions));
}

void Engine::Impl::on(const ConditionsChecked& event) {
    Unit* unit = units_.get(event.unit);
    if (unit == nullptr || unit->checks_pending == 0)
        return;
    touch(*unit);
    if (--unit->checks_pending > 0)
        return; // asked again since; that answer counts
    unit->condition_time = now_;
    unit->condition_result = event.ok || event.assertion_failed;
    unit->assert_result = !event.assertion_failed;
    unit->condition_failed = event.ok ? std::string() : event.failed;
    if (!unit->job || unit->job->checks != Job::Checks::Asked)
        return;
    if (event.ok) {
        unit->job->checks = Job::Checks::Passed;
        run_start(*unit);
    } else if (event.assertion_failed) {
        finish(*unit, graph::JobResult::Assert, event.failed + " was not met");
    } else {
        if (!unit->config->builtin)
            log(supervise::Severity::Info, unit->id, brief(*unit) + ": skipped: " + event.failed + " was not met");
        finish(*unit, graph::JobResult::Done);
    }
}

// ---- what people ask of one unit, beside jobs ---------------------------------------------------------------------

void Engine::Impl::on(const JobRequest& event) {
    Outcome outcome = request(event);
    if (event.request != 0)
        effects_.emplace_back(RequestReply{event.request, outcome.job, outcome.refusal, std::move(outcome.text), std::move(outcome.transaction)});
}

void Engine::Impl::on(const CancelJob& event) {
    Unit* unit = units_.get(jobs_.unit_of(event.job));
    if (unit != nullptr && !unit->job->irreversible)
        finish(*unit, graph::JobResult::Canceled, "cancelled");
}

void Engine::Impl::on(const ResetFailed& event) {
    const auto reset = [&](Unit& unit) {
        touch(unit);
        unit.cause = {};
        unit.start_result = graph::JobResult::Done;
        unit.auto_count = 0;
        std::vector<Action> actions;
        if (unit.service)
            unit.service->reset_failed(now_, actions);
        else if (unit.socket)
            unit.socket->reset_failed(now_, actions);
        else if (unit.mount)
            unit.mount->reset_failed(now_, actions);
        else if (unit.path)
            unit.path->reset_failed(now_, actions);
        else if (unit.scope)
            unit.scope->reset_failed(now_, actions);
        else if (unit.active == ActiveState::Failed)
            change(unit, ActiveState::Inactive);
        if (unit.timer)
            unit.timer->reset_failed();
        apply(unit, std::move(actions));
    };
    if (Unit* unit = units_.get(event.unit))
        reset(*unit);
    else if (!event.unit)
        units_.each(reset);
}

void Engine::Impl::on(const KillUnit& event) {
    Unit* unit = units_.get(event.unit);
    if (unit == nullptr || (!unit->service && !unit->socket && !unit->mount && !unit->scope) || event.who < 0 || event.who > 2)
        return;
    touch(*unit);
    std::vector<Action> actions;
    if (unit->socket) {
        unit->socket->kill(event.signal, actions);
        return apply(*unit, std::move(actions));
    }
    if (unit->mount) {
        unit->mount->kill(event.signal, actions);
        return apply(*unit, std::move(actions));
    }
    if (unit->scope) {
        unit->scope->kill(event.signal, actions);
        return apply(*unit, std::move(actions));
    }
    unit->service->kill(static_cast<supervise::Service::KillWho>(event.who), event.signal, actions);
    apply(*unit, std::move(actions));
}

} // namespace monoinit::engine
