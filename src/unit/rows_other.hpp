#pragma once
// Rows of systemd.mount(5), systemd.timer(5) and systemd.scope(5), and of the unit types that are not started: automounts, swaps.

#include "unit/codecs_timer.hpp"
#include "unit/rows.hpp"

namespace monoinit::unit::rows {

// clang-format off

inline constexpr Text no_automounts = "containers have no autofs: the unit is active if Where= is mounted already, else it is not supported, and a .mount unit mounts at the start";
inline constexpr Text no_swaps = "swap belongs to the machine: the unit is not supported, and the container's own limit (--memory-swap) applies";
inline constexpr Text no_mounting = "mounting needs CAP_SYS_ADMIN: without it the unit is active if Where= is a mount point (a volume) already, else it fails";

inline constexpr auto other_rows = std::to_array<Directive>({
    degraded<codec::Text, &UnitConfig::mount, &MountSection::what>(Group::Mount, "What", "", "/dev/sdb1", "What to mount.", no_mounting),
    field<codec::Path, &UnitConfig::mount, &MountSection::where>(Group::Mount, "Where", "", "/srv/data", "Where to mount it; the unit's name must fit."),
    field<codec::Text, &UnitConfig::mount, &MountSection::type>(Group::Mount, "Type", "", "ext4", "File system type."),
    field<codec::Text, &UnitConfig::mount, &MountSection::options>(Group::Mount, "Options", "", "ro,noatime", "Mount options."),
    field<codec::Bool, &UnitConfig::mount, &MountSection::sloppy_options>(Group::Mount, "SloppyOptions", "no", "yes", "Options that the file system does not know are no mistake."),
    field<codec::Bool, &UnitConfig::mount, &MountSection::lazy_unmount>(Group::Mount, "LazyUnmount", "no", "yes", "Stopping detaches it at once, though it may be in use yet."),
    field<codec::Bool, &UnitConfig::mount, &MountSection::read_write_only>(Group::Mount, "ReadWriteOnly", "no", "yes", "Fail rather than mount read-only."),
    field<codec::Bool, &UnitConfig::mount, &MountSection::force_unmount>(Group::Mount, "ForceUnmount", "no", "yes", "Unmount by force: for a server that does not answer."),
    field<codec::Mode, &UnitConfig::mount, &MountSection::directory_mode>(Group::Mount, "DirectoryMode", "0755", "0750", "Mode of the directories that are made for the mount point."),
    field<codec::Timeout, &UnitConfig::mount, &MountSection::timeout>(Group::Mount, "TimeoutSec", "1min 30s", "10s", "How long mounting and unmounting may take; 0 = no limit."),
    field<codec::Calendars, &UnitConfig::timer>(Group::Timer, "OnCalendar", "", "Mon..Fri *-*-* 03:10:00", "Starts the unit at these moments, systemd.time(7)."),
    field<codec::TimerSpans<TimerBase::Active>, &UnitConfig::timer>(Group::Timer, "OnActiveSec", "", "15min", "So long after the timer was started."),
    field<codec::TimerSpans<TimerBase::Boot>, &UnitConfig::timer>(Group::Timer, "OnBootSec", "", "15min", "So long after the container was started."),
    field<codec::TimerSpans<TimerBase::Startup>, &UnitConfig::timer>(Group::Timer, "OnStartupSec", "", "15min", "So long after monoinit was started."),
    field<codec::TimerSpans<TimerBase::UnitActive>, &UnitConfig::timer>(Group::Timer, "OnUnitActiveSec", "", "15min", "So long after the unit was last started."),
    field<codec::TimerSpans<TimerBase::UnitInactive>, &UnitConfig::timer>(Group::Timer, "OnUnitInactiveSec", "", "15min", "So long after the unit last ended."),
    field<codec::Bool, &UnitConfig::timer, &TimerSection::on_clock_change>(Group::Timer, "OnClockChange", "no", "yes", "Starts the unit when the clock is set."),
    field<codec::Bool, &UnitConfig::timer, &TimerSection::on_timezone_change>(Group::Timer, "OnTimezoneChange", "no", "yes", "Starts the unit when /etc/localtime changes."),
    field<codec::Bool, &UnitConfig::timer, &TimerSection::persistent>(Group::Timer, "Persistent", "no", "yes", "A moment of OnCalendar= that passed while the container was down is made up for; needs /var/lib on a volume."),
    degraded<codec::Bool, &UnitConfig::timer, &TimerSection::wake_system>(Group::Timer, "WakeSystem", "no", "yes", "Wake the machine from sleep.", "whether the machine sleeps is its own affair: it elapses when it wakes"),
    field<codec::Bool, &UnitConfig::timer, &TimerSection::remain_after_elapse>(Group::Timer, "RemainAfterElapse", "yes", "no", "Whether the timer stays active when it cannot elapse any more."),
    field<codec::Bool, &UnitConfig::timer, &TimerSection::fixed_random_delay>(Group::Timer, "FixedRandomDelay", "no", "yes", "RandomizedDelaySec= is the same each time."),
    field<codec::Bool, &UnitConfig::timer, &TimerSection::defer_reactivation>(Group::Timer, "DeferReactivation", "no", "yes", "Moments of OnCalendar= that pass while the unit runs are left out.", 257),
    field<codec::TimeSpan, &UnitConfig::timer, &TimerSection::accuracy>(Group::Timer, "AccuracySec", "1min", "1us", "How much later it may be; here it never is."),
    field<codec::TimeSpan, &UnitConfig::timer, &TimerSection::randomized_delay>(Group::Timer, "RandomizedDelaySec", "0", "5min", "Up to so much later, at random."),
    field<codec::TimeSpan, &UnitConfig::timer, &TimerSection::randomized_offset>(Group::Timer, "RandomizedOffsetSec", "0", "1h", "OnCalendar= is moved by up to this, always by the same for this timer in this container.", 258),
    field<codec::Triggered, &UnitConfig::timer, &TimerSection::unit>(Group::Timer, "Unit", "", "backup.target", "The unit to start; else the service of the timer's name."),
    ignored(Group::Automount, "Where", "Mount point.", no_automounts),
    ignored(Group::Automount, "ExtraOptions", "Options of autofs.", no_automounts),
    ignored(Group::Automount, "DirectoryMode", "Mode of directories made.", no_automounts),
    ignored(Group::Automount, "TimeoutIdleSec", "Unmount after this idle time.", no_automounts),
    ignored(Group::Swap, "What", "The device or file.", no_swaps),
    ignored(Group::Swap, "Priority", "Priority.", no_swaps),
    ignored(Group::Swap, "Options", "Options.", no_swaps),
    ignored(Group::Swap, "TimeoutSec", "Time for swapon.", no_swaps),
    field<codec::Timeout, &UnitConfig::service, &ServiceSection::runtime_max>(Group::Scope, "RuntimeMaxSec", "infinity", "1h", "How long it may live."),
    ignored(Group::Scope, "RuntimeRandomizedExtraSec", "Random addition to RuntimeMaxSec=.", "a scope ends when RuntimeMaxSec= is over"),
    field<codec::Timeout, &UnitConfig::service, &ServiceSection::timeout_stop>(Group::Scope, "TimeoutStopSec", "1min 30s", "10s", "How long its processes get to end before they are killed."),
    ignored(Group::Scope, "OOMPolicy", "What happens when memory ends.", "the kernel's choice of a process stands"),
});
// clang-format on

} // namespace monoinit::unit::rows
