#pragma once
// Words shared by the state machines and the engine: states, results, and what a machine asks for (actions).
// The names printed are systemd's (systemctl show: ActiveState, SubState, Result).

#include "base/ids.hpp"
#include "base/signals.hpp"
#include "base/time.hpp"
#include "unit/active_state.hpp"
#include "unit/config.hpp"
#include "unit/paths_seen.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace monoinit::supervise {

using base::GuardId;
using base::Instant;
using base::Moment;

using unit::ActiveState;
using unit::name; // of that

enum class ServiceResult : std::uint8_t {
    Success, Resources, Protocol, Timeout, ExitCode, Signal, CoreDump, Watchdog, StartLimitHit, OomKill, ExecCondition,
    GuardLost, ///< ours: the guard was killed and containment is being re-established
};
std::string_view name(ServiceResult result); ///< "exit-code"

// ---- actions: what a machine wants done. The engine adds the unit and passes them on as effects ----------------------

/// Which processes a signal is for. One guard stands for one command and everything below it.
enum class KillScope : std::uint8_t { Main, Tree, TreeExceptMain, Pid };

/// Start one command under a guard of its own. The answer is SpawnResult, then CommandExited, TreeEmpty.
struct Spawn {
    GuardId guard;
    unit::ExecList list = unit::ExecList::Start;
    std::uint32_t index = 0;       ///< into ServiceSection::list(list)
    bool is_main = false;          ///< the main command of the service (else a control command)
    int main_pid = 0;              ///< MAINPID= for control commands, 0 = none
    ServiceResult result = ServiceResult::Success; ///< SERVICE_RESULT= for ExecStop=/ExecStopPost=
    std::optional<base::ExitInfo> main_exit;       ///< EXIT_CODE=, EXIT_STATUS=
    base::Duration watchdog{};     ///< WATCHDOG_USEC=, 0 = none
    std::uint32_t restarts = 0;
};
/// Send a signal through a guard (it never reaches a reused pid). SIGCONT follows SIGTERM & co, SIGHUP if asked.
struct Signal {
    GuardId guard;
    KillScope scope = KillScope::Tree;
    int pid = 0; ///< for Pid
    int signal = 15;
    bool then_sighup = false;
};
struct WatchPid { GuardId guard; int pid = 0; };  ///< report this pid's exit as CommandExited, also if it is gone already
struct QueryTree { GuardId guard; };              ///< answered by TreeListed
struct ReadPidFile { std::string path; };         ///< in a probe; answered by PidFileRead
/// Credentials of the unit, when it is down, and its RuntimeDirectory= (Preserve= decided here).
struct RemoveDirectories { bool runtime = true; };
struct RemovePidFile { std::string path; };
/// Emitted on every transition; before == after when only the sub-state changed. `will_restart`: this inactive or failed
/// state is only passed through on the way to auto-restart (OnFailure= and kin do not fire).
struct StateChanged {
    ActiveState before = ActiveState::Inactive, after = ActiveState::Inactive;
    bool reload_failed = false;
    bool will_restart = false;
    std::string_view sub{}; ///< the sub-state entered ("stop-sigterm")
};
enum class Severity : std::uint8_t { Error = 3, Warning = 4, Notice = 5, Info = 6, Debug = 7 };
/// One line "[monoinit] <unit>: <text>" in the words of EXPERIENCE.md.
struct Say { Severity severity = Severity::Info; std::string text; };
/// The restart delay is over: the engine enqueues a restart job (systemd's service_enter_restart()).
struct RestartDue {};
/// StartLimitAction=, FailureAction= … fired.
struct Emergency { unit::EmergencyAction action = unit::EmergencyAction::None; std::optional<int> exit_status; std::string reason; bool failure = true; };

