#pragma once
// Rows of the execution environment: systemd.exec(5). They serve [Service], [Socket], [Mount] and [Swap].

#include "unit/rows.hpp"

#include <sys/resource.h>

namespace monoinit::unit::rows {

// clang-format off

template <class Codec, auto Member> constexpr Directive exec(Text name, Text dflt, Text example, Text doc) {
    return field<Codec, &UnitConfig::exec, Member>(Group::Exec, name, dflt, example, doc);
}
template <class Codec, auto Member> constexpr Directive scheduling(Text name, Text dflt, Text example, Text doc) {
    return field<Codec, &UnitConfig::exec, &ExecSection::scheduling, Member>(Group::Exec, name, dflt, example, doc);
}
template <class Codec, auto Member> constexpr Directive credential(Text name, Text example, Text doc, std::uint16_t since = 0) {
    return field<Codec, &UnitConfig::exec, &ExecSection::credentials, Member>(Group::Exec, name, "", example, doc, since);
}
template <class Codec, auto Member> constexpr Directive log(Text name, Text dflt, Text example, Text doc, std::uint16_t since = 0) {
    return field<Codec, &UnitConfig::exec, &ExecSection::log, Member>(Group::Exec, name, dflt, example, doc, since);
}
template <int Resource> constexpr Directive limit(Text name, Text example, Text doc) {
    return exec<codec::Limit<Resource>, &ExecSection::limits>(name, "the container's", example, doc);
}
template <DirectoryKind Kind> constexpr Directive directories(Text name, Text doc) {
    return field<codec::DirectoriesOf<Kind>, &UnitConfig::exec>(Group::Exec, name, "", "app app/cache", doc);
}
template <DirectoryKind Kind> constexpr Directive directory_mode(Text name) {
    return field<codec::DirectoryModeOf<Kind>, &UnitConfig::exec>(Group::Exec, name, "0755", "0750", "Mode of these directories.");
}
constexpr Directive exec_ignored(Text name, Text doc, Text note, std::uint16_t since = 0) { return ignored(Group::Exec, name, doc, note, since); }

inline constexpr Text no_mounts = "needs a mount namespace (CAP_SYS_ADMIN); the service sees the whole file system as it is";
inline constexpr Text no_bind_mounts = "needs a mount namespace (CAP_SYS_ADMIN); the paths are not mounted, so what the service expects there may be missing";
inline constexpr Text no_images = "needs a mount namespace (CAP_SYS_ADMIN) and loop devices; the image is not used";
inline constexpr Text no_seccomp = "needs a system call filter, which this version does not install; the container's own filter stays in force";
inline constexpr Text no_decryption = "there is no TPM and no key of the machine's in a container: the credential is not passed; LoadCredential= takes a plain file, such as a secret in /run/secrets";

inline constexpr auto exec_rows = std::to_array<Directive>({
    exec<codec::Account, &ExecSection::user>("User", "root, or the user we run as", "www-data", "The user the commands run as."),
    exec<codec::Account, &ExecSection::group>("Group", "the user's", "www-data", "The group the commands run with."),
    exec<codec::Accounts, &ExecSection::supplementary_groups>("SupplementaryGroups", "", "adm video", "Further groups, added to the user's own."),
    field<codec::WorkingDirectory, &UnitConfig::exec>(Group::Exec, "WorkingDirectory", "/", "/srv/app", "Where the commands start; \"~\" is the user's home."),
    exec<codec::RequiredPath, &ExecSection::root_directory>("RootDirectory", "/", "/srv/root", "Root directory of the commands, by chroot(2)."),
    exec<codec::Assignments, &ExecSection::environment>("Environment", "", "\"GREETING=hello world\" DEBUG=1", "Variables for the commands; the later of two wins."),
    exec<codec::EnvironmentFiles, &ExecSection::environment_files>("EnvironmentFile", "", "-/etc/default/app", "Files with variables, read before each command; patterns allowed."),
    exec<codec::VariableNames, &ExecSection::pass_environment>("PassEnvironment", "", "LANG TZ", "Variables passed on from our own environment (all are, unless inherit_environment is off)."),
    exec<codec::VariablesToUnset, &ExecSection::unset_environment>("UnsetEnvironment", "", "DEBUG", "Variables taken out at the very end."),
    exec<codec::Umask, &ExecSection::umask>("UMask", "0022", "0077", "File mode creation mask."),
    field<codec::Input, &UnitConfig::exec>(Group::Exec, "StandardInput", "null", "file:/etc/app.in", "Where standard input comes from."),
    exec<codec::OutputStream, &ExecSection::standard_output>("StandardOutput", "journal", "append:/var/log/app.log", "Where standard output goes; journal, syslog, kmsg and the +console forms are the container's log."),
    exec<codec::OutputStream, &ExecSection::standard_error>("StandardError", "inherit", "null", "Where standard error goes; inherit is where standard output goes."),
    exec<codec::InputText, &ExecSection::standard_input_data>("StandardInputText", "", "hello", "Text for StandardInput=data, a newline after each."),
    exec<codec::InputData, &ExecSection::standard_input_data>("StandardInputData", "", "aGVsbG8K", "Bytes for StandardInput=data, in Base64."),
    exec<codec::Path, &ExecSection::tty_path>("TTYPath", "/dev/console", "/dev/pts/0", "The terminal of the tty settings."),
    exec<codec::Bool, &ExecSection::tty_reset>("TTYReset", "no", "yes", "Reset the terminal before and after."),
    exec<codec::Bool, &ExecSection::tty_vhangup>("TTYVHangup", "no", "yes", "Disconnect everybody from the terminal before and after."),
    exec_ignored("TTYVTDisallocate", "Clear the virtual console.", "a container has no virtual consoles"),
    exec_ignored("TTYRows", "Height of the terminal.", "the terminal keeps its size"),
    exec_ignored("TTYColumns", "Width of the terminal.", "the terminal keeps its size"),
    exec<codec::Bool, &ExecSection::no_new_privileges>("NoNewPrivileges", "no", "yes", "Sets no_new_privs: setuid programs such as sudo gain nothing."),
    exec<codec::BoundingSet, &ExecSection::capability_bounding_set>("CapabilityBoundingSet", "the container's", "CAP_NET_BIND_SERVICE CAP_CHOWN", "Capabilities the service can ever have; what the container lacks cannot be added."),
    exec<codec::AmbientSet, &ExecSection::ambient_capabilities>("AmbientCapabilities", "", "CAP_NET_BIND_SERVICE", "Capabilities a User= that is not root gets; those the container has not are left out."),
    exec<codec::SecureBitSet, &ExecSection::secure_bits>("SecureBits", "", "keep-caps noroot", "securebits(7) flags: keep-caps, no-setuid-fixup, noroot, each also -locked."),
    exec<codec::Bool, &ExecSection::ignore_sigpipe>("IgnoreSIGPIPE", "yes", "no", "Start with SIGPIPE ignored."),

    directories<DirectoryKind::Runtime>("RuntimeDirectory", "Directories below /run, made before and removed after the service; $RUNTIME_DIRECTORY."),
    directory_mode<DirectoryKind::Runtime>("RuntimeDirectoryMode"),
    exec<codec::PreserveMode, &ExecSection::runtime_directory_preserve>("RuntimeDirectoryPreserve", "no", "restart", "Keep the runtime directories: always, or over a restart."),
    directories<DirectoryKind::State>("StateDirectory", "Directories below /var/lib, made before the start; $STATE_DIRECTORY."),
    directory_mode<DirectoryKind::State>("StateDirectoryMode"),
    directories<DirectoryKind::Cache>("CacheDirectory", "Directories below /var/cache, made before the start; $CACHE_DIRECTORY."),
    directory_mode<DirectoryKind::Cache>("CacheDirectoryMode"),
    directories<DirectoryKind::Logs>("LogsDirectory", "Directories below /var/log, made before the start; $LOGS_DIRECTORY."),
    directory_mode<DirectoryKind::Logs>("LogsDirectoryMode"),
    directories<DirectoryKind::Configuration>("ConfigurationDirectory", "Directories below /etc, made before the start; $CONFIGURATION_DIRECTORY."),
    directory_mode<DirectoryKind::Configuration>("ConfigurationDirectoryMode"),

    limit<RLIMIT_CPU>("LimitCPU", "30s:1min", "CPU time."),
    limit<RLIMIT_FSIZE>("LimitFSIZE", "1G", "File size."),
    limit<RLIMIT_DATA>("LimitDATA", "1G", "Data segment."),
    limit<RLIMIT_STACK>("LimitSTACK", "8M:infinity", "Stack."),
    limit<RLIMIT_CORE>("LimitCORE", "infinity", "Core dumps."),
    limit<RLIMIT_RSS>("LimitRSS", "1G", "Resident memory; Linux does not enforce it."),
    limit<RLIMIT_NOFILE>("LimitNOFILE", "1024:524288", "Open files."),
    limit<RLIMIT_AS>("LimitAS", "4G", "Address space."),
    limit<RLIMIT_NPROC>("LimitNPROC", "512", "Processes of the user."),
    limit<RLIMIT_MEMLOCK>("LimitMEMLOCK", "64K", "Locked memory."),
    limit<RLIMIT_LOCKS>("LimitLOCKS", "100", "File locks."),
    limit<RLIMIT_SIGPENDING>("LimitSIGPENDING", "1000", "Queued signals."),
    limit<RLIMIT_MSGQUEUE>("LimitMSGQUEUE", "800K", "POSIX message queues."),
    limit<RLIMIT_NICE>("LimitNICE", "+5", "Highest priority a process may give itself."),
    limit<RLIMIT_RTPRIO>("LimitRTPRIO", "10", "Highest real-time priority."),
    limit<RLIMIT_RTTIME>("LimitRTTIME", "500ms", "Real-time CPU time without a blocking call."),

    scheduling<codec::Optional<codec::Number<-20, 19>>, &SchedulingSection::nice>("Nice", "the container's", "5", "Priority; below the container's needs CAP_SYS_NICE, else it is as near as RLIMIT_NICE allows, as under systemd."),
    scheduling<codec::Optional<codec::Number<-1000, 1000>>, &SchedulingSection::oom_score_adjust>("OOMScoreAdjust", "the container's", "500", "How likely the kernel kills it when memory ends; lowering needs CAP_SYS_RESOURCE, without it the container's stays, as under systemd in a container."),
    scheduling<codec::Optional<codec::NumberedEnum<io_class_names, 3>>, &SchedulingSection::io_class>("IOSchedulingClass", "best-effort", "idle", "IO scheduling class."),
    scheduling<codec::Optional<codec::Number<0, 7>>, &SchedulingSection::io_priority>("IOSchedulingPriority", "4", "6", "IO priority, 0 is highest."),
    scheduling<codec::Optional<codec::NumberedEnum<cpu_policy_names, 5>>, &SchedulingSection::cpu_policy>("CPUSchedulingPolicy", "other", "batch", "CPU scheduler; fifo and rr need CAP_SYS_NICE."),
    scheduling<codec::Optional<codec::Number<0, 99>>, &SchedulingSection::cpu_priority>("CPUSchedulingPriority", "0", "10", "Priority for fifo and rr."),
    scheduling<codec::Bool, &SchedulingSection::reset_on_fork>("CPUSchedulingResetOnFork", "no", "yes", "Children do not inherit the scheduler."),
    scheduling<codec::CpuList, &SchedulingSection::cpu_affinity>("CPUAffinity", "the container's", "0-1", "CPUs the service may use."),
    scheduling<codec::NanoSpan, &SchedulingSection::timer_slack_nsec>("TimerSlackNSec", "50us", "100us", "Timer slack."),
    exec_ignored("NUMAPolicy", "Memory policy.", "set_mempolicy(2) is usually forbidden in containers; memory comes from any node"),
    exec_ignored("NUMAMask", "Nodes of NUMAPolicy=.", "set_mempolicy(2) is usually forbidden in containers"),
    exec_ignored("CoredumpFilter", "What core dumps hold.", "not in this version: the container's filter applies"),
    exec_ignored("Personality", "Another architecture for uname(2).", "not in this version"),

    exec<codec::RawText, &ExecSection::syslog_identifier>("SyslogIdentifier", "the command's name", "app", "SYSLOG_IDENTIFIER of log entries; lines on the container's log carry the unit's name."),
    exec<codec::NumberedEnum<syslog_facility_names, 23, 8>, &ExecSection::syslog_facility>("SyslogFacility", "daemon", "local0", "Syslog facility."),
    exec<codec::NumberedEnum<syslog_level_names, 7>, &ExecSection::syslog_level>("SyslogLevel", "info", "notice", "Level of lines without a prefix."),
    exec<codec::Bool, &ExecSection::syslog_level_prefix>("SyslogLevelPrefix", "yes", "no", "Whether lines may begin with their level, such as <3>."),
    log<codec::NumberedEnum<syslog_level_names, 7>, &LogSection::level_max>("LogLevelMax", "debug", "warning", "Drop lines less important than this."),
    log<codec::JournalFields, &LogSection::extra_fields>("LogExtraFields", "", "TEAM=web", "Fields added to journal entries; at most 400 bytes in all."),
    log<codec::Optional<codec::TimeSpan>, &LogSection::rate_limit_interval>("LogRateLimitIntervalSec", "", "30s", "Time in which LogRateLimitBurst= lines may come; log_rate_limit_… of monoinit.toml where neither is set."),
    log<codec::Optional<codec::Unsigned>, &LogSection::rate_limit_burst>("LogRateLimitBurst", "", "1000", "Lines per LogRateLimitIntervalSec=; what is beyond is dropped, and counted."),
    log<codec::FilterPatterns, &LogSection::filter_patterns>("LogFilterPatterns", "", "~^debug", "Regular expression of the lines that are kept, or with ~ of those that are not; at most 1000 bytes in all.", 253),
    log<codec::Optional<codec::StdoutLevel>, &LogSection::stdout_level>("X-LogStdout", "as log_stdout says", "warning", "Which of its lines go to the container's stdout: yes, no, or a level, and what is more important. The store has them all."),
    log<codec::Optional<codec::Enum<log_when_full_names>>, &LogSection::when_full>("X-LogWhenFull", "as log_when_full says", "drop", "When stdout stands still: wait, as on a pipe, or drop: go on, and the lines that stdout has no room for are counted and kept in the store."),
    exec_ignored("LogNamespace", "A journal of its own.", "there is one log; initctl logs UNIT shows each unit's own lines"),
    exec_ignored("BindLogSockets", "Journal sockets inside the service's root.", no_mounts, 257),

    exec_ignored("PrivateTmp", "A /tmp of its own.", "needs a mount namespace (CAP_SYS_ADMIN); the service uses the container's /tmp and /var/tmp"),
    exec_ignored("PrivateDevices", "A small /dev of its own.", "needs a mount namespace (CAP_SYS_ADMIN); the service sees the container's /dev"),
    exec_ignored("PrivateNetwork", "No network but loopback.", "needs a network namespace (CAP_SYS_ADMIN); the service keeps the container's network"),
    exec_ignored("PrivateUsers", "A user namespace.", "not in this version: users are the container's"),
    exec_ignored("PrivateMounts", "Mounts of its own.", no_mounts),
    exec_ignored("PrivateIPC", "IPC objects of its own.", "needs an IPC namespace (CAP_SYS_ADMIN); objects are shared in the container"),
    exec_ignored("PrivatePIDs", "A PID namespace.", "needs CAP_SYS_ADMIN; the service sees the container's processes", 257),
    exec_ignored("ProtectSystem", "/usr, /boot, /etc read-only.", no_mounts),
    exec_ignored("ProtectHome", "No access to home directories.", no_mounts),
    exec_ignored("ProtectControlGroups", "cgroups read-only.", "needs a mount namespace (CAP_SYS_ADMIN); the runtime usually mounts them read-only"),
    exec_ignored("ProtectKernelTunables", "/proc/sys and /sys read-only.", "needs a mount namespace (CAP_SYS_ADMIN); the runtime usually mounts them read-only"),
    exec_ignored("ProtectKernelModules", "No kernel modules.", "needs a system call filter; the container has no CAP_SYS_MODULE anyway, unless it is privileged"),
    exec_ignored("ProtectKernelLogs", "No kernel log.", "needs a mount namespace and a system call filter; the container's rights decide"),
    exec_ignored("ProtectClock", "No setting of the clock.", "needs a system call filter; the container has no CAP_SYS_TIME anyway, unless it is privileged"),
    exec_ignored("ProtectHostname", "No setting of the host name.", "needs a UTS namespace (CAP_SYS_ADMIN) and a system call filter"),
    exec_ignored("ProtectProc", "Other users' processes hidden in /proc.", no_mounts),
    exec_ignored("ProcSubset", "Only processes in /proc.", no_mounts),
    exec_ignored("ReadWritePaths", "Exceptions from ProtectSystem=.", "nothing was made read-only, so the paths are writable already"),
    exec_ignored("ReadOnlyPaths", "Paths made read-only.", no_mounts),
    exec_ignored("InaccessiblePaths", "Paths taken away.", no_mounts),
    exec_ignored("ExecPaths", "Exceptions from NoExecPaths=.", no_mounts),
    exec_ignored("NoExecPaths", "Paths from which nothing can be executed.", no_mounts),
    old_ignored(Group::Exec, "ReadWriteDirectories", "ReadWritePaths=", "nothing was made read-only, so the paths are writable already"),
    old_ignored(Group::Exec, "ReadOnlyDirectories", "ReadOnlyPaths=", no_mounts),
    old_ignored(Group::Exec, "InaccessibleDirectories", "InaccessiblePaths=", no_mounts),
    exec_ignored("BindPaths", "Paths mounted elsewhere.", no_bind_mounts),
    exec_ignored("BindReadOnlyPaths", "Paths mounted elsewhere, read-only.", no_bind_mounts),
    exec_ignored("TemporaryFileSystem", "Temporary file systems.", no_mounts),
    exec_ignored("MountFlags", "Mount propagation.", no_mounts),
    exec_ignored("MountAPIVFS", "/proc, /sys and /dev inside RootDirectory=.", "needs CAP_SYS_ADMIN; the root directory must hold them"),
    exec_ignored("RootImage", "A disk image as root.", no_images),
    exec_ignored("RootImageOptions", "Mount options of RootImage=.", no_images),
    exec_ignored("RootImagePolicy", "What RootImage= may hold.", no_images, 254),
    exec_ignored("RootHash", "Verity hash of RootImage=.", no_images),
    exec_ignored("RootHashSignature", "Signature of RootHash=.", no_images),
    exec_ignored("RootVerity", "Verity data of RootImage=.", no_images),
    exec_ignored("RootEphemeral", "Changes below the root are thrown away.", no_images, 254),
    exec_ignored("MountImages", "Disk images mounted.", no_images),
    exec_ignored("MountImagePolicy", "What MountImages= may hold.", no_images, 254),
    exec_ignored("ExtensionImages", "System extension images.", no_images),
    exec_ignored("ExtensionImagePolicy", "What ExtensionImages= may hold.", no_images, 254),
    exec_ignored("ExtensionDirectories", "System extension directories.", no_mounts),
    exec_ignored("NetworkNamespacePath", "Join a network namespace.", "needs CAP_SYS_ADMIN; the service keeps the container's network"),
    exec_ignored("IPCNamespacePath", "Join an IPC namespace.", "needs CAP_SYS_ADMIN"),
    exec_ignored("DynamicUser", "A user made up for the service.", "no such user here: the service runs as User=, if /etc/passwd has it, else as the container's user; set User= to an existing one"),
    exec_ignored("RemoveIPC", "Remove the user's IPC objects at stop.", "not in this version: they stay until the container ends"),
    exec_ignored("SetLoginEnvironment", "Set HOME, LOGNAME, SHELL.", "set whenever User= is", 255),
    exec_ignored("ExecSearchPath", "Where commands are looked up.", "not in this version: write the whole path, or set PATH= in Environment="),

    exec_ignored("SystemCallFilter", "Allowed system calls.", no_seccomp),
    exec_ignored("SystemCallArchitectures", "Allowed architectures of system calls.", no_seccomp),
    exec_ignored("SystemCallErrorNumber", "What forbidden calls return.", no_seccomp),
    exec_ignored("SystemCallLog", "Logged system calls.", no_seccomp),
    exec_ignored("RestrictAddressFamilies", "Allowed socket families.", no_seccomp),
    exec_ignored("RestrictNamespaces", "Allowed namespaces.", no_seccomp),
    exec_ignored("RestrictRealtime", "No real-time scheduling.", no_seccomp),
    exec_ignored("RestrictSUIDSGID", "No making of setuid files.", no_seccomp),
    exec_ignored("RestrictFileSystems", "Allowed file systems.", "needs the BPF LSM and CAP_BPF"),
    exec_ignored("LockPersonality", "No personality(2).", no_seccomp),
    exec_ignored("MemoryDenyWriteExecute", "No memory both writable and executable.", no_seccomp),

    credential<codec::LoadedCredentials, &CredentialSection::load>("LoadCredential", "token:/etc/app/token", "A file, directory, AF_UNIX socket or secret of the container, copied to $CREDENTIALS_DIRECTORY for the unit's user alone. A name is looked for in the $CREDENTIALS_DIRECTORY we were given, /run/secrets, /etc/credstore, /run/credstore, /usr/lib/credstore."),
    exec_ignored("LoadCredentialEncrypted", "Encrypted credentials from files.", no_decryption),
    credential<codec::SetCredentials, &CredentialSection::set>("SetCredential", "token:secret\\n", "A credential from the unit itself; also what LoadCredential= falls back to."),
    exec_ignored("SetCredentialEncrypted", "Encrypted credentials from the unit.", no_decryption),
    credential<codec::ImportedCredentials, &CredentialSection::import>("ImportCredential", "app.*", "All secrets of the container with such names; \":new.\" behind the pattern renames them.", 254),

    exec_ignored("PAMName", "A PAM session.", "no PAM in a static binary; limits and variables from PAM are not set"),
    exec_ignored("KeyringMode", "The kernel keyring.", "keyrings are usually forbidden in containers; the container's stays"),
    exec_ignored("UtmpIdentifier", "An entry in utmp.", "no login records are kept"),
    exec_ignored("UtmpMode", "Kind of the utmp entry.", "no login records are kept"),
    exec_ignored("SELinuxContext", "SELinux label.", "the runtime labels the container; inside it nothing can change that"),
    exec_ignored("AppArmorProfile", "AppArmor profile.", "the runtime confines the container; inside it nothing can change that"),
    exec_ignored("SmackProcessLabel", "SMACK label.", "the runtime labels the container; inside it nothing can change that"),
    exec_ignored("TimeoutCleanSec", "Time for systemctl clean.", "systemctl clean is not in this version"),
    exec_ignored("MemoryKSM", "Merge equal memory pages.", "not in this version", 254),
    old_ignored(Group::Exec, "Capabilities", "AmbientCapabilities= and CapabilityBoundingSet=", "systemd does not have it any more"),
    old_ignored(Group::Exec, "TCPWrapName", "", "systemd does not have it any more"),
});
// clang-format on

} // namespace monoinit::unit::rows
