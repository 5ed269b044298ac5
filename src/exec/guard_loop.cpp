// The guard's long life: reap what lands here, report what PID 1 watches, sweep when told to, leave when nothing is left.
// Static memory only: the heap is gone, and every page touched is one that this container pays per service. Reports are
// state, not a queue (a flag each), so that a PID 1 that is busy or re-executing delays them but never loses one.
// Tested by tests/unit/exec/guard_test.cpp.
#include "exec/guard.hpp"

#include "exec/command_group.hpp"
#include "exec/guard_tree.hpp"
#include "sys/cgroup.hpp"
#include "sys/proc.hpp"
#include "sys/syscalls.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

constexpr std::size_t held_limit = 8, other_limit = 64, watch_limit = 4;

struct HeldExit {
    ExitMessage message;
    bool used = false, sent = false;
};

struct OtherExit {
    pid_t pid;
    int status;
};

struct Watch {
    pid_t pid = 0;
    int pidfd = -1;        ///< for a process that is not our own child
    bool foreign = false;  ///< has another parent than us
};

/// Everything a guard knows.
struct State {
    int socket = -1;
    pid_t self = 0;
    pid_t command = 0; ///< the process we started; 0 = failed
    pid_t main = 0;    ///< command, or the last watched one
    bool command_gone = false;
    bool hello_due = false, start_due = true, empty_due = false, empty_told = false;
    bool childless = false;
    bool orphaned = false; ///< PID 1 is gone
    bool killing = false;  ///< SIGKILL for the whole tree: holds until nothing is left
    std::uint32_t kill_pause_ms = 0;
    bool reply_due = false; ///< in `reply`
    bool went_deep = false; ///< pages were used that idling does not need
    std::uint32_t reply_size = 0;
    std::uint32_t next_sequence = 1;
    std::uint32_t orphans = 0;
    std::uint32_t next_other = 0;
    Usage usage;
    Watch watches[watch_limit];
    HeldExit held[held_limit];
    OtherExit others[other_limit];
    StartResultMessage start;
    HelloMessage hello;
    GuardGroup group;
};

/// The guard's own memory. The state lies at the top of the stack, on the one page that an idle guard touches; sweeping and
/// listing go deeper.
struct alignas(4096) Memory {
    char stack[8 * 4096 - sizeof(State)];
    State state;
};
Memory memory;
static_assert(sizeof(State) <= 3072 && sizeof(Memory) % 4096 == 0 && offsetof(Memory, state) == sizeof memory.stack);
State& state = memory.state;
// Any answer; its pages cost nothing until a tree is asked for. Raw: with its first values it would be 12 kB of the binary.
alignas(4096) char reply_memory[sizeof(TreeMessage)];
TreeMessage& reply = reinterpret_cast<TreeMessage&>(reply_memory);

void on_child(int) {} // only there to interrupt ppoll()

std::uint64_t usec(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_usec);
}

/// False when it has to be tried again later.
bool send_report(const void* message, std::size_t size) {
    if (sys::send_bytes(state.socket, message, size, MSG_DONTWAIT) >= 0)
        return true;
    // EPIPE and kin: PID 1 is gone, which the next poll tells; nobody waits for this report any more.
    return errno != EAGAIN && errno != ENOBUFS && errno != EINTR && errno != ENOMEM;
}

void stamp(MessageHeader& header) {
    header.guard = state.start.header.guard;
}

// ---- exits ----------------------------------------------------------------------------------------------------------

void hold_exit(pid_t pid, ExitCode code, int status, const Usage& usage) {
    HeldExit* slot = &state.held[0];
    for (HeldExit& each : state.held) {
        if (!each.used) {
            slot = &each;
            break;
        }
        if (each.message.sequence < slot->message.sequence)
            slot = &each; // all held: the oldest gives way, PID 1 has not asked for it in seven exits
    }
    *slot = HeldExit{};
    slot->used = true;
    ExitMessage& message = slot->message;
    stamp(message.header);
    message.sequence = state.next_sequence++;
    message.pid = pid;
    message.code = code;
    message.status = status;
    message.is_command = pid == state.command;
    message.out_of_memory = state.group.path[0] != 0 && count_oom_kills(state.group.path) > state.group.oom_kills;
    message.usage = usage;
}

