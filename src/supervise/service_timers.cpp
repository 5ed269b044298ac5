// Time in a service's life: which timeout runs in which state, the watchdog, RuntimeMaxSec=, and
// what happens when one is over. A shutdown caps them all. Tested by
// tests/unit/supervise/service_stop_test.cpp and service_notify_test.cpp.

#include "base/fmt.hpp"
#include "supervise/service.hpp"
#include "supervise/service_states.hpp"
#include "supervise/service_words.hpp"

#include <algorithm>
#include <csignal>

namespace monoinit::supervise {

using enum ServiceState;
using unit::TimeoutFailureMode;
using namespace std::chrono_literals;

namespace {

/// What TimeoutStopFailureMode= (or …Start…) makes of a timeout.
ServiceState failure_state(TimeoutFailureMode mode,
                           ServiceState terminate,
                           ServiceState abort,
                           ServiceState kill) {
    switch (mode) {
    case TimeoutFailureMode::Terminate:
        return terminate;
    case TimeoutFailureMode::Abort:
        return abort;
    case TimeoutFailureMode::Kill:
        return kill;
    }
    return terminate;
}

} // namespace

void Service::arm_state_timer(Instant now) {
    base::Duration span = base::infinity;
    switch (traits(data_.state).arms) {
    case Arms::None:
    case Arms::RestartDelay: // enter_dead() knows how long
        break;
    case Arms::StartTimeout:
        span = service().effective_timeout_start();
        break;
    case Arms::StopTimeout:
        span = service().timeout_stop;
        break;
    case Arms::AbortTimeout:
        span = service().timeout_abort.value_or(service().timeout_stop);
        break;
    }
    if (span.count() == 0)
        span = base::infinity;
    data_.state_deadline = capped(now + span);
}

/// Shutdown leaves until sigkill_at_: ExecStop= gets half of it, so that SIGTERM still comes some
/// time before SIGKILL.
Instant Service::capped(Instant wanted) const {
    if (sigkill_at_ == base::never)
        return wanted;
    const Instant entered = data_.state_entered.mono;
    switch (data_.state) {
    case Stop:
        return std::min(wanted, entered + std::max(base::Duration{}, sigkill_at_ - entered) / 2);
    case StopWatchdog:
    case StopSigterm:
    case StopPost:
    case FinalWatchdog:
    case FinalSigterm:
        return std::min(wanted, sigkill_at_);
    case StopSigkill:
    case FinalSigkill:
        return std::min(wanted, std::max(sigkill_at_, entered) + 1s);
    case Dead:
    case Condition:
    case StartPre:
    case Start:
    case StartPost:
    case Running:
    case Exited:
    case Reload:
    case ReloadSignal:
    case ReloadNotify:
    case Failed:
    case AutoRestart:
        return wanted;
    }
    return wanted;
}

base::Duration Service::watchdog_span() const {
    const base::Duration span =
        data_.watchdog_override.count() != 0 ? data_.watchdog_override : service().watchdog;
    return span == base::infinity ? base::Duration{} : span;
}

void Service::arm_watchdog(Instant now) {
    const base::Duration span = watchdog_span();
    data_.watchdog_deadline = span.count() == 0 ? base::never : now + span;
}

void Service::set_stop_deadline(Instant sigkill_at) {
    sigkill_at_ = sigkill_at;
    data_.state_deadline = capped(data_.state_deadline);
}

Instant Service::deadline() const {
    Instant earliest =
        std::min({data_.state_deadline, data_.retry_deadline, data_.watchdog_deadline});
    if (data_.state == Running)
        earliest = std::min(earliest, data_.runtime_deadline);
    return earliest;
}

void Service::on_deadline(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (now.mono >= data_.state_deadline)
        return state_timed_out(step);
    if (now.mono >= data_.retry_deadline) {
        data_.retry_deadline = base::never;
        if (data_.main_recheck)
            return pid_file_unusable({}, step);
        if (waits_for_idle())
            return release_idle(now, out);
        out.emplace_back(ReadPidFile{service().pid_file});
        return;
    }
    if (now.mono >= data_.watchdog_deadline && !policy_.watchdogs) {
        data_.watchdog_deadline = base::never; // the next ping arms it again
        say(Severity::Notice, "no WATCHDOG=1 for " + span_words(watchdog_span()) + "; service-watchdogs is off", step);
    }
    if (now.mono >= data_.watchdog_deadline) {
        note_failure(ServiceResult::Watchdog, "no WATCHDOG=1 for " + span_words(watchdog_span()));
        say(Severity::Warning, data_.last_failure + "; aborting it", step);
        return enter_signal(StopWatchdog, step);
    }
    if (data_.state == Running && now.mono >= data_.runtime_deadline) {
        note_failure(ServiceResult::Timeout,
                     "reached RuntimeMaxSec=" + base::format_time_span(service().runtime_max));
        return enter_stop(step);
    }
}

void Service::state_timed_out(Step& step) {
    data_.state_deadline = base::never;
    switch (data_.state) {
    case Condition:
    case StartPre:
    case Start:
    case StartPost:
        return start_timed_out(step);
    case Reload:
    case ReloadSignal:
    case ReloadNotify:
        return finish_reload(ServiceResult::Timeout, step);
    case Stop:
    case StopPost:
        return stop_timed_out(step);
    case StopWatchdog:
    case StopSigterm:
    case StopSigkill:
    case FinalWatchdog:
    case FinalSigterm:
    case FinalSigkill:
        return signal_timed_out(step);
    case AutoRestart: // stays here until the restart job comes
        data_.restarts++;
        step.out.emplace_back(RestartDue{});
        return;
    case Dead:
    case Failed:
    case Running:
    case Exited:
        return;
    }
}

bool Service::restart_is_due() const {
    return data_.state == AutoRestart && data_.state_deadline == base::never;
}

void Service::ask_restart_again(Moment now) {
    if (!restart_is_due())
        return;
    data_.restarts--; // it is the same restart
    data_.state_deadline = now.mono;
}

// ---- timeouts -----------------------------------------------------------------------------------

void Service::start_timed_out(Step& step) {
    std::string why;
    if (data_.last_failure.starts_with("PIDFile="))
        why = " (" + data_.last_failure + ")";
    else if (data_.state == Start && service().type == unit::ServiceType::Dbus)
        why = " (nobody has taken the bus name " + service().bus_name + ")";
    const std::string text =
        "start timed out after " + span_words(service().effective_timeout_start()) + why;
    note_failure(ServiceResult::Timeout, text);
    say(Severity::Warning, text + "; stopping it", step);
    enter_signal(
        failure_state(service().timeout_start_failure_mode, StopSigterm, StopWatchdog, StopSigkill),
        step);
}

/// ExecStop= or ExecStopPost= takes too long.
void Service::stop_timed_out(Step& step) {
    const std::string text =
        fmt::format("{} timed out after {}",
                    directive_of(data_.control_list),
                    base::human_time_span(step.now.mono - data_.state_entered.mono));
    if (sigkill_at_ == base::never)
        note_failure(ServiceResult::Timeout, text);
    say(Severity::Warning, text + "; stopping it", step);
    const TimeoutFailureMode mode = service().timeout_stop_failure_mode;
    if (data_.state == Stop)
        return enter_signal(failure_state(mode, StopSigterm, StopWatchdog, StopSigkill), step);
    enter_signal(failure_state(mode, FinalSigterm, FinalWatchdog, FinalSigkill), step);
}

/// The processes are still there.
void Service::signal_timed_out(Step& step) {
    const ServiceState state = data_.state;
    const Instant now = step.now.mono;
    const bool in_stop = is_stop_signal(state);
    const std::string waited = base::human_time_span(now - data_.state_entered.mono);
    note_failure(ServiceResult::Timeout, "stop timed out after " + waited);
    if (!is_sigkill(state)) {
        const bool abort = (state == StopSigterm || state == FinalSigterm) &&
                           service().timeout_stop_failure_mode == TimeoutFailureMode::Abort &&
                           !past_kill(now);
        if (abort || may_sigkill(now)) {
            const int signal = abort
                                   ? config_->kill->watchdog_signal
                                   : (past_kill(now) ? SIGKILL : config_->kill->final_kill_signal);
            say(Severity::Warning,
                fmt::format("did not end within {}; sending {}", waited, base::signal_name(signal)),
                step);
            if (abort)
                return enter_signal(in_stop ? StopWatchdog : FinalWatchdog, step);
            return enter_signal(in_stop ? StopSigkill : FinalSigkill, step);
        }
    }
    if (in_stop)
        return enter_stop_post(step);
    enter_dead(step);
}

} // namespace monoinit::supervise
