// The service machine's centre: enter(), timers, commands and what processes do. How a service
// comes up is in service_start.cpp, how it goes down in service_stop.cpp, its messages in
// service_notify.cpp, words in service_words.cpp. Tested by tests/unit/supervise/service_test.cpp
// (stories) and service_walk_test.cpp (every event sequence).

#include "supervise/service.hpp"

#include "base/fmt.hpp"
#include "supervise/restart_policy.hpp"
#include "supervise/service_states.hpp"
#include "supervise/service_words.hpp"

#include <algorithm>
#include <csignal>

namespace monoinit::supervise {

using enum ServiceState;
using unit::ExecList;
using namespace std::chrono_literals;

Service::Service(std::shared_ptr<const unit::UnitConfig> config,
                 const Policy& policy,
                 std::function<GuardId()> next_guard)
    : config_(std::move(config)), policy_(policy), next_guard_(std::move(next_guard)) {}

void Service::replace_config(std::shared_ptr<const unit::UnitConfig> config) {
    config_ = std::move(config);
}

void Service::restore(Data data) {
    data_ = std::move(data);
}

void Service::enter(ServiceState next, Step& step) {
    const ServiceState from = data_.state;
    if (!is_legal(from, next)) {
        // A slip of ours. PID 1 goes on: the unit fails and nothing of it is left running.
        say(Severity::Error,
            fmt::format("internal error: no edge {} -> {}; failed", name(from), name(next)),
            step);
        signal_all(SIGKILL, false, step);
        data_.main_guard = data_.control_guard = GuardId{};
        data_.main_pid = data_.control_pid = 0;
        next = Failed;
    }
    const ActiveState before = active_state(from), after = active_state(next);
    data_.state = next;
    data_.state_entered = step.now;
    data_.retry_deadline = base::never;
    data_.main_recheck = false;
    if (!traits(next).watchdog)
        data_.watchdog_deadline = base::never;
    if (after != ActiveState::Active && after != ActiveState::Reloading)
        data_.runtime_deadline = base::never;
    arm_state_timer(step.now.mono);
    const bool reload_failed = before == ActiveState::Reloading && after == ActiveState::Active &&
                               data_.reload_result != ServiceResult::Success;
    const bool down = after == ActiveState::Inactive || after == ActiveState::Failed;
    if (down && service().type == unit::ServiceType::Dbus) {
        data_.bus_name_owned = false;
        step.out.emplace_back(WatchBusName{false});
    }
    step.out.emplace_back(
        StateChanged{before, after, reload_failed, down && data_.will_restart, name(next)});
}

// ---- commands and their guards ------------------------------------------------------------------

const unit::Command* Service::command(ExecList list, std::uint32_t index) const {
    const auto& commands = service().list(list); // a daemon-reload may have shortened it
    return index < commands.size() ? &commands[index] : nullptr;
}

void Service::spawn(ExecList list, std::uint32_t index, bool is_main, Step& step) {
    if (data_.state == Failed)
        return; // enter() refused
    if (data_.ending && active_state(data_.state) == ActiveState::Activating) {
        // Shutting down, and its stop job still waits for units that must go first: nothing new is begun meanwhile.
        data_.forbid_restart = true;
        return enter_signal(StopSigterm, step);
    }
    const GuardId guard = next_guard_();
    data_.guards.push_back(guard);
    if (is_main) {
        data_.main_guard = guard;
        data_.main_pid = 0;
        data_.main_index = index;
        data_.main_known = true;
        data_.main_alien = data_.main_lost = false;
        data_.main_exit.reset();
        data_.main_started = data_.main_exited = Moment{};
    } else {
        data_.control_guard = guard;
        data_.control_pid = 0;
        data_.control_list = list;
        data_.control_index = index;
    }
    step.out.emplace_back(what_to_spawn(guard));
    arm_state_timer(step.now.mono);
}

/// Of the main or the control command's guard.
Spawn Service::what_to_spawn(GuardId guard) const {
    const bool is_main = guard == data_.main_guard;
    return Spawn{guard,
                 is_main ? ExecList::Start : data_.control_list,
                 is_main ? data_.main_index : data_.control_index,
                 is_main,
                 is_main ? 0 : data_.main_pid,
                 data_.result,
                 data_.main_exit,
                 watchdog_span(),
                 data_.restarts};
}

bool Service::owns(GuardId guard) const {
    return guard && std::ranges::find(data_.guards, guard) != data_.guards.end();
}

void Service::forget_guard(GuardId guard) {
    std::erase(data_.guards, guard);
}

void Service::on(const SpawnResult& event, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (!owns(event.guard))
        return;
    if (!event.ok)
        return spawn_failed(event, step);
    if (event.guard == data_.main_guard && data_.main_pid == 0) {
        data_.main_pid = event.pid;
        data_.main_started = now;
        main_spawned(step);
    } else if (event.guard == data_.control_guard && data_.control_pid == 0) {
        data_.control_pid = event.pid;
    }
}

void Service::on(const CommandExited& event, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (!owns(event.guard))
        return;
    const auto is = [&](GuardId guard, int pid) {
        return event.guard == guard && (event.pid == pid || pid == 0);
    };
    if (is(data_.main_guard, data_.main_pid)) {
        if (event.out_of_memory && service().oom_policy != unit::OomPolicy::Continue)
            note_failure(ServiceResult::OomKill, "out of memory: " + base::describe(event.exit));
        main_exited(event.exit, {}, step);
    } else if (is(data_.control_guard, data_.control_pid)) {
        control_exited(event.exit, {}, step);
    } else if (event.guard == data_.survivor) {
        data_.survivor = GuardId{};
    }
}

void Service::on(const TreeEmpty& event, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (!owns(event.guard))
        return;
    forget_guard(event.guard);
    // Normally the exits were reported before; after a guard was lost they never are.
    if (event.guard == data_.main_guard)
        main_exited(std::nullopt, {}, step);
    if (event.guard == data_.control_guard)
        control_exited(std::nullopt, {}, step);
    if (data_.guards.empty())
        all_empty(step);
}

void Service::on(const GuardLost& event, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (!owns(event.guard))
        return;
    const bool main = event.guard == data_.main_guard, control = event.guard == data_.control_guard;
    const bool looking = (data_.state == Start || data_.state == StartPost) &&
                         !data_.control_guard && !waits_for_idle();
    const bool unknown_main = !data_.main_known && (data_.state == Running || looking);
    say(Severity::Warning, "a guard process was killed; its processes are being taken back", step);
    if (main) {
        data_.main_pid = 0;
        data_.main_lost = true;
    }
    if (control)
        data_.control_pid = 0;
    if (!main && !control && !unknown_main)
        return;
    note_failure(ServiceResult::GuardLost, "its guard was killed");
    switch (data_.state) {
    case Condition:
    case StartPre:
    case Start:
    case StartPost:
    case Running:
    case Exited:
    case Reload:
    case ReloadSignal:
    case ReloadNotify:
        return enter_signal(StopSigterm, step);
    case Stop: // with the main process lost, the command goes on
        return control ? enter_signal(StopSigterm, step) : void();
    case StopPost:
        return control ? enter_signal(FinalSigterm, step) : void();
    case StopWatchdog:
    case StopSigterm:
    case StopSigkill:
    case FinalWatchdog:
    case FinalSigterm:
    case FinalSigkill: // TreeEmpty or the timeout goes on
    case Dead:
    case Failed:
    case AutoRestart:
        return;
    }
}

/// No process of the unit is left.
void Service::all_empty(Step& step) {
    switch (data_.state) {
    case Start:
    case StartPost: {
        const bool alone = !data_.main_guard && !data_.control_guard;
        if (!alone || waits_for_idle())
            return;
        if (service().type == unit::ServiceType::Forking && service().pid_file.empty())
            return data_.state == Start ? enter_start_post(step) : enter_running(step);
        note_failure(ServiceResult::Protocol,
                     service().pid_file.empty() ? "every process ended before READY=1 was sent"
                                                : "every process ended before PIDFile= named one");
        return enter_signal(StopSigterm, step);
    }
    case Running:
    case ReloadSignal:
    case ReloadNotify:
        if (data_.main_recheck)
            return pid_file_unusable({}, step);
        if (!good())
            enter_running(step);
        return;
    case StopWatchdog:
    case StopSigterm:
    case StopSigkill:
    case FinalWatchdog:
    case FinalSigterm:
    case FinalSigkill:
        return settle(step);
    case Dead:
    case Condition:
    case StartPre:
    case Exited:
    case Reload:
    case Stop:
    case StopPost:
    case Failed:
    case AutoRestart:
        return;
    }
}

// ---- the main process ended ---------------------------------------------------------------------

/// `exit` is nothing when the guard was lost with it; `text` says more, where the command could not
/// be executed.
void Service::main_exited(const std::optional<base::ExitInfo>& exit,
                          const std::string& text,
                          Step& step) {
    data_.main_guard = GuardId{};
    data_.main_lost = false;
    data_.last_main_pid = std::exchange(data_.main_pid, 0);
    data_.main_exit = exit;
    data_.main_exited = step.now;
    if (!exit || !recheck_pid_file(step))
        main_gone(text, step);
}

void Service::main_gone(const std::string& text, Step& step) {
    const std::optional<base::ExitInfo>& exit = data_.main_exit;
    const unit::Command* const started = command(ExecList::Start, data_.main_index);
    const ProcessKind kind =
        service().type == unit::ServiceType::Oneshot ? ProcessKind::Command : ProcessKind::Daemon;
    ServiceResult f =
        exit ? result_of(*exit, kind, service().success_exit_status) : ServiceResult::GuardLost;
    if (data_.result == ServiceResult::Success &&
        (f != ServiceResult::Success || !data_.forbid_restart))
        data_.last_failure = main_exit_words(text);
    if (exit && started != nullptr && started->ignore_failure)
        f = ServiceResult::Success;
    note_failure(f, data_.last_failure);
    if (data_.state == StopSigterm && std::exchange(data_.notify_stopping, false))
        return enter_signal(StopSigterm,
                            step); // it went by itself; the others have not been asked yet
    act_on_main_exit(f, step);
}

/// A forking daemon may have handed over to a successor and named it in PIDFile= before it went.
bool Service::recheck_pid_file(Step& step) {
    const bool up =
        data_.state == Running || data_.state == ReloadSignal || data_.state == ReloadNotify;
    if (!up || service().type != unit::ServiceType::Forking || service().pid_file.empty())
        return false;
    data_.main_recheck = true;
    data_.retry_deadline = step.now.mono + 1s;
    step.out.emplace_back(ReadPidFile{service().pid_file});
    return true;
}

void Service::act_on_main_exit(ServiceResult f, Step& step) {
    const bool cgroup_lives =
        service().exit_type == unit::ExitType::Cgroup && !data_.guards.empty();
    switch (data_.state) {
    case Start:
        return main_exited_in_start(f, step);
    case StartPost:
    case Reload: // a control command runs: its end decides
        if (!data_.control_guard && !cgroup_lives)
            enter_running(step);
        return;
    case Running:
    case ReloadSignal:
    case ReloadNotify:
        if (!cgroup_lives)
            enter_running(step);
        return;
    case StopWatchdog:
    case StopSigterm:
    case StopSigkill:
    case FinalWatchdog:
    case FinalSigterm:
    case FinalSigkill:
        return settle(step);
    case Dead:
    case Condition:
    case StartPre:
    case Exited:
    case Stop:
    case StopPost:
    case Failed:
    case AutoRestart:
        return;
    }
}

// ---- a control command ended --------------------------------------------------------------------

void Service::control_exited(const std::optional<base::ExitInfo>& exit,
                             const std::string& text,
                             Step& step) {
    const ExecList list = data_.control_list;
    const unit::Command* const ran = command(list, data_.control_index);
    const std::uint32_t next = data_.control_index + 1;
    const GuardId guard = std::exchange(data_.control_guard, GuardId{});
    data_.control_pid = 0;

    ServiceResult f = ServiceResult::GuardLost;
    if (exit)
        f = result_of(*exit, ProcessKind::Command, service().success_exit_status);
    if (f == ServiceResult::ExitCode && list == ExecList::Condition && exit->status < 255)
        f = ServiceResult::ExecCondition;
    if (exit && ran != nullptr && ran->ignore_failure)
        f = ServiceResult::Success;

    // These may not leave processes behind for the service to trip over.
    if ((list == ExecList::Condition || list == ExecList::StartPre) && exit && owns(guard))
        step.out.emplace_back(Signal{guard, KillScope::Tree, 0, SIGKILL, false});

    if (list == ExecList::Reload) { // a failed reload is not a failed service
        if (f != ServiceResult::Success)
            say(Severity::Error, "reload failed: " + control_exit_words(exit, text), step);
    } else {
        note_failure(f, control_exit_words(exit, text));
    }
    const bool stopping = data_.state == StopWatchdog || data_.state == StopSigterm ||
                          data_.state == StopSigkill || data_.state == FinalWatchdog ||
                          data_.state == FinalSigterm || data_.state == FinalSigkill;
    const bool cut_short = list == ExecList::Reload && data_.ending;
    if (f == ServiceResult::Success && !stopping && !cut_short && list != ExecList::Start &&
        command(list, next) != nullptr)
        return spawn(list, next, false, step);
    if (data_.state == Start && f == ServiceResult::Success)
        return find_main(guard, step);
    act_on_control_exit(f, step);
}

void Service::act_on_control_exit(ServiceResult f, Step& step) {
    const bool fine = f == ServiceResult::Success;
    switch (data_.state) {
    case Condition:
        return fine ? enter_start_pre(step) : enter_signal(StopSigterm, step);
    case StartPre:
        return fine ? enter_start(step) : enter_signal(StopSigterm, step);
    case StartPost:
        return fine ? finish_start_post(step) : enter_signal(StopSigterm, step);
    case Reload:
        return reload_commands_done(f, step);
    case Start: // the start command of Type=forking failed
    case Stop:
        return enter_signal(StopSigterm, step);
    case StopPost:
        return enter_signal(FinalSigterm, step);
    case StopWatchdog:
    case StopSigterm:
    case StopSigkill:
    case FinalWatchdog:
    case FinalSigterm:
    case FinalSigkill:
        return settle(step);
    case Dead:
    case Running:
    case Exited:
    case ReloadSignal:
    case ReloadNotify:
    case Failed:
    case AutoRestart:
        return;
    }
}

} // namespace monoinit::supervise
