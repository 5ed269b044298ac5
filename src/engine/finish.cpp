// A job ends: those who wait for it are told, jobs that depend on it fail with it, jobs ordered after it may run, and a
// restart that has stopped its unit becomes a start. Tested by tests/unit/engine and tests/sim.

#include "engine/impl.hpp"

namespace monoinit::engine {

using graph::Atom;
using graph::Edge;
using graph::JobResult;
using graph::JobType;
using supervise::Severity;

void Engine::Impl::finish(Unit& unit, JobResult result, std::string reason, bool recursive) {
    touch(unit);
    if (result == JobResult::Done && unit.job->type == JobType::Restart) {
        jobs_.change_type(unit, JobType::Start);
        return;
    }
    const std::unique_ptr<Job> job = jobs_.remove(unit);
    const bool start = job->type == JobType::Start || job->type == JobType::VerifyActive;
    if (start || job->type == JobType::Restart)
        unit.start_result = result;
    say_end(unit, *job, result, reason);

    if (reason.empty() && result != JobResult::Done)
        reason = why(unit);
    const Duration took = now() - job->installed;
    if (job->requests.empty())
        effects_.emplace_back(JobFinished{job->id, 0, job->type, unit.id, result, took, reason});
    for (const std::uint64_t request : job->requests)
        effects_.emplace_back(JobFinished{job->id, request, job->type, unit.id, result, took, reason});

    if (recursive && result != JobResult::Done && (start || job->type == JobType::Stop))
        pass_on(unit.id, start ? Atom::PropagateStartFailure : Atom::PropagateStopFailure);
    // Requisite=: a start that was skipped leaves the unit down, which is no better than failing.
    if (start && result == JobResult::Done && !graph::is_up(static_cast<graph::Activity>(unit.active)))
        pass_on(unit.id, Atom::PropagateInactiveStart);
    if (start && (result == JobResult::Timeout || result == JobResult::Dependency)) {
        std::vector<UnitId> handlers; // other failures are the unit's own and show as its state
        graph_.for_each(unit.id, Atom::OnFailure, [&](const Edge& edge) { handlers.push_back(edge.to); });
        for (const UnitId handler : handlers)
            enqueue(JobType::Start, handler, unit.config->unit.on_failure_job_mode, "OnFailure= of " + unit.config->name);
    }
    if (job->type == JobType::Stop && result != JobResult::Done && unit.service)
        unit.service->ask_restart_again(now_);
    if (start) // it may have been skipped: then its state says nothing
        tell_timers(unit);
    tell_sockets(unit);
    tell_paths(unit);
    if (job->type == JobType::Stop && result == JobResult::Done)
        forget_sources(unit);
    if (job->boot) {
        boot_jobs_--;
        count_boot();
    }
    look_at_neighbours(unit);
}

void Engine::Impl::pass_on(UnitId id, Atom atom) {
    const std::string& name = units_.get(id)->config->name;
    graph_.for_each(id, atom, [&](const Edge& edge) {
        const Unit* other = units_.get(edge.to);
        if (other == nullptr || !other->job)
            return;
        if (other->job->type == JobType::Start || other->job->type == JobType::VerifyActive)
            failures_.push_back({edge.to, other->job->id, {name, graph_.describe(id, edge)}});
    });
}

void Engine::Impl::fail_dependents() {
    while (!failures_.empty()) {
        const Failure failure = std::move(failures_.front());
        failures_.pop_front();
        Unit* unit = units_.get(failure.unit);
        if (unit == nullptr || !unit->job || unit->job->id != failure.job)
            continue; // replaced or over by now
        unit->cause = failure.cause;
        finish(*unit, JobResult::Dependency);
    }
}

/// The service's machine says how a start or stop went; here only what it cannot know.
void Engine::Impl::say_end(const Unit& unit, const Job& job, JobResult result, const std::string& reason) {
    if (unit.config->builtin)
        return;
    switch (result) {
    case JobResult::Dependency:
        if (job.type == JobType::Start)
            log(Severity::Error, unit.id, not_started(unit));
        return;
    case JobResult::Timeout:
        log(Severity::Error, unit.id, brief(unit) + ": " + std::string(graph::name(job.type)) + " job given up: " + reason);
        return;
    case JobResult::Assert:
    case JobResult::Invalid:
        log(Severity::Error, unit.id, brief(unit) + ": " + std::string(graph::name(job.type)) + " failed: " + reason);
        return;
    case JobResult::Unsupported:
        log(Severity::Warning, unit.id, brief(unit) + ": not started: " + reason);
        return;
    case JobResult::Done:
    case JobResult::Canceled:
    case JobResult::Failed:
    case JobResult::Skipped:
    case JobResult::Collected:
    case JobResult::Once:
        return;
    }
}

/// Results of a start job that leave the unit down against its will.
bool Engine::Impl::kept_down(JobResult result) {
    switch (result) {
    case JobResult::Timeout:
    case JobResult::Failed:
    case JobResult::Dependency:
    case JobResult::Invalid:
    case JobResult::Assert:
    case JobResult::Unsupported:
        return true;
    case JobResult::Done:
    case JobResult::Canceled:
    case JobResult::Skipped:
    case JobResult::Collected:
    case JobResult::Once:
        return false;
    }
    return false;
}

/// "ready": no job of the boot is left. Counts are of people's services; built-in units are nobody's concern.
void Engine::Impl::count_boot() {
    if (boot_over_ || !boot_asked_ || boot_jobs_ > 0 || stopping_.on)
        return;
    boot_over_ = true;
    BootFinished counts;
    units_.each([&](const Unit& unit) {
        if (unit.config->builtin || unit.config->type != unit::UnitType::Service)
            return;
        const bool ran = unit.service && unit.service->data().start_began;
        const bool failing = ran && unit.service->data().state == supervise::ServiceState::AutoRestart &&
                             unit.service->data().result != supervise::ServiceResult::Success;
        if (unit.active == ActiveState::Failed || failing || kept_down(unit.start_result))
            counts.failed++;
        else if (!ran)
            return;
        else if (unit.active == ActiveState::Inactive || unit.service->data().state == supervise::ServiceState::Exited)
            counts.done++;
        else
            counts.running++;
    });
    effects_.emplace_back(counts);
}

} // namespace monoinit::engine
