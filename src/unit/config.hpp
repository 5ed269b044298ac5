#pragma once
// What a loaded unit file says, as plain data. The directive table (directives.cpp) is the only writer of these fields
// while parsing; everybody else reads. Field names are systemd's directive names in snake_case. Sections a unit does not
// use share one default object (Shared<T>, copy on write), so that a plain unit stays small.

#include "base/ids.hpp"
#include "base/signals.hpp"
#include "base/time.hpp"
#include "unit/log_section.hpp"
#include "unit/mount_section.hpp"
#include "unit/path_section.hpp"
#include "unit/resource_section.hpp"
#include "unit/shared.hpp"
#include "unit/socket_section.hpp"
#include "unit/timer_section.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace monoinit::unit {

using base::Duration;
using base::infinity;

enum class UnitType : std::uint8_t { Service, Socket, Target, Device, Mount, Automount, Swap, Timer, Path, Slice, Scope };

// ---- [Unit] -------------------------------------------------------------------------------------------------------

/// systemd.unit(5)'s dependency directives. graph/dependency.hpp says what each of them does (its "atoms").
enum class DependencyKind : std::uint8_t {
    Requires, Requisite, Wants, BindsTo, PartOf, Upholds, Conflicts, Before, After, OnFailure, OnSuccess,
    PropagatesReloadTo, ReloadPropagatedFrom, PropagatesStopTo, StopPropagatedFrom, JoinsNamespaceOf, Triggers,
    RequiresMountsFor, WantsMountsFor, // by path; the loader turns them into Requires=/Wants= + After= of mount units
};

enum class Origin : std::uint8_t { File, Default, Implicit, Link }; ///< directive, DefaultDependencies=, implied, .wants/ link

struct Dependency {
    DependencyKind kind;
    Origin origin = Origin::File;
    std::uint16_t file = 0; ///< index into UnitConfig::files, where origin is File
    std::uint32_t line = 0;
    std::string name; ///< unit name with suffix, specifiers expanded (path for *MountsFor)
};

enum class ConditionKind : std::uint8_t {
    PathExists, PathExistsGlob, PathIsDirectory, PathIsSymbolicLink, PathIsMountPoint, PathIsReadWrite, PathIsEncrypted,
    DirectoryNotEmpty, FileNotEmpty, FileIsExecutable, Architecture, Firmware, Virtualization, Host, KernelCommandLine,
    KernelVersion, Credential, Environment, Security, Capability, AcPower, NeedsUpdate, FirstBoot, User, Group,
    ControlGroupController, Memory, Cpus, CpuFeature, OsRelease, MemoryPressure, CpuPressure, IoPressure, Version,
};

struct Condition {
    ConditionKind kind;
    bool assertion = false; ///< Assert…= instead of Condition…=
    bool trigger = false;   ///< "|" prefix: one of the triggering ones must hold
    bool negate = false;    ///< "!" prefix
    std::string parameter;
    std::uint16_t file = 0;
    std::uint32_t line = 0;
};

enum class EmergencyAction : std::uint8_t {
    None, Exit, ExitForce, Reboot, RebootForce, RebootImmediate, Poweroff, PoweroffForce, PoweroffImmediate, SoftReboot,
    SoftRebootForce, Kexec, KexecForce, Halt, HaltForce, HaltImmediate,
};
enum class JobMode : std::uint8_t {
    Fail, Replace, ReplaceIrreversibly, Isolate, Flush, IgnoreDependencies, IgnoreRequirements, Triggering, RestartDependencies,
};
enum class CollectMode : std::uint8_t { Inactive, InactiveOrFailed };

struct StartLimit {
    Duration interval = std::chrono::seconds(10);
    std::uint32_t burst = 5;
    bool set = false; ///< any of the two was set by the unit: it then also ends the default backoff
    EmergencyAction action = EmergencyAction::None;
};

struct UnitSection {
    std::string description;
    std::vector<std::string> documentation;
    std::vector<Dependency> dependencies;
    std::vector<Condition> conditions;
    StartLimit start_limit;
    std::string source_path;
    std::string reboot_argument;
    Duration job_timeout = infinity;
    Duration job_running_timeout = infinity;
    bool job_running_timeout_set = false; ///< else JobTimeoutSec= sets it too
    EmergencyAction job_timeout_action = EmergencyAction::None;
    EmergencyAction failure_action = EmergencyAction::None;
    EmergencyAction success_action = EmergencyAction::None;
    std::optional<std::uint8_t> failure_action_exit_status;
    std::optional<std::uint8_t> success_action_exit_status;
    JobMode on_failure_job_mode = JobMode::Replace;
    JobMode on_success_job_mode = JobMode::Fail;
    CollectMode collect_mode = CollectMode::Inactive;
    bool stop_when_unneeded = false;
    bool refuse_manual_start = false;
    bool refuse_manual_stop = false;
    bool allow_isolate = false;
    bool default_dependencies = true;
    bool ignore_on_isolate = false;
    bool survive_final_kill_signal = false;
    std::vector<std::string> after_healthy; ///< X-AfterHealthy=; each is an After= dependency too
};

