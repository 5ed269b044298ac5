// The state of a service whose record is lost, from what its guards say. Tested by tests/system/crashes.py
// and tests/system/crash_points.py.

#include "supervise/service.hpp"

#include <algorithm>

namespace monoinit::supervise {

using enum ServiceState;
using unit::ExecList;
using unit::ServiceType;

void Service::take_up(const FoundCommand& found, Moment now) {
    if (std::ranges::find(data_.guards, found.guard) == data_.guards.end())
        data_.guards.push_back(found.guard);
    const bool forks = service().type == ServiceType::Forking;
    ServiceState state = Dead; // each list has one of its own
    switch (found.list) {
    case ExecList::Start:
        // A daemon's start command is a control process as long as it runs; what it has left behind is the daemon.
        if (service().type == ServiceType::Oneshot && !found.alive)
            return;
        if (!found.alive && !forks)
            return; // leftovers: KillMode=process and kin
        state = service().type == ServiceType::Oneshot ? Start : Running;
        data_.main_index = found.index;
        data_.main_started = found.started;
        data_.main_known = found.alive;
        data_.main_alien = forks && found.alive;
        data_.main_pid = found.alive ? found.pid : 0;
        data_.main_guard = found.alive ? found.guard : GuardId{};
        data_.start_succeeded = state == Running;
        data_.notify_ready = service().type == ServiceType::Notify || service().type == ServiceType::NotifyReload;
        break;
    case ExecList::Condition: state = Condition; break;
    case ExecList::StartPre: state = StartPre; break;
    case ExecList::StartPost: state = StartPost; break;
    case ExecList::Reload: state = Reload; break;
    case ExecList::Stop: state = Stop; break;
    case ExecList::StopPost: state = StopPost; break;
    }
    if (found.list != ExecList::Start) {
        if (!found.alive)
            return;
        data_.control_guard = found.guard;
        data_.control_pid = found.pid;
        data_.control_list = found.list;
        data_.control_index = found.index;
    }
    data_.state = state;
    data_.state_entered = now;
    data_.start_began = found.started;
    arm_state_timer(now.mono);
    if (state == Running)
        arm_watchdog(now.mono);
}

void Service::make_guard_again(GuardId guard, Moment now, std::vector<Action>& out) {
    if (guard == data_.main_guard || guard == data_.control_guard)
        out.emplace_back(what_to_spawn(guard));
    else
        on(TreeEmpty{guard}, now, out);
}

void Service::ask_again(std::vector<Action>& out) const {
    if (data_.main_guard && data_.main_alien && data_.main_pid != 0)
        out.emplace_back(WatchPid{data_.main_guard, data_.main_pid});
    const bool starting = (data_.state == Start || data_.state == StartPost) && !data_.control_guard && !data_.main_guard;
    if (service().type == ServiceType::Forking && !service().pid_file.empty() && (starting || data_.main_recheck))
        out.emplace_back(ReadPidFile{service().pid_file});
}

void Service::take_as_done(Moment now) {
    data_.state = Exited;
    data_.state_entered = data_.start_began = now;
    data_.start_succeeded = true;
}

} // namespace monoinit::supervise
