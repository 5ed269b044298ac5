#pragma once
// From what a unit asks for to what is written into the files of its cgroup. Pure.
// Tested by tests/unit/unit/resources_test.cpp.

#include "unit/resource_section.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::unit {

struct UnitConfig;

struct CgroupSetting {
    std::string file, text;
    bool operator==(const CgroupSetting&) const = default;
};

/// What percentages are of.
struct Capacity {
    std::uint64_t memory = 0, tasks = 0;
};

/// In the order they are to be written.
std::vector<CgroupSetting> cgroup_settings(const UnitConfig& unit, const Capacity& whole);

/// "a-b.slice" lies in "a.slice": the directories from the top, the unit's last, escaped where the kernel's own files could
/// have the name.
std::vector<std::string> cgroup_path(const UnitConfig& unit);

} // namespace monoinit::unit
