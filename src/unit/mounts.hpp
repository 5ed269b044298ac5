#pragma once
// What is particular to mount units: their names, what is mounted without a file, the commands they run, and what they depend
// on (systemd.mount(5)). Pure. Tested by tests/unit/unit/mounts_test.cpp.

#include "base/string_map.hpp"
#include "unit/config.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::unit {

class UnitIndex;

/// The kernel's own, below which nobody looks for mount units unless asked: /proc, /sys, /dev.
bool is_api_path(std::string_view path);
/// "srv-data.mount" of "/srv/data"; empty where that would be no name of a unit.
std::string mount_unit_name(std::string_view path);

/// What is mounted now, by the name of its unit. What a unit cannot have the name of is left out.
class MountTable {
  public:
    MountTable() = default;
    /// In the order in which they cover each other: the last one at a place counts.
    explicit MountTable(const std::vector<MountPoint>& mounts);
    const MountPoint* find(std::string_view unit_name) const;
    const MountPoint* at(std::string_view path) const; ///< by its path
    const base::StringMap<MountPoint>& all() const { return by_name_; }
    bool operator==(const MountTable& other) const { return by_name_ == other.by_name_; }

  private:
    base::StringMap<MountPoint> by_name_;
    base::StringMap<std::string> names_; ///< by path
};

/// A word of Options=, without a value.
bool has_option(const MountSection& mount, std::string_view word);
/// What mount(8) and mount(2) are to be told: without what is for systemd and fstab.
std::string options_for_mounting(const MountSection& mount);

/// The unit of something that is mounted and has no file.
void describe_mounted(UnitConfig& unit, const MountPoint& mounted);
/// Where= from the name, and the commands.
void fill_mount(UnitConfig& unit);
/// What is wrong with it; empty: nothing.
std::string mount_mistake(const UnitConfig& unit);
/// Parents, the device, the target it belongs to. `defaults`: DefaultDependencies=.
void add_mount_dependencies(const UnitIndex& index, UnitConfig& unit);
/// After= and Before= that DefaultDependencies= means.
struct MountOrder {
    bool network = false;
    std::string_view after, before;
};
MountOrder mount_order(const MountSection& mount);

/// Requires= or Wants=, and After=, of the mount units of `path` and those above it: of files, or of what is mounted. Where there is
/// none, the path is simply there.
void require_mounts(const UnitIndex& index, UnitConfig& unit, DependencyKind need, Origin origin, std::string_view path);

} // namespace monoinit::unit
