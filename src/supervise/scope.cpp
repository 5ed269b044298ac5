// See scope.hpp. Tested by tests/unit/supervise/scope_test.cpp.
#include "supervise/scope.hpp"

#include "base/enum_names.hpp"
#include "base/fmt.hpp"

#include <algorithm>

namespace monoinit::supervise {

using enum ScopeState;

namespace {

constexpr auto state_names = base::enum_names<ScopeState>(
    {{Dead, "dead"}, {Running, "running"}, {StopSigterm, "stop-sigterm"}, {StopSigkill, "stop-sigkill"}, {Failed, "failed"}});
constexpr auto result_names = base::enum_names<ScopeResult>({{ScopeResult::Success, "success"}, {ScopeResult::Timeout, "timeout"}});

} // namespace

std::string_view name(ScopeState state) { return base::name_of(state_names, state); }
std::string_view name(ScopeResult result) { return base::name_of(result_names, result); }

ActiveState active_state(ScopeState state) {
    switch (state) {
    case Dead: return ActiveState::Inactive;
    case Running: return ActiveState::Active;
    case StopSigterm:
    case StopSigkill: return ActiveState::Deactivating;
    case Failed: return ActiveState::Failed;
    }
    return ActiveState::Inactive;
}

void Scope::enter(ScopeState next, Moment now, std::vector<Action>& out) {
    const ScopeState before = data_.state;
    data_.state = next;
    data_.state_deadline = base::never;
    if (next != Running)
        data_.runtime_deadline = base::never;
    const unit::KillSection& how = *config_->kill;
    if (next == StopSigterm || next == StopSigkill) {
        const base::Duration limit = config_->service->timeout_stop;
        data_.state_deadline = std::min(limit == base::infinity ? base::never : now.mono + limit, next == StopSigterm ? stop_by_ : base::never);
        if (next == StopSigterm || how.send_sigkill)
            out.emplace_back(SignalProcesses{next == StopSigterm ? how.kill_signal : how.final_kill_signal, next == StopSigterm && how.send_sighup});
    }
    out.emplace_back(StateChanged{active_state(before), active_state(next), false, false, name(next)});
    if (next == Dead || next == Failed)
        out.emplace_back(ReleaseProcesses{});
}

void Scope::adopted(Moment now, std::vector<Action>& out) {
    if (data_.state != Dead && data_.state != Failed)
        return;
    data_.result = ScopeResult::Success;
    data_.last_failure.clear();
    enter(Running, now, out);
    if (config_->service->runtime_max != base::infinity)
        data_.runtime_deadline = now.mono + config_->service->runtime_max;
}

void Scope::emptied(Moment now, std::vector<Action>& out) {
    if (data_.state != Dead && data_.state != Failed)
        enter(data_.result == ScopeResult::Success ? Dead : Failed, now, out);
}

void Scope::stop(Moment now, std::vector<Action>& out) {
    if (data_.state == Running)
        enter(StopSigterm, now, out);
}

void Scope::reset_failed(Moment now, std::vector<Action>& out) {
    data_.result = ScopeResult::Success;
    data_.last_failure.clear();
    if (data_.state == Failed)
        enter(Dead, now, out);
}

void Scope::kill(int signal, std::vector<Action>& out) const {
    if (data_.state != Dead && data_.state != Failed)
        out.emplace_back(SignalProcesses{signal, false});
}

void Scope::on_deadline(Moment now, std::vector<Action>& out) {
    if (deadline() > now.mono)
        return;
    const auto late = [&](std::string why) {
        data_.result = ScopeResult::Timeout;
        data_.last_failure = why;
        out.emplace_back(Say{Severity::Warning, std::move(why)});
    };
    switch (data_.state) {
    case Running:
        late(fmt::format("has run for {} (RuntimeMaxSec=)", base::human_time_span(config_->service->runtime_max)));
        return enter(StopSigterm, now, out);
    case StopSigterm:
        late("did not stop in time (TimeoutStopSec=)");
        return enter(StopSigkill, now, out);
    case StopSigkill: // what the kernel does not end is left
        return enter(Failed, now, out);
    case Dead:
    case Failed:
        data_.state_deadline = data_.runtime_deadline = base::never;
        return;
    }
}

} // namespace monoinit::supervise
