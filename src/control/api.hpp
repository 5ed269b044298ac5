#pragma once
// What can be asked of a running monoinit and what it answers, as plain data. The wire form (Varlink, JSON) is
// codec.cpp's business; src/control/io.monoinit.Manager.varlink is the contract and a test holds the two together.
// Tested by tests/unit/control/codec_test.cpp.

#include "base/result.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace monoinit::control {

using base::Duration;
using base::Moment;

using Names = std::vector<std::string>;
using PropertyList = std::vector<std::pair<std::string, std::string>>; ///< name, value, as `systemctl show` prints them

// ---- units ----------------------------------------------------------------------------------------------------------

/// One line of `list` and of the overview. State words are systemd's: "loaded", "active", "running", "enabled" …
struct UnitSummary {
    std::string name;        ///< "code-server.service"
    std::string description;
    std::string load_state, active_state, sub_state;
    std::string result;      ///< "success", "exit-code" …; empty where a type has none
    std::string health;      ///< "healthy", "unhealthy", or empty: no check
    std::string job;         ///< type of the queued job ("start"), empty if none
    std::uint32_t job_id = 0;
    int main_pid = 0;
    std::vector<int> processes; ///< of a scope: these, and what is below them
    std::vector<int> guards; ///< everything below these processes belongs to the unit; the client reads /proc itself
    std::uint32_t restarts = 0;
    Moment state_changed;
    std::optional<Duration> next_attempt;   ///< from now, while it waits to be restarted
    std::string note;        ///< "exit 0 after 12 s (Restart=always)", "203/EXEC: /opt/api/run not found", "0.31 s"
    std::string triggers;                   ///< of a timer, socket or path: the unit it starts
    Names listens;                          ///< of a socket: "[::]:80 (Stream)"
    Names watches;                          ///< of a path: "PathExists=/run/x"; of a service that is restarted for them: patterns
    Moment next_elapse, last_trigger;       ///< of a timer; unset: never, not yet
    bool machine_masked = false;            ///< on the list of units of the machine; `note` says why
    bool builtin = false;                   ///< embedded in the binary
    bool finished = false;                  ///< a oneshot that ran to its good end: "done", also when it is inactive
};

struct Dependency {
    std::string kind;         ///< "Requires", "RequiredBy", "After" …
    std::string unit;
    std::string active_state, sub_state, load_state; ///< of that unit
};

/// One command that ran or runs.
struct ExecRecord {
    std::string directive;    ///< "ExecStartPre"
    std::string command;      ///< the line as written, specifiers expanded
    int pid = 0;
    Moment started, exited;
    std::string code;         ///< "exited", "killed", "dumped"; empty while it runs
    int status = 0;
};

/// One health check of a unit.
struct CheckInfo {
    std::string kind;         ///< "health", "startup", "ready", "live"
    std::string state;        ///< "starting", "healthy", "unhealthy", "off"
    std::uint32_t streak = 0, retries = 0; ///< failures in a row, and how many make it unhealthy
    Moment last_run;
    bool ok = false;          ///< the last outcome
    std::string text;         ///< what was wrong
    std::string output;       ///< what it printed, the last 4 kB
};

/// A unit in an ordered shutdown.
struct PlannedStop {
    std::string unit;
    std::uint32_t wave = 1;  ///< those of a wave stop in parallel
    std::optional<Duration> share, killed_after; ///< part of the budget; when it is killed, from the beginning on
    std::optional<Duration> timeout;             ///< TimeoutStopSec=; unset: infinity
    std::string note;        ///< what is special about its stop
};

/// Everything `status` prints.
struct UnitDetail {
    UnitSummary summary;
    Names names;              ///< aliases, the main name first
    Names documentation;
    std::string fragment_path, source_path;
    Names drop_in_paths;
    std::string load_error;
    std::string file_state, preset; ///< may be empty: the client then asks the files itself
    std::string type;         ///< "notify"; empty unless a service
    std::string restart;      ///< "always"; empty unless a service
    std::string user, group;
    int control_pid = 0;
    std::string status_text;  ///< STATUS= of sd_notify
    std::string last_failure; ///< "10:01:58: killed by SIGKILL, 10 s wait"; empty if it never failed
    std::optional<std::uint64_t> memory, cpu_usec, tasks; ///< where a cgroup knows them; else the client adds up /proc
    Moment active_enter, active_exit, inactive_enter, inactive_exit;
    std::string invocation_id;
    std::string freezer_state; ///< "frozen", "freezing"; empty: it runs
    std::vector<ExecRecord> history;
    std::vector<CheckInfo> checks;
    std::vector<Dependency> dependencies; ///< what it needs and who needs it; ordering only where asked
    Names notices;            ///< degraded directives, problems in its files, where its output goes if not to the log
    std::string condition_failed; ///< "ConditionPathExists=/x (a.service:3)"
    Moment condition_time;        ///< when that was looked at
    Moment loaded;                ///< when its files were read
    Names why;                ///< why it does not run: chain of causes to the root unit, one line each
    std::string next;         ///< what to do or what happens next; empty: the client works it out
    bool can_reload = false, needs_daemon_reload = false;
};

