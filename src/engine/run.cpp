// Jobs act on units. Services, sockets, timers and mounts have a machine (supervise/); other units are simply up or down. Whatever a machine wants done becomes an effect here, or a state change to be worked off.
// Tested by tests/unit/engine and tests/sim.

#include "engine/impl.hpp"

namespace monoinit::engine {

using graph::JobResult;
using graph::JobState;
using graph::JobType;
using supervise::Action;
using supervise::Severity;
using unit::UnitType;

void Engine::Impl::run_job(Unit& unit) {
    touch(unit);
    Job& job = *unit.job;
    jobs_.set_state(unit, JobState::Running);
    if (job.began == base::never) {
        job.began = now();
        job.deadline = std::min(job.deadline, now() + unit.config->unit.job_running_timeout);
        job.next_report = unit.config->builtin ? base::never : now() + options_.report_slow_job;
    }
    switch (job.type) {
    case JobType::Start:
        return run_start(unit);
    case JobType::VerifyActive:
        return run_verify(unit);
    case JobType::Stop:
    case JobType::Restart: // becomes a start when the unit is down
        return run_stop(unit);
    case JobType::Reload:
        return run_reload(unit);
    case JobType::ReloadOrStart:
    case JobType::TryRestart:
    case JobType::TryReload:
    case JobType::ReloadOrRestart:
    case JobType::TryReloadOrRestart:
    case JobType::Nop: // the plan leaves none of these
        return finish(unit, JobResult::Invalid, "internal error: job type was not collapsed");
    }
}

// ---- start --------------------------------------------------------------------------------------------------------

bool Engine::Impl::supported(const Unit& unit) {
    switch (unit.config->type) {
    case UnitType::Service:
    case UnitType::Target:
    case UnitType::Slice:
    case UnitType::Mount:
    case UnitType::Timer:
    case UnitType::Socket:
    case UnitType::Path:
    case UnitType::Device:
        return true;
    case UnitType::Automount:
    case UnitType::Swap:
    case UnitType::Scope:
        return unit.config->builtin;
    }
    return false;
}

std::string Engine::Impl::why_unsupported(const Unit& unit) {
    if (unit.config->type == UnitType::Automount)
        return "containers have no autofs; a .mount unit mounts at the start, and a volume is there from the beginning";
    if (unit.config->type == UnitType::Swap)
        return "swap belongs to the machine; how much a container may use is up to its run command (--memory-swap)";
    if (unit.config->type == UnitType::Scope)
        return "a scope has no command of its own: it is made around processes that run already (systemd-run --scope)";
    return std::string(unit::suffix(unit.config->type)) + " units are not started by this version";
}

void Engine::Impl::run_start(Unit& unit) {
    if (graph::is_up(static_cast<graph::Activity>(unit.active)))
        return finish(unit, JobResult::Done);
    if (const auto unusable = graph::refusal_of(unit.config->load_state); unusable != graph::RefusalReason::None)
        return finish(unit, JobResult::Invalid, graph::describe_unloadable(facts(unit.id)));
    const bool mounted_already = unit.config->type == UnitType::Automount && is_mounted(unit);
    if (!supported(unit) && !mounted_already)
        return finish(unit, JobResult::Unsupported, why_unsupported(unit));
    if (waits_for_health(unit))
        return;
    if (unit.active != ActiveState::Activating && ask_conditions(unit))
        return;
    if (!bound_units_up(unit))
        return;
    unit.cause = {};
    unit.failure.clear();
    switch (unit.config->type) {
    case UnitType::Service:
        return start_service(unit);
    case UnitType::Mount:
        if (!unit.config->builtin || unit.mount)
            return start_mount(unit);
        break;
    case UnitType::Timer:
        return start_timer(unit);
    case UnitType::Socket:
        if (!unit.config->builtin)
            return start_socket(unit);
        break;
    case UnitType::Device:
        return effects_.emplace_back(CheckDevice{unit.id}), void();
    case UnitType::Path:
        return start_path(unit);
    case UnitType::Target:
    case UnitType::Slice:
    case UnitType::Automount:
    case UnitType::Swap:
    case UnitType::Scope:
        break;
    }
    unit.invocation = ++last_invocation_;
    change(unit, ActiveState::Active);
}

/// True when the shell is asked (or has been): its answer goes on with the start.
bool Engine::Impl::ask_conditions(Unit& unit) {
    Job& job = *unit.job;
    if (job.checks == Job::Checks::Passed)
        return false;
    if (unit.config->unit.conditions.empty()) {
        job.checks = Job::Checks::Passed;
        unit.condition_result = unit.assert_result = true;
        unit.condition_failed.clear();
        unit.condition_time = now_;
        return false;
    }
    if (job.checks == Job::Checks::None) {
        job.checks = Job::Checks::Asked;
        unit.checks_pending++;
        effects_.emplace_back(CheckConditions{unit.id});
    }
    return true;
}

/// BindsTo= with After=: what it is bound to must be up by now.
bool Engine::Impl::bound_units_up(Unit& unit) {
    bool up = true;
    graph_.for_each(unit.id, graph::Atom::CannotBeActiveWithout, [&](const graph::Edge& edge) {
        const Unit* other = units_.get(edge.to);
        if (!up || other == nullptr || graph::is_up(static_cast<graph::Activity>(other->active)) ||
            !graph_.has(unit.id, graph::Atom::After, edge.to))
            return;
        up = false;
        unit.cause = {other->config->name, graph_.describe(unit.id, edge)};
    });
    if (!up)
        finish(unit, JobResult::Dependency);
    return up;
}

supervise::Service& Engine::Impl::service(Unit& unit) {
    if (!unit.service)
        unit.service = std::make_unique<supervise::Service>(
            unit.config, options_.policy, [this] { return next_guard(); });
    return *unit.service;
}

void Engine::Impl::start_service(Unit& unit) {
    std::vector<Action> actions;
    const std::uint64_t before = unit.invocation;
    unit.invocation = last_invocation_ + 1;
    const auto verdict = service(unit).start(now_, actions);
    if (verdict == supervise::StartVerdict::Started)
        last_invocation_++;
    else
        unit.invocation = before;
    const JobId job = unit.job->id;
    apply(unit, std::move(actions));
    if (!unit.job || unit.job->id != job)
        return;
    switch (verdict) {
    case supervise::StartVerdict::Started:
        return; // its state changes tell the end
    case supervise::StartVerdict::AlreadyActive:
        return finish(unit, JobResult::Done);
    case supervise::StartVerdict::Busy:
        return jobs_.set_state(unit, JobState::Waiting); // run again when its state changes
    case supervise::StartVerdict::StartLimitHit:
    case supervise::StartVerdict::LeftoversRemain:
        return finish(unit, JobResult::Failed);
    }
}

// ---- stop, reload, verify -----------------------------------------------------------------------------------------

void Engine::Impl::run_stop(Unit& unit) {
    if (graph::is_down(static_cast<graph::Activity>(unit.active)))
        return finish(unit, JobResult::Done);
    if (unit.timer)
        unit.timer->stop();
    if (unit.socket) {
        std::vector<Action> actions;
        unit.socket->stop(now_, actions);
        return follow_socket(unit, std::move(actions));
    }
    if (unit.mount) {
        std::vector<Action> actions;
        if (unit.mount->stop(now_, actions))
            return follow_mount(unit, std::move(actions));
        log(Severity::Info, unit.id, brief(unit) + ": stays mounted: it was there before monoinit");
        return finish(unit, JobResult::Done);
    }
    if (unit.path) {
        std::vector<Action> actions;
        unit.path->stop(now_, actions);
        return follow_path(unit, std::move(actions));
    }
    if (unit.scope) {
        std::vector<Action> actions;
        unit.scope->stop(now_, actions);
        return follow_scope(unit, std::move(actions));
    }
    if (!unit.service)
        return change(unit, ActiveState::Inactive);
    std::vector<Action> actions;
    unit.service->stop(now_, actions, unit.job->type == JobType::Restart);
    apply(unit, std::move(actions));
}

void Engine::Impl::run_reload(Unit& unit) {
    if (unit.active == ActiveState::Reloading || unit.active == ActiveState::Activating)
        return jobs_.set_state(unit, JobState::Waiting);
    if (unit.active == ActiveState::Active && unit.mount && unit.mount->data().state == supervise::MountState::Mounted) {
        std::vector<Action> actions;
        unit.mount->reload(now_, actions);
        return follow_mount(unit, std::move(actions));
    }
    if (unit.active != ActiveState::Active || !unit.service || !unit.service->can_reload())
        return finish(unit, JobResult::Invalid, "it is not running, so there is nothing to reload");
    std::vector<Action> actions;
    unit.service->reload(now_, actions);
    apply(unit, std::move(actions));
}

void Engine::Impl::run_verify(Unit& unit) {
    switch (unit.active) {
    case ActiveState::Active:
    case ActiveState::Reloading:
        return finish(unit, JobResult::Done);
    case ActiveState::Activating:
        return jobs_.set_state(unit, JobState::Waiting);
    case ActiveState::Inactive:
    case ActiveState::Deactivating:
    case ActiveState::Failed:
        return finish(unit, JobResult::Skipped, "not running");
    }
}

// ---- what machines want -------------------------------------------------------------------------------------------

void Engine::Impl::change(Unit& unit, ActiveState after, bool reload_failed, bool will_restart) {
    touch(unit);
    changes_.push_back({unit.id, unit.active, after, reload_failed, will_restart});
}

void Engine::Impl::apply(Unit& unit, std::vector<Action> actions) {
    touch(unit);
    for (Action& action : actions) {
        if (const auto* changed = std::get_if<supervise::StateChanged>(&action)) {
            changes_.push_back({unit.id, changed->before, changed->after, changed->reload_failed, changed->will_restart});
        } else if (const auto* say = std::get_if<supervise::Say>(&action)) {
            log(say->severity, unit.id, brief(unit) + ": " + say->text);
        } else if (std::holds_alternative<supervise::RestartDue>(action)) {
            restart_due(unit);
        } else if (const auto* fatal = std::get_if<supervise::Emergency>(&action)) {
            emergency(fatal->action, fatal->exit_status, fatal->failure, fatal->reason);
        } else {
            if (const auto* signal = std::get_if<supervise::Signal>(&action))
                unit.killed = unit.killed || signal->signal == 9;
            effects_.emplace_back(UnitAction{unit.id, std::move(action)});
        }
    }
    if (unit.service && unit.service->waits_for_idle())
        idle_.insert(unit.id);
    else if (!idle_.empty())
        idle_.erase(unit.id);
}

/// Every action there is ends the container: in order, or at once for the "force" forms.
void Engine::Impl::emergency(
    unit::EmergencyAction action, std::optional<int> exit_status, bool failure, const std::string& reason) {
    using unit::EmergencyAction;
    bool at_once = false;
    switch (action) {
    case EmergencyAction::None:
        return;
    case EmergencyAction::Exit:
    case EmergencyAction::Reboot:
    case EmergencyAction::Poweroff:
    case EmergencyAction::SoftReboot:
    case EmergencyAction::Kexec:
    case EmergencyAction::Halt:
        break;
    case EmergencyAction::ExitForce:
    case EmergencyAction::RebootForce:
    case EmergencyAction::RebootImmediate:
    case EmergencyAction::PoweroffForce:
    case EmergencyAction::PoweroffImmediate:
    case EmergencyAction::SoftRebootForce:
    case EmergencyAction::KexecForce:
    case EmergencyAction::HaltForce:
    case EmergencyAction::HaltImmediate:
        at_once = true;
        break;
    }
    if (stopping_.on)
        return; // on the way already
    if (failure && !options_.policy.watchdogs)
        return log(Severity::Notice, {}, reason + "; service-watchdogs is off, so the container stays");
    begin_shutdown(Shutdown::Kind::Emergency, base::infinity, exit_status.value_or(failure ? 1 : 0), reason);
    if (at_once)
        kill_all();
}

} // namespace monoinit::engine
