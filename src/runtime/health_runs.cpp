// Health checks: guards, their output, the logger's answer to LogLine=. See health_runs.hpp.
#include "runtime/health_runs.hpp"

#include "base/fmt.hpp"
#include "base/signals.hpp"
#include "base/strings.hpp"
#include "exec/spawn.hpp"
#include "log/reader.hpp"
#include "sys/clock.hpp"
#include "sys/patience.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

constexpr std::size_t output_limit = 4096;

std::string hex(const std::array<std::uint8_t, 16>& bytes) {
    std::string text;
    for (const std::uint8_t byte : bytes)
        text += fmt::format("{:02x}", byte);
    return text;
}

/// The unit's settings, but for its streams: a check writes into a pipe of its own and reads nothing.
unit::UnitConfig without_streams(const unit::UnitConfig& config) {
    unit::UnitConfig copy = config;
    unit::ExecSection& exec = copy.exec.edit();
    exec.standard_input = unit::StdinKind::Null;
    exec.standard_output = {unit::StdoutKind::Journal, {}};
    exec.standard_error = {unit::StdoutKind::Inherit, {}};
    exec.tty_reset = exec.tty_vhangup = false;
    return copy;
}

/// The last line that says something.
std::string last_line(std::string_view text) {
    std::string_view found;
    for (const std::string_view line : base::split(text, '\n'))
        if (line.find_first_not_of(" \t\r") != line.npos)
            found = line;
    constexpr std::size_t limit = 200;
    return base::printable(found, limit);
}

std::string first_line(std::string_view text) {
    constexpr std::size_t limit = 300;
    return base::printable(text.substr(0, text.find('\n')), limit);
}

/// Whether a line of the unit since then holds the pattern. Runs in a probe: it may wait for the logger.
std::string find_line(const std::string& socket, const log::Query& query, const std::string& pattern) {
    bool found = false;
    const std::string anywhere = "*" + pattern + "*";
    const bool has_pattern = pattern.find_first_of("*?") != std::string::npos;
    const auto read = log::read_logs(socket, query, [&](const log::Record& line) {
        found = has_pattern ? base::glob_match(anywhere, line.text) : line.text.find(pattern) != std::string_view::npos;
        return !found;
    });
    return found ? "1" : read ? "0" : "!" + base::to_string(read.error());
}

} // namespace

HealthRuns::HealthRuns(Links links)
    : links_(std::move(links)),
      lost_([this](int pid) { return is_guard(pid) || links_.is_other_child(pid); },
            [this](base::GuardId guard, base::UnitId unit) { links_.feed(engine::HealthEvent{unit, supervise::CheckGone{guard}}); }),
      nowhere_(sys::insist([] { return sys::open_path("/dev/null", O_WRONLY); }).value_or(sys::UniqueFd())) {}

HealthRuns::~HealthRuns() {
    for (const auto& [id, run] : runs_) {
        links_.loop.remove(run.link->fd());
        if (run.output)
            links_.loop.remove(run.output.get());
    }
}

void HealthRuns::refuse(base::UnitId unit, base::GuardId guard, std::string text) {
    links_.feed(engine::HealthEvent{unit, supervise::CheckResult{guard, false, std::move(text), {}}});
    links_.feed(engine::HealthEvent{unit, supervise::CheckGone{guard}});
}