void hold_wait_status(pid_t pid, int status, const Usage& usage) {
    if (WIFEXITED(status))
        hold_exit(pid, ExitCode::Exited, WEXITSTATUS(status), usage);
    else
        hold_exit(pid, WCOREDUMP(status) ? ExitCode::Dumped : ExitCode::Killed, WTERMSIG(status), usage);
}

Watch* watch_of(pid_t pid) {
    for (Watch& watch : state.watches)
        if (watch.pid == pid)
            return &watch;
    return nullptr;
}

void end_watch(Watch& watch) {
    if (watch.pidfd >= 0)
        ::close(watch.pidfd);
    watch = Watch{};
}

void reap() {
    rusage usage;
    int status;
    for (;;) {
        const pid_t pid = sys::wait_for(-1, &status, WNOHANG, &usage);
        if (pid == 0)
            return;
        if (pid < 0) {
            if (errno == EINTR)
                continue;
            state.childless = errno == ECHILD;
            return;
        }
        const Usage used{usec(usage.ru_utime), usec(usage.ru_stime), static_cast<std::uint64_t>(usage.ru_maxrss)};
        state.usage.user_usec += used.user_usec;
        state.usage.system_usec += used.system_usec;
        if (used.max_rss_kib > state.usage.max_rss_kib)
            state.usage.max_rss_kib = used.max_rss_kib;
        Watch* const watch = watch_of(pid);
        if (pid == state.command)
            state.command_gone = true;
        if (watch != nullptr || pid == state.command) {
            if (watch != nullptr)
                end_watch(*watch);
            hold_wait_status(pid, status, used);
        } else {
            state.others[state.next_other++ % other_limit] = OtherExit{pid, status};
            state.orphans++;
        }
    }
}

/// A watched process that is not our child: its parent took its status, unless it fell to us in its last moment.
void check_foreign_watches() {
    for (Watch& watch : state.watches) {
        if (watch.pid == 0 || !watch.foreign)
            continue;
        pollfd ready{watch.pidfd, POLLIN, 0};
        if (watch.pidfd >= 0 && ::poll(&ready, 1, 0) != 1)
            continue;
        const pid_t parent = sys::parent_of(watch.pid);
        if (parent == state.self || (watch.pidfd < 0 && parent != 0)) // reap() will see it; or not gone yet
            continue;
        const pid_t pid = watch.pid;
        end_watch(watch);
        hold_exit(pid, ExitCode::Unknown, 0, Usage{});
    }
}

// ---- signals --------------------------------------------------------------------------------------------------------

void report_refusal(int signal, const SweepResult& result) {
    SignalResultMessage message;
    stamp(message.header);
    message.signal = signal;
    message.reached = result.reached;
    message.refused = result.refused;
    message.refused_pid = result.refused_pid;
    sys::ProcessStat stat;
    if (sys::read_stat(result.refused_pid, stat))
        std::memcpy(message.refused_name, stat.name, sizeof message.refused_name);
    std::memcpy(static_cast<void*>(&reply), &message, sizeof message);
    state.reply_size = sizeof message;
    state.reply_due = true;
}

/// Repeats until a walk finds nobody new, so that nobody escapes by forking meanwhile. Bounded: a bomb that outruns us is
/// gone on with after what has died was reaped.
SweepResult sweep_until_stable(const SignalSeries& series, pid_t spared, int rounds_max) {
    PidSet done;
    SweepResult total;
    for (int round = 0; round < rounds_max; round++) {
        const SweepResult result = sweep(state.self, series, spared, done);
        total.reached += result.reached;
        total.refused += result.refused;
        if (result.refused_pid != 0)
            total.refused_pid = result.refused_pid;
        total.fresh = result.fresh;
        if (result.fresh == 0)
            break;
    }
    return total;
}

