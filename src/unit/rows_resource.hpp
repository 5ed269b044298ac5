#pragma once
// Rows of systemd.resource-control(5): they act where cgroup v2 is writable, which is seldom so in a container.

#include "unit/codecs_resource.hpp"
#include "unit/rows.hpp"

namespace monoinit::unit::rows {

// clang-format off

inline constexpr Text no_cgroup = "needs a writable cgroup v2";
inline constexpr Text no_limit = "needs a writable cgroup v2; only the container's own limit applies";
inline constexpr Text no_memory_limit = "needs a writable cgroup v2; only the container's own limit applies (LimitAS= bounds one process's address space)";
inline constexpr Text no_accounting = "needs a cgroup of its own; status adds up its processes instead";
inline constexpr Text no_bpf = "needs a cgroup of its own and BPF (CAP_BPF); traffic is not filtered";
inline constexpr Text no_devices = "needs a cgroup of its own and BPF; the container's devices stay reachable";
inline constexpr Text no_oomd = "systemd-oomd does not run in a container";

template <class Codec, auto Field>
constexpr Directive resource(Text name, Text dflt, Text example, Text doc, Text note, std::uint16_t since = 0) {
    return degraded<Codec, &UnitConfig::resources, Field>(Group::Cgroup, name, dflt, example, doc, note, since);
}

template <class Codec, auto Field> constexpr Directive old_resource(Text name, Text example, Text replaced_by, Text note) {
    Directive row = old_name<Codec, &UnitConfig::resources, Field>(Group::Cgroup, name, example, replaced_by);
    row.support = Support::Degraded;
    row.note = note;
    return row;
}

template <class Codec, auto Field> constexpr Directive old_startup(Text name, Text example, Text replaced_by) {
    Directive row = old_name<Codec, &UnitConfig::resources, &ResourceSection::startup, Field>(Group::Cgroup, name, example, replaced_by);
    row.support = Support::Degraded;
    row.note = no_cgroup;
    return row;
}

inline constexpr auto cgroup_rows = std::to_array<Directive>({
    resource<codec::SliceName, &ResourceSection::slice>("Slice", "system.slice", "batch.slice", "The slice the unit belongs to: it is started with it and stopped with it.", "limits of slices need a writable cgroup v2"),
    resource<codec::CpuList, &ResourceSection::allowed_cpus>("AllowedCPUs", "all", "0-1", "CPUs of the cgroup.", "needs a writable cgroup v2; CPUAffinity= works without"),
    degraded<codec::CpuList, &UnitConfig::resources, &ResourceSection::startup, &StartupResources::allowed_cpus>(Group::Cgroup, "StartupAllowedCPUs", "as always", "0", "AllowedCPUs= while the container boots or stops.", no_cgroup),
    resource<codec::CpuList, &ResourceSection::allowed_memory_nodes>("AllowedMemoryNodes", "all", "0", "Memory nodes of the cgroup.", no_cgroup),
    degraded<codec::CpuList, &UnitConfig::resources, &ResourceSection::startup, &StartupResources::allowed_memory_nodes>(Group::Cgroup, "StartupAllowedMemoryNodes", "as always", "0", "AllowedMemoryNodes= then.", no_cgroup),
    ignored(Group::Cgroup, "CPUAccounting", "Count CPU time.", no_accounting),
    resource<codec::Optional<codec::CpuWeight>, &ResourceSection::cpu_weight>("CPUWeight", "100", "200", "Share of CPU time.", "needs a writable cgroup v2; Nice= works without"),
    degraded<codec::Optional<codec::CpuWeight>, &UnitConfig::resources, &ResourceSection::startup, &StartupResources::cpu_weight>(Group::Cgroup, "StartupCPUWeight", "as always", "500", "CPUWeight= while the container boots or stops.", no_cgroup),
    resource<codec::Optional<codec::Percentage>, &ResourceSection::cpu_quota>("CPUQuota", "no limit", "150%", "Most CPU time.", no_limit),
    resource<codec::TimeSpan, &ResourceSection::cpu_quota_period>("CPUQuotaPeriodSec", "0", "10ms", "Period of CPUQuota=; 0 is 100ms.", no_cgroup),
    ignored(Group::Cgroup, "MemoryAccounting", "Count memory.", no_accounting),
    resource<codec::Optional<codec::MemoryBound>, &ResourceSection::memory_min>("MemoryMin", "0", "64M", "Protected memory.", no_cgroup),
    ignored(Group::Cgroup, "DefaultMemoryMin", "The same for units below.", no_cgroup),
    resource<codec::Optional<codec::MemoryBound>, &ResourceSection::memory_low>("MemoryLow", "0", "64M", "Preferred memory.", no_cgroup),
    ignored(Group::Cgroup, "DefaultMemoryLow", "The same for units below.", no_cgroup),
    degraded<codec::Optional<codec::MemoryBound>, &UnitConfig::resources, &ResourceSection::startup, &StartupResources::memory_low>(Group::Cgroup, "StartupMemoryLow", "as always", "64M", "MemoryLow= while the container boots or stops.", no_cgroup),
    ignored(Group::Cgroup, "DefaultStartupMemoryLow", "The same while booting, for units below.", no_cgroup),
    resource<codec::Optional<codec::MemoryBound>, &ResourceSection::memory_high>("MemoryHigh", "infinity", "20%", "Memory above which it is slowed down.", no_limit),
    degraded<codec::Optional<codec::MemoryBound>, &UnitConfig::resources, &ResourceSection::startup, &StartupResources::memory_high>(Group::Cgroup, "StartupMemoryHigh", "as always", "1G", "MemoryHigh= while the container boots or stops.", no_cgroup),
    resource<codec::Optional<codec::MemoryBound>, &ResourceSection::memory_max>("MemoryMax", "infinity", "512M", "Most memory.", no_memory_limit),
    degraded<codec::Optional<codec::MemoryBound>, &UnitConfig::resources, &ResourceSection::startup, &StartupResources::memory_max>(Group::Cgroup, "StartupMemoryMax", "as always", "2G", "MemoryMax= while the container boots or stops.", no_cgroup),
    resource<codec::Optional<codec::MemoryBound>, &ResourceSection::memory_swap_max>("MemorySwapMax", "infinity", "0", "Most swap.", no_limit),
    degraded<codec::Optional<codec::MemoryBound>, &UnitConfig::resources, &ResourceSection::startup, &StartupResources::memory_swap_max>(Group::Cgroup, "StartupMemorySwapMax", "as always", "0", "MemorySwapMax= while the container boots or stops.", no_cgroup),
    resource<codec::Optional<codec::MemoryBound>, &ResourceSection::memory_zswap_max>("MemoryZSwapMax", "infinity", "64M", "Most compressed swap.", no_limit, 253),
    degraded<codec::Optional<codec::MemoryBound>, &UnitConfig::resources, &ResourceSection::startup, &StartupResources::memory_zswap_max>(Group::Cgroup, "StartupMemoryZSwapMax", "as always", "0", "MemoryZSwapMax= while the container boots or stops.", no_cgroup, 253),
    ignored(Group::Cgroup, "MemoryZSwapWriteback", "Whether compressed swap goes to disk.", no_cgroup, 256),
    ignored(Group::Cgroup, "MemoryPressureWatch", "Watch memory pressure.", "needs a writable cgroup v2; $MEMORY_PRESSURE_WATCH is not set", 254),
    ignored(Group::Cgroup, "MemoryPressureThresholdSec", "When pressure is reported.", no_cgroup, 254),
    ignored(Group::Cgroup, "TasksAccounting", "Count tasks.", no_accounting),
    resource<codec::Optional<codec::TaskBound>, &ResourceSection::tasks_max>("TasksMax", "infinity", "100", "Most tasks.", "needs a writable cgroup v2; the container's own limit applies (LimitNPROC= counts per user)"),
    ignored(Group::Cgroup, "IOAccounting", "Count IO.", no_accounting),
    resource<codec::Optional<codec::Number<1, 10000>>, &ResourceSection::io_weight>("IOWeight", "100", "200", "Share of IO.", "needs a writable cgroup v2; IOSchedulingPriority= works without"),
    degraded<codec::Optional<codec::Number<1, 10000>>, &UnitConfig::resources, &ResourceSection::startup, &StartupResources::io_weight>(Group::Cgroup, "StartupIOWeight", "as always", "500", "IOWeight= while the container boots or stops.", no_cgroup),
    resource<codec::IoRules<IoKind::Weight>, &ResourceSection::io_rules>("IODeviceWeight", "", "/dev/vda 200", "Share of IO of a device, or of the one that a path lies on.", no_cgroup),
    resource<codec::IoRules<IoKind::ReadBandwidth>, &ResourceSection::io_rules>("IOReadBandwidthMax", "", "/dev/vda 5M", "Most bytes a second read from a device, or from the one that a path lies on.", no_limit),
    resource<codec::IoRules<IoKind::WriteBandwidth>, &ResourceSection::io_rules>("IOWriteBandwidthMax", "", "/srv 5M", "Most bytes a second written.", no_limit),
    resource<codec::IoRules<IoKind::ReadOperations>, &ResourceSection::io_rules>("IOReadIOPSMax", "", "/dev/vda 1K", "Most reads a second.", no_limit),
    resource<codec::IoRules<IoKind::WriteOperations>, &ResourceSection::io_rules>("IOWriteIOPSMax", "", "/dev/vda 1K", "Most writes a second.", no_limit),
    resource<codec::IoRules<IoKind::Latency>, &ResourceSection::io_rules>("IODeviceLatencyTargetSec", "", "/dev/vda 25ms", "Latency aimed at.", no_cgroup),
    ignored(Group::Cgroup, "IPAccounting", "Count IP traffic.", no_accounting),
    ignored(Group::Cgroup, "IPAddressAllow", "Allowed addresses.", no_bpf),
    ignored(Group::Cgroup, "IPAddressDeny", "Forbidden addresses.", no_bpf),
    ignored(Group::Cgroup, "IPIngressFilterPath", "BPF filter of incoming packets.", no_bpf),
    ignored(Group::Cgroup, "IPEgressFilterPath", "BPF filter of outgoing packets.", no_bpf),
    ignored(Group::Cgroup, "BPFProgram", "BPF programs.", no_bpf),
    ignored(Group::Cgroup, "SocketBindAllow", "Allowed bind(2).", no_bpf),
    ignored(Group::Cgroup, "SocketBindDeny", "Forbidden bind(2).", no_bpf),
    ignored(Group::Cgroup, "RestrictNetworkInterfaces", "Allowed interfaces.", no_bpf),
    ignored(Group::Cgroup, "NFTSet", "Entries in nftables sets.", "needs a cgroup of its own and CAP_NET_ADMIN", 255),
    ignored(Group::Cgroup, "DeviceAllow", "Allowed devices.", no_devices),
    ignored(Group::Cgroup, "DevicePolicy", "Which devices are allowed.", no_devices),
    resource<codec::Delegation, &ResourceSection::delegate>("Delegate", "no", "yes", "Leave the cgroup to the service.", "needs a writable cgroup v2; all controllers or none"),
    ignored(Group::Cgroup, "DelegateSubgroup", "Where in the cgroup it starts.", "no cgroup of its own to leave to it", 254),
    ignored(Group::Cgroup, "DisableControllers", "Controllers kept from units below.", no_cgroup),
    ignored(Group::Cgroup, "ManagedOOMSwap", "systemd-oomd.", no_oomd),
    ignored(Group::Cgroup, "ManagedOOMMemoryPressure", "systemd-oomd.", no_oomd),
    ignored(Group::Cgroup, "ManagedOOMMemoryPressureLimit", "systemd-oomd.", no_oomd),
    ignored(Group::Cgroup, "ManagedOOMMemoryPressureDurationSec", "systemd-oomd.", no_oomd, 257),
    ignored(Group::Cgroup, "ManagedOOMPreference", "systemd-oomd.", no_oomd),
    ignored(Group::Cgroup, "CoredumpReceive", "Receive core dumps of containers inside.", "needs a cgroup of its own", 255),
    old_resource<codec::Optional<codec::MemoryBound>, &ResourceSection::memory_max>("MemoryLimit", "512M", "MemoryMax=", no_memory_limit),
    old_resource<codec::Optional<codec::OldWeight<2, 262144, 1024>>, &ResourceSection::cpu_weight>("CPUShares", "512", "CPUWeight=", no_cgroup),
    old_startup<codec::Optional<codec::OldWeight<2, 262144, 1024>>, &StartupResources::cpu_weight>("StartupCPUShares", "512", "StartupCPUWeight="),
    old_ignored(Group::Cgroup, "BlockIOAccounting", "IOAccounting=", no_accounting),
    old_resource<codec::Optional<codec::OldWeight<10, 1000, 500>>, &ResourceSection::io_weight>("BlockIOWeight", "250", "IOWeight=", no_cgroup),
    old_startup<codec::Optional<codec::OldWeight<10, 1000, 500>>, &StartupResources::io_weight>("StartupBlockIOWeight", "250", "StartupIOWeight="),
    old_ignored(Group::Cgroup, "BlockIODeviceWeight", "IODeviceWeight=", no_cgroup),
    old_resource<codec::IoRules<IoKind::ReadBandwidth>, &ResourceSection::io_rules>("BlockIOReadBandwidth", "/dev/vda 5M", "IOReadBandwidthMax=", no_limit),
    old_resource<codec::IoRules<IoKind::WriteBandwidth>, &ResourceSection::io_rules>("BlockIOWriteBandwidth", "/dev/vda 5M", "IOWriteBandwidthMax=", no_limit),
    old_ignored(Group::Cgroup, "NetClass", "", "systemd does not have it any more"),
});
// clang-format on

} // namespace monoinit::unit::rows