struct InstallSection {
    std::vector<std::string> alias, wanted_by, required_by, upheld_by, also;
    std::string default_instance;
    bool empty() const { return alias.empty() && wanted_by.empty() && required_by.empty() && upheld_by.empty() && also.empty(); }
};

// ---- execution context, systemd.exec(5) -----------------------------------------------------------------------------

/// One Exec…= line. Specifiers are expanded; $VARIABLES are not (exec/ does that, environment files are read there).
struct Command {
    std::string path;              ///< as written after the prefixes: absolute, or a name looked up in PATH
    std::vector<std::string> argv; ///< argv[0] is the path, or the second word after "@"
    bool ignore_failure = false;   ///< "-"
    bool no_environment = false;   ///< ":" no variable substitution
    bool full_privileges = false;  ///< "+"
    bool no_setuid = false;        ///< "!"
    bool ambient_fallback = false; ///< "!!"
    std::uint16_t file = 0;
    std::uint32_t line = 0;
};

enum class StdinKind : std::uint8_t { Null, Tty, TtyForce, TtyFail, Data, File, Socket, Fd };
enum class StdoutKind : std::uint8_t {
    Inherit, Null, Tty, Journal, JournalConsole, Kmsg, KmsgConsole, File, Append, Truncate, Socket, Fd,
};

struct Output {
    StdoutKind kind = StdoutKind::Inherit;
    std::string target; ///< path for file:/append:/truncate:, name for fd:
};

struct EnvironmentFile {
    std::string path; ///< absolute, may hold globs
    bool optional = false;
    std::uint16_t file = 0;
    std::uint32_t line = 0;
};

struct ResourceLimit {
    int resource = 0; ///< RLIMIT_*
    std::uint64_t soft = 0, hard = 0; ///< RLIM_INFINITY = ~0
};

enum class DirectoryKind : std::uint8_t { Runtime, State, Cache, Logs, Configuration };
inline constexpr std::size_t directory_kinds = 5;
enum class Preserve : std::uint8_t { No, Yes, Restart };

struct ExecDirectory {
    std::vector<std::string> paths; ///< relative; "a:b" symlink forms kept as written
    std::uint32_t mode = 0755;
};

/// Where a directive was set.
struct Place {
    std::uint16_t row = 0; ///< index into directives()
    std::uint16_t file = 0;
    std::uint32_t line = 0;
};

/// LoadCredential= and SetCredential=, systemd.exec(5).
struct Credential {
    std::string id;     ///< file name below $CREDENTIALS_DIRECTORY
    std::string source; ///< absolute path, or a name among the container's credentials; with `is_data` the data itself
    bool is_data = false;
    std::uint16_t file = 0;
    std::uint32_t line = 0;
};

/// Credentials, rarely used, so kept apart.
struct CredentialSection {
    std::vector<Credential> load; ///< LoadCredential=; wins over `set`
    std::vector<Credential> set;  ///< SetCredential=
    std::vector<std::string> import; ///< ImportCredential=: globs over the container's credentials
    bool empty() const { return load.empty() && set.empty() && import.empty(); }
};

/// Scheduling, rarely used, so kept apart.
struct SchedulingSection {
    std::optional<int> nice, oom_score_adjust, cpu_policy, cpu_priority, io_class, io_priority;
    std::optional<std::uint64_t> timer_slack_nsec;
    std::vector<std::uint16_t> cpu_affinity;
    bool reset_on_fork = false;
};

