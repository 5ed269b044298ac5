// Runtime state as bytes and back, so that a crash of PID 1 costs nothing: each unit with its machine and its job, and a
// small record of globals. After a restore the first event makes jobs consistent with the states of their units, since
// answers that were on their way (conditions, the mount table) are lost. Tested by tests/unit/engine and by
// the simulation, which crashes at every kind of moment.

#include "engine/codec.hpp"
#include "engine/impl.hpp"

namespace monoinit::engine {

using base::Errc;
using graph::JobResult;
using graph::JobState;
using graph::JobType;
using supervise::ServiceResult;
using supervise::ServiceState;

namespace {

/// Far more than any container ever loads, little enough to hold: a damaged id must not cost gigabytes.
constexpr std::uint32_t highest_unit = 1U << 22;

template <class Codec, class Data> void service_fields(Codec& io, Data& d) {
    io.enumeration(1, d.state, ServiceState::AutoRestart);
    io.enumeration(2, d.result, ServiceResult::GuardLost);
    io.enumeration(3, d.reload_result, ServiceResult::GuardLost);
    io(4, d.main_pid);
    io(5, d.control_pid);
    io(6, d.main_guard);
    io(7, d.control_guard);
    io(8, d.guards);
    io.enumeration(9, d.control_list, unit::ExecList::StopPost);
    io(10, d.control_index);
    io(11, d.main_index);
    io(12, d.main_exit);
    io(13, d.main_started);
    io(14, d.main_exited);
    io(15, d.restarts);
    io(16, d.backoff_step);
    io(17, d.will_restart);
    io(18, d.forbid_restart);
    io(19, d.notify_ready);
    io(20, d.notify_stopping);
    io(21, d.notify_reloading);
    io(22, d.status_text);
    io(23, d.notify_errno);
    io(24, d.state_deadline);
    io(25, d.watchdog_deadline);
    io(26, d.runtime_deadline);
    io(27, d.watchdog_override);
    io(28, d.recent_starts);
    io(29, d.last_failure);
    io(30, d.state_entered);
    io(31, d.start_began);
    io(32, d.retry_deadline);
    io(33, d.reload_begin);
    io(34, d.main_known);
    io(35, d.main_alien);
    io(36, d.main_recheck);
    io(37, d.start_succeeded);
    io(38, d.flush_restarts);
    io(39, d.stop_for_restart);
    io(40, d.said_notify_ignored);
    io(41, d.said_fd_store);
    io(42, d.last_main_pid);
    io(43, d.main_lost);
    io(44, d.survivor);
    io(45, d.ending);
    io(46, d.restart_unhealthy);
    io(47, d.bus_name_owned);
}

template <class Codec, class J> void job_fields(Codec& io, J& job) {
    io(1, job.id);
    io.enumeration(2, job.type, JobType::Restart);
    io.enumeration(3, job.state, JobState::Running);
    io(4, job.irreversible);
    io(5, job.ignore_order);
    io(6, job.boot);
    io(7, job.by_person);
    io.enumeration(8, job.checks, Job::Checks::Passed);
    io(9, job.installed);
    io(10, job.began);
    io(11, job.deadline);
    io(12, job.next_report);
    io(13, job.requests);
}

template <class Codec, class U> void unit_fields(Codec& io, U& unit) {
    io.enumeration(3, unit.active, ActiveState::Failed);
    io(4, unit.active_enter);
    io(5, unit.active_exit);
    io(6, unit.inactive_enter);
    io(7, unit.inactive_exit);
    io(8, unit.state_change);
    io(9, unit.condition_time);
    io(10, unit.condition_result);
    io(11, unit.assert_result);
    io(12, unit.condition_failed);
    io(13, unit.invocation);
    io(21, unit.cause.unit);
    io(15, unit.cause.text);
    io(16, unit.failure);
    io.enumeration(17, unit.start_result, JobResult::Once);
    io(18, unit.auto_window);
    io(19, unit.auto_count);
    io(20, unit.killed);
    io(22, unit.accepted_by);
    io(23, unit.peer);
    io(24, unit.activation.unit);
    io(25, unit.activation.path);
    io(26, unit.activation.elapsed);
    io(27, unit.watched);
}
constexpr Tag id_tag = 1, name_tag = 2, service_tag = 100, job_tag = 101;

template <class Codec, class I, class S> void global_fields(Codec& io, I& impl, S& stopping) {
    io(1, impl.jobs_.last_id);
    io(2, impl.last_guard_);
    io(3, impl.last_invocation_);
    io(5, impl.boot_asked_);
    io(6, impl.boot_over_);
    io(10, stopping.on);
    io(11, stopping.killed);
    io.enumeration(12, stopping.kind, Shutdown::Kind::Emergency);
    io(13, stopping.began);
    io(14, stopping.kill_at);
    io(15, stopping.leave_at);
    io(16, stopping.budget);
    io(17, stopping.exit_status);
    io(18, stopping.slowest);
    io(19, stopping.slowest_took);
    io(20, stopping.killed_units);
}
constexpr Tag boot_target_tag = 4;

base::Error damaged(std::string_view what) {
    return base::fail(Errc::Protocol, "damaged checkpoint: " + std::string(what));
}

} // namespace

std::string Engine::Impl::save(const Unit& unit) const {
    Writer io(1);
    io(id_tag, unit.id);
    io(name_tag, unit.config->name);
    unit_fields(io, unit);
    if (unit.service)
        io.nested(service_tag, [&](Writer& inner) { service_fields(inner, unit.service->data()); });
    if (unit.job)
        io.nested(job_tag, [&](Writer& inner) { job_fields(inner, *unit.job); });
    save_health(unit, io);
    save_timer(unit, io);
    save_socket(unit, io);
    save_mount(unit, io);
    save_path(unit, io);
    save_scope(unit, io);
    return io.take();
}

std::string Engine::Impl::save_globals() const {
    Writer io(1);
    global_fields(io, *this, stopping_);
    const Unit* boot = units_.get(boot_target_);
    // Until the first event after a restore its number is not known yet.
    io(boot_target_tag, restored_ ? restored_boot_target_ : boot != nullptr ? boot->config->name : std::string());
    return io.take();
}

base::Result<void> Engine::Impl::restore(std::string_view bytes) {
    if (bytes.empty())
        return {}; // a unit that was forgotten
    Reader io(bytes);
    UnitId id;
    std::string name;
    io(id_tag, id);
    io(name_tag, name);
    if (!io.ok() || !id || id.value > highest_unit)
        return damaged("unit record");
    Unit* unit = units_.get(units_.find(name));
    if (unit == nullptr || unit->config->name != name)
        return base::fail(Errc::NotFound, "checkpoint: " + name + " is not loaded");
    if (const Unit* holder = units_.get(id); restored_units_.contains(unit->id) || (holder != nullptr && restored_units_.contains(id)))
        return damaged("unit number used twice");

    Unit fields; // all or nothing
    unit_fields(io, fields);
    std::optional<supervise::Service::Data> data;
    io.nested(service_tag, [&](Reader& inner) { service_fields(inner, data.emplace()); });
    std::unique_ptr<Job> job;
    io.nested(job_tag, [&](Reader& inner) {
        job = std::make_unique<Job>();
        job_fields(inner, *job);
    });
    const std::optional<supervise::HealthMonitor::Data> health = read_health(io, fields.health_failure);
    const std::optional<supervise::Timer::Data> timer = read_timer(io);
    std::optional<supervise::Socket::Data> socket_data = read_socket(io);
    std::optional<supervise::Mount::Data> mount_data = read_mount(io);
    const std::optional<supervise::Path::Data> path_data = read_path(io);
    std::optional<supervise::Scope::Data> scope_data = read_scope(io);
    const bool is_service = unit->config->type == unit::UnitType::Service;
    if (!io.ok() || (data && !is_service) || (timer && unit->config->type != unit::UnitType::Timer) ||
        (socket_data && unit->config->type != unit::UnitType::Socket) || (mount_data && unit->config->type != unit::UnitType::Mount) ||
        (path_data && unit->config->type != unit::UnitType::Path) || (scope_data && unit->config->type != unit::UnitType::Scope) ||
        (job && (!job->id || jobs_.unit_of(job->id))))
        return damaged("record of " + name);

    units_.renumber(*unit, id);
    graph_stale_ = restored_ = true;
    restored_units_.insert(id);
    fields.id = id;
    fields.config = unit->config;
    fields.listed = unit->config->load_state != unit::LoadState::NotFound;
    failed_ -= unit->active == ActiveState::Failed ? 1 : 0;
    *unit = std::move(fields);
    if (data) {
        for (const GuardId guard : data->guards)
            last_guard_ = std::max(last_guard_, guard.value);
        unit->active = supervise::active_state(data->state);
        service(*unit).restore(std::move(*data));
    } else if (is_service) {
        unit->active = ActiveState::Inactive;
    }
    if (timer) {
        unit->timer = std::make_unique<supervise::Timer>(unit->config);
        unit->timer->restore(*timer);
        unit->active = supervise::active_state(timer->state);
    }
    if (socket_data) {
        for (const GuardId guard : socket_data->guards)
            last_guard_ = std::max(last_guard_, guard.value);
        unit->active = supervise::active_state(socket_data->state);
        socket(*unit).restore(std::move(*socket_data));
    }
    if (mount_data) {
        for (const GuardId guard : mount_data->guards)
            last_guard_ = std::max(last_guard_, guard.value);
        unit->active = supervise::active_state(mount_data->state);
        if (mount_data->given)
            given_.insert(unit->config->name);
        mount(*unit).restore(std::move(*mount_data));
    }
    if (path_data) {
        unit->active = supervise::active_state(path_data->state);
        path(*unit).restore(*path_data);
    }
    if (scope_data) {
        unit->active = supervise::active_state(scope_data->state);
        unit->scope = std::make_unique<supervise::Scope>(unit->config);
        unit->scope->restore(std::move(*scope_data));
    }
    failed_ += unit->active == ActiveState::Failed ? 1 : 0;
    if (supervise::HealthMonitor* monitor = health ? health_of(*unit) : nullptr)
        monitor->restore(*health, now_);
    last_invocation_ = std::max(last_invocation_, unit->invocation);
    if (job)
        jobs_.adopt(*unit, std::move(job));
    touch(*unit);
    return {};
}

base::Result<void> Engine::Impl::restore_globals(std::string_view bytes) {
    struct Numbers {
        struct { std::uint32_t last_id = 0; } jobs_;
        std::uint32_t last_guard_ = 0;
        std::uint64_t last_invocation_ = 0;
        bool boot_asked_ = false, boot_over_ = false;
    } numbers;
    Stopping stopping;
    std::string boot_target;
    Reader io(bytes);
    global_fields(io, numbers, stopping);
    io(boot_target_tag, boot_target);
    if (!io.ok())
        return damaged("globals");
    jobs_.last_id = std::max(jobs_.last_id, numbers.jobs_.last_id);
    last_guard_ = std::max(last_guard_, numbers.last_guard_);
    last_invocation_ = std::max(last_invocation_, numbers.last_invocation_);
    boot_asked_ = numbers.boot_asked_;
    boot_over_ = numbers.boot_over_;
    stopping_ = std::move(stopping);
    restored_boot_target_ = std::move(boot_target); // its number may yet change
    restored_ = true;
    return {};
}

void Engine::Impl::resume() {
    restored_units_.clear();
    if (const UnitId boot = units_.find(restored_boot_target_))
        boot_target_ = boot;
    boot_jobs_ = 0;
    for (const auto& [id, unit] : jobs_.all())
        boot_jobs_ += units_.get(unit)->job->boot ? 1 : 0;

    units_.each([&](Unit& unit) {
        unit.checks_pending = 0;
        if (unit.mount && unit.mount->data().ended) // the answer was lost
            effects_.emplace_back(UnitAction{unit.id, supervise::ReadMounts{}});
        if (unit.service && unit.service->waits_for_idle())
            idle_.insert(unit.id);
        refresh_health(unit);
        refresh_timer(unit);
        std::vector<supervise::Action> actions;
        if (unit.service)
            unit.service->ask_again(actions);
        if (unit.socket)
            unit.socket->resume(actions);
        if (unit.path)
            unit.path->resume(actions);
        apply(unit, std::move(actions));
        refresh_sources(unit);
    });
    make_guards_again();
    std::vector<UnitId> with_jobs;
    for (const auto& [id, unit] : jobs_.all())
        with_jobs.push_back(unit);
    for (const UnitId id : with_jobs)
        if (Unit* unit = units_.get(id); unit != nullptr && unit->job)
            resume_job(*unit);
    if (stopping_.on) {
        // The shell may have missed it: the crash can have come between the record and the effects.
        effects_.emplace_back(ShutdownBegan{stopping_.budget, stopping_.exit_status});
        install_stops();
        share_out_budget();
        return;
    }
    units_.each([&](Unit& unit) {
        const bool due = unit.service && unit.service->data().state == ServiceState::AutoRestart &&
                         unit.service->data().state_deadline == base::never;
        if (due && !unit.job)
            restart_due(unit);
        if (unit.active != ActiveState::Inactive)
            look_at_neighbours(unit);
    });
    count_boot();
}

/// A running job whose unit is not on the way to where the job wants it is run once more.
void Engine::Impl::resume_job(Unit& unit) {
    Job& job = *unit.job;
    const auto activity = static_cast<graph::Activity>(unit.active);
    bool on_the_way = false;
    switch (job.type) {
    case JobType::Start:
    case JobType::VerifyActive:
        on_the_way = unit.active == ActiveState::Activating || unit.active == ActiveState::Deactivating;
        break;
    case JobType::Stop:
    case JobType::Restart:
        on_the_way = unit.active == ActiveState::Deactivating;
        break;
    case JobType::Reload:
        on_the_way = unit.active == ActiveState::Reloading;
        break;
    case JobType::ReloadOrStart:
    case JobType::TryRestart:
    case JobType::TryReload:
    case JobType::ReloadOrRestart:
    case JobType::TryReloadOrRestart:
    case JobType::Nop:
        return finish(unit, JobResult::Invalid, "damaged checkpoint");
    }
    if (job.checks == Job::Checks::Asked)
        job.checks = Job::Checks::None;
    const bool ended = job.type == JobType::Reload && graph::is_down(activity);
    if (job.state != JobState::Running || (on_the_way && !ended))
        return;
    touch(unit);
    jobs_.set_state(unit, JobState::Waiting);
    jobs_.enqueue(unit);
}

} // namespace monoinit::engine
