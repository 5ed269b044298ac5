#pragma once
// A noisy unit must not push a quiet one's last lines out of the store. So a file that has to go for want of space leaves behind what its
// units said last, as far as they have not said as much since: a share of bytes each, and all of it together no more than
// a part of the store. What is left of two files becomes one. Tested by tests/unit/log/store_thinning_test.cpp.

#include "base/string_map.hpp"
#include "log/store_file.hpp"
#include "log/store_settings.hpp"

#include <functional>
#include <span>
#include <string_view>

namespace monoinit::log {

/// Bytes of records, by unit.
using UnitBytes = base::StringMap<std::uint64_t>;

/// What of the records of one finished (or open) file belongs to whom: from its index, or counted.
UnitBytes unit_bytes_of(std::string_view file);

/// How many bytes of each unit's last lines are kept, where there are so many units.
std::uint64_t unit_share(const StoreLimits& limits, std::size_t units);

/// How many of the first bytes of each unit in `bytes` go, when the unit has `newer` ones elsewhere. All of a unit's that has no line here.
UnitBytes bytes_to_drop(const UnitBytes& bytes, const UnitBytes& newer, std::uint64_t share);

/// Builds a finished file of what is left of the records in `files`, oldest first, when the first `drop` bytes of each unit go.
/// `write` is called with pieces of it, and answers false when that failed. False: nothing is left, or a write failed.
bool thin_files(std::span<const std::string_view> files, UnitBytes drop, FileBuilder& builder, const std::function<bool(std::string& piece)>& write);

} // namespace monoinit::log