/// All at once, before anybody can fork; the sweep that follows judges whether that was all.
void kill_group() {
    constexpr std::string_view name = "/cgroup.kill";
    char path[group_path_limit + name.size() + 1];
    const std::size_t size = std::strlen(state.group.path);
    if (size == 0)
        return;
    std::memcpy(path, state.group.path, size);
    std::memcpy(path + size, name.data(), name.size());
    path[size + name.size()] = 0;
    const int file = ::open(path, O_WRONLY | O_CLOEXEC); // a kernel before 5.14 has none
    if (file < 0)
        return;
    (void)!::write(file, "1", 1);
    ::close(file);
}

void kill_tree(bool first) {
    constexpr int quick_rounds = 4, freeze_rounds = 200;
    kill_group();
    SweepResult result = sweep_until_stable({SIGKILL}, 0, quick_rounds);
    if (result.fresh != 0) {
        // It forks faster than we kill, and every death makes room for another. Stopped processes fork no more and still
        // take up their room: stop all first, then kill.
        (void)sweep_until_stable({SIGSTOP}, 0, freeze_rounds);
        result = sweep_until_stable({SIGKILL}, 0, freeze_rounds);
    }
    if (first && result.refused != 0)
        report_refusal(SIGKILL, result);
}

void kill_again() {
    kill_tree(false);
    state.kill_pause_ms = state.kill_pause_ms < 500 ? state.kill_pause_ms * 2 : 1000;
}

void start_killing() {
    const bool first = !state.killing;
    state.killing = true;
    state.kill_pause_ms = 5;
    kill_tree(first);
}

void on_signal(const SignalMessage& message) {
    const SignalSeries series{message.signal, message.then_continue != 0, message.then_hangup != 0, message.queued != 0, message.value};
    const auto one = [&](pid_t pid) {
        const int error = pid > 0 ? signal_one(state.self, pid, series) : ESRCH;
        if (error != 0)
            report_refusal(message.signal, SweepResult{0, 0, error == EPERM ? 1U : 0U, pid});
    };
    switch (message.scope) {
    case SignalScope::Main:
        return one(state.main == state.command && state.command_gone ? 0 : state.main);
    case SignalScope::One:
        return one(message.pid);
    case SignalScope::Tree:
        if (message.signal == SIGKILL)
            return start_killing();
        break;
    case SignalScope::TreeExceptMain:
        break;
    }
    constexpr int rounds = 20;
    const pid_t spared = message.scope == SignalScope::TreeExceptMain ? state.main : 0;
    const SweepResult result = sweep_until_stable(series, spared, rounds);
    if (result.refused != 0)
        report_refusal(message.signal, result);
}

// ---- other commands -------------------------------------------------------------------------------------------------

WatchState start_watch(pid_t pid) {
    for (std::size_t i = 0; i < other_limit; i++) {
        OtherExit& other = state.others[i];
        if (other.pid == pid) { // MAINPID= came after the process had ended
            hold_wait_status(pid, other.status, Usage{});
            other.pid = 0;
            return WatchState::Exited;
        }
    }
    if (pid == state.command)
        return state.command_gone ? WatchState::Exited : WatchState::Alive;
    if (watch_of(pid) != nullptr)
        return WatchState::Alive;
    const bool own_child = sys::parent_of(pid) == state.self;
    const int pidfd = own_child ? -1 : sys::pidfd_open(pid);
    if (!own_child && !is_in_tree(state.self, pid)) {
        if (pidfd >= 0)
            ::close(pidfd);
        return WatchState::NotOurs;
    }
    Watch* slot = watch_of(0);
    if (slot == nullptr) {
        slot = &state.watches[0];
        end_watch(*slot);
    }
    *slot = Watch{pid, pidfd, !own_child};
    return WatchState::Alive;
}