struct ExecSection {
    std::string user, group;
    std::vector<std::string> supplementary_groups;
    std::string working_directory; ///< absolute, "~", or empty
    bool working_directory_optional = false;
    std::string root_directory;
    std::vector<std::string> environment; ///< "NAME=value", specifiers expanded, later wins
    std::vector<EnvironmentFile> environment_files;
    std::vector<std::string> pass_environment, unset_environment;
    std::uint32_t umask = 0022;
    std::vector<ResourceLimit> limits;
    std::array<ExecDirectory, directory_kinds> directories;
    Preserve runtime_directory_preserve = Preserve::No;
    StdinKind standard_input = StdinKind::Null;
    std::string standard_input_target; ///< path or fd name
    std::string standard_input_data;   ///< StandardInputText=/Data=, decoded
    Output standard_output{StdoutKind::Journal, {}};
    Output standard_error{StdoutKind::Inherit, {}};
    std::string tty_path; ///< default /dev/console
    bool tty_reset = false, tty_vhangup = false;
    bool no_new_privileges = false;
    bool ignore_sigpipe = true;
    std::optional<std::uint64_t> capability_bounding_set; ///< mask of capabilities kept
    std::uint64_t ambient_capabilities = 0;
    std::optional<int> secure_bits;
    std::string syslog_identifier;
    int syslog_facility = 3 << 3; ///< LOG_DAEMON
    int syslog_level = 6;         ///< LOG_INFO
    bool syslog_level_prefix = true;
    Shared<LogSection> log;
    Shared<SchedulingSection> scheduling;
    Shared<CredentialSection> credentials;
    std::vector<Place> places; ///< of everything above, in file order: a step that fails names file and line
};

// ---- killing, systemd.kill(5) ---------------------------------------------------------------------------------------

enum class KillMode : std::uint8_t { ControlGroup, Process, Mixed, None };

struct KillSection {
    KillMode mode = KillMode::ControlGroup;
    int kill_signal = 15, final_kill_signal = 9, watchdog_signal = 6;
    int restart_kill_signal = 0; ///< 0: as kill_signal
    bool send_sighup = false, send_sigkill = true;
};

// ---- [Service], systemd.service(5) ----------------------------------------------------------------------------------

enum class ServiceType : std::uint8_t { Simple, Exec, Forking, Oneshot, Dbus, Notify, NotifyReload, Idle };
enum class RestartPolicy : std::uint8_t { No, OnSuccess, OnFailure, OnAbnormal, OnWatchdog, OnAbort, Always };
enum class RestartMode : std::uint8_t { Normal, Direct, Debug };
enum class NotifyAccess : std::uint8_t { None, Main, Exec, All };
enum class ExitType : std::uint8_t { Main, Cgroup };
enum class TimeoutFailureMode : std::uint8_t { Terminate, Abort, Kill };
enum class OomPolicy : std::uint8_t { Continue, Stop, Kill };

/// Which Exec…= list a command stands in; also the order of a service's life.
enum class ExecList : std::uint8_t { Condition, StartPre, Start, StartPost, Reload, Stop, StopPost };
inline constexpr std::size_t exec_lists = 7;

/// SuccessExitStatus= and kin: statuses and signals.
struct ExitStatusSet {
    std::vector<std::uint8_t> statuses;
    std::vector<std::uint8_t> signals;
    bool empty() const { return statuses.empty() && signals.empty(); }
    bool contains(const base::ExitInfo& exit) const;
};

struct ServiceSection {
    ServiceType type = ServiceType::Simple;
    bool type_set = false; ///< else: simple, dbus (BusName=) or oneshot (no ExecStart=), filled in by the loader
    ExitType exit_type = ExitType::Main;
    bool remain_after_exit = false;
    bool guess_main_pid = true;
    bool root_directory_start_only = false;
    bool permissions_start_only = false; ///< old: all commands but ExecStart= then have full_privileges
    bool non_blocking = false;
    std::string pid_file; ///< absolute
    std::string bus_name;
    std::array<std::vector<Command>, exec_lists> commands; ///< by ExecList
    const std::vector<Command>& list(ExecList which) const { return commands[static_cast<std::size_t>(which)]; }

    RestartPolicy restart = RestartPolicy::No;
    RestartMode restart_mode = RestartMode::Normal;
    Duration restart_delay = std::chrono::milliseconds(100);
    std::uint32_t restart_steps = 0;
    Duration restart_max_delay = infinity;
    bool restart_timing_set = false; ///< RestartSec=, RestartSteps= or RestartMaxDelaySec= was given: no default backoff
    ExitStatusSet success_exit_status, restart_prevent_exit_status, restart_force_exit_status;

    std::optional<Duration> timeout_start; ///< unset: 90 s, oneshot infinity
    Duration timeout_stop = std::chrono::seconds(90);
    std::optional<Duration> timeout_abort; ///< unset: timeout_stop
    TimeoutFailureMode timeout_start_failure_mode = TimeoutFailureMode::Terminate;
    TimeoutFailureMode timeout_stop_failure_mode = TimeoutFailureMode::Terminate;
    Duration runtime_max = infinity;
    Duration runtime_randomized_extra{};
    Duration watchdog{}; ///< 0 = none
    std::optional<NotifyAccess> notify_access; ///< unset: main for notify types and WatchdogSec=, else none
    std::uint32_t file_descriptor_store_max = 0;
    Preserve file_descriptor_store_preserve = Preserve::Restart;
    int reload_signal = 1;
    std::vector<std::string> sockets;
    OomPolicy oom_policy = OomPolicy::Stop;
    bool essential = false;           ///< X-Essential=: its end is the container's
    std::vector<std::uint16_t> ports; ///< X-Ports=: TCP ports it serves

