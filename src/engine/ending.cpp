// The container ends because units have: an essential one (X-Essential=), with `orchestrated` the first that fails, with
// `exit_when_done` all. What somebody asked to stop is no reason, but for the last: then nothing is left to stay for.
// SuccessAction= and FailureAction= are the service machine's. Tested by tests/unit/engine/ending_test.cpp and tests/sim.

#include "engine/impl.hpp"

#include "base/fmt.hpp"
#include "base/signals.hpp"

namespace monoinit::engine {

using graph::JobType;
using supervise::ServiceResult;
using supervise::ServiceState;
using supervise::Severity;
using supervise::TimerState;

namespace {

bool is_down(ActiveState state) {
    return graph::is_down(static_cast<graph::Activity>(state));
}

} // namespace

/// Of a unit that goes down or is about to: by a stop or restart job. A restart that does not come off is no more asked for.
bool Engine::Impl::stop_is_asked(const Unit& unit) {
    return (unit.job && (unit.job->type == JobType::Stop || unit.job->type == JobType::Restart)) ||
           (unit.service && unit.service->data().forbid_restart);
}

/// The exit status of a container whose end this unit's is.
int Engine::Impl::exit_code(const Unit& unit) {
    if (!unit.service)
        return unit.active == ActiveState::Failed ? 1 : 0;
    const supervise::Service::Data& data = unit.service->data();
    if (!unit.health_failure.empty())
        return 1;
    if (data.result == ServiceResult::Success || data.result == ServiceResult::ExecCondition)
        return 0;
    if (!data.main_exit)
        return 1;
    if (data.main_exit->is_signal())
        return base::signal_exit_base + data.main_exit->status;
    return data.main_exit->status != 0 ? data.main_exit->status : 1; // failed for another reason: a timeout, ExecStopPost=
}

void Engine::Impl::container_follows(const Unit& unit, const Change& change, bool asked) {
    maybe_all_ended_ = true;
    if (stopping_.on || change.will_restart || is_down(change.before) || !is_down(change.after))
        return;
    const bool skipped = unit.service && unit.service->data().result == ServiceResult::ExecCondition;
    const bool essential = unit.config->type == unit::UnitType::Service && unit.config->service->essential && !skipped;
    const bool unhealthy = !unit.health_failure.empty(); // OnUnhealthy=stop: the stop job is the engine's own
    const bool failed = change.after == ActiveState::Failed || unhealthy;
    const bool fails = options_.orchestrated && failed && !unit.config->builtin;
    if (!essential && !fails)
        return;
    if (asked && !unhealthy) {
        if (essential && !unit.job) // else it is on its way up again
            log(Severity::Notice, unit.id, brief(unit) + ": essential, but a stop job has ended it: the container stays");
        return;
    }
    std::string reason = failed ? brief(unit) + " " + failure_words(unit) : brief(unit) + " ended";
    const int code = exit_code(unit);
    if (essential) {
        std::size_t others = 0;
        units_.each([&](const Unit& other) {
            others += other.id != unit.id && other.config->service->essential && !is_down(other.active) ? 1 : 0;
        });
        reason += fmt::format(" and is essential{}, so the container ends with {}",
                              others > 0 ? fmt::format(" (the first of {} to end decides)", others + 1) : "",
                              code);
    } else {
        reason += fmt::format(", so this orchestrated container ends with {}", code);
    }
    begin_shutdown(Shutdown::Kind::Exit, options_.shutdown_budget, code, reason);
}

/// Whether it keeps a container that ends with its units. Of what has done its work and stays active the processes count.
bool Engine::Impl::keeps_container(const Unit& unit) {
    if (unit.look_again != base::never)
        return true; // kept back by a rate limit, and tried again then
    if (unit.watched)
        return true; // somebody works on it
    if (unit.timer && !unit.config->builtin)
        return unit.timer->data().state == TimerState::Waiting; // what it has started counts by itself
    if ((unit.socket || unit.path) && !is_down(unit.active))
        return true; // somebody may come
    if (unit.scope && !is_down(unit.active))
        return true;
    if (!unit.service || unit.config->builtin || is_down(unit.active))
        return false;
    return unit.service->data().state != ServiceState::Exited || !unit.service->data().guards.empty();
}

bool Engine::Impl::check_all_ended() {
    if (!options_.exit_when_done || !boot_over_ || stopping_.on || jobs_.size() > 0 || !std::exchange(maybe_all_ended_, false))
        return false;
    bool busy = false, kept = false;
    const Unit* first = nullptr;
    units_.each([&](const Unit& unit) {
        busy = busy || keeps_container(unit);
        kept = kept || (!unit.config->builtin && kept_down(unit.start_result));
        if (unit.active == ActiveState::Failed && (first == nullptr || unit.inactive_enter.mono < first->inactive_enter.mono))
            first = &unit;
    });
    if (busy)
        return false;
    std::string reason = "all units have ended";
    if (first != nullptr)
        reason += "; " + brief(*first) + " " + failure_words(*first) + " first";
    else if (kept)
        reason += ", some could not be started";
    begin_shutdown(Shutdown::Kind::Exit, options_.shutdown_budget, first != nullptr ? exit_code(*first) : kept ? 1 : 0, reason);
    return true;
}

} // namespace monoinit::engine