void on_watch(const WatchMessage& message) {
    WatchResultMessage answer;
    stamp(answer.header);
    answer.pid = message.pid;
    answer.state = message.pid > 0 ? start_watch(message.pid) : WatchState::NotOurs;
    if (answer.state == WatchState::Alive)
        state.main = message.pid;
    std::memcpy(static_cast<void*>(&reply), &answer, sizeof answer);
    state.reply_size = sizeof answer;
    state.reply_due = true;
}

void on_query(const QueryMessage& message) {
    reply.header = MessageHeader{MessageType::Tree};
    stamp(reply.header);
    reply.token = message.token;
    list_tree(state.self, reply);
    state.reply_size = static_cast<std::uint32_t>(offsetof(TreeMessage, entries) + reply.count * sizeof(TreeEntry));
    state.reply_due = true;
    if ((message.flags & query_resync) == 0)
        return;
    state.hello_due = state.start_due = true;
    state.empty_told = false;
    for (HeldExit& held : state.held)
        held.sent = false;
}

[[noreturn]] void leave() {
    if (state.group.path[0] != 0)
        sys::remove_cgroup(state.group.path, state.group.root_size);
    ::_exit(0);
}

void handle(const char* bytes, std::size_t size) {
    if (size < sizeof(MessageHeader))
        return;
    const auto header = message_from<MessageHeader>(bytes, size);
    switch (header.type) {
    case MessageType::Signal:
        return on_signal(message_from<SignalMessage>(bytes, size));
    case MessageType::Watch:
        return on_watch(message_from<WatchMessage>(bytes, size));
    case MessageType::Unwatch:
        if (Watch* const watch = watch_of(message_from<WatchMessage>(bytes, size).pid); watch != nullptr && watch->pid != 0)
            end_watch(*watch);
        return;
    case MessageType::Query:
        return on_query(message_from<QueryMessage>(bytes, size));
    case MessageType::AckExit: {
        const std::uint32_t sequence = message_from<AckExitMessage>(bytes, size).sequence;
        for (HeldExit& held : state.held)
            if (held.used && held.message.sequence == sequence)
                held = HeldExit{};
        return;
    }
    case MessageType::Leave:
        if (state.childless)
            leave();
        return;
    case MessageType::Hello:
    case MessageType::StartResult:
    case MessageType::Exit:
    case MessageType::Tree:
    case MessageType::TreeEmpty:
    case MessageType::SignalResult:
    case MessageType::WatchResult:
        return; // ours to send
    }
    // A number that a newer PID 1 knows and we do not: ignored, as the protocol says.
}

void on_orphaned() {
    // Nobody will take this tree up again: end it as a stop would, then leave.
    state.orphaned = true;
    (void)sweep_until_stable({SIGTERM, true, false}, 0, 20);
}

void read_commands() {
    char buffer[512];
    // One answer at a time: the next command is read when the last answer is out.
    while (!state.reply_due && !state.orphaned) {
        const ssize_t size = sys::receive_bytes(state.socket, buffer, sizeof buffer, MSG_DONTWAIT);
        state.went_deep = state.went_deep || size > 0;
        if (size > 0)
            handle(buffer, static_cast<std::size_t>(size));
        else if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        else
            on_orphaned();
    }
}

// ---- reports --------------------------------------------------------------------------------------------------------

bool send_hello() {
    state.hello.main_pid = state.main;
    state.hello.main_alive = state.main != 0 && !(state.main == state.command && state.command_gone);
    return send_report(&state.hello, sizeof state.hello);
}

bool send_empty() {
    TreeEmptyMessage message;
    stamp(message.header);
    message.orphans = state.orphans;
    message.usage = state.usage;
    return send_report(&message, sizeof message);
}

/// In order of sequence; at most eight are held, so this is a handful of comparisons.
HeldExit* next_unsent() {
    HeldExit* next = nullptr;
    for (HeldExit& held : state.held)
        if (held.used && !held.sent && (next == nullptr || held.message.sequence < next->message.sequence))
            next = &held;
    return next;
}

