#pragma once
// Rows of [Unit] and [Install]: systemd.unit(5).

#include "unit/rows.hpp"

namespace monoinit::unit::rows {

// clang-format off

template <DependencyKind Kind>
constexpr Directive dependency(Text name, Text doc, std::uint16_t since = 0) {
    const bool paths = Kind == DependencyKind::RequiresMountsFor || Kind == DependencyKind::WantsMountsFor;
    return field<codec::Dependencies<Kind>, &UnitConfig::unit, &UnitSection::dependencies>(Group::Unit, name, "", paths ? "/srv/data" : "db.service", doc, since);
}
template <DependencyKind Kind> constexpr Directive old_dependency(Text name, Text replaced_by) {
    return old_name<codec::Dependencies<Kind>, &UnitConfig::unit, &UnitSection::dependencies>(Group::Unit, name, "db.service", replaced_by);
}
template <ConditionKind Kind> constexpr Directive condition(Text name, Text example, Text doc, std::uint16_t since = 0) {
    return field<codec::ConditionOf<Kind, false>, &UnitConfig::unit, &UnitSection::conditions>(Group::Unit, name, "", example, doc, since);
}
template <ConditionKind Kind> constexpr Directive assertion(Text name, Text example, std::uint16_t since = 0) {
    return field<codec::ConditionOf<Kind, true>, &UnitConfig::unit, &UnitSection::conditions>(Group::Unit, name, "", example, "As the Condition of that name; where it does not hold, the start fails.", since);
}

using Emergency = codec::Enum<emergency_action_names>;
using ExitByte = codec::Optional<codec::Number<0, 255>>;
using LimitInterval = codec::StartLimitPart<codec::TimeSpan, &StartLimit::interval>;
using LimitBurst = codec::StartLimitPart<codec::Unsigned, &StartLimit::burst>;

inline constexpr auto unit_rows = std::to_array<Directive>({
    field<codec::Text, &UnitConfig::unit, &UnitSection::description>(Group::Unit, "Description", "the unit's name", "Web server", "What the unit is, for people."),
    field<codec::Urls, &UnitConfig::unit, &UnitSection::documentation>(Group::Unit, "Documentation", "", "man:nginx(8)", "Where to read about it."),
    dependency<DependencyKind::Wants>("Wants", "Units started together with this one; their failure does not matter."),
    dependency<DependencyKind::Requires>("Requires", "Units started with this one; when one fails to start or is stopped, so is this."),
    dependency<DependencyKind::Requisite>("Requisite", "Units that must already run; they are not started."),
    dependency<DependencyKind::BindsTo>("BindsTo", "As Requires=; also stops this unit when one goes away by itself."),
    dependency<DependencyKind::PartOf>("PartOf", "Stopping or restarting one of these stops or restarts this unit."),
    dependency<DependencyKind::Upholds>("Upholds", "While this unit runs, these are started again whenever they are found inactive."),
    dependency<DependencyKind::Conflicts>("Conflicts", "Starting this unit stops these, and the other way round."),
    dependency<DependencyKind::Before>("Before", "Where both are started, this one comes first; stopping goes the other way."),
    dependency<DependencyKind::After>("After", "Where both are started, this one waits for these."),
    dependency<DependencyKind::OnFailure>("OnFailure", "Units started when this one enters the failed state."),
    dependency<DependencyKind::OnSuccess>("OnSuccess", "Units started when this one ends without failure."),
    dependency<DependencyKind::PropagatesReloadTo>("PropagatesReloadTo", "Units reloaded when this one is."),
    dependency<DependencyKind::ReloadPropagatedFrom>("ReloadPropagatedFrom", "Units whose reload reloads this one."),
    dependency<DependencyKind::PropagatesStopTo>("PropagatesStopTo", "Units stopped when this one is."),
    dependency<DependencyKind::StopPropagatedFrom>("StopPropagatedFrom", "Units whose stop stops this one."),
    degraded<codec::Dependencies<DependencyKind::JoinsNamespaceOf>, &UnitConfig::unit, &UnitSection::dependencies>(Group::Unit, "JoinsNamespaceOf", "", "db.service", "Units whose namespaces this one shares.", "services have no namespaces of their own here, so all share everything"),
    dependency<DependencyKind::RequiresMountsFor>("RequiresMountsFor", "Paths whose mount units this unit requires and waits for."),
    dependency<DependencyKind::WantsMountsFor>("WantsMountsFor", "Paths whose mount units this unit wants and waits for.", 256),
    old_dependency<DependencyKind::BindsTo>("BindTo", "BindsTo="),
    old_dependency<DependencyKind::PropagatesReloadTo>("PropagateReloadTo", "PropagatesReloadTo="),
    old_dependency<DependencyKind::ReloadPropagatedFrom>("PropagateReloadFrom", "ReloadPropagatedFrom="),
    old_dependency<DependencyKind::Requires>("RequiresOverridable", "Requires="),
    old_dependency<DependencyKind::Requisite>("RequisiteOverridable", "Requisite="),
    field<codec::Enum<job_mode_names>, &UnitConfig::unit, &UnitSection::on_failure_job_mode>(Group::Unit, "OnFailureJobMode", "replace", "fail", "Job mode for OnFailure= units."),
    field<codec::Enum<job_mode_names>, &UnitConfig::unit, &UnitSection::on_success_job_mode>(Group::Unit, "OnSuccessJobMode", "fail", "replace", "Job mode for OnSuccess= units."),
    old_name<codec::FailureJobModeFlag, &UnitConfig::unit, &UnitSection::on_failure_job_mode>(Group::Unit, "OnFailureIsolate", "yes", "OnFailureJobMode="),
    field<codec::Bool, &UnitConfig::unit, &UnitSection::stop_when_unneeded>(Group::Unit, "StopWhenUnneeded", "no", "yes", "Stop the unit when no running unit needs it."),
    field<codec::Bool, &UnitConfig::unit, &UnitSection::refuse_manual_start>(Group::Unit, "RefuseManualStart", "no", "yes", "Only other units may start it."),
    field<codec::Bool, &UnitConfig::unit, &UnitSection::refuse_manual_stop>(Group::Unit, "RefuseManualStop", "no", "yes", "Only other units may stop it."),
    field<codec::Bool, &UnitConfig::unit, &UnitSection::allow_isolate>(Group::Unit, "AllowIsolate", "no", "yes", "Whether isolate may be used with it."),
    field<codec::Bool, &UnitConfig::unit, &UnitSection::default_dependencies>(Group::Unit, "DefaultDependencies", "yes", "no", "Add the usual dependencies: after basic.target, stopped at shutdown."),
    field<codec::Bool, &UnitConfig::unit, &UnitSection::ignore_on_isolate>(Group::Unit, "IgnoreOnIsolate", "no", "yes", "Isolating another unit leaves this one running."),
    old_ignored(Group::Unit, "IgnoreOnSnapshot", "", "systemd has no snapshots any more"),
    degraded<codec::Bool, &UnitConfig::unit, &UnitSection::survive_final_kill_signal>(Group::Unit, "SurviveFinalKillSignal", "no", "yes", "Processes outlive the end of the system.", "the container's end ends every process in it", 255),
    degraded<codec::Enum<collect_mode_names>, &UnitConfig::unit, &UnitSection::collect_mode>(Group::Unit, "CollectMode", "inactive", "inactive-or-failed", "When a unit that ended is forgotten.", "a failed unit stays listed until reset-failed"),
    field<LimitInterval, &UnitConfig::unit, &UnitSection::start_limit>(Group::Unit, "StartLimitIntervalSec", "10s", "30s", "In this time a unit may be started StartLimitBurst= times; 0 = no limit."),
    field<LimitBurst, &UnitConfig::unit, &UnitSection::start_limit>(Group::Unit, "StartLimitBurst", "5", "3", "How many starts StartLimitIntervalSec= allows."),
    field<Emergency, &UnitConfig::unit, &UnitSection::start_limit, &StartLimit::action>(Group::Unit, "StartLimitAction", "none", "exit", "What happens when the start limit is hit; reboot and poweroff end the container."),
    old_name<LimitInterval, &UnitConfig::unit, &UnitSection::start_limit>(Group::Unit, "StartLimitInterval", "30s", "StartLimitIntervalSec="),
    field<Emergency, &UnitConfig::unit, &UnitSection::failure_action>(Group::Unit, "FailureAction", "none", "exit", "What happens when the unit fails; reboot and poweroff end the container."),
    field<Emergency, &UnitConfig::unit, &UnitSection::success_action>(Group::Unit, "SuccessAction", "none", "exit", "What happens when the unit ends without failure."),
    field<ExitByte, &UnitConfig::unit, &UnitSection::failure_action_exit_status>(Group::Unit, "FailureActionExitStatus", "the main process's", "3", "The container's exit status after FailureAction=exit."),
    field<ExitByte, &UnitConfig::unit, &UnitSection::success_action_exit_status>(Group::Unit, "SuccessActionExitStatus", "the main process's", "0", "The container's exit status after SuccessAction=exit."),
    degraded<codec::Text, &UnitConfig::unit, &UnitSection::reboot_argument>(Group::Unit, "RebootArgument", "", "recovery", "Passed to reboot(2).", "a reboot ends the container; there is nobody to pass it to"),
    field<codec::JobTimeout, &UnitConfig::unit>(Group::Unit, "JobTimeoutSec", "infinity", "5min", "How long a job of this unit may wait and run."),
    field<codec::JobRunningTimeout, &UnitConfig::unit>(Group::Unit, "JobRunningTimeoutSec", "infinity", "5min", "How long a job of this unit may run once it has begun."),
    field<Emergency, &UnitConfig::unit, &UnitSection::job_timeout_action>(Group::Unit, "JobTimeoutAction", "none", "exit", "What happens when JobTimeoutSec= is over."),
    ignored(Group::Unit, "JobTimeoutRebootArgument", "Passed to reboot(2).", "a reboot ends the container; there is nobody to pass it to"),
    field<codec::Path, &UnitConfig::unit, &UnitSection::source_path>(Group::Unit, "SourcePath", "", "/etc/init.d/foo", "The file that the unit was generated from."),

    condition<ConditionKind::PathExists>("ConditionPathExists", "/etc/app.conf", "Start only if the path exists (\"!\" in front: does not)."),
    condition<ConditionKind::PathExistsGlob>("ConditionPathExistsGlob", "/etc/app.d/*.conf", "Start only if the pattern matches a path."),
    condition<ConditionKind::PathIsDirectory>("ConditionPathIsDirectory", "/srv/repo/.git", "Start only if the path is a directory."),
    condition<ConditionKind::PathIsSymbolicLink>("ConditionPathIsSymbolicLink", "/etc/mtab", "Start only if the path is a symbolic link."),
    condition<ConditionKind::PathIsMountPoint>("ConditionPathIsMountPoint", "/data", "Start only if the path is a mount point."),
    condition<ConditionKind::PathIsReadWrite>("ConditionPathIsReadWrite", "/etc", "Start only if the file system there is writable."),
    condition<ConditionKind::PathIsEncrypted>("ConditionPathIsEncrypted", "/home", "Start only if the device below the path is encrypted."),
    condition<ConditionKind::DirectoryNotEmpty>("ConditionDirectoryNotEmpty", "/etc/app.d", "Start only if the directory exists and holds something."),
    condition<ConditionKind::FileNotEmpty>("ConditionFileNotEmpty", "/etc/app.conf", "Start only if the file exists and is not empty."),
    condition<ConditionKind::FileIsExecutable>("ConditionFileIsExecutable", "/usr/bin/app", "Start only if the file is executable."),
    condition<ConditionKind::Architecture>("ConditionArchitecture", "x86-64", "Start only on this architecture."),
    condition<ConditionKind::Firmware>("ConditionFirmware", "uefi", "Start only on this firmware; never true in a container."),
    condition<ConditionKind::Virtualization>("ConditionVirtualization", "container", "Start only in this kind of machine or container."),
    condition<ConditionKind::Host>("ConditionHost", "build*", "Start only on the host of this name or machine id."),
    condition<ConditionKind::KernelCommandLine>("ConditionKernelCommandLine", "quiet", "Start only if PID 1 has this argument: it stands for the kernel command line in a container."),
    condition<ConditionKind::KernelVersion>("ConditionKernelVersion", ">=5.4", "Start only on this kernel version."),
    condition<ConditionKind::Version>("ConditionVersion", "kernel >=5.4", "Start only on this version of the kernel, systemd or libc.", 257),
    condition<ConditionKind::Credential>("ConditionCredential", "token", "Start only if the credential was passed to the container: in the $CREDENTIALS_DIRECTORY we were given, or in /run/secrets."),
    condition<ConditionKind::Environment>("ConditionEnvironment", "DEBUG=1", "Start only if the variable is in our environment."),
    condition<ConditionKind::Security>("ConditionSecurity", "apparmor", "Start only with this security technology."),
    condition<ConditionKind::Capability>("ConditionCapability", "CAP_NET_ADMIN", "Start only if the container has the capability."),
    condition<ConditionKind::AcPower>("ConditionACPower", "true", "Start only on mains power."),
    condition<ConditionKind::NeedsUpdate>("ConditionNeedsUpdate", "/etc", "Start only if /usr is newer than the directory's stamp."),
    condition<ConditionKind::FirstBoot>("ConditionFirstBoot", "no", "Start only on the first start of the container."),
    condition<ConditionKind::User>("ConditionUser", "@system", "Start only if we run as this user."),
    condition<ConditionKind::Group>("ConditionGroup", "adm", "Start only if we run with this group."),
    condition<ConditionKind::ControlGroupController>("ConditionControlGroupController", "memory", "Start only if the cgroup controller is there."),
    condition<ConditionKind::Memory>("ConditionMemory", ">=1G", "Start only with this much memory."),
    condition<ConditionKind::Cpus>("ConditionCPUs", ">=2", "Start only with this many CPUs."),
    condition<ConditionKind::CpuFeature>("ConditionCPUFeature", "rdrand", "Start only if the CPU has the feature."),
    condition<ConditionKind::OsRelease>("ConditionOSRelease", "ID=debian", "Start only if os-release says so."),
    condition<ConditionKind::MemoryPressure>("ConditionMemoryPressure", "50%", "Start only if memory pressure is below this."),
    condition<ConditionKind::CpuPressure>("ConditionCPUPressure", "50%", "Start only if CPU pressure is below this."),
    condition<ConditionKind::IoPressure>("ConditionIOPressure", "50%", "Start only if IO pressure is below this."),
    assertion<ConditionKind::PathExists>("AssertPathExists", "/etc/app.conf"),
    assertion<ConditionKind::PathExistsGlob>("AssertPathExistsGlob", "/etc/app.d/*.conf"),
    assertion<ConditionKind::PathIsDirectory>("AssertPathIsDirectory", "/srv/repo/.git"),
    assertion<ConditionKind::PathIsSymbolicLink>("AssertPathIsSymbolicLink", "/etc/mtab"),
    assertion<ConditionKind::PathIsMountPoint>("AssertPathIsMountPoint", "/data"),
    assertion<ConditionKind::PathIsReadWrite>("AssertPathIsReadWrite", "/etc"),
    assertion<ConditionKind::PathIsEncrypted>("AssertPathIsEncrypted", "/home"),
    assertion<ConditionKind::DirectoryNotEmpty>("AssertDirectoryNotEmpty", "/etc/app.d"),
    assertion<ConditionKind::FileNotEmpty>("AssertFileNotEmpty", "/etc/app.conf"),
    assertion<ConditionKind::FileIsExecutable>("AssertFileIsExecutable", "/usr/bin/app"),
    assertion<ConditionKind::Architecture>("AssertArchitecture", "x86-64"),
    assertion<ConditionKind::Firmware>("AssertFirmware", "uefi"),
    assertion<ConditionKind::Virtualization>("AssertVirtualization", "container"),
    assertion<ConditionKind::Host>("AssertHost", "build*"),
    assertion<ConditionKind::KernelCommandLine>("AssertKernelCommandLine", "quiet"),
    assertion<ConditionKind::KernelVersion>("AssertKernelVersion", ">=5.4"),
    assertion<ConditionKind::Version>("AssertVersion", "kernel >=5.4", 257),
    assertion<ConditionKind::Credential>("AssertCredential", "token"),
    assertion<ConditionKind::Environment>("AssertEnvironment", "DEBUG=1"),
    assertion<ConditionKind::Security>("AssertSecurity", "apparmor"),
    assertion<ConditionKind::Capability>("AssertCapability", "CAP_NET_ADMIN"),
    assertion<ConditionKind::AcPower>("AssertACPower", "true"),
    assertion<ConditionKind::NeedsUpdate>("AssertNeedsUpdate", "/etc"),
    assertion<ConditionKind::FirstBoot>("AssertFirstBoot", "no"),
    assertion<ConditionKind::User>("AssertUser", "@system"),
    assertion<ConditionKind::Group>("AssertGroup", "adm"),
    assertion<ConditionKind::ControlGroupController>("AssertControlGroupController", "memory"),
    assertion<ConditionKind::Memory>("AssertMemory", ">=1G"),
    assertion<ConditionKind::Cpus>("AssertCPUs", ">=2"),
    assertion<ConditionKind::CpuFeature>("AssertCPUFeature", "rdrand"),
    assertion<ConditionKind::OsRelease>("AssertOSRelease", "ID=debian"),
    assertion<ConditionKind::MemoryPressure>("AssertMemoryPressure", "50%"),
    assertion<ConditionKind::CpuPressure>("AssertCPUPressure", "50%"),
    assertion<ConditionKind::IoPressure>("AssertIOPressure", "50%"),

    field<codec::InstallNames, &UnitConfig::install, &InstallSection::alias>(Group::Install, "Alias", "", "www.service", "Further names, made as links when the unit is enabled."),
    field<codec::InstallNames, &UnitConfig::install, &InstallSection::wanted_by>(Group::Install, "WantedBy", "", "multi-user.target", "Units that want this one once it is enabled."),
    field<codec::InstallNames, &UnitConfig::install, &InstallSection::required_by>(Group::Install, "RequiredBy", "", "app.target", "Units that require this one once it is enabled."),
    field<codec::InstallNames, &UnitConfig::install, &InstallSection::upheld_by>(Group::Install, "UpheldBy", "", "app.target", "Units that uphold this one once it is enabled.", 254),
    field<codec::InstallNames, &UnitConfig::install, &InstallSection::also>(Group::Install, "Also", "", "app.socket", "Units enabled and disabled together with this one."),
    field<codec::RawText, &UnitConfig::install, &InstallSection::default_instance>(Group::Install, "DefaultInstance", "", "main", "The instance that enabling a template enables."),
});
// clang-format on

} // namespace monoinit::unit::rows
