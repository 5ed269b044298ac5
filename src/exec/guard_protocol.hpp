#pragma once
// What a guard and PID 1 say to each other: one fixed struct a message over a SOCK_SEQPACKET pair, native byte order.
// Guards outlive binaries, so this is append-only: message numbers are never reused, structs only grow at their end. A
// receiver ignores what it does not know and reads fields that an older sender did not have as zero.
//
// Life of a guard, guard -> PID 1:   StartResult, Exit*, …, TreeEmpty; it ends after Leave
//            PID 1 -> guard:   (Watch | Unwatch | Signal | Query)*, AckExit for Exits, Leave after TreeEmpty (acknowledges all)
// SIGKILL for the whole tree holds until nothing is left: what still appears below the guard is killed as well.
// After its re-exec PID 1 sends Query to every guard; the answer is Hello, StartResult (if it was sent before), Tree, every
// Exit that was not acknowledged, and TreeEmpty if it is: nothing PID 1 forgot is lost.
// Tested by tests/unit/exec.

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace monoinit::exec {

inline constexpr std::uint16_t guard_protocol_version = 1;

enum class MessageType : std::uint16_t {
    // guard -> PID 1
    Hello = 1,
    StartResult = 2,
    Exit = 3,
    Tree = 4,
    TreeEmpty = 5,
    SignalResult = 6,
    WatchResult = 7,
    // PID 1 -> guard
    Watch = 64,
    Unwatch = 65,
    Signal = 66,
    Query = 67,
    AckExit = 68,
    Leave = 69,
};

struct MessageHeader {
    MessageType type;
    std::uint16_t version = guard_protocol_version;
    std::uint32_t guard = 0; ///< base::GuardId
};

/// Who this guard is. Answer to Query.
struct HelloMessage {
    MessageHeader header{MessageType::Hello};
    std::int32_t guard_pid = 0;
    std::int32_t main_pid = 0; ///< the command's process, or the last watched one; 0 = none yet
    std::uint8_t invocation[16] = {};
    std::uint8_t list = 0; ///< unit::ExecList
    std::uint8_t main_alive = 0;
    std::uint16_t index = 0; ///< of the command in its list
    char unit[256] = {};
    // What else of PID 1's is this command's, so that it is found again without the checkpoint; 0 = none.
    std::uint32_t notify = 0; ///< number of the notify socket
    std::uint32_t output = 0, error = 0; ///< inodes of the log pipes
};

/// The command runs (stage None), or the step that failed. After a failure no Exit comes for it, only TreeEmpty.
struct StartResultMessage {
    MessageHeader header{MessageType::StartResult};
    std::int32_t pid = 0; ///< of the command; 0 when it failed
    std::int32_t error = 0;
    std::uint8_t stage = 0; ///< exec::Stage
    std::uint8_t reserved[3] = {};
    std::int32_t exit_status = 0; ///< 200–245 by stage
    char detail[244] = {};        ///< for people: the whole sentence without full stop
};

struct Usage {
    std::uint64_t user_usec = 0, system_usec = 0, max_rss_kib = 0;
};

enum class ExitCode : std::uint8_t { Exited, Killed, Dumped, Unknown }; ///< Unknown: its own parent took the status

/// A watched process ended. Repeated on Query until acknowledged by its sequence number.
struct ExitMessage {
    MessageHeader header{MessageType::Exit};
    std::uint32_t sequence = 0;
    std::int32_t pid = 0;
    ExitCode code = ExitCode::Exited;
    std::uint8_t is_command = 0; ///< the process this guard started (else one named by Watch)
    std::uint8_t tree_empty = 0; ///< nothing was left below the guard when this was sent: TreeEmpty says no more
    std::uint8_t out_of_memory = 0; ///< meanwhile the kernel killed a process of the unit for want of memory
    std::int32_t status = 0; ///< exit status or signal
    Usage usage;
};

struct TreeEntry {
    std::int32_t pid = 0, parent = 0;
    std::uint8_t state = 0; ///< R S D Z T …
    std::uint8_t reserved[3] = {};
};
inline constexpr std::size_t tree_limit = 1000;

/// The processes below the guard, its own children first. Sent with only `count` entries.
struct TreeMessage {
    MessageHeader header{MessageType::Tree};
    std::uint32_t token = 0; ///< of the Query
    std::uint32_t total = 0; ///< processes there were
    std::uint32_t count = 0; ///< entries that follow
    TreeEntry entries[tree_limit];
};

/// Nothing is left below the guard. It waits for Leave, then exits.
struct TreeEmptyMessage {
    MessageHeader header{MessageType::TreeEmpty};
    std::uint32_t orphans = 0; ///< processes reaped besides the watched ones
    std::uint32_t reserved = 0;
    Usage usage;               ///< of everything reaped
};

enum class SignalScope : std::uint8_t { Main, Tree, TreeExceptMain, One };

struct SignalMessage {
    MessageHeader header{MessageType::Signal};
    SignalScope scope = SignalScope::Tree;
    std::uint8_t then_continue = 0; ///< SIGCONT after it: a stopped process cannot handle SIGTERM
    std::uint8_t then_hangup = 0;   ///< SIGHUP after it (SendSIGHUP=)
    std::uint8_t queued = 0;        ///< for One: with `value`, as sigqueue(3)
    std::int32_t signal = 0;
    std::int32_t pid = 0; ///< for One
    std::int32_t value = 0;
};

/// Sent after a Signal only when somebody could not be reached.
struct SignalResultMessage {
    MessageHeader header{MessageType::SignalResult};
    std::int32_t signal = 0;
    std::uint32_t reached = 0;
    std::uint32_t refused = 0;    ///< EPERM: a setuid descendant of a non-root init
    std::int32_t refused_pid = 0; ///< one of them
    char refused_name[32] = {};   ///< its comm
};

struct WatchMessage {
    MessageHeader header{MessageType::Watch}; ///< or Unwatch
    std::int32_t pid = 0;
    std::int32_t reserved = 0;
};

enum class WatchState : std::uint8_t { Alive, Exited, NotOurs }; ///< Exited: its Exit follows

struct WatchResultMessage {
    MessageHeader header{MessageType::WatchResult};
    std::int32_t pid = 0;
    WatchState state = WatchState::Alive;
    std::uint8_t reserved[3] = {};
};

struct QueryMessage {
    MessageHeader header{MessageType::Query};
    std::uint32_t token = 0;
    std::uint32_t flags = 0; ///< see below
};
inline constexpr std::uint32_t query_resync = 1; ///< Hello, StartResult, held Exits, TreeEmpty too, not only Tree

struct AckExitMessage {
    MessageHeader header{MessageType::AckExit};
    std::uint32_t sequence = 0;
    std::uint32_t reserved = 0;
};

struct LeaveMessage {
    MessageHeader header{MessageType::Leave};
};

inline constexpr std::size_t message_limit = sizeof(TreeMessage);

/// Reads a message that may be shorter (older sender) or longer (newer) than we know it.
template <class Message> Message message_from(const void* bytes, std::size_t size) {
    static_assert(std::is_trivially_copyable_v<Message>);
    Message message{};
    std::memcpy(static_cast<void*>(&message), bytes, size < sizeof(Message) ? size : sizeof(Message));
    return message;
}

// Sizes are part of the protocol: they may grow with the version, never shrink.
static_assert(sizeof(MessageHeader) == 8 && sizeof(StartResultMessage) == 268 && sizeof(ExitMessage) == 48);
static_assert(sizeof(HelloMessage) == 304 && sizeof(SignalMessage) == 24 && sizeof(WatchMessage) == 16);

} // namespace monoinit::exec
