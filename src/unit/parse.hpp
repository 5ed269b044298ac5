#pragma once
// Text of one unit file or drop-in -> fields of a UnitConfig, through the directive table. systemd.syntax(7).
// Tested by tests/unit/unit/parse_test.cpp.

#include "unit/config.hpp"
#include "unit/loader.hpp"

#include <string_view>

namespace monoinit::unit {

inline constexpr std::size_t file_size_limit = 1 << 20;
inline constexpr std::size_t line_limit = 1 << 20; ///< after joining continuation lines, as systemd

/// Applies `text` (the contents of unit.files.back()) on top of what `unit` holds. Never fails: what cannot be used is
/// collected in unit.problems, as systemd warns and goes on. A NUL or invalid UTF-8 line costs that line.
void parse_unit_text(const Environment& environment, UnitConfig& unit, std::string_view text);

} // namespace monoinit::unit
