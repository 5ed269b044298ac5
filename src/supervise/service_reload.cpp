// Reload: ExecReload=, the signal of Type=notify-reload, and their ends. A failed reload is not a
// failed service. Tested by tests/unit/supervise/service_test.cpp and service_notify_test.cpp.

#include "supervise/service.hpp"
#include "supervise/service_words.hpp"

namespace monoinit::supervise {

using enum ServiceState;
using unit::ExecList;
using unit::ServiceType;

bool Service::can_reload() const {
    return command(ExecList::Reload, 0) != nullptr || service().type == ServiceType::NotifyReload;
}

void Service::reload(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.state != Running && data_.state != Exited)
        return;
    data_.reload_result = ServiceResult::Success;
    data_.reload_begin = base::Duration{};
    const bool by_signal = service().type == ServiceType::NotifyReload && data_.main_guard;
    const bool by_command = command(ExecList::Reload, 0) != nullptr;
    enter(by_command || !by_signal ? Reload : ReloadSignal, step);
    if (by_signal) {
        data_.notify_reloading = false;
        data_.reload_begin = now.mono.since_boot;
        signal_main(service().reload_signal, step);
    }
    if (by_command)
        spawn(ExecList::Reload, 0, false, step);
    else if (!by_signal)
        finish_reload(ServiceResult::Success, step);
}

void Service::reload_commands_done(ServiceResult f, Step& step) {
    if (f != ServiceResult::Success)
        return finish_reload(f, step);
    if (service().type == ServiceType::Forking && !service().pid_file.empty())
        step.out.emplace_back(ReadPidFile{service().pid_file}); // some daemons fork anew
    if (!good())
        return finish_reload(f, step);
    if (data_.notify_reloading)
        return enter(ReloadNotify, step);
    if (data_.reload_begin.count() != 0)
        return enter(ReloadSignal, step);
    finish_reload(f, step);
}

void Service::finish_reload(ServiceResult f, Step& step) {
    if (f == ServiceResult::Timeout) {
        say(Severity::Error,
            "reload timed out after " + span_words(service().effective_timeout_start()) +
                "; it keeps running",
            step);
        kill_control(step);
    } else if (f == ServiceResult::Success) {
        say(Severity::Info, "reloaded", step);
    }
    data_.reload_result = f;
    data_.reload_begin = base::Duration{};
    data_.notify_reloading = false;
    enter_running(step);
}

} // namespace monoinit::supervise
