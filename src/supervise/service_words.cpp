// What people read about a service. The engine puts the unit's name in front.
// Tested by tests/unit/supervise/service_test.cpp.

#include "supervise/service_words.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "supervise/service.hpp"

#include <algorithm>

namespace monoinit::supervise {

std::string_view directive_of(unit::ExecList list) {
    switch (list) {
    case unit::ExecList::Condition:
        return "ExecCondition=";
    case unit::ExecList::StartPre:
        return "ExecStartPre=";
    case unit::ExecList::Start:
        return "ExecStart=";
    case unit::ExecList::StartPost:
        return "ExecStartPost=";
    case unit::ExecList::Reload:
        return "ExecReload=";
    case unit::ExecList::Stop:
        return "ExecStop=";
    case unit::ExecList::StopPost:
        return "ExecStopPost=";
    }
    return {};
}

std::string span_words(base::Duration span) {
    using namespace std::chrono_literals;
    if (span >= 1ms && span < 1s)
        return fmt::format("{} ms", span / 1ms);
    return span.count() == 0 ? "0 s" : base::human_time_span(span);
}

std::string exit_words(const base::ExitInfo& exit, const std::string& text) {
    // Statuses from 200 on name the step that failed; below that none of the service's processes has exited with it.
    constexpr int first_step = 200;
    if (!text.empty() && !exit.is_signal() && exit.status < first_step)
        return base::printable(text, 1024);
    if (!text.empty())
        return base::describe(exit) + ": " + base::printable(text, 1024);
    return (exit.is_signal() ? "killed (" : "exited (") + base::describe(exit) + ")";
}

void Service::say(Severity severity, std::string text, Step& step) {
    step.out.emplace_back(Say{severity, std::move(text)});
}

void Service::note_failure(ServiceResult f, std::string text) {
    if (f == ServiceResult::Success || data_.result != ServiceResult::Success)
        return; // the first failure is the one that counts
    data_.result = f;
    data_.last_failure = std::move(text);
}

std::string Service::main_exit_words(const std::string& text) const {
    if (!data_.main_exit)
        return "its guard was killed; main process unknown";
    if (!text.empty() || !data_.main_started)
        return exit_words(*data_.main_exit, text);
    const base::Duration up = data_.main_exited.mono - data_.main_started.mono;
    return exit_words(*data_.main_exit, text) + " after " + base::human_time_span(up);
}

std::string Service::control_exit_words(const std::optional<base::ExitInfo>& exit,
                                        const std::string& text) const {
    const std::string directive(directive_of(data_.control_list));
    if (!exit)
        return directive + ": its guard was killed";
    return directive + (text.empty() ? " " : ": ") + exit_words(*exit, text);
}

void Service::say_up(Step& step) const {
    if (data_.state == ServiceState::Exited) {
        if (service().type == unit::ServiceType::Oneshot)
            return say(Severity::Info,
                       "done in " + base::human_time_span(step.now.mono - data_.start_began.mono),
                       step);
        return say(
            Severity::Info, data_.last_failure + "; stays active (RemainAfterExit=yes)", step);
    }
    std::string user = config_->exec->user;
    if (!config_->exec->group.empty())
        user += ":" + config_->exec->group;
    std::string detail =
        data_.main_pid != 0 ? fmt::format("pid {}", data_.main_pid) : std::string();
    if (!user.empty())
        detail += (detail.empty() ? "" : ", ") + user;
    say(Severity::Info, detail.empty() ? "started" : "started (" + detail + ")", step);
}

/// `withheld`: Restart= asks for a restart that is not carried out.
void Service::say_end(std::optional<base::Duration> restart_in, bool withheld, Step& step) const {
    const bool failed = data_.result != ServiceResult::Success;
    const std::string note = withheld ? "; not restarted: this container is orchestrated" : "";
    if (restart_in) {
        const std::uint32_t attempt =
            data_.backoff_step > 0 ? data_.backoff_step : data_.restarts + 1;
        return say(failed ? Severity::Warning : Severity::Notice,
                   fmt::format("{}; restarting in {} (attempt {})",
                               data_.last_failure,
                               span_words(*restart_in),
                               attempt),
                   step);
    }
    if (data_.result == ServiceResult::ExecCondition)
        return say(Severity::Info, "skipped: " + data_.last_failure, step);
    if (failed)
        return say(Severity::Error, "failed: " + data_.last_failure + note, step);
    if (data_.forbid_restart)
        return say(Severity::Info, "stopped", step);
    if (service().type == unit::ServiceType::Oneshot) {
        const Moment end = data_.main_exited ? data_.main_exited : step.now;
        return say(Severity::Info,
                   "done in " + base::human_time_span(end.mono - data_.start_began.mono),
                   step);
    }
    say(Severity::Info, (data_.last_failure.empty() ? "ended" : data_.last_failure) + note, step);
}

} // namespace monoinit::supervise
