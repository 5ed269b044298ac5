// How a service goes down: ExecStop=, the signals of systemd.kill(5), ExecStopPost=, and what comes
// after: dead, failed or another start. Each signal state is left as soon as nothing is left to
// wait for. Tested by tests/unit/supervise/service_test.cpp.

#include "base/fmt.hpp"
#include "supervise/backoff.hpp"
#include "supervise/restart_policy.hpp"
#include "supervise/service.hpp"
#include "supervise/service_states.hpp"
#include "supervise/service_words.hpp"

#include <csignal>

namespace monoinit::supervise {

using enum ServiceState;
using unit::ExecList;
using unit::KillMode;

// ---- requests -----------------------------------------------------------------------------------

void Service::stop(Moment now, std::vector<Action>& out, bool for_restart) {
    Step step{now, out};
    switch (data_.state) {
    case Dead:
    case Failed:
        return;
    case AutoRestart:
        data_.will_restart = false;
        if (data_.state_deadline != base::never)
            say(Severity::Info, "stopped; its restart is cancelled", step);
        return enter(Dead, step);
    case Condition:
    case StartPre:
    case Start:
    case StartPost: // not up yet: no ExecStop=
        data_.forbid_restart = true;
        data_.stop_for_restart = for_restart;
        return enter_signal(StopSigterm, step);
    case Reload:
    case ReloadSignal:
    case ReloadNotify:
    case Running:
    case Exited:
        data_.forbid_restart = true;
        data_.stop_for_restart = for_restart;
        if (data_.state == Reload)
            kill_control(step);
        return enter_stop(step);
    case Stop:
    case StopWatchdog:
    case StopSigterm:
    case StopSigkill:
    case StopPost:
    case FinalWatchdog:
    case FinalSigterm:
    case FinalSigkill:
        data_.forbid_restart = true;
        data_.stop_for_restart = for_restart;
        return;
    }
}

void Service::kill(KillWho who, int signal, std::vector<Action>& out) {
    Step step{data_.state_entered, out};
    switch (who) {
    case KillWho::Main:
        if (data_.main_guard)
            signal_main(signal, step);
        return;
    case KillWho::Control:
        if (data_.control_guard)
            out.emplace_back(Signal{data_.control_guard, KillScope::Main, 0, signal, false});
        return;
    case KillWho::All:
        return signal_all(signal, false, step);
    }
}

void Service::force_kill(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    sigkill_at_ = std::min(sigkill_at_, now.mono);
    data_.forbid_restart = true;
    switch (data_.state) {
    case Dead:
    case Failed: // what KillMode= spared
        return signal_all(SIGKILL, false, step);
    case AutoRestart:
        signal_all(SIGKILL, false, step);
        return stop(now, out);
    case Condition:
    case StartPre:
    case Start:
    case StartPost:
    case Running:
    case Exited:
    case Reload:
    case ReloadSignal:
    case ReloadNotify:
    case Stop:
    case StopWatchdog:
    case StopSigterm:
    case StopSigkill:
        return enter_signal(StopSigkill, step);
    case StopPost:
    case FinalWatchdog:
    case FinalSigterm:
    case FinalSigkill:
        return enter_signal(FinalSigkill, step);
    }
}

// ---- the way down -------------------------------------------------------------------------------

void Service::enter_stop(Step& step) {
    if (command(ExecList::Stop, 0) == nullptr || past_kill(step.now.mono))
        return enter_signal(StopSigterm, step);
    enter(Stop, step);
    spawn(ExecList::Stop, 0, false, step);
}

/// Signals what KillMode= says and waits for it; goes straight on when there is nothing to wait
/// for.
void Service::enter_signal(ServiceState state, Step& step) {
    if (past_kill(step.now.mono))
        state = is_stop_signal(state) ? StopSigkill : FinalSigkill;
    const bool gate = is_stop_signal(state) && !is_stop_signal(data_.state);
    if (gate || waits(state, step.now.mono)) {
        if (data_.state != state)
            enter(state, step);
        if (data_.state != state)
            return; // no such edge: enter() has dealt with it
        send_signals(state, step);
        if (waits(state, step.now.mono))
            return;
    }
    after_signal(state, step);
}

/// Something ended in a signal state: goes on when it was the last.
void Service::settle(Step& step) {
    if (!waits(data_.state, step.now.mono))
        after_signal(data_.state, step);
}

void Service::after_signal(ServiceState state, Step& step) {
    const Instant now = step.now.mono;
    if (is_stop_signal(state)) {
        if (state != StopSigkill && may_sigkill(now) && waits(StopSigkill, now))
            return enter_signal(StopSigkill, step);
        return enter_stop_post(step);
    }
    if (state != FinalSigkill && may_sigkill(now) && waits(FinalSigkill, now))
        return enter_signal(FinalSigkill, step);
    enter_dead(step);
}

void Service::enter_stop_post(Step& step) {
    data_.control_guard = GuardId{};
    data_.control_pid = 0;
    if (command(ExecList::StopPost, 0) == nullptr || past_kill(step.now.mono))
        return enter_signal(FinalSigterm, step);
    enter(StopPost, step);
    spawn(ExecList::StopPost, 0, false, step);
}

void Service::enter_dead(Step& step) {
    const bool leftovers = has_leftovers(step.now.mono);
    if (leftovers) {
        if (data_.result == ServiceResult::ExecCondition) // no longer just skipped
            data_.result = ServiceResult::Success;
        note_failure(ServiceResult::Timeout, "some of its processes could not be ended");
        say(Severity::Error,
            "some of its processes could not be ended; it is not restarted beside them",
            step);
        data_.survivor = data_.main_guard ? data_.main_guard : data_.control_guard;
    }
    data_.main_guard = data_.control_guard = GuardId{};
    data_.main_pid = data_.control_pid = 0;
    data_.main_lost = false;

    const bool going_down = data_.forbid_restart || data_.ending || stop_pending_ || sigkill_at_ != base::never;
    const bool wanted = !going_down && !leftovers &&
                        (data_.restart_unhealthy || should_restart(service(), data_.result, data_.main_exit));
    const bool restart = wanted && policy_.restarts;
    data_.will_restart = restart;
    data_.flush_restarts = !restart && !data_.stop_for_restart;
    const base::Duration delay = restart ? restart_delay() : base::Duration{};
    say_end(restart ? std::optional(delay) : std::nullopt, wanted && !restart, step);
    tidy_up(restart, step);

    const bool failed =
        data_.result != ServiceResult::Success && data_.result != ServiceResult::ExecCondition;
    if (!restart || service().restart_mode != unit::RestartMode::Direct)
        enter(failed ? Failed : Dead, step);
    if (!restart)
        return emergency(step);
    enter(AutoRestart, step);
    data_.state_deadline = step.now.mono + delay;
}

base::Duration Service::restart_delay() {
    if (!policy_.default_backoff || service().restart_timing_set) {
        data_.backoff_step = 0;
        return configured_delay(service(), data_.restarts + 1);
    }
    const Moment since = data_.main_started ? data_.main_started : data_.start_began;
    const Moment until =
        data_.main_started && data_.main_exited ? data_.main_exited : data_.state_entered;
    if (until.mono - since.mono >= policy_.backoff_reset)
        data_.backoff_step = 0;
    return doubling_delay(policy_.backoff_first, policy_.backoff_max, data_.backoff_step++);
}

/// What a service that is down leaves behind. Done before others hear of it, so that a new start
/// finds it clean.
void Service::tidy_up(bool restart, Step& step) {
    const unit::ExecSection& exec = *config_->exec;
    bool keep = exec.directories[static_cast<std::size_t>(unit::DirectoryKind::Runtime)].paths.empty();
    if (!keep) {
        switch (exec.runtime_directory_preserve) {
        case unit::Preserve::No:
            break;
        case unit::Preserve::Yes:
            keep = true;
            break;
        case unit::Preserve::Restart:
            keep = restart || data_.stop_for_restart;
            break;
        }
    }
    if (!keep || !exec.credentials->empty())
        step.out.emplace_back(RemoveDirectories{!keep});
    const unit::Preserve stored = service().file_descriptor_store_preserve;
    const bool keeps = stored == unit::Preserve::Yes || (stored == unit::Preserve::Restart && (restart || data_.stop_for_restart));
    if (service().file_descriptor_store_max > 0 && !keeps)
        step.out.emplace_back(ReleaseStored{});
    if (!service().pid_file.empty())
        step.out.emplace_back(RemovePidFile{service().pid_file});
}

void Service::emergency(Step& step) const {
    const unit::UnitSection& u = config_->unit;
    const bool failed = data_.state == Failed;
    const unit::EmergencyAction action = failed ? u.failure_action : u.success_action;
    if (action == unit::EmergencyAction::None || data_.result == ServiceResult::ExecCondition)
        return;
    const auto& configured = failed ? u.failure_action_exit_status : u.success_action_exit_status;
    std::optional<int> status;
    if (configured)
        status = *configured;
    else if (data_.main_exit) // systemd gives 255 where there is no status to pass on
        status = data_.main_exit->is_signal() ? 255 : data_.main_exit->status;
    else if (!failed)
        status = 0;
    step.out.emplace_back(
        Emergency{action, status, config_->name + (failed ? " failed" : " ended"), failed});
}

// ---- signals ------------------------------------------------------------------------------------

bool Service::past_kill(Instant now) const {
    return now >= sigkill_at_;
}

/// At the end of a shutdown nothing is spared.
KillMode Service::kill_mode(Instant now) const {
    return past_kill(now) ? KillMode::ControlGroup : config_->kill->mode;
}

bool Service::may_sigkill(Instant now) const {
    return past_kill(now) || config_->kill->send_sigkill;
}

/// Whether a signal state has something to wait for.
bool Service::waits(ServiceState state, Instant now) const {
    const bool commands = data_.main_guard || data_.control_guard;
    switch (kill_mode(now)) {
    case KillMode::None:
        return data_.main_lost;
    case KillMode::Process:
        return commands;
    case KillMode::Mixed:
        // Without SIGKILL to come the others get the same time as the main process.
        return commands || ((is_sigkill(state) || !may_sigkill(now)) && !data_.guards.empty());
    case KillMode::ControlGroup:
        return commands || !data_.guards.empty();
    }
    return false;
}

/// Processes that stand in the way of another start.
bool Service::has_leftovers(Instant now) const {
    switch (kill_mode(now)) {
    case KillMode::None:
        return data_.main_lost || owns(data_.survivor);
    case KillMode::Process:
        return data_.main_guard || data_.control_guard || owns(data_.survivor);
    case KillMode::Mixed:
    case KillMode::ControlGroup:
        return !data_.guards.empty();
    }
    return false;
}

void Service::send_signals(ServiceState state, Step& step) {
    const unit::KillSection& kill = *config_->kill;
    const bool term = state == StopSigterm || state == FinalSigterm,
               abort = state == StopWatchdog || state == FinalWatchdog;
    int signal = kill.final_kill_signal;
    if (abort)
        signal = kill.watchdog_signal;
    else if (term)
        signal = data_.stop_for_restart && kill.restart_kill_signal != 0 ? kill.restart_kill_signal
                                                                         : kill.kill_signal;
    if (past_kill(step.now.mono))
        signal = SIGKILL;
    const bool hup = term && kill.send_sighup;

    const KillMode mode = kill_mode(step.now.mono);
    const bool everything =
        mode == KillMode::ControlGroup || (mode == KillMode::Mixed && is_sigkill(state));
    if (everything)
        return signal_all(signal, hup, step);
    if (mode == KillMode::None && !data_.main_lost)
        return;
    if (data_.main_guard) {
        if (data_.main_lost) // its guard cannot tell it from the others
            step.out.emplace_back(Signal{data_.main_guard, KillScope::Tree, 0, signal, hup});
        else if (data_.main_alien)
            step.out.emplace_back(
                Signal{data_.main_guard, KillScope::Pid, data_.main_pid, signal, hup});
        else
            step.out.emplace_back(Signal{data_.main_guard, KillScope::Main, 0, signal, hup});
    }
    if (data_.control_guard)
        step.out.emplace_back(Signal{data_.control_guard, KillScope::Main, 0, signal, hup});
}

void Service::signal_all(int signal, bool then_sighup, Step& step) {
    for (const GuardId guard : data_.guards)
        step.out.emplace_back(Signal{guard, KillScope::Tree, 0, signal, then_sighup});
}

void Service::signal_main(int signal, Step& step) {
    const KillScope scope = data_.main_alien ? KillScope::Pid : KillScope::Main;
    step.out.emplace_back(
        Signal{data_.main_guard, scope, data_.main_alien ? data_.main_pid : 0, signal, false});
}

/// Ends a control command that is no longer wanted, without waiting for it.
void Service::kill_control(Step& step) {
    if (!data_.control_guard)
        return;
    // A reload may have made a new main process below this guard.
    const KillScope scope =
        data_.control_guard == data_.main_guard ? KillScope::Main : KillScope::Tree;
    step.out.emplace_back(Signal{data_.control_guard, scope, 0, SIGKILL, false});
    data_.control_guard = GuardId{};
    data_.control_pid = 0;
}

} // namespace monoinit::supervise