void HealthRuns::run(base::UnitId unit, const supervise::RunCheck& check) {
    const engine::UnitStatus status = links_.status(unit);
    const unit::HealthCheck& settings = status.config->health->check(check.kind);
    const auto step = settings.step(check.step);
    if (!step)
        return refuse(unit, check.guard, "the check is no longer in the unit file");
    const std::string& target = settings.target(*step);
    if (step->kind == unit::HealthStepKind::LogLine)
        return watch_log(unit, check, target, status);
    const bool is_command = step->kind == unit::HealthStepKind::Exec;
    const unit::Command none;
    const unit::Command& command = is_command ? settings.exec[step->index] : none;

    auto pipe = sys::make_pipe_pair();
    auto channel = exec::make_guard_channel();
    if (!pipe || !channel)
        return refuse(unit, check.guard, base::to_string(!pipe ? pipe.error() : channel.error()));
    exec::CommandContext context;
    context.guard = check.guard;
    context.list = unit::ExecList::Reload; // beside the service, like a reload; only HELLO tells it
    context.invocation = links_.invocation(unit);
    context.main_pid = check.main_pid;
    context.log_stdout = pipe->write.get();
    exec::BuiltPlan built = exec::build_plan(without_streams(*status.config), command, links_.manager, context);
    if (built.failure)
        return refuse(unit, check.guard, built.failure->detail);
    if (!is_command)
        built.plan.probe = exec::HealthProbe{step->kind, target, check.timeout};
    // The unit's own user may open /dev/stdout again. A failure changes nothing else.
    (void)!::fchown(pipe->write.get(), built.plan.directory_uid, built.plan.directory_gid);
    (void)sys::set_nonblocking(pipe->read.get(), true);
    const auto pid = exec::spawn_guard(built.plan, *channel);
    if (!pid)
        return refuse(unit, check.guard, base::to_string(pid.error()));
    Run run;
    run.unit = unit;
    run.link = std::make_unique<exec::GuardLink>(check.guard, std::move(channel->ours));
    run.output = std::move(pipe->read);
    run.command = is_command ? command.path : std::string();
    run.may_fail = command.ignore_failure;
    run.pid = *pid;
    by_pid_[*pid] = check.guard;
    runs_[check.guard] = std::move(run);
    if (!watch(check.guard)) {
        gone(check.guard); // its channel closes, so it ends by itself
        refuse(unit, check.guard, "too many descriptors are open");
    }
}

bool HealthRuns::watch(base::GuardId id) {
    Run& run = runs_.at(id);
    run.empty = true; // should it fail, nothing is to be claimed
    if (!links_.loop.add(run.link->fd(), EPOLLIN, [this, id](std::uint32_t events) { on_ready(id, events); }))
        return false;
    const auto added = links_.loop.add(run.output.get(), EPOLLIN, [this, id](std::uint32_t) {
        if (const auto found = runs_.find(id); found != runs_.end())
            take_output(found->second);
    });
    if (!added)
        run.output.reset(); // the check then runs without: its status is what counts
    run.empty = false;
    return true;
}

void HealthRuns::watch_log(base::UnitId unit, const supervise::RunCheck& check, const std::string& pattern, const engine::UnitStatus& status) {
    if (status.monitor != nullptr && status.monitor->data()[static_cast<std::size_t>(check.kind)].verdict != supervise::Health::Starting) {
        // It has been there; it may have left the store since, and says nothing about now.
        links_.feed(engine::HealthEvent{unit, supervise::CheckResult{check.guard, true, {}, {}}});
        return links_.feed(engine::HealthEvent{unit, supervise::CheckGone{check.guard}});
    }
    log::Query query;
    query.filter.units = {status.config->name};
    query.filter.own = false;
    query.filter.since_wall_us = static_cast<std::uint64_t>(status.inactive_exit.wall.count());
    const base::GuardId guard = check.guard;
    links_.probes.start([socket = links_.logs_socket, query, pattern] {
                            return exec::Probe::start([&] { return find_line(socket, query, pattern); });
                        }, sys::now(),
                        check.timeout, [this, unit, guard, pattern](const base::Result<std::string>& answer) {
                            supervise::CheckResult result{guard, answer && *answer == "1", {}, {}};
                            if (!answer)
                                result.text = "asking the logger: " + answer.error().what;
                            else if (answer->starts_with('!'))
                                result.text = answer->substr(1);
                            else if (!result.ok)
                                result.text = "no line with \"" + base::printable(pattern) + "\" yet";
                            links_.feed(engine::HealthEvent{unit, std::move(result)});
                            links_.feed(engine::HealthEvent{unit, supervise::CheckGone{guard}});
                        });
}

void HealthRuns::end(const supervise::EndCheck& check) {
    const auto found = runs_.find(check.guard);
    if (found == runs_.end() || found->second.empty)
        return;
    // A guard that hangs on a path of the unit reads no messages. It is our child, so its pid is its own.
    if (!found->second.started)
        sys::send_signal(found->second.pid, SIGKILL);
    found->second.link->signal(exec::SignalScope::Tree, SIGKILL, false, false);
    flush(found->second);
}

