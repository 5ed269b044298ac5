#pragma once
// The words of enumerated directives: one table per enum serves the parser, `show` and messages.

#include "base/enum_names.hpp"
#include "unit/config.hpp"

namespace monoinit::unit {

// clang-format off
using base::enum_names;

inline constexpr auto service_type_names = enum_names<ServiceType>({
    {ServiceType::Simple, "simple"}, {ServiceType::Exec, "exec"}, {ServiceType::Forking, "forking"}, {ServiceType::Oneshot, "oneshot"},
    {ServiceType::Dbus, "dbus"}, {ServiceType::Notify, "notify"}, {ServiceType::NotifyReload, "notify-reload"}, {ServiceType::Idle, "idle"}});
inline constexpr auto restart_policy_names = enum_names<RestartPolicy>({
    {RestartPolicy::No, "no"}, {RestartPolicy::OnSuccess, "on-success"}, {RestartPolicy::OnFailure, "on-failure"},
    {RestartPolicy::OnAbnormal, "on-abnormal"}, {RestartPolicy::OnWatchdog, "on-watchdog"}, {RestartPolicy::OnAbort, "on-abort"},
    {RestartPolicy::Always, "always"}});
inline constexpr auto restart_mode_names = enum_names<RestartMode>({
    {RestartMode::Normal, "normal"}, {RestartMode::Direct, "direct"}, {RestartMode::Debug, "debug"}});
inline constexpr auto notify_access_names = enum_names<NotifyAccess>({
    {NotifyAccess::None, "none"}, {NotifyAccess::Main, "main"}, {NotifyAccess::Exec, "exec"}, {NotifyAccess::All, "all"}});
inline constexpr auto exit_type_names = enum_names<ExitType>({{ExitType::Main, "main"}, {ExitType::Cgroup, "cgroup"}});
inline constexpr auto timeout_failure_mode_names = enum_names<TimeoutFailureMode>({
    {TimeoutFailureMode::Terminate, "terminate"}, {TimeoutFailureMode::Abort, "abort"}, {TimeoutFailureMode::Kill, "kill"}});
inline constexpr auto oom_policy_names = enum_names<OomPolicy>({
    {OomPolicy::Continue, "continue"}, {OomPolicy::Stop, "stop"}, {OomPolicy::Kill, "kill"}});
inline constexpr auto kill_mode_names = enum_names<KillMode>({
    {KillMode::ControlGroup, "control-group"}, {KillMode::Process, "process"}, {KillMode::Mixed, "mixed"}, {KillMode::None, "none"}});
inline constexpr auto on_unhealthy_names = enum_names<OnUnhealthy>({
    {OnUnhealthy::Restart, "restart"}, {OnUnhealthy::Reload, "reload"}, {OnUnhealthy::Stop, "stop"}, {OnUnhealthy::None, "none"},
    {OnUnhealthy::FailContainer, "fail-container"}});
inline constexpr auto preserve_names = enum_names<Preserve>({
    {Preserve::No, "no"}, {Preserve::Yes, "yes"}, {Preserve::Restart, "restart"}});
inline constexpr auto emergency_action_names = enum_names<EmergencyAction>({
    {EmergencyAction::None, "none"}, {EmergencyAction::Exit, "exit"}, {EmergencyAction::ExitForce, "exit-force"},
    {EmergencyAction::Reboot, "reboot"}, {EmergencyAction::RebootForce, "reboot-force"}, {EmergencyAction::RebootImmediate, "reboot-immediate"},
    {EmergencyAction::Poweroff, "poweroff"}, {EmergencyAction::PoweroffForce, "poweroff-force"},
    {EmergencyAction::PoweroffImmediate, "poweroff-immediate"}, {EmergencyAction::SoftReboot, "soft-reboot"},
    {EmergencyAction::SoftRebootForce, "soft-reboot-force"}, {EmergencyAction::Kexec, "kexec"}, {EmergencyAction::KexecForce, "kexec-force"},
    {EmergencyAction::Halt, "halt"}, {EmergencyAction::HaltForce, "halt-force"}, {EmergencyAction::HaltImmediate, "halt-immediate"}});
inline constexpr auto job_mode_names = enum_names<JobMode>({
    {JobMode::Fail, "fail"}, {JobMode::Replace, "replace"}, {JobMode::ReplaceIrreversibly, "replace-irreversibly"},
    {JobMode::Isolate, "isolate"}, {JobMode::Flush, "flush"}, {JobMode::IgnoreDependencies, "ignore-dependencies"},
    {JobMode::IgnoreRequirements, "ignore-requirements"}, {JobMode::Triggering, "triggering"},
    {JobMode::RestartDependencies, "restart-dependencies"}});
inline constexpr auto load_state_names = enum_names<LoadState>({
    {LoadState::Stub, "stub"}, {LoadState::Loaded, "loaded"}, {LoadState::NotFound, "not-found"}, {LoadState::BadSetting, "bad-setting"},
    {LoadState::Error, "error"}, {LoadState::Masked, "masked"}});
inline constexpr auto collect_mode_names = enum_names<CollectMode>({
    {CollectMode::Inactive, "inactive"}, {CollectMode::InactiveOrFailed, "inactive-or-failed"}});
inline constexpr auto stdin_names = enum_names<StdinKind>({
    {StdinKind::Null, "null"}, {StdinKind::Tty, "tty"}, {StdinKind::TtyForce, "tty-force"}, {StdinKind::TtyFail, "tty-fail"},
    {StdinKind::Data, "data"}, {StdinKind::Socket, "socket"}, {StdinKind::Fd, "fd"}, {StdinKind::File, "file"}});
inline constexpr auto stdout_names = enum_names<StdoutKind>({
    {StdoutKind::Inherit, "inherit"}, {StdoutKind::Null, "null"}, {StdoutKind::Tty, "tty"}, {StdoutKind::Journal, "journal"},
    {StdoutKind::JournalConsole, "journal+console"}, {StdoutKind::Kmsg, "kmsg"}, {StdoutKind::KmsgConsole, "kmsg+console"},
    {StdoutKind::Socket, "socket"}, {StdoutKind::Fd, "fd"}, {StdoutKind::File, "file"}, {StdoutKind::Append, "append"},
    {StdoutKind::Truncate, "truncate"}, {StdoutKind::Journal, "syslog"}, {StdoutKind::JournalConsole, "syslog+console"}});
inline constexpr auto exec_list_names = enum_names<ExecList>({
    {ExecList::Condition, "ExecCondition"}, {ExecList::StartPre, "ExecStartPre"}, {ExecList::Start, "ExecStart"},
    {ExecList::StartPost, "ExecStartPost"}, {ExecList::Reload, "ExecReload"}, {ExecList::Stop, "ExecStop"},
    {ExecList::StopPost, "ExecStopPost"}});
inline constexpr auto dependency_kind_names = enum_names<DependencyKind>({
    {DependencyKind::Requires, "Requires"}, {DependencyKind::Requisite, "Requisite"}, {DependencyKind::Wants, "Wants"},
    {DependencyKind::BindsTo, "BindsTo"}, {DependencyKind::PartOf, "PartOf"}, {DependencyKind::Upholds, "Upholds"},
    {DependencyKind::Conflicts, "Conflicts"}, {DependencyKind::Before, "Before"}, {DependencyKind::After, "After"},
    {DependencyKind::OnFailure, "OnFailure"}, {DependencyKind::OnSuccess, "OnSuccess"},
    {DependencyKind::PropagatesReloadTo, "PropagatesReloadTo"}, {DependencyKind::ReloadPropagatedFrom, "ReloadPropagatedFrom"},
    {DependencyKind::PropagatesStopTo, "PropagatesStopTo"}, {DependencyKind::StopPropagatedFrom, "StopPropagatedFrom"},
    {DependencyKind::JoinsNamespaceOf, "JoinsNamespaceOf"}, {DependencyKind::Triggers, "Triggers"},
    {DependencyKind::RequiresMountsFor, "RequiresMountsFor"}, {DependencyKind::WantsMountsFor, "WantsMountsFor"}});

/// CPUSchedulingPolicy=, sched(7)'s numbers; IOSchedulingClass=, ioprio_set(2)'s.
inline constexpr auto cpu_policy_names = enum_names<int>({{0, "other"}, {3, "batch"}, {5, "idle"}, {1, "fifo"}, {2, "rr"}});
inline constexpr auto io_class_names = enum_names<int>({{0, "none"}, {1, "realtime"}, {2, "best-effort"}, {3, "idle"}});
inline constexpr auto syslog_level_names = enum_names<int>({
    {0, "emerg"}, {1, "alert"}, {2, "crit"}, {3, "err"}, {4, "warning"}, {5, "notice"}, {6, "info"}, {7, "debug"}});
inline constexpr auto log_when_full_names = enum_names<LogWhenFull>({{LogWhenFull::Wait, "wait"}, {LogWhenFull::Drop, "drop"}});
/// syslog(3) facilities, already shifted.
inline constexpr auto syslog_facility_names = enum_names<int>({
    {0 << 3, "kern"}, {1 << 3, "user"}, {2 << 3, "mail"}, {3 << 3, "daemon"}, {4 << 3, "auth"}, {5 << 3, "syslog"}, {6 << 3, "lpr"},
    {7 << 3, "news"}, {8 << 3, "uucp"}, {9 << 3, "cron"}, {10 << 3, "authpriv"}, {11 << 3, "ftp"}, {16 << 3, "local0"},
    {17 << 3, "local1"}, {18 << 3, "local2"}, {19 << 3, "local3"}, {20 << 3, "local4"}, {21 << 3, "local5"}, {22 << 3, "local6"},
    {23 << 3, "local7"}});
// clang-format on

} // namespace monoinit::unit
