// See mount.hpp. Tested by tests/unit/supervise/mount_test.cpp.
#include "supervise/mount.hpp"

#include "base/enum_names.hpp"
#include "base/fmt.hpp"
#include "supervise/start_limit.hpp"

#include <algorithm>

namespace monoinit::supervise {

using enum MountState;
using unit::ExecList;

namespace {

constexpr std::uint32_t unmounts_in_a_row = 32; ///< as systemd

// clang-format off
constexpr auto state_names = base::enum_names<MountState>({
    {Dead, "dead"}, {Mounting, "mounting"}, {MountingDone, "mounting-done"}, {Mounted, "mounted"}, {Remounting, "remounting"},
    {Unmounting, "unmounting"}, {RemountingSigterm, "remounting-sigterm"}, {RemountingSigkill, "remounting-sigkill"},
    {UnmountingSigterm, "unmounting-sigterm"}, {UnmountingSigkill, "unmounting-sigkill"}, {Failed, "failed"}});
constexpr auto result_names = base::enum_names<MountResult>({
    {MountResult::Success, "success"}, {MountResult::Resources, "resources"}, {MountResult::Timeout, "timeout"},
    {MountResult::ExitCode, "exit-code"}, {MountResult::Signal, "signal"}, {MountResult::CoreDump, "core-dump"},
    {MountResult::StartLimitHit, "start-limit-hit"}, {MountResult::Protocol, "protocol"}});

struct Edge { MountState from, to; };
constexpr Edge edges[] = {
    {Dead, Mounting}, {Dead, Mounted}, {Dead, Failed}, {Failed, Mounting}, {Failed, Mounted}, {Failed, Dead}, {Failed, Failed},
    {Mounting, MountingDone}, {Mounting, Failed}, {Mounting, UnmountingSigterm},
    {MountingDone, Mounted}, {MountingDone, Failed}, {MountingDone, UnmountingSigterm},
    {Mounted, Remounting}, {Mounted, Unmounting}, {Mounted, Dead},
    {Remounting, Mounted}, {Remounting, Dead}, {Remounting, RemountingSigterm}, {Remounting, UnmountingSigterm},
    {RemountingSigterm, Mounted}, {RemountingSigterm, Dead}, {RemountingSigterm, RemountingSigkill},
    {RemountingSigterm, UnmountingSigterm},
    {RemountingSigkill, Mounted}, {RemountingSigkill, Dead}, {RemountingSigkill, UnmountingSigkill},
    {Unmounting, Unmounting}, {Unmounting, Dead}, {Unmounting, Failed}, {Unmounting, Mounted}, {Unmounting, UnmountingSigterm},
    {UnmountingSigterm, Unmounting}, {UnmountingSigterm, UnmountingSigkill}, {UnmountingSigterm, Dead}, {UnmountingSigterm, Failed},
    {UnmountingSigterm, Mounted},
    {UnmountingSigkill, Unmounting}, {UnmountingSigkill, Dead}, {UnmountingSigkill, Failed}, {UnmountingSigkill, Mounted},
};
// clang-format on

bool runs_command(MountState state) {
    return state == Mounting || state == MountingDone || state == Remounting || state == Unmounting;
}

bool is_killing(MountState state) {
    return state == RemountingSigterm || state == RemountingSigkill || state == UnmountingSigterm || state == UnmountingSigkill;
}

std::string_view program(ExecList list) { return list == ExecList::Stop ? "umount" : list == ExecList::Reload ? "remount" : "mount"; }

MountResult result_of(const base::ExitInfo& exit) {
    switch (exit.code) {
    case base::ExitInfo::Code::Exited: return exit.status == 0 ? MountResult::Success : MountResult::ExitCode;
    case base::ExitInfo::Code::Killed: return MountResult::Signal;
    case base::ExitInfo::Code::Dumped: return MountResult::CoreDump;
    }
    return MountResult::ExitCode;
}

} // namespace

std::string_view name(MountState state) { return base::name_of(state_names, state); }
std::string_view name(MountResult result) { return base::name_of(result_names, result); }

ActiveState active_state(MountState state) {
    switch (state) {
    case Dead: return ActiveState::Inactive;
    case Mounting: return ActiveState::Activating;
    case MountingDone:
    case Mounted: return ActiveState::Active;
    case Remounting:
    case RemountingSigterm:
    case RemountingSigkill: return ActiveState::Reloading;
    case Unmounting:
    case UnmountingSigterm:
    case UnmountingSigkill: return ActiveState::Deactivating;
    case Failed: return ActiveState::Failed;
    }
    return ActiveState::Inactive;
}

bool is_legal(MountState from, MountState to) {
    return std::ranges::any_of(edges, [&](const Edge& edge) { return edge.from == from && edge.to == to; });
}

bool Mount::has_to_stop() const {
    return data_.state != Dead && data_.state != Failed && (data_.state != Mounted || data_.ours);
}

void Mount::enter(MountState next, Step& step) {
    const MountState before = data_.state;
    if (!is_legal(before, next)) {
        step.out.emplace_back(Say{Severity::Error, fmt::format("internal error: {} -> {} is no way of a mount", name(before), name(next))});
        next = Failed;
    }
    data_.state = next;
    const bool timed = runs_command(next) || is_killing(next);
    const bool goes_on = before == Mounting && next == MountingDone; // the same command
    if (!timed)
        data_.state_deadline = base::never;
    else if (!goes_on)
        data_.state_deadline = std::min(section().timeout != base::infinity ? step.now.mono + section().timeout : base::never, stop_by_);
    const bool reload_failed = active_state(before) == ActiveState::Reloading && data_.reload_result != MountResult::Success;
    step.out.emplace_back(StateChanged{active_state(before), active_state(next), reload_failed, false, name(next)});
}

// ---- what is asked of it --------------------------------------------------------------------------------------------

void Mount::start(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.state != Dead && data_.state != Failed)
        return;
    data_.result = data_.reload_result = MountResult::Success;
    data_.last_failure.clear();
    if (!count_start(config_->unit.start_limit, data_.recent_starts, now.mono)) {
        note(MountResult::StartLimitHit, "started too often", step);
        return enter(Failed, step);
    }
    enter(Mounting, step);
    spawn(ExecList::Start, step);
}

