// What a service says about itself through sd_notify(3). Who may say it depends on NotifyAccess=.
// Tested by tests/unit/supervise/service_notify_test.cpp.

#include "base/fmt.hpp"
#include "supervise/notify.hpp"
#include "supervise/service.hpp"
#include "supervise/service_states.hpp"

namespace monoinit::supervise {

using enum ServiceState;
using unit::NotifyAccess;
using unit::ServiceType;

namespace {

bool may_notify(NotifyAccess access, Notified::Sender sender) {
    switch (sender) {
    case Notified::Sender::Main:
        return access != NotifyAccess::None;
    case Notified::Sender::Control:
        return access == NotifyAccess::Exec || access == NotifyAccess::All;
    case Notified::Sender::Tree:
    case Notified::Sender::GoneSameUser:
        return access == NotifyAccess::All;
    case Notified::Sender::Stranger:
        return false;
    }
    return false;
}

std::string_view access_words(NotifyAccess access) {
    switch (access) {
    case NotifyAccess::None:
        return "NotifyAccess=none";
    case NotifyAccess::Main:
        return "NotifyAccess=main takes only those of the main process";
    case NotifyAccess::Exec:
        return "NotifyAccess=exec takes only those of main and control processes";
    case NotifyAccess::All:
        return "not from a process of this service";
    }
    return {};
}

} // namespace

void Service::on(const Notified& event, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (!accepts(event, step))
        return;
    const std::optional<NotifyMessage> message = parse_notify(event.text);
    if (!message || message->barrier)
        return;
    if (message->main_pid)
        notified_main_pid(event, *message->main_pid, step);
    if (message->status)
        data_.status_text = *message->status;
    if (message->errnum)
        data_.notify_errno = *message->errnum;
    notified_descriptors(event, *message, step);
    if (message->extend_timeout_usec)
        extend_timeout(*message->extend_timeout_usec, now.mono);
    if (message->watchdog_usec) {
        data_.watchdog_override = *message->watchdog_usec;
        notified_watchdog(false, step);
    }
    if (message->reloading)
        notified_reloading(event, message->monotonic_usec, step);
    if (message->ready)
        notified_ready(step);
    if (message->stopping)
        notified_stopping(step);
    if (message->watchdog != NotifyMessage::Watchdog::None)
        notified_watchdog(message->watchdog == NotifyMessage::Watchdog::Trigger, step);
}

/// FDSTORE=1 and FDSTOREREMOVE=1. How many there may be is counted where they are kept.
void Service::notified_descriptors(const Notified& event, const NotifyMessage& message, Step& step) {
    if (message.fd_store_remove) {
        if (message.fd_named)
            step.out.emplace_back(RemoveStored{message.fd_name});
    } else if (message.fd_store && event.descriptors > 0 && service().file_descriptor_store_max > 0) {
        step.out.emplace_back(StoreDescriptors{event.offer, message.fd_name, message.fd_poll});
    } else if (message.fd_store && !std::exchange(data_.said_fd_store, true)) {
        say(Severity::Warning,
            fmt::format("FDSTORE=1: FileDescriptorStoreMax= is not set; {} closed", event.descriptors),
            step);
    }
}

bool Service::accepts(const Notified& event, Step& step) {
    const ActiveState active = active_state(data_.state);
    if (active == ActiveState::Inactive || active == ActiveState::Failed ||
        data_.state == AutoRestart)
        return false;
    const NotifyAccess access = service().effective_notify_access();
    if (may_notify(access, event.sender))
        return true;
    if (!data_.said_notify_ignored) {
        data_.said_notify_ignored = true;
        const bool stranger = event.sender == Notified::Sender::Stranger;
        say(Severity::Warning,
            fmt::format("notify message of pid {} ignored: {}",
                        event.pid,
                        access_words(stranger ? NotifyAccess::All : access)),
            step);
    }
    return false;
}

void Service::notified_main_pid(const Notified& event, int pid, Step& step) {
    switch (active_state(data_.state)) {
    case ActiveState::Inactive:
    case ActiveState::Failed:
    case ActiveState::Deactivating:
        return;
    case ActiveState::Activating:
    case ActiveState::Active:
    case ActiveState::Reloading:
        break;
    }
    if (data_.state == Condition || data_.state == StartPre || data_.state == Exited)
        return;
    if (!owns(event.mainpid_guard))
        return say(Severity::Warning,
                   fmt::format("MAINPID={} ignored: not a process of this service", pid),
                   step);
    set_main(pid, event.mainpid_guard, step);
}

/// Extends what runs now, never shortens it; a shutdown's deadline stays.
void Service::extend_timeout(base::Duration span, Instant now) {
    const Instant until = now + span;
    const bool timed = data_.state_deadline != base::never && data_.state != AutoRestart;
    if (timed)
        data_.state_deadline = capped(std::max(data_.state_deadline, until));
    if (data_.watchdog_deadline != base::never)
        data_.watchdog_deadline = std::max(data_.watchdog_deadline, until);
    if (data_.runtime_deadline != base::never)
        data_.runtime_deadline = std::max(data_.runtime_deadline, until);
}

void Service::notified_reloading(const Notified& event,
                                 std::optional<base::Duration> monotonic,
                                 Step& step) {
    data_.notify_reloading = true;
    // Type=notify-reload: the answer to our signal, unless it was sent before that.
    const base::Duration offset = event.boottime_offset.value_or(base::Duration{});
    const bool answers = data_.reload_begin.count() != 0 && monotonic &&
                         *monotonic != base::infinity &&
                         (!event.boottime_offset || *monotonic + offset >= data_.reload_begin);
    if (answers)
        data_.reload_begin = base::Duration{};
    if (data_.state == Running) {
        data_.reload_result = ServiceResult::Success;
        enter(ReloadNotify, step);
    } else if (data_.state == ReloadSignal && answers) {
        enter(ReloadNotify, step);
    }
}

void Service::notified_ready(Step& step) {
    data_.notify_ready = true;
    data_.notify_reloading = false;
    const bool notifies =
        service().type == ServiceType::Notify || service().type == ServiceType::NotifyReload;
    const bool spawned = data_.main_pid != 0 || !data_.main_guard; // else main_spawned() goes on
    if (data_.state == Start && notifies && spawned)
        enter_start_post(step);
    else if (data_.state == ReloadNotify)
        finish_reload(ServiceResult::Success, step);
}

/// It is going down by itself: as if it had been asked to, only that no signal is needed.
void Service::notified_stopping(Step& step) {
    data_.notify_stopping = true;
    data_.notify_reloading = false;
    if (data_.state == Running)
        enter(StopSigterm, step);
}

/// A service that gave its name up is down, as systemd has it; one whose name appears is up.
void Service::on(const BusNameChanged& event, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (service().type != ServiceType::Dbus)
        return;
    data_.bus_name_owned = event.owned;
    const bool spawned = data_.main_pid != 0 || !data_.main_guard; // else main_spawned() goes on
    if (data_.state == Start && event.owned && spawned && !data_.control_guard)
        enter_start_post(step);
    else if (data_.state == Running && !event.owned) {
        data_.last_failure = "it gave up its bus name " + service().bus_name;
        enter_running(step);
    }
}

void Service::notified_watchdog(bool trigger, Step& step) {
    const bool watched = traits(data_.state).watchdog;
    if (!trigger) {
        if (watched)
            arm_watchdog(step.now.mono);
        return;
    }
    if (!watched && data_.state != Start)
        return;
    note_failure(ServiceResult::Watchdog, "it sent WATCHDOG=trigger");
    say(Severity::Warning, "WATCHDOG=trigger; aborting it", step);
    enter_signal(StopWatchdog, step);
}

} // namespace monoinit::supervise
