// Moves and rules of the walk.

#include "walk_world.hpp"

#include "base/fmt.hpp"

namespace monoinit::supervise {

using Command = FakeGuard::Command;

// ---- what can happen ----------------------------------------------------------------------------

FakeGuard* World::pending() {
    const auto found = std::ranges::find(guards_, Command::Pending, &FakeGuard::command);
    return found == guards_.end() ? nullptr : &*found;
}

/// One with a process beside its command that is not `but`.
FakeGuard* World::with_child(int but) {
    const auto found = std::ranges::find_if(
        guards_, [&](const FakeGuard& g) { return g.child != 0 && g.child != but; });
    return found == guards_.end() ? nullptr : &*found;
}

FakeGuard* World::can_empty() {
    const auto found = std::ranges::find_if(
        guards_, [](const FakeGuard& g) { return g.command == Command::Ended || g.lost; });
    if (found == guards_.end())
        return nullptr;
    const bool main_lives =
        found->id == service_.data().main_guard && found->child != 0 && !found->lost;
    return main_lives ? nullptr : &*found;
}

/// Whether the main (or control) process is there to end.
bool World::can_end(bool main) const {
    const auto& d = service_.data();
    const FakeGuard* const guard = find(main ? d.main_guard : d.control_guard);
    if (guard == nullptr || guard->lost || guard->command == Command::Pending)
        return false;
    const int pid = main ? d.main_pid : d.control_pid;
    return (pid == guard->child && pid != 0) || guard->command == Command::Alive;
}

bool World::possible(Move move) const {
    const auto& d = service_.data();
    World& self = *const_cast<World*>(this); // the finders change nothing
    switch (move) {
    case Move::Start:
        return !shutdown_;
    case Move::Stop:
    case Move::StopForRestart:
        return !d.forbid_restart;
    case Move::ForceKill:
        return !forced_;
    case Move::ResetFailed:
        return d.state == ServiceState::Failed;
    case Move::Reload:
        return service_.can_reload();
    case Move::Shutdown:
        return !shutdown_ && d.state != ServiceState::Dead;
    case Move::ReleaseIdle:
        return service_.waits_for_idle();
    case Move::SpawnOk:
    case Move::SpawnFails:
    case Move::NoProcess:
        return self.pending() != nullptr;
    case Move::MainOk:
    case Move::MainFails:
        return can_end(true);
    case Move::MainFailsLeaving: // a guard with two such processes shows nothing new
        return can_end(true) && find(d.main_guard)->child == 0;
    case Move::ControlOk:
    case Move::ControlFails:
        return can_end(false);
    case Move::ControlOkLeaving:
        return can_end(false) && find(d.control_guard)->child == 0;
    case Move::GuardEmpties:
        return self.can_empty() != nullptr;
    case Move::MainGuardLost:
        return d.main_pid != 0 && !find(d.main_guard)->lost;
    case Move::Deadline:
        return service_.deadline() != base::never;
    case Move::Ready:
    case Move::Reloading:
    case Move::Stopping:
    case Move::Trigger:
        return d.main_pid != 0;
    case Move::MainPid:
        return d.main_pid != 0 && self.with_child(d.main_pid) != nullptr;
    case Move::PidFileGood:
        return pid_file_asked_ && self.with_child(0) != nullptr;
    case Move::PidFileBad:
        return pid_file_asked_;
    case Move::Listed:
        return find(listing_asked_) != nullptr;
    case Move::NameOwned:
        return name_watched_ && !d.bus_name_owned;
    case Move::NameLost:
        return name_watched_ && d.bus_name_owned;
    }
    return false;
}

void World::apply_move(Move move, std::vector<Action>& out) {
    const auto& d = service_.data();
    switch (move) {
    case Move::Start:
    case Move::Stop:
    case Move::StopForRestart:
    case Move::Reload:
    case Move::ForceKill:
    case Move::ResetFailed:
    case Move::Shutdown:
    case Move::ReleaseIdle:
        return request(move, out);
    case Move::SpawnOk:
    case Move::SpawnFails:
    case Move::NoProcess:
        return answer_spawn(move, out);
    case Move::MainOk:
        return end_command(true, 0, false, out);
    case Move::MainFails:
        return end_command(true, 1, false, out);
    case Move::MainFailsLeaving:
        return end_command(true, 1, true, out);
    case Move::ControlOk:
        return end_command(false, 0, false, out);
    case Move::ControlFails:
        return end_command(false, 1, false, out);
    case Move::ControlOkLeaving:
        return end_command(false, 0, true, out);
    case Move::GuardEmpties:
        return empty_guard(out);
    case Move::MainGuardLost:
        find(d.main_guard)->lost = true;
        return service_.on(GuardLost{d.main_guard}, now_, out);
    case Move::Deadline:
        return pass_deadline(out);
    case Move::Ready:
        return notify("READY=1", out);
    case Move::Reloading:
        return notify("RELOADING=1\nMONOTONIC_USEC=999999999999", out);
    case Move::Stopping:
        return notify("STOPPING=1", out);
    case Move::Trigger:
        return notify("WATCHDOG=trigger", out);
    case Move::MainPid: {
        const FakeGuard& guard = *with_child(d.main_pid);
        notify(fmt::format("MAINPID={}", guard.child), out, guard.id);
        for (FakeGuard& each : guards_) // the command that was started is one of the others now
            each.is_main = each.is_main && d.main_pid != guard.child;
        return;
    }
    case Move::PidFileGood:
    case Move::PidFileBad:
    case Move::Listed:
        return answer_pid(move, out);
    case Move::NameOwned:
    case Move::NameLost:
        return service_.on(BusNameChanged{move == Move::NameOwned}, now_, out);
    }
}

void World::request(Move move, std::vector<Action>& out) {
    if (move == Move::Start)
        service_.start(now_, out);
    if (move == Move::Stop || move == Move::StopForRestart)
        service_.stop(now_, out, move == Move::StopForRestart);
    if (move == Move::Reload)
        service_.reload(now_, out);
    if (move == Move::ResetFailed)
        service_.reset_failed(now_, out);
    if (move == Move::ReleaseIdle)
        service_.release_idle(now_, out);
    if (move == Move::ForceKill) {
        shutdown_ = forced_ = true;
        service_.force_kill(now_, out);
    }
    if (move == Move::Shutdown) {
        shutdown_ = true;
        service_.set_stop_deadline(now_.mono + 3s);
        service_.stop(now_, out);
    }
}

void World::answer_spawn(Move move, std::vector<Action>& out) {
    FakeGuard& guard = *pending();
    if (move == Move::SpawnOk) {
        guard.command = Command::Alive;
        guard.pid = 100 + 10 * static_cast<int>(guard.id.value);
        return service_.on(SpawnResult{guard.id, true, guard.pid, 0, 0, {}, false}, now_, out);
    }
    const GuardId id = guard.id;
    std::erase_if(guards_, [&](const FakeGuard& g) { return g.id == id; });
    service_.on(
        SpawnResult{id, false, 0, 203, ENOENT, "not found", move == Move::NoProcess}, now_, out);
}

/// The command of the main (or control) guard ends, or the main process that took its place.
void World::end_command(bool main, int status, bool leaves, std::vector<Action>& out) {
    const auto& d = service_.data();
    FakeGuard& guard = *find(main ? d.main_guard : d.control_guard);
    int pid = main ? d.main_pid : d.control_pid;
    if (pid == guard.child && pid != 0) {
        guard.child = 0;
    } else {
        guard.command = Command::Ended;
        pid = guard.pid;
    }
    if (leaves)
        guard.child = pid + 1;
    service_.on(CommandExited{guard.id, pid, exited(status)}, now_, out);
}

void World::empty_guard(std::vector<Action>& out) {
    const GuardId id = can_empty()->id;
    std::erase_if(guards_, [&](const FakeGuard& g) { return g.id == id; });
    service_.on(TreeEmpty{id}, now_, out);
}

void World::pass_deadline(std::vector<Action>& out) {
    now_.mono = std::max(now_.mono, service_.deadline());
    service_.on_deadline(now_, out);
    for (int turn = 0; service_.deadline() <= now_.mono; turn++) {
        if (turn > 8)
            return rule(false, "a deadline that has passed does not go away");
        service_.on_deadline(now_, out);
    }
}

void World::notify(std::string text, std::vector<Action>& out, GuardId guard) {
    const int pid = service_.data().main_pid;
    service_.on(
        Notified{Notified::Sender::Main, pid, std::move(text), 0, guard, std::nullopt}, now_, out);
}

void World::answer_pid(Move move, std::vector<Action>& out) {
    if (move == Move::Listed) {
        const FakeGuard& guard = *find(std::exchange(listing_asked_, GuardId{}));
        std::vector<int> pids;
        if (guard.child != 0)
            pids.push_back(guard.child);
        return service_.on(TreeListed{guard.id, pids, pids.size()}, now_, out);
    }
    pid_file_asked_ = false;
    if (move == Move::PidFileBad)
        return service_.on(PidFileRead{0, {}, "not there"}, now_, out);
    const FakeGuard& guard = *with_child(0);
    service_.on(PidFileRead{guard.child, guard.id, {}}, now_, out);
}

// ---- what the machine wants ---------------------------------------------------------------------

void World::perform(const std::vector<Action>& actions) {
    edges.clear();
    for (const Action& action : actions) {
        if (const auto* spawn = std::get_if<Spawn>(&action))
            see(*spawn);
        else if (const auto* change = std::get_if<StateChanged>(&action))
            see(*change);
        else if (const auto* signal = std::get_if<Signal>(&action))
            rule(find(signal->guard) != nullptr, "a signal to a guard that is gone");
        else if (const auto* line = std::get_if<Say>(&action))
            rule(line->text.find("internal error") == std::string::npos, line->text);
        else if (const auto* watch = std::get_if<WatchPid>(&action))
            rule(find(watch->guard) != nullptr, "a pid of no guard is watched");
        else if (const auto* query = std::get_if<QueryTree>(&action))
            listing_asked_ = query->guard;
        else if (std::holds_alternative<ReadPidFile>(action))
            pid_file_asked_ = true;
        else if (const auto* name = std::get_if<WatchBusName>(&action))
            name_watched_ = name->on;
    }
}

void World::see(const Spawn& spawn) {
    rule(find(spawn.guard) == nullptr, "a guard id is used twice");
    const bool spares_main = config_->kill->mode == unit::KillMode::None;
    for (const FakeGuard& guard : guards_)
        if (spawn.is_main && guard.is_main && guard.command != Command::Ended)
            rule(spares_main && !guard.lost, "a second main process");
    if (shutdown_)
        rule(spawn.list == ExecList::Stop || spawn.list == ExecList::StopPost,
             "a start during shutdown");
    rule(!forced_, "a command after the order to kill");
    guards_.push_back(FakeGuard{spawn.guard, spawn.is_main, Command::Pending, 0, 0, false});
}

void World::see(const StateChanged& change) {
    rule(change.before == active_state(seen_), "a transition from a state it was not in");
    for (int i = 0; i <= static_cast<int>(ServiceState::AutoRestart); i++) {
        const auto next = static_cast<ServiceState>(i);
        if (name(next) != change.sub)
            continue;
        rule(change.after == active_state(next), "a transition to another state than it says");
        edges.push_back({seen_, next});
        rule(is_legal(seen_, next), "an undeclared edge");
        seen_ = next;
        return;
    }
    rule(false, "a transition to nowhere");
}

// ---- rules that always hold ---------------------------------------------------------------------

void World::check() {
    const auto& d = service_.data();
    rule(seen_ == d.state, "the state changed without saying so");

    std::vector<GuardId> known = d.guards, real;
    for (const FakeGuard& guard : guards_)
        real.push_back(guard.id);
    std::ranges::sort(known);
    std::ranges::sort(real);
    rule(known == real, "a process is not accounted for");
    rule(!d.main_guard || find(d.main_guard) != nullptr, "the main guard is gone");
    rule(!d.control_guard || find(d.control_guard) != nullptr, "the control guard is gone");

    const Arms arms = traits(d.state).arms;
    if (arms != Arms::None && arms != Arms::RestartDelay && !service_.waits_for_idle())
        rule(d.state_deadline != base::never, "it waits without a timeout");
    if (arms == Arms::None)
        rule(d.state_deadline == base::never, "a timeout runs for nothing");
    rule(service_.deadline() > now_.mono || arms != Arms::None, "a deadline in the past");

    const bool down = d.state == ServiceState::Dead || d.state == ServiceState::Failed ||
                      d.state == ServiceState::AutoRestart;
    if (!down)
        return;
    rule(!d.main_guard && !d.control_guard && d.main_pid == 0 && d.control_pid == 0,
         "down with a main or control process");
    rule(d.watchdog_deadline == base::never && d.runtime_deadline == base::never &&
             d.retry_deadline == base::never,
         "down with a timer");
    const auto mode = config_->kill->mode;
    const bool contains = mode == unit::KillMode::ControlGroup || mode == unit::KillMode::Mixed;
    const bool gave_up = d.state == ServiceState::Failed &&
                         !d.will_restart; // SIGKILL did not help; it is not started beside them
    if (contains && !gave_up)
        rule(guards_.empty(), "down with processes");
    if (d.state == ServiceState::AutoRestart)
        rule(d.will_restart && !d.forbid_restart && !shutdown_, "a restart that nobody may want");
}

std::string World::key() const {
    const auto& d = service_.data();
    const auto place = [&](GuardId id) {
        return id ? std::ranges::find(guards_, id, &FakeGuard::id) - guards_.begin() : -1;
    };
    std::string text;
    const auto add = [&](std::ptrdiff_t value) { text += static_cast<char>('A' + value); };
    for (const auto value : {std::ptrdiff_t(d.state),
                             place(d.main_guard),
                             place(d.control_guard),
                             std::ptrdiff_t(d.control_list),
                             std::ptrdiff_t(d.control_index),
                             std::ptrdiff_t(d.main_index)})
        add(value);
    for (const bool flag : {d.result == ServiceResult::Success,
                            d.result == ServiceResult::ExecCondition,
                            d.main_pid != 0,
                            d.main_known,
                            d.main_alien,
                            d.main_recheck,
                            d.main_lost,
                            d.forbid_restart,
                            d.will_restart,
                            d.flush_restarts,
                            d.notify_ready,
                            d.notify_reloading,
                            d.notify_stopping,
                            d.reload_begin.count() != 0,
                            d.start_succeeded,
                            d.stop_for_restart,
                            d.state_deadline != base::never,
                            d.retry_deadline != base::never,
                            d.watchdog_deadline != base::never,
                            d.runtime_deadline != base::never,
                            pid_file_asked_,
                            name_watched_,
                            d.bus_name_owned,
                            shutdown_,
                            forced_,
                            bool(listing_asked_),
                            bool(d.survivor),
                            d.recent_starts.empty()})
        add(flag);
    for (const FakeGuard& guard : guards_) {
        add(static_cast<std::ptrdiff_t>(guard.command));
        for (const bool flag : {guard.is_main,
                                guard.child != 0,
                                guard.child != 0 && guard.child == d.main_pid,
                                guard.lost})
            add(flag);
    }
    return text;
}

} // namespace monoinit::supervise
