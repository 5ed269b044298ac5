// See socket.hpp. Tested by tests/unit/supervise/socket_test.cpp.
#include "supervise/socket.hpp"

#include "base/enum_names.hpp"
#include "base/fmt.hpp"

#include <algorithm>

namespace monoinit::supervise {

using enum SocketState;
using base::Duration;
using unit::ExecList;

namespace {

// clang-format off
constexpr auto state_names = base::enum_names<SocketState>({
    {Dead, "dead"}, {StartPre, "start-pre"}, {StartOpen, "start-open"}, {StartPost, "start-post"}, {Listening, "listening"},
    {Running, "running"}, {StopPre, "stop-pre"}, {StopPreSigterm, "stop-pre-sigterm"}, {StopPreSigkill, "stop-pre-sigkill"},
    {StopPost, "stop-post"}, {FinalSigterm, "final-sigterm"}, {FinalSigkill, "final-sigkill"}, {Failed, "failed"}});
constexpr auto result_names = base::enum_names<SocketResult>({
    {SocketResult::Success, "success"}, {SocketResult::Resources, "resources"}, {SocketResult::Timeout, "timeout"},
    {SocketResult::ExitCode, "exit-code"}, {SocketResult::Signal, "signal"}, {SocketResult::CoreDump, "core-dump"},
    {SocketResult::StartLimitHit, "start-limit-hit"}, {SocketResult::TriggerLimitHit, "trigger-limit-hit"},
    {SocketResult::ServiceStartLimitHit, "service-start-limit-hit"}});

struct Edge { SocketState from, to; };
constexpr Edge edges[] = {
    {Dead, StartPre}, {Dead, StartOpen}, {Dead, Failed}, {Failed, StartPre}, {Failed, StartOpen}, {Failed, Dead}, {Failed, Failed},
    {StartPre, StartOpen}, {StartPre, FinalSigterm}, {StartPre, Failed},
    {StartOpen, StartPost}, {StartOpen, Listening}, {StartOpen, StopPost}, {StartOpen, Dead}, {StartOpen, Failed}, {StartOpen, FinalSigterm},
    {StartPost, Listening}, {StartPost, StopPreSigterm}, {StartPost, StopPre}, {StartPost, StopPost}, {StartPost, Failed}, {StartPost, FinalSigterm},
    {Listening, Running}, {Listening, StopPre}, {Listening, StopPost}, {Listening, Dead}, {Listening, Failed}, {Listening, FinalSigterm},
    {Running, Listening}, {Running, StopPre}, {Running, StopPost}, {Running, Dead}, {Running, Failed}, {Running, FinalSigterm},
    {StopPre, StopPreSigterm}, {StopPre, StopPost}, {StopPre, Dead}, {StopPre, Failed}, {StopPre, FinalSigterm},
    {StopPreSigterm, StopPreSigkill}, {StopPreSigterm, StopPost}, {StopPreSigterm, Dead}, {StopPreSigterm, Failed},
    {StopPreSigkill, StopPost}, {StopPreSigkill, Dead}, {StopPreSigkill, Failed}, {StopPreSigkill, FinalSigterm},
    {StopPost, FinalSigterm}, {StopPost, Dead}, {StopPost, Failed},
    {FinalSigterm, FinalSigkill}, {FinalSigterm, Dead}, {FinalSigterm, Failed},
    {FinalSigkill, Dead}, {FinalSigkill, Failed},
};
// clang-format on

bool is_starting(SocketState state) { return state == StartPre || state == StartOpen || state == StartPost; }
bool is_up(SocketState state) { return state == Listening || state == Running; }
bool runs_commands(SocketState state) { return state == StartPre || state == StartPost || state == StopPre || state == StopPost; }

/// Counts one more; false when that is too many. A burst of 0 knows no limit.
bool within(Instant& window, std::uint32_t& count, Duration interval, std::uint32_t burst, Instant now) {
    if (burst == 0 || interval.count() == 0)
        return true;
    if (count == 0 || now - window >= interval) {
        window = now;
        count = 0;
    }
    return count++ < burst;
}

SocketResult result_of(const base::ExitInfo& exit) {
    switch (exit.code) {
    case base::ExitInfo::Code::Exited: return exit.status == 0 ? SocketResult::Success : SocketResult::ExitCode;
    case base::ExitInfo::Code::Killed: return SocketResult::Signal;
    case base::ExitInfo::Code::Dumped: return SocketResult::CoreDump;
    }
    return SocketResult::ExitCode;
}

} // namespace

std::string_view name(SocketState state) { return base::name_of(state_names, state); }
std::string_view name(SocketResult result) { return base::name_of(result_names, result); }

ActiveState active_state(SocketState state) {
    switch (state) {
    case Dead: return ActiveState::Inactive;
    case StartPre:
    case StartOpen:
    case StartPost: return ActiveState::Activating;
    case Listening:
    case Running: return ActiveState::Active;
    case StopPre:
    case StopPreSigterm:
    case StopPreSigkill:
    case StopPost:
    case FinalSigterm:
    case FinalSigkill: return ActiveState::Deactivating;
    case Failed: return ActiveState::Failed;
    }
    return ActiveState::Inactive;
}

bool is_legal(SocketState from, SocketState to) {
    return std::ranges::any_of(edges, [&](const Edge& edge) { return edge.from == from && edge.to == to; });
}

bool holds_descriptors(SocketState state) {
    return state == StartPost || is_up(state) || state == StopPre || state == StopPreSigterm || state == StopPreSigkill;
}

void Socket::enter(SocketState next, Step& step) {
    const SocketState before = data_.state;
    if (!is_legal(before, next)) {
        step.out.emplace_back(Say{Severity::Error, fmt::format("internal error: {} -> {} is no way of a socket", name(before), name(next))});
        next = Failed;
    }
    data_.state = next;
    data_.paused_until = base::never;
    const bool timed = runs_commands(next) || next == StopPreSigterm || next == StopPreSigkill || next == FinalSigterm || next == FinalSigkill;
    data_.state_deadline = timed && section().timeout != base::infinity ? step.now.mono + section().timeout : base::never;
    if (holds_descriptors(before) && !holds_descriptors(next))
        step.out.emplace_back(CloseSockets{});
    if ((before == Listening) != (next == Listening))
        step.out.emplace_back(WatchSockets{next == Listening});
    step.out.emplace_back(StateChanged{active_state(before), active_state(next), false, false, name(next)});
}

// ---- what is asked of it --------------------------------------------------------------------------------------------

void Socket::start(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.state != Dead && data_.state != Failed)
        return;
    data_.result = SocketResult::Success;
    data_.last_failure.clear();
    data_.triggers = data_.polls = data_.accepted = data_.refused = 0;
    run_commands(StartPre, ExecList::StartPre, step);
}

