// What must hold once nothing moves any more, after a crash, and when PID 1 has left.

#include "world.hpp"

#include "base/fmt.hpp"

#include <algorithm>

namespace monoinit::sim {

using namespace std::chrono_literals;
using unit::DependencyKind;

namespace {

bool is_up(const engine::UnitStatus& status) {
    return status.active == ActiveState::Active || status.active == ActiveState::Reloading;
}

bool is_down(const engine::UnitStatus& status) {
    return status.active == ActiveState::Inactive || status.active == ActiveState::Failed;
}

/// What the engine gave up as tried too often it tries again after this.
constexpr auto rate_window = 11s;

} // namespace

bool World::at_rest() const {
    return jobs_.empty() && pending_.empty() &&
           std::ranges::all_of(units_, [](const auto& row) { return is_up(row.second.status) || is_down(row.second.status); });
}

void World::check_old_jobs(JobId last) const {
    for (const auto& [id, job] : jobs_)
        if (id <= last)
            fail(fmt::format("{} job of {} never ended", graph::name(job.type), name_of(job.unit)));
    if (!open_requests_.empty())
        fail(fmt::format("request {} was never answered", *open_requests_.begin()));
}

void World::check_rest() const {
    constexpr auto bonds = std::to_array({DependencyKind::Conflicts, DependencyKind::BindsTo, DependencyKind::Upholds});
    for (const auto& [id, seen] : units_) {
        check_listening(seen);
        for (const DependencyKind kind : bonds)
            for (const UnitId other : engine_->dependencies(id, kind, false))
                check_pair(seen, kind, units_.at(other));
        // A daemon-reload changes who needs whom; that is felt when one of them changes its state.
        const bool stuck = seen.status.mount != nullptr && seen.status.mount->result != supervise::MountResult::Success; // umount has failed
        if (is_up(seen.status) && seen.status.config->unit.stop_when_unneeded && !needed(seen) && !manners_.reloads && !let_alone(id) && !stuck)
            fail(name_of(id) + " runs although nobody needs it (StopWhenUnneeded=)");
    }
    // Nothing is kept for what is over: what wakes the engine is a timer of a service that runs.
    if (engine_->next_deadline() == base::never)
        return;
    const bool timed = std::ranges::any_of(units_, [](const auto& row) {
        const supervise::Service::Data* data = row.second.status.service;
        if ((row.second.status.timer != nullptr || row.second.status.path != nullptr) && is_up(row.second.status))
            return true;
        if (row.second.status.socket != nullptr && is_up(row.second.status) && row.second.status.socket->paused_until != base::never)
            return true;
        return data != nullptr && is_up(row.second.status) &&
               (data->runtime_deadline != base::never || data->watchdog_deadline != base::never || data->retry_deadline != base::never);
    });
    if (!timed && now_.mono + rate_window < engine_->next_deadline())
        fail("everything is at rest, and yet a timer runs");
}

/// Whoever comes is answered: by the service, or by the socket that starts it.
void World::check_listening(const Seen& seen) const {
    if (seen.status.socket == nullptr || !is_up(seen.status) || manners_.reloads)
        return;
    const auto triggered = engine_->dependencies(seen.status.id, DependencyKind::Triggers, false);
    if (triggered.size() != 1 || units_.at(triggered.front()).status.service == nullptr)
        return; // the loader makes no others
    const bool runs = is_up(units_.at(triggered.front()).status);
    if (!runs && seen.status.socket->state == supervise::SocketState::Running)
        fail(name_of(seen.status.id) + " leaves it to a service that is down");
    if (runs && seen.status.socket->state == supervise::SocketState::Listening)
        fail(name_of(seen.status.id) + " listens, and its service runs");
}

void World::check_pair(const Seen& seen, DependencyKind kind, const Seen& other) const {
    const std::string both = name_of(seen.status.id) + " and " + name_of(other.status.id);
    const bool mounts = seen.status.mount != nullptr || other.status.mount != nullptr; // umount may fail, and mounts come by themselves
    if (manners_.reloads || seen.status.id == other.status.id || mounts)
        return; // as with StopWhenUnneeded=
    const auto recently = [&](const std::map<UnitId, Instant>& times, UnitId unit) {
        const auto at = times.find(unit);
        return at != times.end() && now_.mono - at->second <= 2 * rate_window;
    };
    if (kind == DependencyKind::Conflicts) {
        // The one that came later has stopped the other, unless it was told not to care or its stop was called off.
        const bool later = seen.status.active_enter.mono > other.status.active_enter.mono;
        if (is_up(seen.status) && is_up(other.status) && later && !manners_.odd_modes && !manners_.cancels)
            fail(both + " run together in spite of Conflicts=");
    } else if (kind == DependencyKind::BindsTo) {
        if (is_up(seen.status) && is_down(other.status) && !let_alone(seen.status.id))
            fail(both + ": the first runs without what it is bound to");
    } else if (is_up(seen.status) && is_down(other.status)) {
        const UnitId id = other.status.id;
        if (!recently(tried_, id) && !refused_.contains(id) && seen.status.active_enter.mono + 2 * rate_window < now_.mono)
            fail(both + ": the second is not upheld");
    }
}

/// Its stop could not be, or was made too often; the latter is made good when the window is over.
bool World::let_alone(UnitId unit) const {
    const auto at = limited_.find(unit);
    return refused_.contains(unit) || (at != limited_.end() && now_.mono - at->second <= rate_window);
}

bool World::needed(const Seen& seen) const {
    constexpr auto kinds = std::to_array({DependencyKind::Requires, DependencyKind::Requisite, DependencyKind::Wants,
                                          DependencyKind::BindsTo, DependencyKind::Upholds, DependencyKind::Triggers});
    for (const DependencyKind kind : kinds)
        for (const UnitId other : engine_->dependencies(seen.status.id, kind, true))
            if (!is_down(units_.at(other).status))
                return true;
    return false;
}

/// PID 1 has left.
void World::check_end() {
    if (!open_requests_.empty())
        fail(fmt::format("request {} was never answered", *open_requests_.begin()));
    if (!jobs_.empty())
        fail("a job is left behind");
    if (engine_->next_deadline() != base::never)
        fail("a timer runs on after the end");
    if (leave_by_ != base::never && now_.mono > leave_by_)
        fail("shutdown took longer than its budget");
    if (!all_stopped_)
        return;
    for (const auto& [unit, seen] : units_)
        if (!is_down(seen.status) && seen.status.mount == nullptr) // others' mounts stay, and what is in use
            fail("left while " + name_of(unit) + " is " + std::string(supervise::name(seen.status.active)));
    for (const auto& [id, guard] : guards_) { // the shell ends these
        const Seen& seen = units_.at(guard.unit);
        const unit::KillSection& kill = *seen.status.config->kill;
        const bool spared = kill.mode == unit::KillMode::None || kill.mode == unit::KillMode::Process || !kill.send_sigkill ||
                            seen.status.mount != nullptr; // daemons of FUSE, which end with what they serve
        if (!spared && seen.status.active != ActiveState::Failed && !manners_.reloads)
            fail(fmt::format("all is stopped, and guard {} of {} is still there", id.value, name_of(guard.unit)));
    }
}

/// Everything is as it was: what people see, and every byte that the next crash would read.
void World::check_restored(const std::map<std::string, Picture>& before) const {
    for (const auto& [name, picture] : snapshot()) {
        if (before.at(name).text != picture.text)
            fail("lost in a crash: " + name + ": " + before.at(name).text + " is now " + picture.text);
        if (before.at(name).data != picture.data)
            fail("lost in a crash: something that the machine of " + name + " knew");
    }
    for (const auto& [unit, bytes] : saved_)
        if (!bytes.empty() && engine_->save(unit) != bytes) // else forgotten before, and its number is free
            fail(fmt::format("the record of {} is not what was read, from byte {} of {} on", name_of(unit),
                             std::ranges::mismatch(engine_->save(unit), bytes).in2 - bytes.begin(), bytes.size()));
    if (engine_->save_globals() != saved_globals_)
        fail("the record of globals is not what was read");
}

std::map<std::string, World::Picture> World::snapshot() const {
    std::map<std::string, Picture> all;
    for (const UnitId id : engine_->units()) { // not the number: units that never did anything have none to keep
        const engine::UnitStatus s = engine_->status(id);
        Picture& picture = all[s.config->name];
        picture.text = fmt::format("{} {} job {} {} invocation {} why {}", supervise::name(s.active), s.sub, s.job_id.value,
                                   s.job ? graph::name(*s.job) : "-", s.invocation, s.why);
        if (s.service != nullptr)
            picture.data = *s.service;
        if (s.socket != nullptr)
            picture.text += fmt::format(" {} {} triggers {} polls {} accepted {} until {}", supervise::name(s.socket->state), supervise::name(s.socket->result),
                                        s.socket->triggers, s.socket->polls, s.socket->accepted, s.socket->paused_until.since_boot.count());
    }
    return all;
}

} // namespace monoinit::sim