/// Sends what is due, in the order of life; false when the socket is full.
bool send_due() {
    if (state.hello_due && !send_hello())
        return false;
    state.hello_due = false;
    if (state.start_due && !send_report(&state.start, sizeof state.start))
        return false;
    state.start_due = false;
    if (state.reply_due && !send_report(&reply, state.reply_size))
        return false;
    state.reply_due = false;
    while (HeldExit* const next = next_unsent()) {
        next->sent = true;
        next->message.tree_empty = state.childless && next_unsent() == nullptr;
        next->sent = send_report(&next->message, sizeof next->message);
        if (!next->sent)
            return false;
    }
    if (state.childless && !state.empty_told) {
        if (!send_empty())
            return false;
        state.empty_told = true;
    }
    return true;
}

/// Until when the loop may sleep; null = for ever.
const timespec* pause_for(timespec& space) {
    std::uint32_t milliseconds = 0;
    if (state.killing)
        milliseconds = state.kill_pause_ms;
    else if (state.orphaned)
        milliseconds = 5000; // then SIGKILL
    for (const Watch& watch : state.watches)
        if (watch.foreign && watch.pidfd < 0)
            milliseconds = milliseconds == 0 ? 1000 : milliseconds; // no pidfds here: look once a second
    if (milliseconds == 0)
        return nullptr;
    space.tv_sec = milliseconds / 1000;
    space.tv_nsec = static_cast<long>(milliseconds % 1000) * 1'000'000;
    return &space;
}

void wait_for_events(bool blocked) {
    pollfd polled[1 + watch_limit];
    nfds_t count = 0;
    if (!state.orphaned) {
        // A command is only read when its answer has a place.
        const int events = (state.reply_due ? 0 : POLLIN) | (blocked ? POLLOUT : 0);
        polled[count++] = pollfd{state.socket, static_cast<short>(events), 0};
    }
    for (const Watch& watch : state.watches)
        if (watch.pid != 0 && watch.pidfd >= 0)
            polled[count++] = pollfd{watch.pidfd, POLLIN, 0};
    timespec space;
    sigset_t none;
    sigfillset(&none);
    sigdelset(&none, SIGCHLD); // the one signal that may come in, and only here
    const timespec* const timeout = pause_for(space);
    const int ready = ::ppoll(polled, count, timeout, &none);
    if (ready == 0 && timeout != nullptr) {
        if (state.killing)
            kill_again();
        else if (state.orphaned)
            start_killing();
    }
    if (ready > 0 && !state.orphaned && (polled[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        read_commands();
}

/// Gives back what listing or sweeping touched; called where the stack is shallow.
void trim() {
    ::madvise(memory.stack, sizeof memory - 4096, MADV_DONTNEED);
    if (!state.reply_due)
        ::madvise(&reply, sizeof reply / 4096 * 4096, MADV_DONTNEED);
    state.went_deep = false;
}

void run() {
    for (;;) {
        if (state.went_deep)
            trim();
        reap();
        check_foreign_watches();
        if (state.childless && state.orphaned)
            leave();
        const bool all_sent = send_due();
        wait_for_events(!all_sent);
    }
}

} // namespace

void guard_loop(int socket, const HelloMessage& identity, const StartResultMessage& start, bool start_told,
                const GuardGroup& group) {
    state.socket = socket;
    state.self = ::getpid();
    state.command = state.main = start.pid;
    state.start = start;
    state.start_due = !start_told;
    state.group = group;
    state.hello = identity;
    state.hello.guard_pid = state.self;
    struct sigaction action {};
    action.sa_handler = on_child;
    action.sa_flags = SA_NOCLDSTOP;
    ::sigaction(SIGCHLD, &action, nullptr);
    drop_statics(&memory, sizeof memory);
    move_to_stack(memory.stack, sizeof memory.stack, run);
}

} // namespace monoinit::exec
