#pragma once
// From names to UnitConfigs: search path with precedence, drop-ins at every level, templates and instances, aliases by
// symlink, .wants/.requires/.upholds directories, masks, built-in units, implicit and default dependencies
// (systemd.unit(5)). Pure: reads through FileSource. One bad file costs one unit. Linear: each search directory is listed
// once and indexed by hash; loading a unit costs no directory scan. Tested by tests/unit/unit/loader_test.cpp.

#include "base/time_zone.hpp"
#include "unit/config.hpp"
#include "unit/mounts.hpp"
#include "unit/source.hpp"

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace monoinit::unit {

/// The globs of default_machine_masks() and the configured ones; "!glob" among those takes units off the list.
std::vector<std::string> machine_masks(const std::vector<std::string>& configured = {});

/// What specifiers and defaults need to know of the place we run in; gathered once by runtime/ or cli/.
struct Environment {
    std::vector<std::string> unit_path; ///< highest precedence first, without the built-in units
    std::string runtime_directory_root = "/run", state_root = "/var/lib", cache_root = "/var/cache", logs_root = "/var/log",
                configuration_root = "/etc", temporary = "/tmp", var_temporary = "/var/tmp", credentials_root;
    std::string user_name = "root", home = "/root", shell = "/bin/sh", group_name = "root";
    unsigned uid = 0, gid = 0;
    std::string host_name, machine_id, boot_id, kernel_release, architecture, pretty_host_name;
    std::string os_id, os_version_id, os_build_id, os_variant_id, os_image_id, os_image_version;
    bool user_defaults = true;                 ///< false: `systemctl --root` style work, no place known
    std::vector<std::string> masked_patterns = machine_masks(); ///< machine units; empty: none
    std::string time_zone;                  ///< $TZ
    std::shared_ptr<base::TimeZones> zones; ///< made by the loader from its files; without one there is only UTC
    Duration default_timeout_start = std::chrono::seconds(90), default_timeout_stop = std::chrono::seconds(90);
};

/// Says why a file is ignored.
std::string misnamed_line(const std::string& path);
/// The default search path of systemd.unit(5) for the system manager, honouring SYSTEMD_UNIT_PATH as systemd does
/// (trailing ':' appends the default). `override_path` is --unit-path.
std::vector<std::string> default_unit_path(std::string_view systemd_unit_path, std::string_view override_path);
const std::vector<std::pair<std::string, std::string>>& default_machine_masks(); ///< glob, reason
/// Why something of this name that a package brought is left alone; nothing if no pattern names it, or one with "!" does.
std::optional<std::string> machine_mask(const std::vector<std::string>& patterns, std::string_view name);

class Loader {
  public:
    Loader(const FileSource& files, Environment environment);
    ~Loader();
    Loader(Loader&&) noexcept;

    /// What is mounted now: each has a unit, with a file or without. For what is loaded from here on.
    void set_mounted(MountTable mounted);
    const MountTable& mounted() const;
    /// Re-reads the directory index; call before a daemon-reload.
    void rescan();
    /// The same if files have come or gone since: then true. A unit that is not loaded yet needs no daemon-reload to be found.
    bool rescan_if_outdated();
    /// What was there but could not be listed or read since the last take_unread() or rescan().
    const std::vector<base::Error>& unread() const;
    std::vector<base::Error> take_unread();
    /// Files in the unit path that are ignored because no unit can have their name.
    const std::vector<std::string>& misnamed() const;
    /// Loads one unit by any of its names; never fails: the state is in load_state. Aliases resolve to the main name.
    std::shared_ptr<const UnitConfig> load(std::string_view name) const;
    /// What the files of a unit say and nothing more: no list of machine units, no links, no default dependencies. For
    /// `enable`, `cat`, `verify`; knows templates, too.
    std::shared_ptr<const UnitConfig> load_as_written(std::string_view name) const;
    /// Loads `roots` and, transitively, every unit their dependencies name (units not found included, as Stub/NotFound).
    std::vector<std::shared_ptr<const UnitConfig>> load_closure(const std::vector<std::string>& roots) const;
    /// Every unit file name in the search path and among the built-ins (templates included), sorted, once each.
    std::vector<std::string> all_names() const;
    /// Whether anything stands for this name: a file, a mask, a built-in unit. Reads none.
    bool knows(std::string_view name) const;
    /// The file a name comes from, empty when there is none; masked is answered by load().
    std::string fragment_path(std::string_view name) const;
    /// Unit files with an [Install] section that no .wants/.requires/.upholds link or alias pulls in; neither templates nor targets.
    std::vector<std::string> not_enabled() const;
    const Environment& environment() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace monoinit::unit