struct ManagerInfo {
    std::string version;      ///< "1.0"
    int pid = 1;
    std::string system_state; ///< "running", "degraded", "starting" …
    Duration uptime{};
    std::optional<Duration> ready_after; ///< from exec of PID 1 to "ready"; unset while starting
    Moment started;
    std::string place;        ///< "root in docker, no cgroup write"
    std::string boot_target;
    Names unit_path;
    std::uint32_t masked = 0; ///< machine units masked by the list
    Names not_enabled;        ///< have [Install] and nothing pulls them in
    std::uint32_t failed = 0, units = 0, jobs = 0;
    std::string runtime_directory;
    std::string log_source;   ///< where `initctl logs` reads: the logger's socket or directory
};

struct JobInfo {
    std::uint32_t id = 0;
    std::string unit, type, state; ///< "start", "waiting"
    Duration age{};
    Names waits_for;
};

// ---- requests -------------------------------------------------------------------------------------------------------

/// Unit names in requests are full ("web.service") or not ("web"): the manager completes them with ".service".

enum class Verb : std::uint8_t { Start, Stop, Restart, TryRestart, Reload, ReloadOrRestart, TryReloadOrRestart, Isolate };

struct InfoRequest {};
struct ListRequest {
    bool all = true; ///< also units that only others name (inactive, not found)
};
struct StatusRequest {
    std::string unit; ///< empty: by pid
    int pid = 0;      ///< the unit this process belongs to
};
struct PropertiesRequest {
    std::string unit; ///< empty: the manager's own
    Names only;       ///< empty: all
    std::string timestamp = "pretty"; ///< how moments are written: base::timestamp_styles
};
struct DependenciesRequest {
    std::string unit;
    Names kinds;      ///< "Requires", "Wants", "WantedBy", "Before" …; empty: all
};
struct JobsRequest {};
struct HealthRequest {
    std::string kind = "ready"; ///< "startup", "ready", "live"
    Names units;                ///< empty: all that have checks
};
/// The environment a unit's commands get (unit set), or the manager's own block.
struct EnvironmentRequest {
    std::string unit;
};
struct OperateRequest {
    Verb verb = Verb::Start;
    Names units;
    std::string mode = "replace"; ///< job mode
    bool no_block = false;        ///< answer when the jobs are queued
    bool show_transaction = false;
};
struct KillRequest {
    Names units;
    std::string who = "all"; ///< "main", "control", "all"; with "-fail" behind it: an error where there is nobody
    int signal = 15;
    std::optional<int> value; ///< as sigqueue(3): to main and control processes only
};
struct ResetFailedRequest {
    Names units; ///< empty: all
};
struct CancelRequest {
    std::vector<std::uint32_t> jobs; ///< empty: all
};
struct DaemonReloadRequest {};
struct DaemonReexecRequest {};
struct ExitRequest {
    std::optional<int> status;
    bool force = false; ///< now, without the units' own timeouts
    bool within_budget = false; ///< as SIGTERM: in the time that shutdown_timeout allows for all
};
/// What a shutdown would do.
struct ShutdownPlanRequest {};
/// A service whose file is kept beside the control socket, and gone when the container starts anew (`initctl run`).
struct PutUnitRequest { std::string name, text; };
/// A scope unit with this text, around processes that run already (`systemd-run --scope`): the caller's own, unless it is root.
struct AdoptRequest {
    std::string name, text;
    std::vector<int> pids;
};
struct WaitRequest {
    std::string condition = "ready"; ///< "ready", "healthy", "active", "inactive", "failed"
    Names units;                     ///< empty: the boot target
    bool any = false;
    std::optional<Duration> timeout;
};
/// Keeps units' lines off stdout (they still reach the store), or lets them through again.
struct MuteRequest {
    Names units; ///< empty: all
    bool muted = true;
};
struct SetEnvironmentRequest {
    Names assign; ///< "NAME=value"
    Names unset;
};
/// What lasts until the container ends, over re-executions too: of monoinit itself LogLevel=, LogTarget= and ServiceWatchdogs=, of a unit
/// FreezerState= (running, frozen) and Markers= (needs-reload, needs-restart; with "+" or "-" to those that are there), and
/// of one that is down NFileDescriptorStore=0.
struct SetPropertiesRequest {
    std::string unit; ///< empty: monoinit itself
    Names assign;     ///< "LogLevel=debug"
};
struct SubscribeRequest {
    Names units; ///< globs; empty: all
};

