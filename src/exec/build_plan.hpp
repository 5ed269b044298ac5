#pragma once
// UnitConfig + which command + what the manager knows -> Plan. Runs in PID 1: touches no path that a unit names.
// Environment as systemd.exec(5) "Environment Variables in Spawned Processes" and EXPERIENCE's defaults say.
// Tested by tests/unit/exec.

#include "base/signals.hpp"
#include "base/time.hpp"
#include "exec/plan.hpp"
#include "exec/stage.hpp"

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::exec {

/// A user as /etc/passwd and /etc/group say; runtime fills it from sys/users.hpp (names or numbers).
struct Account {
    uid_t uid = 0;
    gid_t gid = 0;
    std::string name, home, shell;
    std::vector<gid_t> groups; ///< supplementary, from /etc/group
};

struct AccountLookup {
    std::function<std::optional<Account>(std::string_view user)> user; ///< by name or number
    std::function<std::optional<gid_t>(std::string_view group)> group;
};

/// What is the same for all units; made once.
struct ManagerContext {
    std::vector<std::string> environment; ///< the container's, unfiltered; inherited_environment() filters it
    bool inherit_environment = true;
    std::string locale;                      ///< LANG to set where the environment has none, empty = none
    std::array<std::string, unit::directory_kinds> directory_roots; ///< directory_roots()
    std::string credentials_root;            ///< $CREDENTIALS_DIRECTORY of a unit is root/UNIT
    uid_t uid = 0;                           ///< ours
    gid_t gid = 0;
    bool strict_credentials = false;
    std::uint64_t capabilities = ~std::uint64_t{0}; ///< effective
    int own_oom_score = 0, own_nice = 0;
    std::vector<gid_t> own_groups;           ///< getgroups(), for the non-root case
    std::uint64_t own_nofile_soft = 0, own_nofile_hard = 0; ///< RLIMIT_NOFILE as we found it; 0 = leave
    std::string start_directory;             ///< for CMD: where we were started (WORKDIR of the image)
    mode_t own_umask = 0022;                 ///< for CMD
    AccountLookup accounts;
    bool may_mount = false;                  ///< CAP_SYS_ADMIN
    std::string group_root, group_controllers; ///< sys::Cgroup; empty = cgroups are not used
    unit::Capacity capacity;
    unit::Phase phase = unit::Phase::Startup;
    /// A loaded unit by its name; null if there is none. For the limits of slices.
    std::function<std::shared_ptr<const unit::UnitConfig>(std::string_view)> unit_named;
};

/// How a service ended; empty = not set.
struct Outcome {
    std::string service_result, exit_code, exit_status;
};

/// What is known of this command now.
struct CommandContext {
    GuardId guard;
    unit::ExecList list = unit::ExecList::Start;
    std::uint16_t index = 0;
    std::array<std::uint8_t, 16> invocation{};
    int log_stdout = -1, log_stderr = -1; ///< write ends of the log pipes, see output_needs(); -1 = /dev/null
    std::string journal_stream;           ///< "dev:inode" of the stderr (else stdout) pipe; empty = not set
    std::string notify_socket;            ///< empty = none
    base::Duration watchdog{};
    int main_pid = 0;
    std::vector<int> listen_fds;
    std::vector<std::string> listen_names;
    std::array<int, 3> streams{-1, -1, -1}; ///< of who asked for it: fd:stdin, fd:stdout, fd:stderr; fd:terminal is the first
    std::size_t socket_count = SIZE_MAX; ///< NonBlocking= is for this many of them; the others stay as they are
    std::string remote_address, remote_port; ///< of the connection that the service is for; empty = none
    Outcome outcome;                       ///< for ExecStop=, ExecStopPost=
    Outcome monitored;                     ///< MONITOR_…: of the unit whose OnFailure= or OnSuccess= this is
    std::string monitored_unit;            ///< empty = none
    std::array<std::uint8_t, 16> monitored_invocation{};
    std::uint32_t restarts = 0;
    std::string trigger_unit, trigger_path; ///< TRIGGER_UNIT=, TRIGGER_PATH=; empty = none
    std::string trigger_realtime, trigger_monotonic; ///< TRIGGER_TIMER_…_USEC=; empty = none
    bool explain = false;     ///< say where each variable comes from
};

struct PlanFailure {
    Stage stage = Stage::None;
    int error = 0;
    std::string detail; ///< "user "dev" not found"
};

struct BuiltPlan {
    Plan plan;
    std::optional<PlanFailure> failure;
    std::vector<std::pair<std::string, std::string>> sources; ///< with `explain`: variable, "User= (web.service:5)"; else monoinit
    std::vector<std::string> notices; ///< degraded: "Group=staff is out of reach for uid 1000, ignored"
};

BuiltPlan build_plan(const unit::UnitConfig& unit, const unit::Command& command, const ManagerContext& manager,
                     const CommandContext& context);

/// " (/etc/systemd/system/api.service:5)": the line that asked for what failed, empty if no line did. `detail` may begin with
/// the directive's name, else it is that of the step, else the command's.
std::string blamed_line(const unit::UnitConfig& unit, const unit::Command& command, Stage stage, std::string_view detail);

/// Which streams of a unit the logger reads: runtime makes these pipes. `shared`: one pipe for both.
struct OutputNeeds {
    bool output = false, error = false, shared = false;
};
OutputNeeds output_needs(const unit::ExecSection& exec);

/// The container's variables that services inherit: not NOTIFY_SOCKET, LISTEN_*, WATCHDOG_*, MONOINIT_* …; TERM only with
/// a terminal.
std::vector<std::string> inherited_environment(const std::vector<std::string>& environment, bool terminal);

/// /run /var/lib /var/cache /var/log /etc, or the XDG directories of a non-root init.
std::array<std::string, unit::directory_kinds> directory_roots(uid_t uid, const std::vector<std::string>& environment,
                                                               const std::string& runtime_fallback);

/// Absolute paths of a unit's directories of one kind: for removal at stop, `show` and RUNTIME_DIRECTORY=.
std::vector<std::string> directory_paths(const unit::ExecSection& exec, unit::DirectoryKind kind,
                                         const ManagerContext& manager);

/// The foreground CMD of the container: no unit, 0, 1 and 2 untouched.
Plan command_plan(GuardId guard, std::vector<std::string> argv, const ManagerContext& manager, bool terminal);

inline constexpr std::string_view default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

} // namespace monoinit::exec
