// From a request to installed jobs: what a person may ask, the plan of graph/, and taking its jobs over into the table.
// Tested by tests/unit/engine and tests/sim.

#include "engine/impl.hpp"

namespace monoinit::engine {

using graph::JobResult;
using graph::JobState;
using graph::JobType;
using graph::RefusalReason;
using supervise::Severity;

namespace {

/// Starts that OnFailure=, Upholds= and kin may make for one unit (and stops of BindsTo= and StopWhenUnneeded=): 16 in
/// 10 s, then it is left alone until the window is over, lest two units chase each other for ever, inside a single event.
constexpr std::uint32_t auto_burst = 16;
constexpr Duration auto_interval = std::chrono::seconds(10);

bool may_start(JobType type) {
    switch (type) {
    case JobType::Start:
    case JobType::Restart:
    case JobType::ReloadOrStart:
    case JobType::TryRestart:
    case JobType::ReloadOrRestart:
    case JobType::TryReloadOrRestart:
        return true;
    case JobType::VerifyActive:
    case JobType::Stop:
    case JobType::Reload:
    case JobType::TryReload:
    case JobType::Nop:
        return false;
    }
    return false;
}

} // namespace

Engine::Impl::Outcome Engine::Impl::refused_by_hand(const Unit& unit, JobType type) const {
    const auto activity = static_cast<graph::Activity>(unit.active);
    const JobType basic = graph::collapse(type, activity, facts(unit.id).can_reload);
    const bool starts = basic == JobType::Start || basic == JobType::Restart;
    const bool stops = basic == JobType::Stop || basic == JobType::Restart;
    const unit::UnitSection& section = unit.config->unit;
    if (starts && section.refuse_manual_start)
        return {RefusalReason::Manual,
                unit.config->name + " may be started only as a dependency of another unit (RefuseManualStart=yes)",
                {}};
    if (stops && section.refuse_manual_stop)
        return {RefusalReason::Manual,
                unit.config->name + " may be stopped only with the unit it belongs to (RefuseManualStop=yes)",
                {}};
    std::string why;
    if (stops && may_not_stop(unit, why))
        return {RefusalReason::Manual, std::move(why), {}};
    return {};
}

Engine::Impl::Outcome Engine::Impl::request(const JobRequest& event) {
    Unit* unit = units_.get(event.unit);
    if (unit == nullptr)
        return {RefusalReason::NotFound, "no such unit", {}};
    if (stopping_.on && event.type != JobType::Stop)
        return {RefusalReason::Shutdown, "shutting down: nothing is started any more", {}};
    const RefusalReason unusable = graph::refusal_of(unit->config->load_state);
    if (event.type == JobType::Stop && unusable == RefusalReason::NotFound && unit->active == ActiveState::Inactive)
        return {unusable, graph::describe_unloadable(facts(unit->id)), {}};
    if (event.type != JobType::Stop && unusable != RefusalReason::None) // also where it would do nothing, as try-restart of what is down
        return {unusable, graph::describe_unloadable(facts(unit->id)), {}};
    if (event.by_person)
        if (Outcome refused = refused_by_hand(*unit, event.type); refused.refusal != RefusalReason::None)
            return refused;

    const bool boots = unit->id == boot_target_ && !boot_asked_ && may_start(event.type);
    boot_asked_ = boot_asked_ || boots;
    Outcome outcome = carry_out({event.type, unit->id, event.mode}, &event);
    if (boots)
        count_boot(); // refused, or nothing to do: over already
    return outcome;
}

Engine::Impl::Outcome Engine::Impl::carry_out(const graph::PlanRequest& request, const JobRequest* by) {
    graph::Plan plan = graph::plan(*this, request);
    for (const graph::Dropped& dropped : plan.dropped)
        note_dropped(dropped);
    if (!plan)
        return {plan.refusal, std::move(plan.text), {}};
    if (plan.jobs.empty())
        return {};
    if (plan.cancels_others) {
        std::set<UnitId> kept;
        for (const graph::PlannedJob& job : plan.jobs)
            kept.insert(job.unit);
        std::vector<UnitId> others;
        for (const auto& [id, unit] : jobs_.all())
            if (!kept.contains(unit))
                others.push_back(unit);
        for (const UnitId other : others)
            finish(*units_.get(other), JobResult::Canceled, "cancelled by another request", false);
    }
    const bool boots = by != nullptr && by->unit == boot_target_ && boot_asked_ && !boot_over_ && boot_jobs_ == 0;
    for (const graph::PlannedJob& planned : plan.jobs) {
        install(planned);
        Job& job = *units_.get(planned.unit)->job;
        if (boots && !job.boot) {
            job.boot = true;
            boot_jobs_++;
        }
    }
    std::vector<QueuedJob> transaction;
    if (by != nullptr && by->request != 0)
        for (const graph::PlannedJob& planned : plan.jobs)
            if (const auto& job = units_.get(planned.unit)->job)
                transaction.push_back({job->id, planned.unit, job->type});
    Unit& anchor = *units_.get(plan.jobs.front().unit);
    if (by != nullptr) {
        anchor.job->by_person = anchor.job->by_person || by->by_person;
        if (by->by_person && anchor.service && may_start(by->type))
            anchor.service->clear_restart_counter();
        if (by->request != 0)
            anchor.job->requests.push_back(by->request);
    }
    return {RefusalReason::None, {}, anchor.job->id, std::move(transaction)};
}

void Engine::Impl::install(const graph::PlannedJob& planned) {
    Unit& unit = touch(*units_.get(planned.unit));
    if (unit.job && graph::is_conflicting(unit.job->type, planned.type)) {
        const std::string reason = "replaced by a " + std::string(graph::name(planned.type)) + " job";
        finish(unit, JobResult::Canceled, reason, false);
    }
    if (!unit.job) {
        Job& job = jobs_.install(unit, planned.type, planned.ignore_order, now());
        job.irreversible = planned.irreversible;
        job.deadline = now() + unit.config->unit.job_timeout;
        return;
    }
    // A job that does more takes the place of the one that is there; so does a reload, which must come after what
    // prompted it. A job that does no more changes nothing.
    Job& job = *unit.job;
    const bool running = job.state == JobState::Running;
    const auto merged = graph::merge(job.type, planned.type).value_or(planned.type);
    const JobType type = graph::collapse(merged, static_cast<graph::Activity>(unit.active), facts(unit.id).can_reload);
    if (type != job.type || (running && planned.type == JobType::Reload))
        jobs_.change_type(unit, type);
    job.irreversible = job.irreversible || planned.irreversible;
    if (planned.ignore_order && !job.ignore_order)
        jobs_.ignore_order(unit);
}

void Engine::Impl::note_dropped(const graph::Dropped& dropped) {
    Unit* unit = units_.get(dropped.unit);
    if (unit == nullptr)
        return;
    const Unit* needed = units_.get(dropped.cause);
    const Cause cause{needed != nullptr ? needed->config->name : std::string(), dropped.text};
    switch (dropped.kind) {
    case graph::Dropped::Kind::Missing: // only wanted: nobody misses it
        return;
    case graph::Dropped::Kind::Conflict:
        if (dropped.type == JobType::Stop || !graph::is_down(static_cast<graph::Activity>(unit->active)) || unit->cause == cause)
            return;
        touch(*unit).cause = cause;
        if (!unit->config->builtin)
            log(Severity::Warning, unit->id, brief(*unit) + " not started: " + dropped.text);
        return;
    case graph::Dropped::Kind::Needs:
        if (unit->cause == cause && unit->start_result == JobResult::Dependency)
            return; // said already, at an earlier attempt
        touch(*unit).cause = cause;
        unit->start_result = JobResult::Dependency;
        if (!unit->config->builtin)
            log(Severity::Error, unit->id, not_started(*unit));
        return;
    case graph::Dropped::Kind::Cycle:
        if (dropped.type != JobType::Stop)
            touch(*unit).cause = cause;
        log(Severity::Warning, unit->id, dropped.text);
        return;
    }
}

bool Engine::Impl::within_rate(Unit& unit) {
    if (now() - unit.auto_window > auto_interval || unit.auto_count == 0) {
        unit.auto_window = now();
        unit.auto_count = 0;
    }
    if (++unit.auto_count == auto_burst + 1)
        log(Severity::Warning,
            unit.id,
            brief(unit) + ": started or stopped by its dependencies too often; left alone for a while");
    if (unit.auto_count > auto_burst)
        unit.look_again = unit.auto_window + auto_interval + Duration(1);
    return unit.auto_count <= auto_burst;
}

void Engine::Impl::enqueue(JobType type, UnitId id, unit::JobMode mode, std::string_view why) {
    Unit* unit = units_.get(id);
    if (unit == nullptr || (stopping_.on && type != JobType::Stop))
        return;
    touch(*unit);
    if (type == JobType::Start && !within_rate(*unit)) // who is never started need not be stopped often
        return;
    const Outcome outcome = carry_out({type, id, mode}, nullptr);
    if (outcome.refusal != RefusalReason::None)
        log(Severity::Warning,
            id,
            brief(*unit) + ": no " + std::string(graph::name(type)) + " (" + std::string(why) + "): " + outcome.text);
}

/// The restart delay is over. Whatever would be restarted with the unit by hand is restarted now too, unless
/// RestartMode=direct keeps the restart to the unit itself.
void Engine::Impl::restart_due(Unit& unit) {
    if (stopping_.on)
        return;
    if (unit.job && unit.job->type == JobType::Stop)
        return; // it is going down anyway; when that is called off, finish() asks again
    const bool direct = unit.config->service->restart_mode == unit::RestartMode::Direct;
    const Outcome outcome =
        carry_out({JobType::Start,
                   unit.id,
                   direct ? unit::JobMode::Replace : unit::JobMode::RestartDependencies},
                  nullptr);
    if (outcome.refusal == RefusalReason::None) {
        // A start that was under way when the unit failed (RestartMode=direct) goes on with the new attempt.
        if (unit.job && unit.job->type == JobType::Start && unit.job->state == JobState::Running) {
            jobs_.set_state(unit, JobState::Waiting);
            jobs_.enqueue(unit);
        }
        return;
    }
    log(Severity::Error, unit.id, brief(unit) + ": not restarted: " + outcome.text);
    std::vector<supervise::Action> actions;
    unit.service->stop(now_, actions); // it would wait for ever
    apply(unit, std::move(actions));
}

} // namespace monoinit::engine
