#pragma once
// Rows of [Path]: systemd.path(5); and of X-Watch= in [Service], which is ours.

#include "unit/codecs_path.hpp"
#include "unit/rows.hpp"

namespace monoinit::unit::rows {

// clang-format off

template <PathKind Kind> constexpr Directive watched_path(Text name, Text example, Text doc) {
    return field<codec::PathsToWatch<Kind>, &UnitConfig::path, &PathSection::paths>(Group::Path, name, "", example, doc);
}

inline constexpr auto path_rows = std::to_array<Directive>({
    watched_path<PathKind::Exists>("PathExists", "/run/deploy.request", "Starts the unit while the path exists: again, when it has ended and the path is still there."),
    watched_path<PathKind::ExistsGlob>("PathExistsGlob", "/srv/inbox/*.csv", "The same while any path matches the pattern."),
    watched_path<PathKind::Changed>("PathChanged", "/etc/app.conf", "Starts the unit when the file was written and closed, replaced, made or removed; of a directory, also what is in it. What changes while the unit runs does not count."),
    watched_path<PathKind::Modified>("PathModified", "/var/log/app.log", "The same, and already at each write."),
    watched_path<PathKind::DirectoryNotEmpty>("DirectoryNotEmpty", "/var/spool/app", "Starts the unit while the directory holds anything but hidden and backup files."),
    field<codec::Triggered, &UnitConfig::path, &PathSection::unit>(Group::Path, "Unit", "", "import.target", "The unit to start; else the service of the path unit's name."),
    field<codec::Bool, &UnitConfig::path, &PathSection::make_directory>(Group::Path, "MakeDirectory", "no", "yes", "The directories are made first, but for PathExists= and PathExistsGlob=."),
    field<codec::Mode, &UnitConfig::path, &PathSection::directory_mode>(Group::Path, "DirectoryMode", "0755", "0700", "Mode of directories made."),
    field<codec::TimeSpan, &UnitConfig::path, &PathSection::trigger_interval>(Group::Path, "TriggerLimitIntervalSec", "2s", "10s", "The path unit fails when it starts its unit more often than TriggerLimitBurst= in this time; 0: no limit."),
    field<codec::Unsigned, &UnitConfig::path, &PathSection::trigger_burst>(Group::Path, "TriggerLimitBurst", "200", "50", "0: no limit."),

    field<codec::SourcePatterns, &UnitConfig::watch, &WatchSection::patterns>(Group::Service, "X-Watch", "", "src/**/*.py config", "The service is restarted when files that match change, also when it has failed; a directory means all below it. Relative ones are below WorkingDirectory=. systemd ignores it."),
    field<codec::IgnoredSources, &UnitConfig::watch>(Group::Service, "X-WatchIgnore", "", "dist *.generated.ts", "Names, or absolute patterns, that X-Watch= leaves alone, besides .git, node_modules, __pycache__, editors' files and their like; an empty value takes these back. systemd ignores it."),
    field<codec::TimeSpan, &UnitConfig::watch, &WatchSection::delay>(Group::Service, "X-WatchDelay", "300ms", "1s", "X-Watch= acts when nothing more has changed for this long, but at the latest after ten times as long. systemd ignores it."),
    field<codec::SourceAction, &UnitConfig::watch>(Group::Service, "X-WatchAction", "restart", "SIGUSR2", "What X-Watch= does: restart, reload, or a signal to the main process. systemd ignores it."),
});
// clang-format on

} // namespace monoinit::unit::rows