using Request = std::variant<InfoRequest, ListRequest, StatusRequest, PropertiesRequest, DependenciesRequest, JobsRequest,
                             EnvironmentRequest, OperateRequest, KillRequest, ResetFailedRequest, CancelRequest,
                             DaemonReloadRequest, DaemonReexecRequest, ExitRequest, WaitRequest, MuteRequest,
                             SetEnvironmentRequest, SetPropertiesRequest, SubscribeRequest, HealthRequest, ShutdownPlanRequest, PutUnitRequest, AdoptRequest>;

// ---- answers --------------------------------------------------------------------------------------------------------

/// Nothing to say but "done".
struct Empty {};
struct ListReply { std::vector<UnitSummary> units; };
struct StatusReply { UnitDetail unit; };
struct PropertiesReply { PropertyList properties; };
struct DependenciesReply { std::vector<Dependency> dependencies; };
struct JobsReply { std::vector<JobInfo> jobs; };
/// Something a unit's commands get, and where it comes from.
struct EnvironmentEntry {
    std::string kind;   ///< "variable"; "file": an EnvironmentFile= that cannot be read; "credential"; "removed"
    std::string name, value;
    std::string source; ///< "container", "monoinit", "set-environment", "User= (web.service:5)", "EnvironmentFile=/x (…)"
};
struct EnvironmentReply {
    Names variables;
    std::vector<EnvironmentEntry> entries; ///< of a unit: the same and more, with their sources
};

struct UnitHealth {
    std::string unit;
    std::string health; ///< "starting", "healthy", "unhealthy"
    std::string text;   ///< why it is not healthy
};
struct HealthReply {
    std::string verdict; ///< the worst of all
    std::vector<UnitHealth> units;
    std::string text;    ///< why it is not healthy, where no unit says it
};

/// How the job of one unit ended, or why there was none.
struct JobOutcome {
    std::string unit;
    std::string result;  ///< "done", "failed", "dependency", "timeout", "canceled", "skipped" …; "queued"; "refused"
    std::string refusal; ///< with "refused": "not-found", "masked", "bad-setting", "load-error", "not-applicable", …
    std::uint32_t job_id = 0;
    Duration took{};
    int pid = 0;         ///< main pid afterwards
    std::string active_state, sub_state;
    std::string text;    ///< for people, where it is not simply done: the cause
    bool changed = true; ///< false: it was so already
    Names transaction;   ///< where it was asked for: "12 web.service/start", the job asked for first
};
/// With `more`, a reply per outcome as it comes (one element), and the last reply holds all.
struct OperateReply { std::vector<JobOutcome> outcomes; };

struct ShutdownPlanReply {
    std::optional<Duration> budget; ///< for all; unset: the units' own timeouts
    std::vector<PlannedStop> stops; ///< wave by wave
};
struct WaitState {
    std::string unit;
    bool reached = false;
    std::string state; ///< "running", "failed" …
    std::string text;  ///< why it can no longer happen, or what it waits for
};
struct WaitReply {
    std::string result; ///< "reached", "failed", "timeout", "unknown"; "waiting" in progress replies
    std::vector<WaitState> units;
    Duration took{};
};
/// Streamed to subscribers.
struct UnitEvent {
    std::string unit;
    std::string before, active_state, sub_state;
    Moment when;
    std::string text; ///< in words, where there are some
    std::string health; ///< set when that is what changed
};

using Reply = std::variant<Empty, ManagerInfo, ListReply, StatusReply, PropertiesReply, DependenciesReply, JobsReply,
                           EnvironmentReply, OperateReply, WaitReply, UnitEvent, HealthReply, ShutdownPlanReply>;

} // namespace monoinit::control