bool Mount::stop(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    switch (data_.state) {
    case Mounted:
        if (data_.given)
            return false;
        data_.unmounts = 0;
        data_.result = MountResult::Success;
        data_.last_failure.clear();
        enter_unmounting(step);
        return true;
    case Mounting:
    case MountingDone:
    case Remounting:
    case RemountingSigterm:
        enter_signal(UnmountingSigterm, step);
        return true;
    case RemountingSigkill:
        enter_signal(UnmountingSigkill, step);
        return true;
    case Dead:
    case Unmounting:
    case UnmountingSigterm:
    case UnmountingSigkill:
    case Failed:
        return true;
    }
    return true;
}

void Mount::reload(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.state != Mounted)
        return;
    data_.result = data_.reload_result = MountResult::Success;
    data_.last_failure.clear();
    enter(Remounting, step);
    spawn(ExecList::Reload, step);
}

void Mount::reset_failed(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    data_.result = data_.reload_result = MountResult::Success;
    data_.last_failure.clear();
    data_.recent_starts.clear();
    if (data_.state == Failed)
        enter(Dead, step);
}

void Mount::kill(int signal, std::vector<Action>& out) const {
    for (const GuardId guard : data_.guards)
        out.emplace_back(Signal{guard, KillScope::Tree, 0, signal});
}

// ---- what becomes of it ---------------------------------------------------------------------------------------------

void Mount::table(bool mounted, bool given, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    data_.present = mounted;
    data_.given = data_.present && (data_.given || given);
    if (data_.state == Mounting && data_.present)
        enter(MountingDone, step);
    if (data_.ended)
        return settle(step);
    if (data_.present && (data_.state == Dead || data_.state == Failed)) {
        data_.result = MountResult::Success;
        data_.last_failure.clear();
        enter(Mounted, step); // by somebody else
    } else if (!data_.present && data_.state == Mounted) {
        if (data_.ours)
            step.out.emplace_back(Say{Severity::Warning, "unmounted by somebody else"});
        data_.result = MountResult::Success;
        enter_dead(MountResult::Success, step);
    }
}

/// The command has ended, and the table was read after that.
void Mount::settle(Step& step) {
    const MountResult ended = *std::exchange(data_.ended, std::nullopt);
    const bool good = ended == MountResult::Success;
    switch (data_.state) {
    case Mounting: // else it would be mounting-done
        if (good)
            note(MountResult::Protocol, "the mount command succeeded, but nothing is mounted at " + section().where, step);
        return enter_dead(ended, step);
    case MountingDone:
        if (!data_.present)
            return enter_dead(good ? MountResult::Protocol : ended, step);
        data_.ours = true;
        return enter_mounted(MountResult::Success, step);
    case Remounting:
    case RemountingSigterm:
    case RemountingSigkill:
        return data_.present ? enter_mounted(MountResult::Success, step) : enter_dead(MountResult::Success, step);
    case Unmounting:
        if (data_.present && good && data_.unmounts < unmounts_in_a_row)
            return enter_unmounting(step); // there was another one below
        if (data_.present && good)
            note(MountResult::Protocol, "still mounted, however often it is unmounted", step);
        return data_.present ? enter_mounted(ended, step) : enter_dead(MountResult::Success, step);
    case UnmountingSigterm:
    case UnmountingSigkill:
        if (data_.present && data_.control_list != ExecList::Stop) // the mount command was faster than the signal
            return enter_unmounting(step);
        return data_.present ? enter_mounted(data_.result, step) : enter_dead(data_.result, step);
    case Dead:
    case Mounted:
    case Failed:
        return;
    }
}

