// What must hold after every event, whatever happened.

#include "world.hpp"

#include "base/fmt.hpp"

#include <algorithm>
#include <utility>

namespace monoinit::sim {

using graph::JobState;
using graph::JobType;
using supervise::ServiceState;

void World::fail(const std::string& what) const {
    std::string text = fmt::format("seed {} event {}: {}\n", seed_, events_, what);
    for (const std::string& line : recent_)
        text += "  " + line + "\n";
    throw Violation(text);
}

std::string World::name_of(UnitId unit) const {
    const engine::UnitStatus status = engine_->status(unit);
    return status.id ? status.config->name : fmt::format("unit {}", unit.value);
}

/// What the engine says of its units, without judging.
void World::look() {
    units_.clear();
    for (const UnitId unit : engine_->units()) {
        Seen& seen = units_[unit];
        seen.status = engine_->status(unit);
        if (seen.status.service == nullptr)
            continue;
        seen.state = seen.status.service->state;
        seen.start_began = seen.status.service->start_began.mono;
    }
    jobs_.clear();
    for (engine::JobStatus& job : engine_->jobs())
        jobs_.emplace(job.id, std::move(job));
}

void World::check() {
    const auto units_before = std::exchange(units_, {});
    const auto jobs_before = std::exchange(jobs_, {});
    look();
    check_ends(jobs_before);
    if (order_known_)
        check_order(jobs_before);
    order_known_ = order_known_ || (jobs_.empty() && !manners_.reloads);
    for (const UnitId unit : cleared_)
        starts_.erase(unit);
    for (const auto& [unit, seen] : units_) {
        if (const auto known = states_.find(unit); seen.status.active != (known == states_.end() ? ActiveState::Inactive : known->second))
            fail(name_of(unit) + " changed its state without a word");
        const auto was = units_before.find(unit);
        if (was == units_before.end())
            continue;
        if (const auto through = passed_.find(unit); seen.status.service != nullptr)
            coverage_.step(was->second.state, seen.state, through == passed_.end() ? std::set<ActiveState>{} : through->second);
        if (seen.start_began != was->second.start_began && seen.start_began != Instant{})
            check_start_limit(unit, seen.start_began);
    }
    check_jobs();
    check_guards();
    check_timers();
    check_sockets();
    check_paths();
}

/// The shell holds the descriptors that the machine counts on, and no others; it looks at them only while the machine listens.
void World::check_sockets() {
    for (const auto& [unit, seen] : units_) {
        const supervise::Socket::Data* data = seen.status.socket;
        if (data == nullptr)
            continue;
        if (supervise::active_state(data->state) != seen.status.active)
            fail(name_of(unit) + ": the socket and its unit are in different states");
        if (supervise::holds_descriptors(data->state) != open_.contains(unit))
            fail(fmt::format("{} is {}, and its sockets are {}", name_of(unit), supervise::name(data->state), open_.contains(unit) ? "open" : "closed"));
        const bool listens = data->state == supervise::SocketState::Listening;
        if (watched_.contains(unit) != (listens && data->paused_until == base::never))
            fail(fmt::format("{} is {}, and is {}", name_of(unit), supervise::name(data->state), watched_.contains(unit) ? "looked at" : "not looked at"));
        if (!left_ && data->paused_until < engine_->next_deadline())
            fail(name_of(unit) + " looks away, and the engine does not know until when");
        const bool opens = std::ranges::any_of(pending_, [&](const Pending& p) {
            const auto* opened = std::get_if<engine::SocketsOpened>(&p.event);
            return opened != nullptr && opened->unit == unit;
        });
        if (data->state == supervise::SocketState::StartOpen && !opens)
            fail(name_of(unit) + " waits for sockets that nobody makes");
    }
}

/// A job is there until JobFinished says that it is over, once.
void World::check_ends(const std::map<JobId, engine::JobStatus>& before) {
    for (const JobId id : ended_)
        if (jobs_.contains(id))
            fail(fmt::format("job {} is said to be over and is still there", id.value));
    for (const auto& [id, job] : before)
        if (!jobs_.contains(id) && !ended_.contains(id))
            fail(fmt::format("{} job {} of {} is gone without a word", graph::name(job.type), id.value, name_of(job.unit)));
}

/// A waiting job waits for another job, or for its unit to come to rest; so it cannot be forgotten.
void World::check_jobs() {
    for (const auto& [id, job] : jobs_) {
        const engine::UnitStatus& status = units_.at(job.unit).status;
        if (status.job_id != id)
            fail(fmt::format("job {} is not its unit's", id.value));
        if (job.state != JobState::Waiting || !job.waits_for.empty())
            continue;
        const bool moving = status.active == ActiveState::Activating || status.active == ActiveState::Deactivating ||
                            status.active == ActiveState::Reloading;
        if (!moving)
            fail(fmt::format("{} job of {} waits for nothing", graph::name(job.type), status.config->name));
    }
}

/// Each guard that exists is known to its unit, and no unit counts on one that does not.
void World::check_guards() {
    std::set<GuardId> known;
    for (const auto& [unit, seen] : units_) {
        static const std::vector<GuardId> none;
        const engine::UnitStatus& status = seen.status;
        for (const GuardId guard : status.service != nullptr  ? status.service->guards
                                   : status.socket != nullptr ? status.socket->guards
                                   : status.mount != nullptr  ? status.mount->guards
                                                              : none) {
            known.insert(guard);
            if (!guards_.contains(guard) && !std::any_of(pending_.begin(), pending_.end(), [&](const Pending& p) { return p.guard == guard; }))
                fail(fmt::format("{} counts on guard {}, which is gone", name_of(unit), guard.value));
        }
    }
    for (const auto& [id, guard] : guards_)
        if (!known.contains(id))
            fail(fmt::format("guard {} of {} is forgotten", id.value, name_of(guard.unit)));
}

/// No job has begun while another one, older than it and ordered before it, was there.
void World::check_order(const std::map<JobId, engine::JobStatus>& before) {
    std::map<UnitId, const engine::JobStatus*> by_unit;
    for (const auto& [id, job] : jobs_)
        by_unit[job.unit] = &job;
    for (const auto& [id, job] : jobs_) {
        const auto earlier = before.find(id);
        if (job.state != JobState::Running || earlier == before.end() || earlier->second.state == JobState::Running)
            continue;
        for (const bool is_before : {true, false})
            for (const UnitId other : engine_->dependencies(job.unit, unit::DependencyKind::Before, !is_before)) {
                const auto at = by_unit.find(other);
                if (at == by_unit.end() || at->second->id > id)
                    continue;
                const auto was = before.find(at->second->id);
                if (was == before.end() || was->second.type != at->second->type)
                    continue; // it has changed in this very event
                // In the order of the units, but a stop of the later one comes before anything of the earlier one.
                const JobType of_later = is_before ? at->second->type : job.type;
                const bool later_first = of_later == JobType::Stop || of_later == JobType::Restart;
                if (later_first == is_before)
                    fail(fmt::format("{} of {} began before {} of {}", graph::name(job.type), name_of(job.unit),
                                     graph::name(at->second->type), name_of(other)));
            }
    }
}

/// Never more starts than StartLimitBurst= in any StartLimitIntervalSec=, but for the restarts that only the default backoff holds.
void World::check_start_limit(UnitId unit, Instant began) {
    const unit::UnitConfig& config = *units_.at(unit).status.config;
    const unit::StartLimit& limit = config.unit.start_limit;
    const unit::ServiceSection& service = *config.service;
    const bool backs_off = options_.policy.default_backoff && service.restart != unit::RestartPolicy::No && !service.restart_timing_set;
    if ((backs_off && !limit.set) || limit.burst == 0)
        return;
    std::vector<Instant>& starts = starts_[unit];
    std::erase_if(starts, [&](Instant start) { return began - start >= limit.interval; });
    starts.push_back(began);
    if (starts.size() > limit.burst)
        fail(fmt::format("{} was started {} times within its interval", config.name, starts.size()));
}

/// Whatever a service waits for, it does not wait for ever: each state that has a timeout is timed by it, and the engine
/// wants to be woken for it.
void World::check_timers() {
    const Instant wake = engine_->next_deadline();
    for (const auto& [unit, seen] : units_) {
        const supervise::Service::Data* data = seen.status.service;
        if (seen.status.timer != nullptr && !left_ && !stopping_) {
            if (seen.status.next_elapse && seen.status.next_elapse.mono < wake)
                fail(name_of(unit) + " elapses, and the engine does not know of it");
            if (supervise::active_state(seen.status.timer->state) != seen.status.active)
                fail(name_of(unit) + ": the timer and its unit are in different states");
        }
        if (data == nullptr || left_)
            continue;
        const unit::ServiceSection& service = *seen.status.config->service;
        base::Duration most = base::infinity;
        switch (supervise::traits(seen.state).arms) {
        case supervise::Arms::None:
            if (data->state_deadline != base::never)
                fail(name_of(unit) + " has a timeout in a state that has none");
            continue;
        case supervise::Arms::RestartDelay:
            if (data->state_deadline == base::never && !seen.status.job)
                fail(name_of(unit) + " waits for a restart that nobody will make");
            continue;
        case supervise::Arms::StartTimeout:
            most = service.effective_timeout_start();
            break;
        case supervise::Arms::StopTimeout:
            most = service.timeout_stop;
            break;
        case supervise::Arms::AbortTimeout:
            most = service.timeout_abort.value_or(service.timeout_stop);
            break;
        }
        if (most.count() == 0 || most == base::infinity)
            continue;
        if (data->state_deadline < wake)
            fail(name_of(unit) + " has a deadline that the engine does not know of");
        if (!extended_.contains(unit) && !manners_.reloads && data->state_deadline > now_.mono + most)
            fail(fmt::format("{} may stay {} for longer than its timeout", name_of(unit), supervise::name(seen.state)));
    }
}

/// Paths are watched while their unit waits for them, sources while the engine says that it wants to hear of them.
void World::check_paths() {
    for (std::set<UnitId>* const each : {&path_watches_, &sources_}) // what a forgotten unit leaves, the shell lets go of
        std::erase_if(*each, [&](UnitId unit) { return !units_.contains(unit); });
    for (const auto& [unit, seen] : units_) {
        if (left_)
            return;
        if (seen.status.path != nullptr) {
            const supervise::PathState state = seen.status.path->state;
            if (supervise::active_state(state) != seen.status.active)
                fail(name_of(unit) + ": the path and its unit are in different states");
            const bool waits = state == supervise::PathState::Waiting || state == supervise::PathState::Starting;
            if (waits != path_watches_.contains(unit))
                fail(name_of(unit) + (waits ? " waits for paths that nobody watches" : " has paths watched for nothing"));
        }
        if (seen.status.watched != sources_.contains(unit))
            fail(name_of(unit) + ": the sources are watched, or not, against the engine's knowledge");
    }
}

/// A unit whose stop job is done has no processes but those that KillMode= and SendSIGKILL= spare, or SIGKILL did not end in time.
void World::check_stopped(UnitId unit) {
    const engine::UnitStatus status = engine_->status(unit);
    if (status.service == nullptr)
        return;
    for (const auto& [id, guard] : guards_) {
        if (guard.unit != unit)
            continue;
        const unit::KillSection& kill = *status.config->kill;
        const bool spared = kill.mode == unit::KillMode::None || kill.mode == unit::KillMode::Process || !kill.send_sigkill;
        const bool said = status.service->result == supervise::ServiceResult::Timeout;
        if (!spared && !said && !manners_.reloads && status.active != ActiveState::Activating)
            fail(fmt::format("{} is stopped, and guard {} is still there", name_of(unit), id.value));
    }
}

} // namespace monoinit::sim
