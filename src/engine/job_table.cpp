// Jobs and their order. Invariant: job.blockers is the number of ordered pairs with another installed job that goes
// first; every change of a job's type or presence goes through unlink() and link(), which keep it for both sides.
// Tested by tests/unit/engine and the simulation.

#include "engine/job_table.hpp"

namespace monoinit::engine {

using graph::JobState;

void JobTable::link(Unit& unit) {
    unit.job->blockers = 0;
    each_ordered(unit, [&](Unit& other, bool other_first) {
        if (other_first)
            unit.job->blockers++;
        else
            other.job->blockers++;
    });
}

void JobTable::unlink(Unit& unit) {
    each_ordered(unit, [&](Unit& other, bool other_first) {
        if (!other_first && --other.job->blockers == 0)
            enqueue(other);
    });
}

Job& JobTable::install(Unit& unit, graph::JobType type, bool ignore_order, Instant now) {
    unit.job = std::make_unique<Job>();
    unit.job->id = JobId{++last_id};
    unit.job->type = type;
    unit.job->ignore_order = ignore_order;
    unit.job->installed = now;
    by_id_.emplace(unit.job->id, unit.id);
    link(unit);
    enqueue(unit);
    return *unit.job;
}

void JobTable::adopt(Unit& unit, std::unique_ptr<Job> job) {
    if (unit.job)
        (void)remove(unit);
    unit.job = std::move(job);
    unit.job->queued = false;
    last_id = std::max(last_id, unit.job->id.value);
    by_id_[unit.job->id] = unit.id;
    if (unit.job->state == JobState::Running)
        running_++;
}

std::unique_ptr<Job> JobTable::remove(Unit& unit) {
    unlink(unit);
    set_state(unit, JobState::Waiting);
    by_id_.erase(unit.job->id);
    return std::move(unit.job);
}

void JobTable::change_type(Unit& unit, graph::JobType type) {
    unlink(unit);
    unit.job->type = type;
    unit.job->checks = Job::Checks::None;
    set_state(unit, JobState::Waiting);
    link(unit);
    enqueue(unit);
}

void JobTable::ignore_order(Unit& unit) {
    unlink(unit);
    unit.job->ignore_order = true;
    unit.job->blockers = 0;
    enqueue(unit);
}

void JobTable::set_state(Unit& unit, JobState state) {
    if (unit.job->state == state)
        return;
    running_ += state == JobState::Running ? 1 : std::size_t(-1);
    unit.job->state = state;
}

void JobTable::reorder() {
    for (const auto& [id, unit] : by_id_)
        units_.get(unit)->job->blockers = 0;
    for (const auto& [id, unit] : by_id_) {
        Unit& each = *units_.get(unit);
        each_ordered(each, [&](Unit&, bool other_first) { each.job->blockers += other_first ? 1 : 0; });
    }
    for (const auto& [id, unit] : by_id_)
        enqueue(*units_.get(unit));
}

void JobTable::enqueue(Unit& unit) {
    Job& job = *unit.job;
    if (job.queued || job.state != JobState::Waiting || job.blockers != 0)
        return;
    job.queued = true;
    queue_.push_back(unit.id);
}

UnitId JobTable::next_runnable() {
    while (!queue_.empty()) {
        const UnitId id = queue_.front();
        queue_.pop_front();
        Unit* unit = units_.get(id);
        if (unit == nullptr || !unit->job || !unit->job->queued)
            continue; // it has left since; a successor queues itself
        unit->job->queued = false;
        if (unit->job->state == JobState::Waiting && unit->job->blockers == 0)
            return id;
    }
    return {};
}

UnitId JobTable::stalled() const {
    if (running_ > 0 || by_id_.empty())
        return {};
    for (const auto& [id, unit] : by_id_)
        if (units_.get(unit)->job->blockers == 0)
            return {}; // it waits for its unit to come to rest
    // Every job waits for another one: going from each to one it waits for, we come round.
    std::set<UnitId> seen;
    UnitId at = by_id_.begin()->second;
    while (seen.insert(at).second) {
        UnitId next;
        each_ordered(*units_.get(at), [&](const Unit& other, bool other_first) {
            if (other_first)
                next = other.id;
        });
        at = next;
    }
    return at;
}

UnitId JobTable::unit_of(JobId id) const {
    const auto at = by_id_.find(id);
    return at == by_id_.end() ? UnitId{} : at->second;
}

} // namespace monoinit::engine
