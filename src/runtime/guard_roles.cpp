// Whose a process is: which unit's guard stands above it, and what it is to that unit. Tested by tests/system/notify.py.
#include "runtime/guards.hpp"

#include "sys/proc.hpp"

namespace monoinit::runtime {

base::UnitId Guards::unit_above(int pid) const {
    for (int at = sys::parent_of(pid), depth = 0; at > 1 && depth < 1000; at = sys::parent_of(at), depth++)
        if (const auto found = by_pid_.find(at); found != by_pid_.end())
            return guards_.at(found->second).unit;
    return {};
}

base::GuardId Guards::guard_above(base::UnitId unit, int pid) const {
    // At most as deep as processes nest; a loop cannot be, but pids change while one looks.
    for (int at = pid, depth = 0; at > 1 && depth < 1000; at = sys::parent_of(at), depth++) {
        const auto found = by_pid_.find(at);
        if (found == by_pid_.end())
            continue;
        // The guard itself sends no notifications.
        return guards_.at(found->second).unit == unit && at != pid ? found->second : base::GuardId{};
    }
    // Reaped already, but we have not heard of it: only then can a command's number lead nowhere.
    if (const auto own = by_unit_.find(unit); own != by_unit_.end() && pid > 1 && sys::parent_of(pid) == 0)
        for (const base::GuardId id : own->second)
            if (guards_.at(id).main_pid == pid)
                return id;
    return {};
}

supervise::Notified::Sender Guards::role_of(base::UnitId unit, int pid, base::GuardId guard) const {
    using Sender = supervise::Notified::Sender;
    const engine::UnitStatus status = links_.status(unit);
    if (status.service == nullptr)
        return Sender::Tree;
    const supervise::Service::Data& service = *status.service;
    // A message can overtake the guard's report of the pid; a child of the guard's own is the command then.
    const auto is = [&](int known, base::GuardId owner) {
        return known != 0 ? pid == known : guard == owner && sys::parent_of(pid) == guards_.at(guard).pid;
    };
    if (is(service.main_pid, service.main_guard))
        return Sender::Main;
    return is(service.control_pid, service.control_guard) ? Sender::Control : Sender::Tree;
}

std::array<std::uint8_t, 16> Guards::credentials_of(base::UnitId unit) const {
    const auto found = credentials_.find(unit);
    return found != credentials_.end() ? found->second : links_.invocation(unit); // not known after a re-exec
}

bool Guards::is_unit_user(base::UnitId unit, unsigned uid) const {
    const engine::UnitStatus status = links_.status(unit);
    if (uid == 0)
        return true;
    const std::string& user = status.config->exec->user;
    if (user.empty())
        return uid == links_.manager.uid;
    const auto account = links_.manager.accounts.user(user);
    return account && account->uid == uid;
}

} // namespace monoinit::runtime