void Mount::end_command(MountResult result, std::string why, Step& step) {
    data_.control_guard = {};
    data_.control_pid = 0;
    data_.ended = result;
    if (active_state(data_.state) == ActiveState::Reloading && result != MountResult::Success) {
        if (data_.reload_result == MountResult::Success)
            data_.reload_result = result;
        step.out.emplace_back(Say{Severity::Error, std::move(why)});
    } else if (result != MountResult::Success && !is_killing(data_.state)) {
        note(result, std::move(why), step);
    }
    step.out.emplace_back(ReadMounts{});
}

void Mount::spawn(ExecList list, Step& step) {
    data_.control_list = list;
    data_.control_guard = next_guard_();
    data_.control_pid = 0;
    data_.ended.reset();
    data_.guards.push_back(data_.control_guard);
    Spawn spawn;
    spawn.guard = data_.control_guard;
    spawn.list = list;
    step.out.emplace_back(spawn);
}

void Mount::on(const SpawnResult& event, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (!event.ok)
        std::erase(data_.guards, event.guard); // whoever waits for it still, or not any more
    if (!event.guard || event.guard != data_.control_guard)
        return;
    if (event.ok) {
        data_.control_pid = event.pid;
        return;
    }
    end_command(event.resources ? MountResult::Resources : MountResult::ExitCode, event.text, step);
}

void Mount::on(const CommandExited& event, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (event.guard && event.guard == data_.control_guard && event.pid == data_.control_pid)
        end_command(result_of(event.exit), fmt::format("{}: {}", program(data_.control_list), base::describe(event.exit)), step);
}

void Mount::on(const TreeEmpty& event, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    std::erase(data_.guards, event.guard);
    if (event.guard && event.guard == data_.control_guard) // it ended unheard
        end_command(MountResult::Resources, fmt::format("the {} command is gone", program(data_.control_list)), step);
}

void Mount::on(const GuardLost& event, Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (event.guard && event.guard == data_.control_guard)
        end_command(MountResult::Resources, "its guard was killed", step);
}

void Mount::on_deadline(Moment now, std::vector<Action>& out) {
    Step step{now, out};
    if (data_.state_deadline > now.mono)
        return;
    const std::string late = fmt::format("{} took longer than it may (TimeoutSec={})", name(data_.state), base::human_time_span(section().timeout));
    switch (data_.state) {
    case Mounting:
    case MountingDone:
    case Unmounting:
        note(MountResult::Timeout, late, step);
        return enter_signal(UnmountingSigterm, step);
    case Remounting:
        data_.reload_result = MountResult::Timeout;
        step.out.emplace_back(Say{Severity::Error, late});
        return enter_signal(RemountingSigterm, step);
    case RemountingSigterm:
        return enter_signal(RemountingSigkill, step);
    case UnmountingSigterm:
        return enter_signal(UnmountingSigkill, step);
    case RemountingSigkill:
    case UnmountingSigkill: // the kernel does not let go of it: the table says how things are
        if (!data_.ended)
            return end_command(MountResult::Timeout, "its command cannot be killed", step);
        data_.state_deadline = base::never;
        return;
    case Dead:
    case Mounted:
    case Failed:
        data_.state_deadline = base::never;
        return;
    }
}

// ---- the ways ---------------------------------------------------------------------------------------------------------

void Mount::enter_unmounting(Step& step) {
    data_.unmounts++;
    enter(Unmounting, step);
    spawn(ExecList::Stop, step);
}

void Mount::enter_signal(MountState state, Step& step) {
    enter(state, step);
    const bool polite = state == RemountingSigterm || state == UnmountingSigterm;
    const unit::KillSection& how = *config_->kill;
    if (!data_.control_guard || (!polite && !how.send_sigkill))
        return;
    // The command's own guard only: what else is left are the daemons that answer for file systems.
    step.out.emplace_back(
        Signal{data_.control_guard, KillScope::Tree, 0, polite ? how.kill_signal : how.final_kill_signal, polite && how.send_sighup});
}

void Mount::enter_mounted(MountResult result, Step& step) {
    if (data_.result == MountResult::Success)
        data_.result = result;
    data_.control_guard = {};
    const bool fresh = data_.state == MountingDone;
    enter(Mounted, step);
    if (fresh)
        step.out.emplace_back(Say{Severity::Info, fmt::format("mounted {} at {}", section().what, section().where)});
}

void Mount::enter_dead(MountResult result, Step& step) {
    if (data_.result == MountResult::Success)
        data_.result = result;
    data_.control_guard = {};
    data_.ours = data_.given = false;
    const bool unmounted = active_state(data_.state) == ActiveState::Deactivating && data_.result == MountResult::Success;
    enter(data_.result == MountResult::Success ? Dead : Failed, step);
    if (unmounted)
        step.out.emplace_back(Say{Severity::Info, "unmounted " + section().where});
}

void Mount::note(MountResult result, std::string why, Step& step) {
    if (data_.result != MountResult::Success)
        return; // the first failure counts
    data_.result = result;
    data_.last_failure = why;
    step.out.emplace_back(Say{Severity::Error, "failed: " + std::move(why)});
}

} // namespace monoinit::supervise
