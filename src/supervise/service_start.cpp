// How a service comes up: the request, ExecCondition= to ExecStartPost=, finding the main process
// of a daemon that forks, and reload. Tested by tests/unit/supervise/service_test.cpp.

#include "base/fmt.hpp"
#include "supervise/service.hpp"
#include "supervise/service_states.hpp"
#include "supervise/service_words.hpp"
#include "supervise/start_limit.hpp"

#include <algorithm>
#include <csignal>

namespace monoinit::supervise {

using enum ServiceState;
using unit::ExecList;
using unit::ServiceType;
using namespace std::chrono_literals;

namespace {

constexpr base::Duration idle_delay = 5s;

/// splitmix64: RuntimeRandomizedExtraSec= needs spread, not secrecy, and the core has no source of
/// chance.
std::uint64_t scatter(std::uint64_t seed) {
    seed += 0x9e3779b97f4a7c15U;
    seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9U;
    seed = (seed ^ (seed >> 27)) * 0x94d049bb133111ebU;
    return seed ^ (seed >> 31);
}

} // namespace

// ---- the request --------------------------------------------------------------------------------

StartVerdict Service::start(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    switch (active_state(data_.state)) {
    case ActiveState::Active:
    case ActiveState::Reloading:
        return StartVerdict::AlreadyActive;
    case ActiveState::Deactivating:
        return StartVerdict::Busy;
    case ActiveState::Activating:
        if (data_.state != AutoRestart)
            return StartVerdict::Started;
        break;
    case ActiveState::Inactive:
    case ActiveState::Failed:
        break;
    }
    if (has_leftovers(now.mono)) {
        signal_all(SIGKILL, false, step);
        refuse_start(ServiceResult::Resources, "processes of its last run are still there", step);
        return StartVerdict::LeftoversRemain;
    }
    const unit::StartLimit& limit = config_->unit.start_limit;
    if (start_limit_applies() && !count_start(limit, data_.recent_starts, now.mono)) {
        refuse_start(
            ServiceResult::StartLimitHit,
            fmt::format("restarting too quickly; stays failed: {} starts in {}. initctl restart {} "
                        "tries again",
                        limit.burst,
                        span_words(limit.interval),
                        std::string_view(config_->name).substr(0, config_->name.rfind(".service"))),
            step);
        if (limit.action != unit::EmergencyAction::None)
            out.emplace_back(
                Emergency{limit.action, std::nullopt, "start limit of " + config_->name + " hit"});
        return StartVerdict::StartLimitHit;
    }
    reset_run(now);
    enter_condition(step);
    return StartVerdict::Started;
}

/// With the default backoff the default limit would only end what the backoff already slows down. Starts that others ask
/// for are not slowed down: two units that start each other would go round for ever.
bool Service::start_limit_applies() const {
    const bool backs_off = data_.state == AutoRestart && policy_.default_backoff &&
                           (service().restart != unit::RestartPolicy::No || data_.restart_unhealthy) &&
                           !service().restart_timing_set;
    return !backs_off || config_->unit.start_limit.set;
}

Instant Service::may_start_at(Instant now) const {
    const unit::StartLimit& limit = config_->unit.start_limit;
    const std::vector<Instant>& recent = data_.recent_starts;
    if (!start_limit_applies() || limit.burst == 0 || recent.size() < limit.burst)
        return now;
    return std::max(now, recent[recent.size() - limit.burst] + limit.interval);
}

void Service::refuse_start(ServiceResult f, std::string text, Step& step) {
    data_.result = f;
    data_.will_restart = false;
    data_.flush_restarts = true;
    const bool said = data_.state == Failed && data_.last_failure == text; // Upholds= asks again and again
    data_.last_failure = text;
    if (!said)
        say(Severity::Error,
            f == ServiceResult::StartLimitHit ? std::move(text) : "not started: " + text,
            step);
    if (data_.state == Failed)
        return;
    enter(Failed, step);
    emergency(step);
}

void Service::reset_run(Moment now) {
    if (data_.flush_restarts) {
        data_.restarts = data_.backoff_step = 0;
        data_.last_failure.clear();
    }
    Data fresh;
    fresh.state = data_.state;
    fresh.state_entered = data_.state_entered;
    fresh.guards = std::move(data_.guards);
    fresh.restarts = data_.restarts;
    fresh.backoff_step = data_.backoff_step;
    fresh.recent_starts = std::move(data_.recent_starts);
    fresh.last_failure = std::move(data_.last_failure);
    fresh.start_began = now;
    data_ = std::move(fresh);
}

void Service::clear_restart_counter() {
    data_.restarts = data_.backoff_step = 0;
    data_.recent_starts.clear();
}

void Service::reset_failed(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    clear_restart_counter();
    if (data_.state != Failed)
        return;
    if (has_leftovers(now.mono))
        return say(
            Severity::Warning, "stays failed: processes of its last run are still there", step);
    data_.result = data_.reload_result = ServiceResult::Success;
    data_.last_failure.clear();
    enter(Dead, step);
}

// ---- the way up ---------------------------------------------------------------------------------

void Service::enter_condition(Step& step) {
    if (command(ExecList::Condition, 0) == nullptr)
        return enter_start_pre(step);
    enter(Condition, step);
    spawn(ExecList::Condition, 0, false, step);
}

void Service::enter_start_pre(Step& step) {
    if (command(ExecList::StartPre, 0) == nullptr)
        return enter_start(step);
    enter(StartPre, step);
    spawn(ExecList::StartPre, 0, false, step);
}

void Service::enter_start(Step& step) {
    enter(Start, step);
    data_.notify_ready = false; // what a command before said is not for this one
    if (command(ExecList::Start, 0) == nullptr)
        return enter_start_post(step);
    if (service().type == ServiceType::Dbus)
        step.out.emplace_back(WatchBusName{true});
    if (service().type == ServiceType::Idle) { // the command itself waits, see waits_for_idle()
        data_.retry_deadline = step.now.mono + idle_delay;
        return;
    }
    spawn(ExecList::Start, 0, service().type != ServiceType::Forking, step);
}

bool Service::waits_for_idle() const {
    return data_.state == Start && service().type == ServiceType::Idle && !data_.main_known &&
           !data_.control_guard;
}

void Service::release_idle(Moment now, std::vector<Action>& out) {
    if (!waits_for_idle())
        return;
    Step step{now, out};
    data_.retry_deadline = base::never;
    spawn(ExecList::Start, 0, true, step);
}

void Service::main_spawned(Step& step) {
    if (data_.state != Start)
        return; // it is being stopped already
    switch (service().type) {
    case ServiceType::Simple:
    case ServiceType::Exec:
    case ServiceType::Idle:
        return enter_start_post(step);
    case ServiceType::Dbus: // the name may have come before the guard's report
        if (data_.bus_name_owned)
            enter_start_post(step);
        return;
    case ServiceType::Notify:
    case ServiceType::NotifyReload: // the message may have overtaken the guard's report
        if (data_.notify_ready)
            enter_start_post(step);
        return;
    case ServiceType::Oneshot:
    case ServiceType::Forking:
        return;
    }
}

void Service::spawn_failed(const SpawnResult& event, Step& step) {
    forget_guard(event.guard); // nothing ran below it
    const bool main = event.guard == data_.main_guard;
    if (!main && event.guard != data_.control_guard)
        return;
    if (event.resources)
        return no_process(main, event.text, step);
    const base::ExitInfo exit{base::ExitInfo::Code::Exited, event.exit_status};
    if (!main)
        return control_exited(exit, event.text, step);
    // Type=simple counts as started once it is forked, whatever becomes of the command
    // (systemd.service(5)).
    const bool forked_is_up =
        service().type == ServiceType::Simple || service().type == ServiceType::Idle;
    if (data_.state == Start && forked_is_up)
        enter_start_post(step);
    if (event.guard == data_.main_guard)
        main_exited(exit, event.text, step);
}

/// The guard could not be made: EAGAIN, EMFILE and the like.
void Service::no_process(bool main, const std::string& text, Step& step) {
    const std::string words =
        text.empty() ? "no process could be made" : "no process could be made: " + text;
    (main ? data_.main_guard : data_.control_guard) = GuardId{};
    if (active_state(data_.state) == ActiveState::Reloading) {
        say(Severity::Error, "reload failed: " + words, step);
        return finish_reload(ServiceResult::Resources, step);
    }
    note_failure(ServiceResult::Resources, words);
    if (active_state(data_.state) == ActiveState::Activating)
        return enter_signal(ServiceState::StopSigterm, step);
    return main ? act_on_main_exit(ServiceResult::Resources, step)
                : act_on_control_exit(ServiceResult::Resources, step);
}

void Service::main_exited_in_start(ServiceResult f, Step& step) {
    const bool fine = f == ServiceResult::Success;
    switch (service().type) {
    case ServiceType::Oneshot:
        if (fine && command(ExecList::Start, data_.main_index + 1) != nullptr)
            return spawn(ExecList::Start, data_.main_index + 1, true, step);
        return fine ? enter_start_post(step) : enter_signal(StopSigterm, step);
    case ServiceType::Notify:
    case ServiceType::NotifyReload: {
        // READY=1 may still come from another process of the unit, where that is allowed and would
        // mean something.
        const bool others_may = service().remain_after_exit &&
                                service().effective_notify_access() != unit::NotifyAccess::Main;
        const bool cgroup_lives =
            service().exit_type == unit::ExitType::Cgroup && !data_.guards.empty();
        if (fine && (others_may || cgroup_lives) && !data_.guards.empty())
            return;
        if (fine)
            note_failure(ServiceResult::Protocol, data_.last_failure + " without READY=1");
        return enter_signal(StopSigterm, step);
    }
    case ServiceType::Forking:
        if (fine && data_.control_guard) // its start command goes on and may name another
            return;
        return enter_signal(StopSigterm, step);
    case ServiceType::Dbus:
        if (fine)
            note_failure(ServiceResult::Protocol, data_.last_failure + " before its bus name appeared");
        return enter_signal(StopSigterm, step);
    case ServiceType::Simple:
    case ServiceType::Exec:
    case ServiceType::Idle: // not executed, and "-" forgives it
        return fine ? enter_running(step) : enter_signal(StopSigterm, step);
    }
}

void Service::enter_start_post(Step& step) {
    data_.watchdog_deadline = base::never;
    if (data_.main_guard || !data_.main_known)
        arm_watchdog(step.now.mono);
    if (command(ExecList::StartPost, 0) == nullptr)
        return finish_start_post(step);
    enter(StartPost, step);
    spawn(ExecList::StartPost, 0, false, step);
}

void Service::finish_start_post(Step& step) {
    // With ExecStartPost= the PID file may have been written by it.
    const bool needs_pid_file =
        service().type == ServiceType::Forking && !service().pid_file.empty();
    if (data_.state == StartPost && needs_pid_file && !data_.main_known) {
        step.out.emplace_back(ReadPidFile{service().pid_file});
        return;
    }
    enter_running(step);
}

/// Whether the service still is what it should be while up.
bool Service::good() const {
    if (service().type == ServiceType::Dbus && !data_.bus_name_owned)
        return false;
    if (data_.main_guard)
        return true;
    if (service().type == ServiceType::Oneshot)
        return false;
    return (!data_.main_known || service().exit_type == unit::ExitType::Cgroup) &&
           !data_.guards.empty();
}

/// It is up; or it was, and has to be looked at again.
void Service::enter_running(Step& step) {
    const bool first = !data_.start_succeeded;
    if (data_.result != ServiceResult::Success)
        return first ? enter_signal(StopSigterm, step) : enter_stop(step);
    data_.start_succeeded = true;
    if (!good()) {
        if (!data_.main_known && !data_.forbid_restart)
            data_.last_failure = "all its processes ended";
        if (!service().remain_after_exit)
            return enter_stop(step);
        const bool was_reloading = active_state(data_.state) == ActiveState::Reloading;
        enter(Exited, step);
        if (!was_reloading)
            say_up(step);
        return;
    }
    if (data_.state != Running) {
        enter(Running, step);
        if (first) {
            const auto extra =
                static_cast<std::uint64_t>(service().runtime_randomized_extra.count());
            const auto seed = static_cast<std::uint64_t>(step.now.mono.since_boot.count()) +
                              data_.main_guard.value;
            const auto added = extra == 0 ? 0 : scatter(seed) % extra;
            if (service().runtime_max != base::infinity)
                data_.runtime_deadline = step.now.mono + service().runtime_max +
                                         base::Duration(static_cast<base::Duration::rep>(added));
            if (data_.main_pid != 0 || !data_.main_known)
                say_up(step);
        }
    }
    if (data_.notify_stopping)
        enter(StopSigterm, step);
    else if (data_.notify_reloading)
        enter(ReloadNotify, step);
}

} // namespace monoinit::supervise