void Socket::refuse_start(std::string why, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    data_.result = SocketResult::Success;
    note(SocketResult::Resources, std::move(why), step);
    enter(Failed, step);
}

void Socket::stop(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    switch (data_.state) {
    case StartPre:
        return enter_signal(FinalSigterm, step);
    case StartOpen: // what is made meanwhile is let go of when it comes
        return enter_stop_post(SocketResult::Success, step);
    case StartPost:
        return enter_signal(StopPreSigterm, step);
    case Listening:
    case Running:
        return enter_stop_pre(SocketResult::Success, step);
    case Dead:
    case StopPre:
    case StopPreSigterm:
    case StopPreSigkill:
    case StopPost:
    case FinalSigterm:
    case FinalSigkill:
    case Failed:
        return;
    }
}

void Socket::reset_failed(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    data_.result = SocketResult::Success;
    data_.last_failure.clear();
    if (data_.state == Failed)
        enter(Dead, step);
}

void Socket::kill(int signal, std::vector<Action>& out) {
    for (const GuardId guard : data_.guards)
        out.emplace_back(Signal{guard, KillScope::Tree, 0, signal});
}

void Socket::fail(SocketResult result, std::string why, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (!is_up(data_.state))
        return;
    note(result, std::move(why), step);
    enter_stop_pre(result, step);
}

// ---- what becomes of its descriptors and its service ------------------------------------------------------------------

void Socket::opened(const std::string& error, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.state != StartOpen)
        return out.emplace_back(CloseSockets{}), void(); // nobody wants them any more
    if (!error.empty()) {
        note(SocketResult::Resources, error, step);
        out.emplace_back(CloseSockets{});
        return enter_stop_post(SocketResult::Resources, step);
    }
    run_commands(StartPost, ExecList::StartPost, step);
}

Incoming Socket::incoming(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.state != Listening)
        return Incoming::Refuse;
    const unit::SocketSection& limits = section();
    if (!within(data_.trigger_window, data_.triggers, limits.effective_trigger_interval(), limits.effective_trigger_burst(), now.mono)) {
        note(SocketResult::TriggerLimitHit,
             fmt::format("triggered too often: more than {} times in {} (TriggerLimitBurst=)", limits.effective_trigger_burst(),
                         base::human_time_span(limits.effective_trigger_interval())),
             step);
        enter_stop_pre(SocketResult::TriggerLimitHit, step);
        return Incoming::Refuse;
    }
    const std::uint32_t burst = limits.effective_poll_burst();
    if (within(data_.poll_window, data_.polls, limits.effective_poll_interval(), burst, now.mono) && burst != 0 && data_.polls == burst) {
        data_.paused_until = data_.poll_window + limits.effective_poll_interval();
        out.emplace_back(WatchSockets{false});
    }
    return Incoming::Start;
}

