// What must hold after every event, whatever happened.

#include "world.hpp"

#include <algorithm>

#include "base/fmt.hpp"

namespace monoinit::sim {

using graph::JobState;
using graph::Order;

void World::fail(const std::string& what) const {
    std::string text = fmt::format("seed {} event {}: {}\n", seed_, events_, what);
    for (const std::string& line : recent_)
        text += "  " + line + "\n";
    throw Violation(text);
}

void World::check() {
    std::map<JobId, engine::JobStatus> now;
    for (engine::JobStatus& job : engine_->jobs())
        now.emplace(job.id, std::move(job));
    if (!order_ignored_)
        check_order(now);
    jobs_ = std::move(now);
    check_jobs();
    check_guards();
    if (all_stopped_)
        for (const auto& [unit, state] : states_)
            if (state != ActiveState::Inactive && state != ActiveState::Failed)
                fail("left while " + engine_->status(unit).config->name + " is " + std::string(supervise::name(state)));
}

/// A waiting job waits for another job, or for its unit to come to rest; so it cannot be forgotten.
void World::check_jobs() {
    for (const auto& [id, job] : jobs_) {
        const engine::UnitStatus status = engine_->status(job.unit);
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
    for (const UnitId unit : engine_->units()) {
        const auto* service = engine_->status(unit).service;
        if (service == nullptr)
            continue;
        for (const GuardId guard : service->guards) {
            known.insert(guard);
            if (!guards_.contains(guard) && !std::any_of(pending_.begin(), pending_.end(), [&](const Pending& p) { return p.guard == guard; }))
                fail(fmt::format("{} counts on guard {}, which is gone", engine_->status(unit).config->name, guard.value));
        }
    }
    for (const auto& [id, guard] : guards_)
        if (!known.contains(id))
            fail(fmt::format("guard {} of {} is forgotten", id.value, engine_->status(guard.unit).config->name));
}

/// No job has begun while another one, older than it and ordered before it, was there.
void World::check_order(const std::map<JobId, engine::JobStatus>& now) {
    std::map<UnitId, const engine::JobStatus*> by_unit;
    for (const auto& [id, job] : now)
        by_unit[job.unit] = &job;
    for (const auto& [id, job] : now) {
        const auto before = jobs_.find(id);
        if (job.state != JobState::Running || before == jobs_.end() || before->second.state == JobState::Running)
            continue;
        for (const bool is_before : {true, false})
            for (const UnitId other : engine_->dependencies(job.unit, unit::DependencyKind::Before, !is_before)) {
                const auto at = by_unit.find(other);
                if (at == by_unit.end() || at->second->id > id)
                    continue;
                const auto was = jobs_.find(at->second->id);
                if (was == jobs_.end() || was->second.type != at->second->type)
                    continue; // it has changed in this very event
                const Order order = is_before ? graph::order_of(job.type, at->second->type) : graph::order_of(at->second->type, job.type);
                if (order != Order::Any && (order == Order::SecondUnit) == is_before)
                    fail(fmt::format("{} of {} began before {} of {}", graph::name(job.type), engine_->status(job.unit).config->name,
                                     graph::name(at->second->type), engine_->status(other).config->name));
            }
    }
}

void World::check_quiet(JobId last) const {
    // A verify-active job (Requisite=) may still wait for a unit that is between two of its restarts: an open point of the
    // engine, noted with the issue; every other job must have ended.
    for (const auto& [id, job] : jobs_)
        if (id <= last && job.type != graph::JobType::VerifyActive)
            fail(fmt::format("{} job of {} never ended", graph::name(job.type), engine_->status(job.unit).config->name));
    if (std::ranges::any_of(jobs_, [](const auto& row) { return row.second.type == graph::JobType::VerifyActive; }))
        return;
    if (!open_requests_.empty())
        fail(fmt::format("request {} was never answered", *open_requests_.begin()));
}

std::map<std::string, std::string> World::snapshot() const {
    std::map<std::string, std::string> all;
    for (const UnitId id : engine_->units()) {
        const engine::UnitStatus s = engine_->status(id);
        all[s.config->name] = fmt::format("{} {} {} job {} {} invocation {} guards {} deadline {} why {}", id.value,
                                          supervise::name(s.active), s.sub, s.job_id.value,
                                          s.job ? graph::name(*s.job) : "-", s.invocation, s.service ? s.service->guards.size() : 0,
                                          s.service ? s.service->state_deadline.since_boot.count() : 0, s.why);
    }
    return all;
}

} // namespace monoinit::sim