    Duration effective_timeout_start() const;
    NotifyAccess effective_notify_access() const;
};

// ---- [X-Health] and kin: ours, ignored by systemd ---------------------------------------------------------------------

/// Which question a check answers. [X-Health] answers two at once: may it get work (ready), must it be ended (live).
enum class HealthKind : std::uint8_t { Both, Startup, Ready, Live };
inline constexpr std::size_t health_kinds = 4;
enum class OnUnhealthy : std::uint8_t { Restart, Reload, Stop, None, FailContainer };

/// One thing that a check tries, and where it stands in its list.
enum class HealthStepKind : std::uint8_t { FileExists, UnixConnect, TcpConnect, HttpGet, LogLine, Exec };
struct HealthStep {
    HealthStepKind kind;
    std::size_t index;
};

/// One section. What it lists is tried in this order, and all of it must succeed.
struct HealthCheck {
    std::vector<std::string> file_exists, unix_connect, tcp_connect, http_get, log_line;
    std::vector<Command> exec;
    Duration interval = std::chrono::seconds(10), timeout = std::chrono::seconds(5);
    Duration start_period = std::chrono::seconds(30), start_interval = std::chrono::seconds(1);
    std::uint32_t retries = 3;
    std::optional<OnUnhealthy> on_unhealthy; ///< unset: restart, but none for a check of readiness alone
    std::size_t steps() const;
    std::optional<HealthStep> step(std::size_t number) const; ///< nothing beyond the last
    const std::string& target(HealthStep step) const;         ///< the path of a command, the value of the others
};

struct HealthSection {
    std::array<HealthCheck, health_kinds> checks; ///< by HealthKind
    const HealthCheck& check(HealthKind kind) const { return checks[static_cast<std::size_t>(kind)]; }
    OnUnhealthy consequence(HealthKind kind) const;
    bool empty() const; ///< nothing is checked
};

// ---- the unit -------------------------------------------------------------------------------------------------------

/// A directive whose table row is not `full`, and was used: `verify`, `status` and one log line at load say so.
struct Degraded {
    std::uint16_t row = 0; ///< index into directives()
    std::uint16_t file = 0;
    std::uint32_t line = 0;
};

/// A complaint about a file. Never holds the file's contents beyond the directive's name (log); `excerpt` is for `verify`.
struct Problem {
    static constexpr std::uint16_t no_row = 0xffff;
    enum class Kind : std::uint8_t { Syntax, UnknownSection, UnknownDirective, BadValue, TrailingRemark, File, Note } kind;
    std::string file;
    std::uint32_t line = 0;
    std::string text;       ///< safe for the log
    std::string excerpt;    ///< the line, for the user's own terminal
    std::string suggestion; ///< "RestartSec", or empty
    std::string consequence; ///< "Ignored: Restart=no applies, …", or empty
    std::uint16_t row = no_row; ///< the directive meant (of an unknown one, the suggested), index into directives()
};

enum class LoadState : std::uint8_t { Loaded, NotFound, BadSetting, Error, Masked, Stub };

struct UnitConfig {
    std::string name; ///< "code-server.service"
    UnitType type = UnitType::Service;
    LoadState load_state = LoadState::Stub;
    bool builtin = false;        ///< embedded (but for a socket that listens), or masked by the list of machine units
    bool machine_masked = false; ///< on the list of units of the machine
    std::string load_error;      ///< why, for NotFound/BadSetting/Error/Masked
    std::vector<std::string> names;   ///< all names (aliases), `name` first
    std::vector<std::string> files;   ///< files[0] the fragment (or empty), then drop-ins in the order applied
    UnitSection unit;
    Shared<InstallSection> install;
    Shared<ServiceSection> service;
    Shared<ExecSection> exec;
    Shared<KillSection> kill;
    Shared<MountSection> mount;
    Shared<TimerSection> timer;
    Shared<SocketSection> socket;
    Shared<PathSection> path;
    Shared<WatchSection> watch;
    Shared<HealthSection> health;
    Shared<ResourceSection> resources;
    std::vector<Degraded> degraded;
    std::vector<Problem> problems;

    bool has_privileged_commands() const; ///< any "+" or "!" command (who-may rule)
};

std::string_view suffix(UnitType type); ///< "service"

} // namespace monoinit::unit
