// Guards: spawning, reports, history. See guards.hpp.
#include "runtime/guards.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "exec/mount_command.hpp"
#include "exec/spawn.hpp"
#include "sys/clock.hpp"
#include "sys/proc.hpp"
#include "sys/syscalls.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sys/wait.h>
#include <utility>

namespace monoinit::runtime {

namespace {

constexpr std::size_t history_limit = 8; // commands remembered a unit

constexpr std::string_view directive_names[unit::exec_lists] = {
    "ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost",
};

std::string_view directive_name(unit::UnitType type, unit::ExecList list) {
    if (type == unit::UnitType::Mount)
        return list == unit::ExecList::Start ? "ExecMount" : list == unit::ExecList::Stop ? "ExecUnmount" : "ExecRemount";
    return directive_names[static_cast<std::size_t>(list)];
}

std::string hex(const std::array<std::uint8_t, 16>& bytes) {
    std::string text;
    for (const std::uint8_t byte : bytes)
        text += fmt::format("{:02x}", byte);
    return text;
}

exec::SignalScope scope_of(supervise::KillScope scope) {
    switch (scope) {
    case supervise::KillScope::Main: return exec::SignalScope::Main;
    case supervise::KillScope::Tree: return exec::SignalScope::Tree;
    case supervise::KillScope::TreeExceptMain: return exec::SignalScope::TreeExceptMain;
    case supervise::KillScope::Pid: return exec::SignalScope::One;
    }
    return exec::SignalScope::Main;
}

/// A stopped process cannot handle a polite signal, so it is woken.
bool wakes_up(int signal) { return signal != SIGKILL && signal != SIGCONT && signal != SIGSTOP; }

} // namespace

Guards::Guards(Links links)
    : links_(std::move(links)),
      lost_([this](int pid) { return by_pid_.contains(pid) || links_.log.pid() == pid; },
            [this](base::GuardId guard, base::UnitId unit) {
                remove_group(guard, unit);
                links_.feed(engine::GuardEvent{unit, supervise::TreeEmpty{guard}});
            }) {}

Guards::~Guards() {
    for (const auto& [id, guard] : guards_)
        links_.loop.remove(guard.link->fd());
}

void Guards::fail_spawn(base::UnitId unit, base::GuardId id, supervise::SpawnResult result) {
    result.guard = id;
    result.ok = false;
    links_.feed(engine::GuardEvent{unit, std::move(result)});
    links_.feed(engine::GuardEvent{unit, supervise::TreeEmpty{id}});
}

exec::Outcome Guards::outcome_of(supervise::ServiceResult result, const std::optional<base::ExitInfo>& exit) {
    using Code = base::ExitInfo::Code;
    exec::Outcome outcome{std::string(supervise::name(result)), {}, {}};
    if (exit) {
        outcome.exit_code = exit->code == Code::Exited ? "exited" : exit->code == Code::Killed ? "killed" : "dumped";
        outcome.exit_status = exit->is_signal() ? base::signal_name(exit->status).substr(3) : fmt::format("{}", exit->status);
    }
    return outcome;
}

/// Descriptors, processes or room on a disk are short: tried again like any failure.
void Guards::lack(base::UnitId unit, base::GuardId id, const base::Error& error) {
    fail_spawn(unit, id, {.errnum = error.errnum, .text = base::to_string(error), .resources = true});
}

exec::CommandContext Guards::command_context(base::UnitId unit, const supervise::Spawn& spawn) {
    exec::CommandContext context;
    context.guard = spawn.guard;
    context.list = spawn.list;
    context.index = static_cast<std::uint16_t>(spawn.index);
    context.invocation = links_.invocation(unit);
    context.main_pid = spawn.main_pid;
    context.watchdog = spawn.watchdog;
    context.restarts = spawn.restarts;
    if (spawn.list == unit::ExecList::Stop || spawn.list == unit::ExecList::StopPost)
        context.outcome = outcome_of(spawn.result, spawn.main_exit);
    if (spawn.list == unit::ExecList::StartPre || spawn.list == unit::ExecList::Start)
        add_monitored(unit, context);
    if (const engine::UnitStatus status = links_.status(unit); status.activation != nullptr) {
        context.trigger_unit = status.activation->unit;
        context.trigger_path = status.activation->path;
        if (const base::Moment elapsed = status.activation->elapsed) {
            context.trigger_realtime = fmt::format("{}", elapsed.wall.count());
            context.trigger_monotonic = fmt::format("{}", elapsed.mono.since_boot.count());
        }
    }
    return context;
}

/// A handler learns how the unit ended that names it in OnFailure= or OnSuccess=; of several, it could not tell which.
void Guards::add_monitored(base::UnitId unit, exec::CommandContext& context) const {
    const std::vector<base::UnitId> sources = links_.monitored(unit);
    if (sources.size() != 1)
        return;
    const engine::UnitStatus source = links_.status(sources.front());
    if (source.service == nullptr || source.invocation == 0)
        return;
    context.monitored_unit = source.config->name;
    context.monitored_invocation = links_.invocation(source.id);
    context.monitored = outcome_of(source.service->result, source.service->main_exit);
}

/// The sockets are for ExecStart=; other commands get them where their streams are to be one.
void Guards::add_sockets(base::UnitId unit, const unit::ExecSection& exec, exec::CommandContext& context) const {
    const bool streams = exec.standard_input == unit::StdinKind::Socket || exec.standard_output.kind == unit::StdoutKind::Socket ||
                         exec.standard_error.kind == unit::StdoutKind::Socket;
    const bool named = exec.standard_input == unit::StdinKind::Fd || exec.standard_output.kind == unit::StdoutKind::Fd ||
                       exec.standard_error.kind == unit::StdoutKind::Fd;
    if (context.list != unit::ExecList::Start && !streams && !named)
        return;
    PassedSockets passed = links_.sockets(unit);
    context.streams = passed.streams;
    if (context.list != unit::ExecList::Start && !streams)
        return;
    if (streams) { // one socket, and nothing beside it
        passed.fds.resize(passed.sockets);
        passed.names.resize(passed.sockets);
    }
    context.socket_count = passed.sockets;
    context.listen_fds = std::move(passed.fds);
    context.listen_names = std::move(passed.names);
    context.remote_address = std::move(passed.remote_address);
    context.remote_port = std::move(passed.remote_port);
}

/// Its notify socket, if it may have one. An error only where the service cannot become ready without.
base::Result<void> Guards::give_notify_socket(base::UnitId unit, const unit::ServiceSection& service, exec::CommandContext& context) {
    if (service.effective_notify_access() == unit::NotifyAccess::None || notify_ == nullptr)
        return {};
    auto path = notify_->path_for(unit);
    if (path) {
        context.notify_socket = std::move(*path);
        return {};
    }
    if (service.type == unit::ServiceType::Notify || service.type == unit::ServiceType::NotifyReload)
        return path.error();
    notices_[unit] = {fmt::format("cannot be notified: {}", base::to_string(path.error()))};
    return {};
}

void Guards::note_start(base::UnitId unit, base::GuardId id, const supervise::Spawn& spawn, const unit::Command& command) {
    auto& ran = history_[unit];
    const std::uint64_t invocation = links_.status(unit).invocation;
    if (!ran.empty() && ran.back().invocation != invocation) // what is shown concerns the latest start
        ran.clear();
    while (ran.size() >= history_limit)
        ran.pop_front();
    control::ExecRecord record;
    record.directive = directive_name(links_.status(unit).config->type, spawn.list);
    record.command = base::join(command.argv, " ");
    record.started = sys::moment_now();
    ran.push_back({id, invocation, std::move(record)});
}

void Guards::go_on(base::UnitId unit) {
    const auto found = held_back_.find(unit);
    if (found == held_back_.end() || --found->second.removals > 0)
        return;
    const std::vector<supervise::Spawn> spawns = std::move(found->second.spawns);
    held_back_.erase(found);
    for (const supervise::Spawn& each : spawns)
        spawn(unit, each);
}

/// What waits for its turn has no process that could be signalled.
bool Guards::give_up_held(base::UnitId unit, base::GuardId id) {
    const auto found = held_back_.find(unit);
    if (found == held_back_.end() || std::erase_if(found->second.spawns, [id](const supervise::Spawn& each) { return each.guard == id; }) == 0)
        return false;
    fail_spawn(unit, id, {.exit_status = 1, .text = "stopped before it began"});
    return true;
}

void Guards::spawn(base::UnitId unit, const supervise::Spawn& spawn) {
    if (const auto held = held_back_.find(unit); held != held_back_.end()) {
        held->second.spawns.push_back(spawn);
        return;
    }
    const engine::UnitStatus status = links_.status(unit);
    const unit::UnitConfig& config = *status.config;
    const auto& commands = config.service->list(spawn.list);
    if (spawn.index >= commands.size()) {
        // The file changed under a running start; what is asked for no longer exists.
        fail_spawn(unit, spawn.guard, {.exit_status = 1, .text = "the command is no longer in the unit file"});
        return;
    }
    if (config.type == unit::UnitType::Mount && !links_.manager.may_mount)
        return fail_spawn(unit, spawn.guard, {.exit_status = 1, .errnum = EPERM, .text = exec::mount_outside(*config.mount), .resources = true});
    const unit::Command& command = commands[spawn.index];
    exec::CommandContext context = command_context(unit, spawn);
    add_sockets(unit, *config.exec, context);
    if (auto given = give_notify_socket(unit, *config.service, context); !given)
        return lack(unit, spawn.guard, given.error());
    const auto streams = links_.log.open_streams(config, exec::output_needs(*config.exec), links_.manager.accounts);
    if (!streams)
        return lack(unit, spawn.guard, streams.error());
    context.log_stdout = streams->output.get();
    context.log_stderr = streams->error ? streams->error.get() : streams->output.get();
    context.journal_stream = streams->journal_stream;
    exec::BuiltPlan built = exec::build_plan(config, command, links_.manager, context);
    if (!built.notices.empty())
        note_degraded(unit, config.name, std::move(built.notices));
    note_start(unit, spawn.guard, spawn, command);
    if (built.failure) {
        fail_spawn(unit, spawn.guard,
                   {.exit_status = exec::exit_status_of(built.failure->stage),
                    .errnum = built.failure->error,
                    .text = built.failure->detail + exec::blamed_line(config, command, built.failure->stage, built.failure->detail)});
        return;
    }
    if (!built.plan.secrets.wanted.is_default())
        credentials_[unit] = context.invocation;
    auto channel = exec::make_guard_channel();
    if (!channel)
        return lack(unit, spawn.guard, channel.error());
    // Intent first: a crash between here and the report is then found as a guard that says nothing.
    links_.checkpoint.keep({FdKind::Guard, channel->ours.get(), spawn.guard.value, unit.value, 0});
    auto pid = exec::spawn_guard(built.plan, *channel);
    if (!pid) {
        links_.checkpoint.forget(channel->ours.get());
        return lack(unit, spawn.guard, pid.error());
    }
    links_.checkpoint.set_pid(channel->ours.get(), *pid);
    Guard guard;
    guard.unit = unit;
    guard.command = spawn;
    guard.pid = *pid;
    guard.link = std::make_unique<exec::GuardLink>(spawn.guard, std::move(channel->ours));
    by_pid_[*pid] = spawn.guard;
    by_unit_[unit].push_back(spawn.guard);
    guards_[spawn.guard] = std::move(guard);
    watch_link(spawn.guard);
}

void Guards::watch_link(base::GuardId id) {
    const int fd = guards_.at(id).link->fd();
    if (auto added = links_.loop.add(fd, EPOLLIN, [this, id](std::uint32_t events) { on_ready(id, events); }); !added)
        links_.log.say(3, {}, fmt::format("cannot watch a guard: {}", base::to_string(added.error())));
}

void Guards::flush(Guard& guard) {
    const bool done = guard.link->flush();
    if (done == guard.watching_output) { // wants to change
        guard.watching_output = !done;
        (void)links_.loop.modify(guard.link->fd(), done ? EPOLLIN : EPOLLIN | EPOLLOUT); // retried at the next event
    }
}

void Guards::on_ready(base::GuardId id, std::uint32_t events) {
    if ((events & EPOLLOUT) != 0)
        flush(guards_.at(id));
    while (guards_.contains(id)) {
        auto report = guards_.at(id).link->receive();
        if (!report)
            return;
        handle(id, std::move(*report));
    }
}

void Guards::handle(base::GuardId id, exec::GuardReport report) {
    Guard& guard = guards_.at(id);
    // Before the guard has answered, these are for the image that crashed, which may have read what came before them and not
    // recorded it: an exit believed ahead of its start is taken for a stranger's. The guard says all of it again.
    if (guard.resynchronising && (std::holds_alternative<exec::GuardStarted>(report) || std::holds_alternative<exec::GuardExit>(report) ||
                                  std::holds_alternative<exec::GuardEmpty>(report)))
        return;
    if (const auto* hello = std::get_if<exec::GuardHello>(&report)) {
        guard.resynchronising = false;
        guard.started = guard.started || hello->main_pid != 0;
        if (guard.pid == 0) { // the fault came between the fork and the note of it
            guard.pid = hello->guard_pid;
            by_pid_[guard.pid] = id;
            links_.checkpoint.set_pid(guard.link->fd(), guard.pid);
        }
        guard.main_pid = hello->main_pid;
    } else if (const auto* started = std::get_if<exec::GuardStarted>(&report)) {
        on_started(guard, id, *started);
    } else if (const auto* exit = std::get_if<exec::GuardExit>(&report)) {
        on_exit(guard, id, *exit);
    } else if (const auto* tree = std::get_if<exec::GuardTree>(&report)) {
        on_tree(guard, id, *tree);
    } else if (std::holds_alternative<exec::GuardEmpty>(report)) {
        on_empty(guard, id);
    } else if (const auto* signalled = std::get_if<exec::GuardSignalled>(&report)) {
        on_signalled(guard, *signalled);
    } else if (const auto* watching = std::get_if<exec::GuardWatching>(&report)) {
        if (watching->state == exec::WatchState::Alive)
            guard.main_pid = watching->pid;
    } else if (std::holds_alternative<exec::GuardGone>(report)) {
        gone(id);
    }
}

void Guards::on_started(Guard& guard, base::GuardId id, const exec::GuardStarted& report) {
    guard.started = true;
    guard.main_pid = report.pid;
    if (report.pid != 0)
        guard.known_pids = {report.pid};
    for (Ran& ran : history_[guard.unit])
        if (ran.guard == id) {
            ran.record.pid = report.pid;
            if (!report.ok) {
                ran.record.exited = sys::moment_now();
                ran.record.code = "exited";
                ran.record.status = report.exit_status;
            }
        }
    supervise::SpawnResult result;
    result.guard = id;
    result.ok = report.ok;
    result.pid = report.pid;
    result.exit_status = report.exit_status;
    result.errnum = report.error;
    if (report.ok)
        note_limits(guard.unit, report.text);
    result.text = report.ok ? std::string() : report.text;
    const base::UnitId unit = guard.unit;
    // Steps that have no status of systemd's fail for want of something of the system's, as systemd has it.
    constexpr int first_status = 200;
    result.resources = !report.ok && report.exit_status < first_status;
    if (!report.ok) {
        const auto config = links_.status(unit).config;
        const auto& commands = config->service->list(guard.command.list);
        result.text += exec::blamed_line(
            *config, guard.command.index < commands.size() ? commands[guard.command.index] : unit::Command{}, report.stage, report.text);
    }
    links_.feed(engine::GuardEvent{unit, std::move(result)});
    notify_->resume(unit);
}

void Guards::on_exit(Guard& guard, base::GuardId id, const exec::GuardExit& report) {
    const base::UnitId unit = guard.unit;
    notify_->take_pending(unit);
    for (Ran& ran : history_[unit])
        if (ran.guard == id && ran.record.pid == report.pid) {
            ran.record.exited = sys::moment_now();
            ran.record.code = report.exit.code == base::ExitInfo::Code::Exited   ? "exited"
                              : report.exit.code == base::ExitInfo::Code::Killed ? "killed"
                                                                                 : "dumped";
            ran.record.status = report.exit.status;
        }
    if (guard.main_pid == report.pid)
        guard.main_pid = 0;
    guard.childless = report.tree_empty;
    links_.feed(engine::GuardEvent{unit, supervise::CommandExited{id, report.pid, report.exit, report.out_of_memory}});
    if (report.tree_empty)
        return on_empty(guard, id); // its leave acknowledges too
    // The checkpoint holds it now (feed saves before it acts), so the guard may forget it.
    guard.link->acknowledge(report.sequence);
    flush(guard);
}

/// Told once, whether by the last exit or by a message of its own.
void Guards::on_empty(Guard& guard, base::GuardId id) {
    if (std::exchange(guard.empty, true))
        return;
    guard.childless = true;
    leaving_.push_back(id);
    links_.feed(engine::GuardEvent{guard.unit, supervise::TreeEmpty{id}});
}

void Guards::let_leave() {
    for (const base::GuardId id : std::exchange(leaving_, {}))
        if (const auto found = guards_.find(id); found != guards_.end()) {
            found->second.link->leave();
            flush(found->second);
        }
}

void Guards::on_tree(Guard& guard, base::GuardId id, const exec::GuardTree& report) {
    supervise::TreeListed listed;
    listed.guard = id;
    for (const exec::TreeEntry& entry : report.processes)
        if (entry.state != 'Z')
            listed.pids.push_back(entry.pid);
    guard.known_pids = listed.pids;
    links_.feed(engine::GuardEvent{guard.unit, std::move(listed)});
}

void Guards::on_signalled(const Guard& guard, const exec::GuardSignalled& report) {
    if (report.refused == 0)
        return;
    const auto status = links_.status(guard.unit);
    const std::string text =
        fmt::format("{}: may not signal pid {} ({}): it runs as another user; it stays until it ends by itself",
                    unit::short_name(status.config->name), report.refused_pid, base::printable(report.refused_name));
    links_.log.say(4, {}, text);
    notices_[guard.unit] = {text};
}

void Guards::gone(base::GuardId id) {
    const auto found = guards_.find(id);
    Guard guard = std::move(found->second);
    links_.loop.remove(guard.link->fd());
    guards_.erase(found);
    if (const auto own = by_unit_.find(guard.unit); own != by_unit_.end()) {
        std::erase(own->second, id);
        if (own->second.empty())
            by_unit_.erase(own);
    }
    if (!guard.reaped)
        by_pid_.erase(guard.pid);
    notify_->resume(guard.unit);
    if (!guard.empty) {
        links_.feed(engine::GuardEvent{guard.unit, supervise::GuardLost{id}});
        lost_.add({id, guard.unit, guard.reaped ? 0 : guard.pid, guard.main_pid, guard.known_pids, hex(links_.invocation(guard.unit))});
    }
    links_.checkpoint.forget(guard.link->fd()); // last: an entry that is gone means that the guard's end is in the records
}

bool Guards::child_exited(int pid, int wait_status) {
    (void)wait_status; // how a guard ended is told by what it reported, or did not
    if (const auto found = by_pid_.find(pid); found != by_pid_.end()) {
        const base::GuardId id = found->second;
        guards_.at(id).reaped = true; // its number may be another's from now on
        by_pid_.erase(found);
        // Its last words may still be in the socket.
        on_ready(id, EPOLLIN);
        lost_.child_exited(pid);
        return true;
    }
    lost_.child_exited(pid);
    return false;
}

void Guards::signal(base::UnitId unit, const supervise::Signal& signal) {
    if (give_up_held(unit, signal.guard))
        return;
    const auto found = guards_.find(signal.guard);
    if (found == guards_.end())
        return; // it went meanwhile; TreeEmpty has been told
    if (found->second.childless)
        return; // nobody is left to hear it
    // A guard that hangs on a path of the unit (EnvironmentFile= on a dead mount) reads no messages. It is our child, so its
    // pid is its own.
    if (signal.signal == SIGKILL && !found->second.started && !found->second.reaped)
        sys::send_signal(found->second.pid, SIGKILL);
    found->second.link->signal(scope_of(signal.scope), signal.signal, wakes_up(signal.signal), signal.then_sighup, signal.pid);
    flush(found->second);
}

void Guards::signal_unit(base::UnitId unit, int signal) {
    for (auto& [id, guard] : guards_) {
        if (guard.unit != unit)
            continue;
        guard.link->signal(exec::SignalScope::Tree, signal, false, false);
        flush(guard);
    }
}

void Guards::queue_signal(base::UnitId unit, int pid, int signal, int value) {
    const auto guard = guards_.find(guard_above(unit, pid));
    if (guard == guards_.end())
        return;
    guard->second.link->queue_signal(pid, signal, value);
    flush(guard->second);
}

void Guards::signal_all(int signal) {
    for (auto& [id, guard] : guards_) {
        guard.link->signal(exec::SignalScope::Tree, signal, wakes_up(signal), false);
        flush(guard);
    }
}

void Guards::watch(const supervise::WatchPid& watch) {
    if (const auto found = guards_.find(watch.guard); found != guards_.end()) {
        found->second.link->watch(watch.pid);
        found->second.main_pid = watch.pid;
        flush(found->second);
    }
}

void Guards::query(const supervise::QueryTree& query) {
    if (const auto found = guards_.find(query.guard); found != guards_.end()) {
        found->second.link->query(query.guard.value);
        flush(found->second);
    }
}

void Guards::adopt(const FdEntry& entry, sys::UniqueFd fd) {
    const base::GuardId id{static_cast<std::uint32_t>(entry.id)};
    Guard guard;
    guard.unit = base::UnitId{entry.unit};
    guard.pid = entry.pid;
    exec::mark_guard_link(fd.get()); // older images have not
    guard.link = std::make_unique<exec::GuardLink>(id, std::move(fd));
    if (entry.pid != 0)
        by_pid_[entry.pid] = id;
    by_unit_[guard.unit].push_back(id);
    guards_[id] = std::move(guard);
}

void Guards::resynchronise() {
    std::vector<base::GuardId> ids;
    for (const auto& [id, guard] : guards_)
        ids.push_back(id);
    for (const base::GuardId id : ids) {
        watch_link(id);
        guards_.at(id).resynchronising = true;
        guards_.at(id).link->query(id.value, true);
        flush(guards_.at(id));
    }
}

void Guards::take_back_lost(base::UnitId unit) {
    const engine::UnitStatus status = links_.status(unit);
    if (status.service == nullptr)
        return;
    const std::vector<base::GuardId> listed = status.service->guards;
    const int main_pid = status.service->main_pid;
    for (const base::GuardId id : listed) {
        if (guards_.contains(id))
            continue;
        links_.feed(engine::GuardEvent{unit, supervise::GuardLost{id}});
        lost_.add({id, unit, 0, main_pid, {}, hex(links_.invocation(unit))});
    }
}

std::vector<Guards::Link> Guards::links() const {
    std::vector<Link> all;
    for (const auto& [id, guard] : guards_)
        all.push_back({id, guard.unit, guard.link->fd()});
    return all;
}

void Guards::forget(base::UnitId unit) {
    history_.erase(unit);
    notices_.erase(unit);
    limits_.erase(unit);
    credentials_.erase(unit);
    if (const auto held = held_back_.find(unit); held != held_back_.end())
        held->second.spawns.clear();
}

std::vector<int> Guards::pids_of(base::UnitId unit) const {
    std::vector<int> pids;
    if (const auto found = by_unit_.find(unit); found != by_unit_.end())
        for (const base::GuardId id : found->second)
            pids.push_back(guards_.at(id).pid);
    return pids;
}

std::vector<control::ExecRecord> Guards::history_of(base::UnitId unit) const {
    std::vector<control::ExecRecord> records;
    if (const auto found = history_.find(unit); found != history_.end())
        for (const Ran& ran : found->second)
            records.push_back(ran.record);
    return records;
}

bool Guards::has_started(base::GuardId id) {
    const auto found = guards_.find(id);
    if (found == guards_.end())
        return true;
    // Only up to the report: what it says later has its turn after what the command said.
    while (!found->second.started) {
        auto report = found->second.link->receive();
        if (!report)
            return false;
        handle(id, std::move(*report));
        if (!guards_.contains(id))
            return true;
    }
    return true;
}

} // namespace monoinit::runtime
