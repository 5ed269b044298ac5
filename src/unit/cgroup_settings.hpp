#pragma once
// From what a unit asks for to what is written into the files of its cgroup, and where that lies. Pure.
// Tested by tests/unit/unit/resources_test.cpp.

#include "unit/resource_section.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::unit {

struct UnitConfig;

struct CgroupSetting {
    std::string file, text;
    std::string device{}; ///< a path: the number of its block device stands before the text
    bool operator==(const CgroupSetting&) const = default;
};

/// What percentages are of.
struct Capacity {
    std::uint64_t memory = 0, tasks = 0;
};

/// Startup: while the container boots or stops.
enum class Phase : std::uint8_t { Ordinary, Startup };

/// In the order they are to be written.
std::vector<CgroupSetting> cgroup_settings(const UnitConfig& unit, const Capacity& whole, Phase phase = Phase::Ordinary);
/// What makes one of the other, the kernel's defaults included.
std::vector<CgroupSetting> cgroup_changes(const std::vector<CgroupSetting>& before, const std::vector<CgroupSetting>& after);

/// The slice that a unit is in: Slice=; else system.slice, for an instance of foo@ system-foo.slice. Of a slice the one above it, of
/// "-.slice" none. Empty for types that have none.
std::string slice_of(const UnitConfig& unit);
/// "a-b.slice" is in "a.slice": a slice and those above it, from the top, without the root.
std::vector<std::string> slices_down_to(std::string_view slice);
/// A name as a directory, escaped where the kernel's own files could have it.
std::string cgroup_name(std::string unit_name);
/// The directories from the top, the unit's last.
std::vector<std::string> cgroup_path(const UnitConfig& unit);

} // namespace monoinit::unit
