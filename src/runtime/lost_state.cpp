// Going on without the checkpoint, or without the records of some units: what runs is what the guards say, and nothing of it is started
// a second time. What nobody can say is said. Tested by tests/system/crashes.py.
#include "base/fmt.hpp"
#include "runtime/runtime.hpp"

#include "runtime/crash.hpp"
#include "sys/patience.hpp"
#include "sys/proc.hpp"
#include "sys/socket.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

constexpr base::Duration guard_answers_within = std::chrono::milliseconds(200);

base::Moment started_at(int pid, const base::Moment& now) {
    const auto stat = sys::stat_of(pid);
    const long ticks = ::sysconf(_SC_CLK_TCK);
    if (!stat || ticks <= 0)
        return now;
    const base::Instant mono{base::Duration(static_cast<std::int64_t>(stat->start_ticks * 1'000'000 / static_cast<std::uint64_t>(ticks)))};
    return {mono, now.wall - (now.mono - mono)};
}

} // namespace

base::Result<void> Runtime::adopt_checkpoint() {
    const int old = invocation_.resume_checkpoint;
    auto adopted = sys::insist([old]() -> base::Result<Checkpoint> {
        sys::UniqueFd copy(::fcntl(old, F_DUPFD_CLOEXEC, 3));
        if (!copy)
            return base::fail_errno(errno, "the crash checkpoint");
        return Checkpoint::adopt(std::move(copy));
    });
    if (adopted && adopted->has(runtime_record)) {
        checkpoint_.emplace(std::move(*adopted));
        follow_checkpoint(checkpoint_->fd());
        ::close(old);
        return {};
    }
    lost_.emplace();
    lost_->why = adopted ? "the record of what PID 1 was doing is lost" : base::to_string(adopted.error());
    // They get FD_CLOEXEC when they are in the new table, not before: a crash meanwhile would lose them.
    lost_->inherited = inherited_descriptors(old);
    checkpoint_.emplace(TRY(sys::insist([] { return Checkpoint::create(descriptors_at_most); })));
    follow_checkpoint(checkpoint_->fd());
    ::close(old);
    return {};
}

/// Before anything is made: descriptors that are not marked yet would go on into it.
void Runtime::find_again() {
    lost_->found = find_what_runs(lost_->inherited, dir_);
    const auto keep = [this](const FdEntry& entry) {
        checkpoint_->keep(entry);
        ::fcntl(entry.fd, F_SETFD, FD_CLOEXEC);
    };
    for (const FdEntry& entry : lost_->found.kept)
        keep(entry);
    for (const FoundStream& stream : lost_->found.streams)
        keep({FdKind::LogStream, stream.read_end.get(), 0, 0, 0});
    for (const sys::UniqueFd& each : lost_->found.unknown)
        ::fcntl(each.get(), F_SETFD, FD_CLOEXEC);
    make_seed();
    end_old_logger();
    start_logger();
    const auto lost = lost_->found.unknown.size();
    log_->say(2, {}, fmt::format("the checkpoint is unusable ({}): {} command{} found running and taken up again, {} descriptor{} given up. Lost: who was "
                                 "stopped or failed, counters, stored descriptors, listening sockets, timers' last times",
                                 lost_->why, lost_->found.guards.size(), lost_->found.guards.size() == 1 ? "" : "s", lost, lost == 1 ? "" : "s"));
    if (lost != 0)
        sys::close_elsewhere(std::move(lost_->found.unknown));
}

void Runtime::take_up_streams() {
    for (FoundStream& stream : lost_->found.streams)
        if (const auto config = engine_->status(engine_->find(stream.unit)).config)
            log_->take_up(*config, stream.kind, std::move(stream.read_end));
}

/// Those of which the engine has no record.
void Runtime::take_up_guards() {
    const base::Moment now = sys::moment_now();
    struct Stranger {
        base::UnitId unit;
        supervise::FoundCommand command;
        std::array<std::uint8_t, 16> invocation;
    };
    std::vector<Stranger> strangers;
    for (const auto& [id, unit, fd] : guards_->links()) {
        if (engine_->knows_guard(unit, id))
            continue;
        const auto hello = ask_guard(fd, guard_answers_within);
        if (!hello || hello->list > static_cast<std::uint8_t>(unit::ExecList::StopPost))
            continue;
        strangers.push_back({unit, {id, static_cast<unit::ExecList>(hello->list), hello->index, hello->main_pid, hello->main_alive, started_at(hello->main_pid, now)}, hello->invocation});
    }
    // What was started first is what the rest is about.
    std::ranges::stable_sort(strangers, {}, [](const Stranger& each) { return each.command.list != unit::ExecList::Start; });
    for (const Stranger& each : strangers) {
        engine_->take_up(each.unit, each.command, now);
        const auto status = engine_->status(each.unit);
        old_invocations_[status.config->name] = {status.invocation, each.invocation};
        log_->say(4, status.config->name, fmt::format("{}: its record was lost; taken up again as it runs (pid {})", unit::short_name(status.config->name), each.command.pid));
    }
}

/// What belongs to the boot target and is not up is started, but nothing that runs once: it has run, and may be an initialisation.
void Runtime::complete_boot() {
    for (const base::UnitId unit : engine_->assume_booted(boot_target_, sys::moment_now()))
        feed(engine::JobRequest{0, graph::JobType::Start, unit, unit::JobMode::IgnoreRequirements, false});
    save_dirty();
}

} // namespace monoinit::runtime
