// OnUnhealthy=restart as the machine sees it: a failure like a missed watchdog, after which the service comes back whatever
// Restart= says, with the wait and the counting of other failures. Tested by tests/unit/supervise/service_health_test.cpp.
#include "supervise/service.hpp"
#include "supervise/service_states.hpp"

namespace monoinit::supervise {

using enum ServiceState;

void Service::fail_health(std::string reason, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    switch (data_.state) {
    case Running:
    case Exited:
    case Reload:
    case ReloadSignal:
    case ReloadNotify:
        note_failure(ServiceResult::Watchdog, std::move(reason));
        data_.restart_unhealthy = true;
        if (data_.state == Reload)
            kill_control(step);
        return enter_stop(step);
    case Dead:
    case Condition:
    case StartPre:
    case Start:
    case StartPost:
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
        return; // on its way already
    }
}

} // namespace monoinit::supervise