void Socket::pause(Duration span, Moment now, std::vector<Action>& out) {
    if (data_.state != Listening)
        return;
    data_.paused_until = now.mono + span;
    out.emplace_back(WatchSockets{false});
}

void Socket::service_queued(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.state == Listening)
        enter(Running, step);
}

void Socket::service_running(Moment now, std::vector<Action>& out) { service_queued(now, out); }

void Socket::service_down(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.state == Running)
        enter_listening(step);
}

void Socket::resume(std::vector<Action>& out) const {
    if (data_.state == StartOpen)
        out.emplace_back(OpenSockets{});
    else if (!holds_descriptors(data_.state))
        out.emplace_back(CloseSockets{});
    else
        out.emplace_back(WatchSockets{data_.state == Listening && data_.paused_until == base::never});
}

void Socket::enter_listening(Step& step) {
    // Paused before and due again soon after: the pause outlives the service's run.
    const Instant paused = section().effective_poll_burst() != 0 && data_.polls >= section().effective_poll_burst()
                               ? data_.poll_window + section().effective_poll_interval()
                               : base::never;
    if (data_.state == Running && section().flush_pending)
        step.out.emplace_back(FlushSockets{});
    enter(Listening, step);
    if (paused != base::never && paused > step.now.mono) {
        data_.paused_until = paused;
        step.out.emplace_back(WatchSockets{false});
    }
}

// ---- commands -------------------------------------------------------------------------------------------------------

void Socket::run_commands(SocketState state, ExecList list, Step& step) {
    data_.control_list = list;
    data_.control_index = 0;
    if (commands(list).empty()) { // then the state is not entered at all
        data_.control_guard = {};
        switch (state) {
        case StartPre:
            enter(StartOpen, step);
            return step.out.emplace_back(OpenSockets{}), void();
        case StartPost:
            return enter_listening(step);
        case StopPre:
            return enter_stop_post(data_.result, step);
        case StopPost:
            return enter_signal(FinalSigterm, step); // what the commands before have left
        case Dead:
        case StartOpen:
        case Listening:
        case Running:
        case StopPreSigterm:
        case StopPreSigkill:
        case FinalSigterm:
        case FinalSigkill:
        case Failed:
            return;
        }
    }
    enter(state, step);
    spawn(0, step);
}

void Socket::spawn(std::uint32_t index, Step& step) {
    data_.control_index = index;
    data_.control_guard = next_guard_();
    data_.control_pid = 0;
    data_.guards.push_back(data_.control_guard);
    Spawn spawn;
    spawn.guard = data_.control_guard;
    spawn.list = data_.control_list;
    spawn.index = index;
    step.out.emplace_back(spawn);
}

/// The list is through, or one of it has failed.
void Socket::commands_done(SocketResult result, std::string why, Step& step) {
    data_.control_guard = {};
    data_.control_pid = 0;
    const bool bad = result != SocketResult::Success;
    if (bad)
        note(result, std::move(why), step);
    switch (data_.state) {
    case StartPre:
        if (bad)
            return enter_signal(FinalSigterm, step);
        enter(StartOpen, step);
        return step.out.emplace_back(OpenSockets{}), void();
    case StartPost:
        return bad ? enter_stop_pre(result, step) : enter_listening(step);
    case StopPre:
    case StopPreSigterm:
    case StopPreSigkill:
        return enter_stop_post(result, step);
    case StopPost:
        return data_.guards.empty() ? enter_dead(result, step) : enter_signal(FinalSigterm, step);
    case FinalSigterm:
    case FinalSigkill:
        return data_.guards.empty() ? enter_dead(result, step) : void();
    case Dead:
    case StartOpen:
    case Listening:
    case Running:
    case Failed:
        return;
    }
}

void Socket::advance(Step& step) {
    const std::uint32_t next = data_.control_index + 1;
    if (runs_commands(data_.state) && next < commands(data_.control_list).size())
        return spawn(next, step);
    commands_done(SocketResult::Success, {}, step);
}

void Socket::on(const SpawnResult& event, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    const bool in_control = event.guard && event.guard == data_.control_guard;
    if (event.ok) {
        if (in_control)
            data_.control_pid = event.pid;
        return;
    }
    if (!in_control) // it is being stopped already: nothing of it is left to wait for
        return on(TreeEmpty{event.guard}, now, out);
    std::erase(data_.guards, event.guard);
    const auto& list = commands(data_.control_list);
    if (data_.control_index < list.size() && list[data_.control_index].ignore_failure)
        return advance(step);
    commands_done(event.resources ? SocketResult::Resources : SocketResult::ExitCode, event.text, step);
}

