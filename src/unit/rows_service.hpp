#pragma once
// Rows of [Service]: systemd.service(5); and of killing: systemd.kill(5).

#include "unit/rows_unit.hpp"

namespace monoinit::unit::rows {

// clang-format off

template <ExecList List> constexpr Directive commands(Text name, Text example, Text doc) {
    return field<codec::Commands<List>, &UnitConfig::service>(Group::Service, name, "", example, doc);
}

template <auto Member> using ServiceWay = codec::RestartTiming<codec::TimeSpan, Member>;
inline constexpr std::int64_t most_stored_descriptors = 1024;
using FailureMode = codec::Enum<timeout_failure_mode_names>;

inline constexpr auto service_rows = std::to_array<Directive>({
    with_loss(field<codec::Type, &UnitConfig::service>(Group::Service, "Type", "simple", "notify", "When the service counts as started; oneshot without ExecStart=, dbus with BusName=."), "counts as started as soon as its process is made"),
    field<codec::Enum<exit_type_names>, &UnitConfig::service, &ServiceSection::exit_type>(Group::Service, "ExitType", "main", "cgroup", "The service ends with its main process, or with its last one."),
    field<codec::Bool, &UnitConfig::service, &ServiceSection::remain_after_exit>(Group::Service, "RemainAfterExit", "no", "yes", "It stays active when all its processes have ended."),
    field<codec::Bool, &UnitConfig::service, &ServiceSection::guess_main_pid>(Group::Service, "GuessMainPID", "yes", "no", "Guess the main process of Type=forking without PIDFile=."),
    field<codec::PidPath, &UnitConfig::service, &ServiceSection::pid_file>(Group::Service, "PIDFile", "", "/run/app.pid", "The file in which a daemon leaves the pid of its main process."),
    field<codec::BusName, &UnitConfig::service, &ServiceSection::bus_name>(Group::Service, "BusName", "", "org.example.App", "The D-Bus name whose appearance means ready, and whose loss means down."),
    commands<ExecList::Condition>("ExecCondition", "/usr/bin/test -e /etc/app.conf", "Commands that decide whether to start: status 1-254 skips the unit without failure."),
    commands<ExecList::StartPre>("ExecStartPre", "/usr/bin/app --check", "Commands run one by one before ExecStart=."),
    commands<ExecList::Start>("ExecStart", "/usr/bin/app --port 80", "The command; several only with Type=oneshot."),
    commands<ExecList::StartPost>("ExecStartPost", "/usr/bin/app --warm-up", "Commands run when the service has started."),
    commands<ExecList::Reload>("ExecReload", "/bin/kill -HUP $MAINPID", "Commands that make the service read its configuration again."),
    commands<ExecList::Stop>("ExecStop", "/usr/bin/app --quit", "Commands that ask the service to stop; what is left is killed."),
    commands<ExecList::StopPost>("ExecStopPost", "-/bin/rm -f /run/app.lock", "Commands run after the service ended, also when it failed."),
    with_loss(field<codec::Enum<restart_policy_names>, &UnitConfig::service, &ServiceSection::restart>(Group::Service, "Restart", "no", "on-failure", "After which ends the service is started again."), "will NOT come back when it ends"),
    field<codec::Enum<restart_mode_names>, &UnitConfig::service, &ServiceSection::restart_mode>(Group::Service, "RestartMode", "normal", "direct", "Whether units that depend on it see a restart (normal) or not (direct).", 254),
    field<ServiceWay<&ServiceSection::restart_delay>, &UnitConfig::service>(Group::Service, "RestartSec", "100 ms, growing to 30 s", "5s", "How long to wait before a restart; once it is set the wait does not grow by itself."),
    field<codec::RestartTiming<codec::Unsigned, &ServiceSection::restart_steps>, &UnitConfig::service>(Group::Service, "RestartSteps", "0", "5", "In how many steps the wait grows from RestartSec= to RestartMaxDelaySec=.", 254),
    field<ServiceWay<&ServiceSection::restart_max_delay>, &UnitConfig::service>(Group::Service, "RestartMaxDelaySec", "infinity", "1min", "The longest wait before a restart.", 254),
    field<codec::ExitStatuses, &UnitConfig::service, &ServiceSection::success_exit_status>(Group::Service, "SuccessExitStatus", "", "143 SIGKILL", "Further exit statuses and signals that are no failure."),
    field<codec::ExitStatuses, &UnitConfig::service, &ServiceSection::restart_prevent_exit_status>(Group::Service, "RestartPreventExitStatus", "", "1 SIGABRT", "Exit statuses and signals after which it is never restarted."),
    field<codec::ExitStatuses, &UnitConfig::service, &ServiceSection::restart_force_exit_status>(Group::Service, "RestartForceExitStatus", "", "75", "Exit statuses and signals after which it is always restarted."),
    field<codec::Optional<codec::Timeout>, &UnitConfig::service, &ServiceSection::timeout_start>(Group::Service, "TimeoutStartSec", "1min 30s; infinity for oneshot", "30s", "How long starting may take."),
    field<codec::Timeout, &UnitConfig::service, &ServiceSection::timeout_stop>(Group::Service, "TimeoutStopSec", "1min 30s", "10s", "How long each stop command, and the processes after KillSignal=, may take."),
    field<codec::Optional<codec::Timeout>, &UnitConfig::service, &ServiceSection::timeout_abort>(Group::Service, "TimeoutAbortSec", "TimeoutStopSec=", "20s", "As TimeoutStopSec=, after WatchdogSignal=."),
    old_name<codec::BothTimeouts, &UnitConfig::service>(Group::Service, "TimeoutSec", "10s", "TimeoutStartSec= and TimeoutStopSec="),
    field<FailureMode, &UnitConfig::service, &ServiceSection::timeout_start_failure_mode>(Group::Service, "TimeoutStartFailureMode", "terminate", "kill", "What happens when TimeoutStartSec= is over."),
    field<FailureMode, &UnitConfig::service, &ServiceSection::timeout_stop_failure_mode>(Group::Service, "TimeoutStopFailureMode", "terminate", "abort", "What happens when TimeoutStopSec= is over."),
    field<codec::Timeout, &UnitConfig::service, &ServiceSection::runtime_max>(Group::Service, "RuntimeMaxSec", "infinity", "1h", "How long the service may run before it is stopped and failed."),
    field<codec::TimeSpan, &UnitConfig::service, &ServiceSection::runtime_randomized_extra>(Group::Service, "RuntimeRandomizedExtraSec", "0", "5min", "Up to this much is added to RuntimeMaxSec=."),
    field<codec::TimeSpan, &UnitConfig::service, &ServiceSection::watchdog>(Group::Service, "WatchdogSec", "0", "30s", "The service must say WATCHDOG=1 this often; else it is aborted."),
    field<codec::Optional<codec::Enum<notify_access_names>>, &UnitConfig::service, &ServiceSection::notify_access>(Group::Service, "NotifyAccess", "main where notifications are expected, else none", "all", "Whose notifications count."),
    field<codec::SignalNumber, &UnitConfig::service, &ServiceSection::reload_signal>(Group::Service, "ReloadSignal", "SIGHUP", "SIGUSR1", "The signal that asks a Type=notify-reload service to reload.", 253),
    field<codec::Bool, &UnitConfig::service, &ServiceSection::root_directory_start_only>(Group::Service, "RootDirectoryStartOnly", "no", "yes", "RootDirectory= applies to ExecStart= only."),
    field<codec::Bool, &UnitConfig::service, &ServiceSection::non_blocking>(Group::Service, "NonBlocking", "no", "yes", "Set O_NONBLOCK on descriptors that are passed in."),
    old_name<codec::Bool, &UnitConfig::service, &ServiceSection::permissions_start_only>(Group::Service, "PermissionsStartOnly", "yes", "the \"+\" prefix of commands"),
    field<codec::Number<0, most_stored_descriptors>, &UnitConfig::service, &ServiceSection::file_descriptor_store_max>(Group::Service, "FileDescriptorStoreMax", "0", "16", "How many descriptors the service may leave with us (FDSTORE=1, sd_notify(3)): it gets them back at its next start; at most 1024."),
    field<codec::PreserveMode, &UnitConfig::service, &ServiceSection::file_descriptor_store_preserve>(Group::Service, "FileDescriptorStorePreserve", "restart", "yes", "How long they are kept: over restarts, also while it is stopped (yes), or not beyond its run (no).", 254),
    field<codec::InstallNames, &UnitConfig::service, &ServiceSection::sockets>(Group::Service, "Sockets", "", "app.socket", "Socket units whose descriptors are passed in."),
    degraded<codec::Enum<oom_policy_names>, &UnitConfig::service, &ServiceSection::oom_policy>(Group::Service, "OOMPolicy", "stop", "continue", "What happens when the kernel kills one of its processes for memory.", "needs a writable cgroup v2: stop acts when the main process ends; without, the kernel kills one process, and the service goes on if it was not the main one"),
    ignored(Group::Service, "OpenFile", "Files opened before the start and passed in.", "not in this version: let the service open the file", 253),
    ignored(Group::Service, "USBFunctionDescriptors", "USB gadget descriptors.", "needs a USB device controller"),
    ignored(Group::Service, "USBFunctionStrings", "USB gadget strings.", "needs a USB device controller"),
    old_ignored(Group::Service, "BusPolicy", "", "systemd does not have it any more (kdbus)"),
    old_ignored(Group::Service, "SysVStartPriority", "", "systemd does not have it any more"),
    field<codec::Bool, &UnitConfig::service, &ServiceSection::essential>(Group::Service, "X-Essential", "no", "yes", "When this service has ended for good, unasked, the container ends in order with its exit status: 128 and the signal for one that was killed, 0 for success."),
    field<codec::Ports, &UnitConfig::service, &ServiceSection::ports>(Group::Service, "X-Ports", "", "8080 8443", "TCP ports that it serves: `initctl ports` shows them, and devcontainers forward them."),
    old_name<LimitInterval, &UnitConfig::unit, &UnitSection::start_limit>(Group::Service, "StartLimitInterval", "30s", "StartLimitIntervalSec= in [Unit]"),
    old_name<LimitBurst, &UnitConfig::unit, &UnitSection::start_limit>(Group::Service, "StartLimitBurst", "3", "StartLimitBurst= in [Unit]"),
    old_name<Emergency, &UnitConfig::unit, &UnitSection::start_limit, &StartLimit::action>(Group::Service, "StartLimitAction", "exit", "StartLimitAction= in [Unit]"),
    old_name<Emergency, &UnitConfig::unit, &UnitSection::failure_action>(Group::Service, "FailureAction", "exit", "FailureAction= in [Unit]"),
    old_ignored(Group::Service, "RebootArgument", "RebootArgument= in [Unit]", "a reboot ends the container; there is nobody to pass it to"),

    field<codec::Enum<kill_mode_names>, &UnitConfig::kill, &KillSection::mode>(Group::Kill, "KillMode", "control-group", "mixed", "Which processes a stop kills: all of the service, the main one, or main first (mixed)."),
    field<codec::SignalNumber, &UnitConfig::kill, &KillSection::kill_signal>(Group::Kill, "KillSignal", "SIGTERM", "SIGINT", "The signal that asks processes to end; SIGCONT follows it."),
    field<codec::SignalNumber, &UnitConfig::kill, &KillSection::restart_kill_signal>(Group::Kill, "RestartKillSignal", "KillSignal=", "SIGUSR2", "The same, when the unit is being restarted."),
    field<codec::Bool, &UnitConfig::kill, &KillSection::send_sighup>(Group::Kill, "SendSIGHUP", "no", "yes", "Send SIGHUP right after KillSignal=, for shells."),
    field<codec::Bool, &UnitConfig::kill, &KillSection::send_sigkill>(Group::Kill, "SendSIGKILL", "yes", "no", "Kill what is left when TimeoutStopSec= is over."),
    field<codec::SignalNumber, &UnitConfig::kill, &KillSection::final_kill_signal>(Group::Kill, "FinalKillSignal", "SIGKILL", "SIGQUIT", "The signal for what is left."),
    field<codec::SignalNumber, &UnitConfig::kill, &KillSection::watchdog_signal>(Group::Kill, "WatchdogSignal", "SIGABRT", "SIGQUIT", "The signal after a missed WatchdogSec=."),
});
// clang-format on

} // namespace monoinit::unit::rows