void HealthRuns::flush(Run& run) {
    const bool done = run.link->flush();
    if (done == run.watching_output) { // wants to change
        run.watching_output = !done;
        (void)links_.loop.modify(run.link->fd(), done ? EPOLLIN : EPOLLIN | EPOLLOUT); // retried at the next event
    }
}

/// One look: what is in the pipe beyond the last 4 kB is thrown away without being copied. Whoever writes a gigabyte is held
/// back by the pipe, costs one turn of the loop for each 64 kB, and ends with Timeout=.
void HealthRuns::take_output(Run& run) {
    int waiting = 0;
    if (::ioctl(run.output.get(), FIONREAD, &waiting) == 0 && nowhere_ && waiting > static_cast<int>(output_limit))
        (void)!::splice(run.output.get(), nullptr, nowhere_.get(), nullptr, static_cast<std::size_t>(waiting) - output_limit, SPLICE_F_NONBLOCK);
    char buffer[output_limit];
    const ssize_t size = ::read(run.output.get(), buffer, sizeof buffer);
    if (size > 0) {
        run.tail.append(buffer, static_cast<std::size_t>(size));
        if (run.tail.size() > output_limit)
            run.tail.erase(0, run.tail.size() - output_limit);
    } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
        links_.loop.remove(run.output.get());
        run.output.reset();
    }
}

void HealthRuns::on_ready(base::GuardId id, std::uint32_t events) {
    if ((events & EPOLLOUT) != 0)
        flush(runs_.at(id));
    while (runs_.contains(id)) {
        const auto report = runs_.at(id).link->receive();
        if (!report)
            return;
        handle(id, *report);
    }
}

void HealthRuns::handle(base::GuardId id, const exec::GuardReport& report) {
    Run& run = runs_.at(id);
    if (const auto* started = std::get_if<exec::GuardStarted>(&report)) {
        run.started = true;
        run.main_pid = started->pid;
        if (!started->ok)
            links_.feed(engine::HealthEvent{run.unit, supervise::CheckResult{id, run.may_fail, started->text, {}}});
    } else if (const auto* exit = std::get_if<exec::GuardExit>(&report)) {
        on_exit(run, id, *exit);
    } else if (std::holds_alternative<exec::GuardEmpty>(report)) {
        run.empty = true;
        run.link->leave();
        flush(run);
        links_.feed(engine::HealthEvent{run.unit, supervise::CheckGone{id}});
    } else if (std::holds_alternative<exec::GuardGone>(report)) {
        gone(id);
    }
}

void HealthRuns::on_exit(Run& run, base::GuardId id, const exec::GuardExit& exit) {
    run.link->acknowledge(exit.sequence);
    flush(run);
    if (!exit.is_command)
        return;
    if (run.output)
        take_output(run);
    supervise::CheckResult result;
    result.guard = id;
    result.output = run.tail;
    result.ok = run.may_fail || (exit.exit.code == base::ExitInfo::Code::Exited && exit.exit.status == 0);
    if (!result.ok && run.command.empty())
        result.text = run.tail.empty() ? "the check could not be made: " + base::describe(exit.exit) : first_line(run.tail);
    else if (!result.ok)
        result.text = run.command + ": " + base::describe(exit.exit);
    if (const std::string said = last_line(run.tail); !result.ok && !run.command.empty() && !said.empty())
        result.text += ": " + said;
    links_.feed(engine::HealthEvent{run.unit, std::move(result)});
}

void HealthRuns::gone(base::GuardId id) {
    const auto found = runs_.find(id);
    const Run run = std::move(found->second);
    links_.loop.remove(run.link->fd());
    if (run.output)
        links_.loop.remove(run.output.get());
    by_pid_.erase(run.pid);
    runs_.erase(found);
    if (!run.empty)
        lost_.add({id, run.unit, run.pid, run.main_pid, {}, hex(links_.invocation(run.unit))});
}

bool HealthRuns::child_exited(int pid) {
    const auto found = by_pid_.find(pid);
    const bool ours = found != by_pid_.end();
    if (ours)
        on_ready(base::GuardId(found->second), EPOLLIN); // its last words may still be in the socket
    lost_.child_exited(pid);
    return ours;
}

} // namespace monoinit::runtime