void Socket::on(const CommandExited& event, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (!event.guard || event.guard != data_.control_guard || event.pid != data_.control_pid)
        return;
    const auto& list = commands(data_.control_list);
    const bool ignored = data_.control_index < list.size() && list[data_.control_index].ignore_failure;
    const SocketResult result = ignored ? SocketResult::Success : result_of(event.exit);
    if (result == SocketResult::Success)
        return advance(step);
    const std::string path = data_.control_index < list.size() ? list[data_.control_index].path : std::string("a command");
    commands_done(result, path + ": " + base::describe(event.exit), step);
}

void Socket::on(const TreeEmpty& event, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    std::erase(data_.guards, event.guard);
    const bool waits = data_.state == FinalSigterm || data_.state == FinalSigkill || data_.state == StopPreSigterm || data_.state == StopPreSigkill;
    if (data_.guards.empty() && waits)
        commands_done(SocketResult::Success, {}, step);
    else if (event.guard == data_.control_guard && data_.control_guard) // it ended unheard
        commands_done(SocketResult::Resources, "the command is gone", step);
}

void Socket::on(const GuardLost& event, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (event.guard && event.guard == data_.control_guard && runs_commands(data_.state))
        commands_done(SocketResult::Resources, "its guard was killed", step);
}

void Socket::on_deadline(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.paused_until <= now.mono) {
        data_.paused_until = base::never;
        if (data_.state == Listening)
            out.emplace_back(WatchSockets{true});
    }
    if (data_.state_deadline > now.mono)
        return;
    const auto late = [&] { note(SocketResult::Timeout, fmt::format("{} took longer than {} (TimeoutSec=)", name(data_.state), base::human_time_span(section().timeout)), step); };
    switch (data_.state) {
    case StartPre:
    case StopPost:
        late();
        return enter_signal(FinalSigterm, step);
    case StartPost:
    case StopPre:
        late();
        return enter_signal(StopPreSigterm, step);
    case StopPreSigterm:
        late();
        return enter_signal(StopPreSigkill, step);
    case StopPreSigkill:
        return enter_stop_post(SocketResult::Timeout, step);
    case FinalSigterm:
        late();
        return enter_signal(FinalSigkill, step);
    case FinalSigkill:
        return enter_dead(SocketResult::Timeout, step);
    case Dead:
    case StartOpen:
    case Listening:
    case Running:
    case Failed:
        data_.state_deadline = base::never;
        return;
    }
}

// ---- the way down ---------------------------------------------------------------------------------------------------

void Socket::enter_stop_pre(SocketResult result, Step& step) {
    if (data_.result == SocketResult::Success)
        data_.result = result;
    run_commands(StopPre, ExecList::Stop, step);
}

void Socket::enter_stop_post(SocketResult result, Step& step) {
    if (data_.result == SocketResult::Success)
        data_.result = result;
    run_commands(StopPost, ExecList::StopPost, step);
}

void Socket::enter_signal(SocketState state, Step& step) {
    if (data_.guards.empty())
        return state == FinalSigterm || state == FinalSigkill ? enter_dead(data_.result, step) : enter_stop_post(data_.result, step);
    data_.control_guard = {};
    enter(state, step);
    const bool polite = state == FinalSigterm || state == StopPreSigterm;
    const unit::KillSection& how = *config_->kill;
    if (!polite && !how.send_sigkill)
        return;
    for (const GuardId guard : data_.guards)
        step.out.emplace_back(Signal{guard, KillScope::Tree, 0, polite ? how.kill_signal : how.final_kill_signal, polite && how.send_sighup});
}

void Socket::enter_dead(SocketResult result, Step& step) {
    if (data_.result == SocketResult::Success)
        data_.result = result;
    data_.control_guard = {};
    enter(data_.result == SocketResult::Success ? Dead : Failed, step);
    if (!config_->exec->directories[static_cast<std::size_t>(unit::DirectoryKind::Runtime)].paths.empty())
        step.out.emplace_back(RemoveDirectories{config_->exec->runtime_directory_preserve == unit::Preserve::No});
}

void Socket::note(SocketResult result, std::string why, Step& step) {
    if (data_.result != SocketResult::Success)
        return; // the first failure counts
    data_.result = result;
    data_.last_failure = why;
    step.out.emplace_back(Say{Severity::Error, is_starting(data_.state) || !is_up(data_.state) ? std::move(why) : "failed: " + std::move(why)});
}

} // namespace monoinit::supervise
