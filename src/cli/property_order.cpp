// See property_order.hpp. The names are those of org.freedesktop.systemd1.Manager, .Unit, .Service …, in the order in which
// these interfaces list them (systemd --dump-bus-properties of 252, and what came since).
#include "cli/property_order.hpp"

#include "base/strings.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace monoinit::cli {

namespace {

constexpr std::string_view of_manager =
    "Version Features Virtualization Architecture Tainted FirmwareTimestamp FirmwareTimestampMonotonic LoaderTimestamp "
    "LoaderTimestampMonotonic KernelTimestamp KernelTimestampMonotonic InitRDTimestamp InitRDTimestampMonotonic UserspaceTimestamp "
    "UserspaceTimestampMonotonic FinishTimestamp FinishTimestampMonotonic SecurityStartTimestamp SecurityStartTimestampMonotonic "
    "SecurityFinishTimestamp SecurityFinishTimestampMonotonic GeneratorsStartTimestamp GeneratorsStartTimestampMonotonic "
    "GeneratorsFinishTimestamp GeneratorsFinishTimestampMonotonic UnitsLoadStartTimestamp UnitsLoadStartTimestampMonotonic "
    "UnitsLoadFinishTimestamp UnitsLoadFinishTimestampMonotonic UnitsLoadTimestamp UnitsLoadTimestampMonotonic "
    "InitRDSecurityStartTimestamp InitRDSecurityStartTimestampMonotonic InitRDSecurityFinishTimestamp "
    "InitRDSecurityFinishTimestampMonotonic InitRDGeneratorsStartTimestamp InitRDGeneratorsStartTimestampMonotonic "
    "InitRDGeneratorsFinishTimestamp InitRDGeneratorsFinishTimestampMonotonic InitRDUnitsLoadStartTimestamp "
    "InitRDUnitsLoadStartTimestampMonotonic InitRDUnitsLoadFinishTimestamp InitRDUnitsLoadFinishTimestampMonotonic LogLevel LogTarget "
    "NNames NFailedUnits NJobs NInstalledJobs NFailedJobs Progress Environment ConfirmSpawn ShowStatus UnitPath DefaultTarget "
    "DefaultStandardOutput DefaultStandardError WatchdogDevice WatchdogLastPingTimestamp WatchdogLastPingTimestampMonotonic "
    "RuntimeWatchdogUSec RuntimeWatchdogPreUSec RuntimeWatchdogPreGovernor RebootWatchdogUSec KExecWatchdogUSec ServiceWatchdogs "
    "ControlGroup SystemState ExitCode DefaultTimerAccuracyUSec DefaultTimeoutStartUSec DefaultTimeoutStopUSec DefaultTimeoutAbortUSec "
    "DefaultDeviceTimeoutUSec DefaultRestartUSec DefaultStartLimitIntervalUSec DefaultStartLimitBurst DefaultCPUAccounting "
    "DefaultBlockIOAccounting DefaultMemoryAccounting DefaultTasksAccounting DefaultLimitCPU DefaultLimitCPUSoft DefaultLimitFSIZE "
    "DefaultLimitFSIZESoft DefaultLimitDATA DefaultLimitDATASoft DefaultLimitSTACK DefaultLimitSTACKSoft DefaultLimitCORE "
    "DefaultLimitCORESoft DefaultLimitRSS DefaultLimitRSSSoft DefaultLimitNOFILE DefaultLimitNOFILESoft DefaultLimitAS DefaultLimitASSoft "
    "DefaultLimitNPROC DefaultLimitNPROCSoft DefaultLimitMEMLOCK DefaultLimitMEMLOCKSoft DefaultLimitLOCKS DefaultLimitLOCKSSoft "
    "DefaultLimitSIGPENDING DefaultLimitSIGPENDINGSoft DefaultLimitMSGQUEUE DefaultLimitMSGQUEUESoft DefaultLimitNICE DefaultLimitNICESoft "
    "DefaultLimitRTPRIO DefaultLimitRTPRIOSoft DefaultLimitRTTIME DefaultLimitRTTIMESoft DefaultTasksMax TimerSlackNSec DefaultOOMPolicy "
    "DefaultOOMScoreAdjust CtrlAltDelBurstAction";
constexpr std::string_view of_service =
    "Type ExitType Restart RestartMode PIDFile NotifyAccess RestartUSec RestartSteps RestartMaxDelayUSec RestartUSecNext TimeoutStartUSec "
    "TimeoutStopUSec TimeoutAbortUSec TimeoutStartFailureMode TimeoutStopFailureMode RuntimeMaxUSec RuntimeRandomizedExtraUSec "
    "WatchdogUSec WatchdogTimestamp WatchdogTimestampMonotonic RootDirectoryStartOnly RemainAfterExit GuessMainPID "
    "RestartPreventExitStatus RestartForceExitStatus SuccessExitStatus MainPID ControlPID BusName FileDescriptorStoreMax "
    "NFileDescriptorStore FileDescriptorStorePreserve StatusText StatusErrno Result ReloadResult CleanResult USBFunctionDescriptors "
    "USBFunctionStrings UID GID NRestarts OOMPolicy OpenFile ExtraFileDescriptorNames ReloadSignal ExecMainStartTimestamp "
    "ExecMainStartTimestampMonotonic ExecMainExitTimestamp ExecMainExitTimestampMonotonic ExecMainPID ExecMainCode ExecMainStatus "
    "ExecCondition ExecConditionEx ExecStartPre ExecStartPreEx ExecStart ExecStartEx ExecStartPost ExecStartPostEx ExecReload ExecReloadEx "
    "ExecStop ExecStopEx ExecStopPost ExecStopPostEx";
constexpr std::string_view of_socket =
    "BindIPv6Only Backlog TimeoutUSec BindToDevice SocketUser SocketGroup SocketMode DirectoryMode Accept FlushPending Writable KeepAlive "
    "KeepAliveTimeUSec KeepAliveIntervalUSec KeepAliveProbes DeferAcceptUSec NoDelay Priority ReceiveBuffer SendBuffer IPTOS IPTTL "
    "PipeSize FreeBind Transparent Broadcast PassCredentials PassPIDFD PassSecurity PassPacketInfo AcceptFileDescriptors Timestamping "
    "RemoveOnStop Listen Symlinks Mark MaxConnections MaxConnectionsPerSource MessageQueueMaxMessages MessageQueueMessageSize "
    "TCPCongestion ReusePort SmackLabel SmackLabelIPIn SmackLabelIPOut ControlPID Result NConnections NAccepted NRefused "
    "FileDescriptorName SocketProtocol TriggerLimitIntervalUSec TriggerLimitBurst PollLimitIntervalUSec PollLimitBurst UID GID "
    "ExecStartPre ExecStartPost ExecStopPre ExecStopPost";
constexpr std::string_view of_timer =
    "Unit TimersMonotonic TimersCalendar OnClockChange OnTimezoneChange NextElapseUSecRealtime NextElapseUSecMonotonic LastTriggerUSec "
    "LastTriggerUSecMonotonic Result AccuracyUSec RandomizedDelayUSec RandomizedOffsetUSec FixedRandomDelay Persistent WakeSystem "
    "RemainAfterElapse DeferReactivation";
constexpr std::string_view of_path =
    "Unit Paths MakeDirectory DirectoryMode Result TriggerLimitIntervalUSec TriggerLimitBurst";
constexpr std::string_view of_mount =
    "Where What Options Type TimeoutUSec ControlPID DirectoryMode SloppyOptions LazyUnmount ForceUnmount ReadWriteOnly Result UID GID "
    "ExecMount ExecUnmount ExecRemount";
constexpr std::string_view of_automount =
    "Where ExtraOptions DirectoryMode Result TimeoutIdleUSec";
constexpr std::string_view of_swap =
    "What Priority Options TimeoutUSec ControlPID Result UID GID ExecActivate ExecDeactivate";
constexpr std::string_view of_scope =
    "Controller TimeoutStopUSec Result RuntimeMaxUSec RuntimeRandomizedExtraUSec";
constexpr std::string_view of_group =
    "Slice ControlGroup ControlGroupId MemoryCurrent MemoryAvailable CPUUsageNSec EffectiveCPUs EffectiveMemoryNodes TasksCurrent "
    "IPIngressBytes IPIngressPackets IPEgressBytes IPEgressPackets IOReadBytes IOReadOperations IOWriteBytes IOWriteOperations";
constexpr std::string_view resource_control =
    "Delegate DelegateControllers CPUAccounting CPUWeight StartupCPUWeight CPUShares StartupCPUShares CPUQuotaPerSecUSec "
    "CPUQuotaPeriodUSec AllowedCPUs StartupAllowedCPUs AllowedMemoryNodes StartupAllowedMemoryNodes IOAccounting IOWeight StartupIOWeight "
    "IODeviceWeight IOReadBandwidthMax IOWriteBandwidthMax IOReadIOPSMax IOWriteIOPSMax IODeviceLatencyTargetUSec BlockIOAccounting "
    "BlockIOWeight StartupBlockIOWeight BlockIODeviceWeight BlockIOReadBandwidth BlockIOWriteBandwidth MemoryAccounting DefaultMemoryLow "
    "DefaultMemoryMin MemoryMin MemoryLow MemoryHigh MemoryMax MemorySwapMax MemoryZSwapMax MemoryLimit DevicePolicy DeviceAllow "
    "TasksAccounting TasksMax IPAccounting IPAddressAllow IPAddressDeny IPIngressFilterPath IPEgressFilterPath DisableControllers "
    "ManagedOOMSwap ManagedOOMMemoryPressure ManagedOOMMemoryPressureLimit ManagedOOMPreference BPFProgram SocketBindAllow SocketBindDeny "
    "RestrictNetworkInterfaces";
constexpr std::string_view execution =
    "Environment EnvironmentFiles PassEnvironment UnsetEnvironment UMask LimitCPU LimitCPUSoft LimitFSIZE LimitFSIZESoft LimitDATA "
    "LimitDATASoft LimitSTACK LimitSTACKSoft LimitCORE LimitCORESoft LimitRSS LimitRSSSoft LimitNOFILE LimitNOFILESoft LimitAS LimitASSoft "
    "LimitNPROC LimitNPROCSoft LimitMEMLOCK LimitMEMLOCKSoft LimitLOCKS LimitLOCKSSoft LimitSIGPENDING LimitSIGPENDINGSoft LimitMSGQUEUE "
    "LimitMSGQUEUESoft LimitNICE LimitNICESoft LimitRTPRIO LimitRTPRIOSoft LimitRTTIME LimitRTTIMESoft WorkingDirectory RootDirectory "
    "RootImage RootImageOptions RootHash RootHashPath RootHashSignature RootHashSignaturePath RootVerity ExtensionDirectories "
    "ExtensionImages MountImages OOMScoreAdjust CoredumpFilter Nice IOSchedulingClass IOSchedulingPriority CPUSchedulingPolicy "
    "CPUSchedulingPriority CPUAffinity CPUAffinityFromNUMA NUMAPolicy NUMAMask TimerSlackNSec CPUSchedulingResetOnFork NonBlocking "
    "StandardInput StandardInputFileDescriptorName StandardInputData StandardOutput StandardOutputFileDescriptorName StandardError "
    "StandardErrorFileDescriptorName TTYPath TTYReset TTYVHangup TTYVTDisallocate TTYRows TTYColumns SyslogPriority SyslogIdentifier "
    "SyslogLevelPrefix SyslogLevel SyslogFacility LogLevelMax LogRateLimitIntervalUSec LogRateLimitBurst LogExtraFields LogFilterPatterns "
    "LogNamespace SecureBits CapabilityBoundingSet AmbientCapabilities User Group DynamicUser RemoveIPC SetCredential "
    "SetCredentialEncrypted LoadCredential LoadCredentialEncrypted ImportCredential ImportCredentialEx SupplementaryGroups PAMName "
    "ReadWritePaths ReadOnlyPaths InaccessiblePaths ExecPaths NoExecPaths ExecSearchPath MountFlags PrivateTmp PrivateDevices ProtectClock "
    "ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectControlGroups PrivateNetwork PrivateUsers PrivateMounts "
    "PrivateIPC ProtectHome ProtectSystem SameProcessGroup UtmpIdentifier UtmpMode SELinuxContext AppArmorProfile SmackProcessLabel "
    "IgnoreSIGPIPE NoNewPrivileges SystemCallFilter SystemCallArchitectures SystemCallErrorNumber SystemCallLog Personality "
    "LockPersonality RestrictAddressFamilies RuntimeDirectorySymlink RuntimeDirectoryPreserve RuntimeDirectoryMode RuntimeDirectory "
    "StateDirectorySymlink StateDirectoryMode StateDirectory CacheDirectorySymlink CacheDirectoryMode CacheDirectory LogsDirectorySymlink "
    "LogsDirectoryMode LogsDirectory ConfigurationDirectoryMode ConfigurationDirectory TimeoutCleanUSec MemoryDenyWriteExecute "
    "RestrictRealtime RestrictSUIDSGID RestrictNamespaces RestrictFileSystems BindPaths BindReadOnlyPaths TemporaryFileSystem MountAPIVFS "
    "KeyringMode ProtectProc ProcSubset ProtectHostname NetworkNamespacePath IPCNamespacePath";
constexpr std::string_view killing =
    "KillMode KillSignal RestartKillSignal FinalKillSignal SendSIGKILL SendSIGHUP WatchdogSignal";
constexpr std::string_view of_unit =
    "Id Names Following Requires Requisite Wants BindsTo PartOf Upholds RequiredBy RequisiteOf WantedBy BoundBy UpheldBy ConsistsOf "
    "Conflicts ConflictedBy Before After OnSuccess OnSuccessOf OnFailure OnFailureOf Triggers TriggeredBy PropagatesReloadTo "
    "ReloadPropagatedFrom PropagatesStopTo StopPropagatedFrom JoinsNamespaceOf SliceOf RequiresMountsFor WantsMountsFor Documentation "
    "Description AccessSELinuxContext LoadState ActiveState FreezerState SubState FragmentPath SourcePath DropInPaths UnitFileState "
    "UnitFilePreset StateChangeTimestamp StateChangeTimestampMonotonic InactiveExitTimestamp InactiveExitTimestampMonotonic "
    "ActiveEnterTimestamp ActiveEnterTimestampMonotonic ActiveExitTimestamp ActiveExitTimestampMonotonic InactiveEnterTimestamp "
    "InactiveEnterTimestampMonotonic CanStart CanStop CanReload CanIsolate CanClean CanFreeze CanLiveMount Job StopWhenUnneeded "
    "RefuseManualStart RefuseManualStop AllowIsolate DefaultDependencies OnSuccessJobMode OnFailureJobMode IgnoreOnIsolate "
    "SurviveFinalKillSignal NeedDaemonReload Markers JobTimeoutUSec JobRunningTimeoutUSec JobTimeoutAction JobTimeoutRebootArgument "
    "ConditionResult AssertResult ConditionTimestamp ConditionTimestampMonotonic AssertTimestamp AssertTimestampMonotonic Conditions "
    "Asserts LoadError Transient Perpetual StartLimitIntervalUSec StartLimitBurst StartLimitAction FailureAction FailureActionExitStatus "
    "SuccessAction SuccessActionExitStatus RebootArgument InvocationID CollectMode Refs ActivationDetails";

struct Order {
    std::string_view suffix;
    std::array<std::string_view, 6> blocks;
};
constexpr Order orders[] = {
    {".service", {of_service, of_group, resource_control, execution, killing, of_unit}},
    {".socket", {of_socket, of_group, resource_control, execution, killing, of_unit}},
    {".mount", {of_mount, of_group, resource_control, execution, killing, of_unit}},
    {".swap", {of_swap, of_group, resource_control, execution, killing, of_unit}},
    {".scope", {of_scope, of_group, resource_control, killing, of_unit, ""}},
    {".slice", {of_group, resource_control, of_unit, "", "", ""}},
    {".timer", {of_timer, of_unit, "", "", "", ""}},
    {".path", {of_path, of_unit, "", "", "", ""}},
    {".automount", {of_automount, of_unit, "", "", "", ""}},
    {"", {of_unit, "", "", "", "", ""}},
};
constexpr Order manager_order{"", {of_manager, "", "", "", "", ""}};

} // namespace

void order_properties(control::PropertyList& properties, std::string_view unit, bool only_known) {
    const Order& order =
        unit.empty() ? manager_order : *std::ranges::find_if(orders, [&](const Order& row) { return unit.ends_with(row.suffix); });
    std::unordered_map<std::string_view, std::size_t> rank;
    for (const std::string_view block : order.blocks)
        for (const std::string_view name : base::split(block, ' '))
            rank.try_emplace(name, rank.size());
    const auto rank_of = [&](const auto& property) {
        const auto found = rank.find(property.first);
        return found == rank.end() ? rank.size() : found->second;
    };
    if (only_known)
        std::erase_if(properties, [&](const auto& property) { return rank_of(property) == rank.size(); });
    std::ranges::stable_sort(properties, {}, rank_of);
}

} // namespace monoinit::cli
