// Which process is the main one of a daemon that forks: named in PIDFile=, guessed, or told by
// MAINPID=. Tested by tests/unit/supervise/service_start_test.cpp.

#include "base/fmt.hpp"
#include "supervise/service.hpp"

namespace monoinit::supervise {

using enum ServiceState;
using unit::ExecList;
using unit::ServiceType;
using namespace std::chrono_literals;

namespace {

constexpr base::Duration pid_file_retry = 100ms;

} // namespace

void Service::find_main(GuardId start_guard, Step& step) {
    if (data_.main_guard) // MAINPID= was quicker
        return enter_start_post(step);
    if (!service().pid_file.empty())
        step.out.emplace_back(ReadPidFile{service().pid_file});
    else if (service().guess_main_pid && owns(start_guard))
        step.out.emplace_back(QueryTree{start_guard});
    else
        enter_start_post(step);
}

void Service::on(const TreeListed& event, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    const bool asked = data_.state == Start && service().type == ServiceType::Forking &&
                       !data_.control_guard && service().pid_file.empty();
    if (!asked || !owns(event.guard))
        return;
    if (event.direct == 1 && !event.pids.empty())
        set_main(event.pids.front(), event.guard, step);
    enter_start_post(step);
}

void Service::on(const PidFileRead& event, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (service().pid_file.empty() || service().type != ServiceType::Forking)
        return;
    const bool ended = !data_.main_guard && event.pid == data_.last_main_pid;
    if (event.pid <= 1 || ended || !owns(event.guard)) {
        const bool alien = event.pid > 1 && !ended;
        return pid_file_unusable(
            alien ? fmt::format("pid {} is not of this service", event.pid) : event.error, step);
    }
    switch (data_.state) {
    case Start:
        if (data_.control_guard)
            return;
        set_main(event.pid, event.guard, step);
        return enter_start_post(step);
    case StartPost:
        set_main(event.pid, event.guard, step);
        if (!data_.control_guard)
            enter_running(step);
        return;
    case Running:
    case ReloadSignal:
    case ReloadNotify:
        data_.main_recheck = false;
        data_.retry_deadline = base::never;
        return set_main(event.pid, event.guard, step);
    case Dead:
    case Condition:
    case StartPre:
    case Exited:
    case Reload:
    case Stop:
    case StopWatchdog:
    case StopSigterm:
    case StopSigkill:
    case StopPost:
    case FinalWatchdog:
    case FinalSigterm:
    case FinalSigkill:
    case Failed:
    case AutoRestart:
        return;
    }
}

/// The file is not there yet, or names nothing of ours: asked again until the start times out.
void Service::pid_file_unusable(const std::string& why, Step& step) {
    if (data_.main_recheck) { // no successor: the main process has simply ended
        data_.main_recheck = false;
        data_.retry_deadline = base::never;
        return main_gone({}, step);
    }
    const bool waiting = (data_.state == Start || data_.state == StartPost) &&
                         !data_.control_guard && !data_.main_guard;
    if (!waiting)
        return;
    if (data_.state == Start && command(ExecList::StartPost, 0) != nullptr)
        return enter_start_post(step);
    if (data_.guards.empty())
        return all_empty(step);
    const std::string named = "PIDFile=" + service().pid_file;
    if (why.starts_with(named))
        data_.last_failure = why;
    else
        data_.last_failure = named + (why.empty() ? " not written" : ": " + why);
    data_.retry_deadline = step.now.mono + pid_file_retry;
}

void Service::set_main(int pid, GuardId guard, Step& step) {
    if (pid == data_.main_pid || pid == data_.control_pid)
        return;
    data_.main_pid = pid;
    data_.main_guard = guard;
    data_.main_known = data_.main_alien = true;
    data_.main_lost = false;
    data_.main_exit.reset();
    data_.main_exited = Moment{};
    if (!data_.main_started)
        data_.main_started = step.now;
    step.out.emplace_back(WatchPid{guard, pid});
}

} // namespace monoinit::supervise