/// Of socket units: make what Listen…= says (answered by SocketsOpened), let go of it, look at it or not, throw away what waits.
struct OpenSockets {};
struct CloseSockets {};
struct WatchSockets { bool on = false; };
struct FlushSockets {};
/// Of scope units: to every process of the scope that can be found; nobody asks about them any more.
struct SignalProcesses { int signal = 15; bool then_sighup = false; };
struct ReleaseProcesses {};
/// Of mount units: read the mount table, whether it has changed or not. The engine is told of it.
struct ReadMounts {};
/// Of path units: look at the paths and hear of changes from now on (answered by PathsSeen), let go of them.
struct LookAtPaths { bool make_directories = false; };
struct DropPaths {};
/// X-Watch=: hear of changes of a service's sources, or not any more.
struct WatchSources { bool on = false; };
/// The descriptor store, sd_notify(3): keep what came with a message (Notified::offer), let go of those of a name, or of all.
struct StoreDescriptors { std::uint64_t offer = 0; std::string name; bool poll = true; };
struct RemoveStored { std::string name; };
struct ReleaseStored {};
/// Type=dbus: tell now who owns BusName=, and whenever that changes (BusNameChanged), or not any more.
struct WatchBusName { bool on = false; };

using Action = std::variant<Spawn, Signal, WatchPid, QueryTree, ReadPidFile, RemoveDirectories, RemovePidFile, StateChanged,
                            Say, RestartDue, Emergency, OpenSockets, CloseSockets, WatchSockets, FlushSockets,
                            StoreDescriptors, RemoveStored, ReleaseStored, ReadMounts, LookAtPaths, DropPaths, WatchSources, WatchBusName,
                            SignalProcesses, ReleaseProcesses>;

// ---- inputs: what the engine tells a machine --------------------------------------------------------------------------

/// The guard forked the command and execve() succeeded (ok) or a step before failed: `exit_status` is systemd's 2xx
/// number, `text` says what is wrong for people ("/opt/api/run not found").
struct SpawnResult {
    GuardId guard;
    bool ok = true;
    int pid = 0;
    int exit_status = 0;
    int errnum = 0;
    std::string text;
    bool resources = false; ///< the guard itself could not be made (EAGAIN, EMFILE …)
}; // not ok: nothing ran below this guard, so the machine forgets it at once; a CommandExited or TreeEmpty is then harmless
/// The command of a guard, or a watched pid, ended.
struct CommandExited {
    GuardId guard;
    int pid = 0;
    base::ExitInfo exit;
    bool out_of_memory = false; ///< the kernel killed a process of the unit for it, while the command ran
};
/// Nothing is left below this guard; the guard is gone.
struct TreeEmpty { GuardId guard; };
/// The guard died without saying so (killed); its tree is being ended or claimed by the shell, TreeEmpty follows.
struct GuardLost { GuardId guard; };
struct TreeListed {
    GuardId guard;
    std::vector<int> pids; ///< direct children of the guard first
    std::size_t direct = 1; ///< how many of them are direct children; the main process is guessed only when it is one
};
/// A command that runs, and whose unit's record is lost: what its guard says of it.
struct FoundCommand {
    GuardId guard;
    unit::ExecList list = unit::ExecList::Start;
    std::uint32_t index = 0;
    int pid = 0;           ///< the command's, or the main process that was named later
    bool alive = false;    ///< else only something that it has left behind
    Moment started;
};
using unit::PathsSeen; ///< answer to LookAtPaths
struct PidFileRead { int pid = 0; GuardId guard; std::string error; }; ///< pid 0 = not usable; guard = whose tree it is in
/// Whether somebody owns BusName= on the bus.
struct BusNameChanged { bool owned = false; };
/// A notify datagram whose sender the shell has placed: which relation it has to this unit.
struct Notified {
    enum class Sender : std::uint8_t { Main, Control, Tree, GoneSameUser, Stranger } sender = Sender::Stranger;
    int pid = 0;
    std::string text;      ///< newline-separated VARIABLE=value
    int descriptors = 0;   ///< that came with it
    GuardId mainpid_guard; ///< the guard below which MAINPID= lives, 0 if it is not one of this unit's
    /// CLOCK_BOOTTIME minus CLOCK_MONOTONIC at receipt, so that MONOTONIC_USEC= can be compared with our time.
    std::optional<base::Duration> boottime_offset;
    std::uint64_t offer = 0; ///< the shell's number for the descriptors: they may be stored
};

} // namespace monoinit::supervise
