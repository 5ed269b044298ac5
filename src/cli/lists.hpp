#pragma once
// systemctl's list of units as text. Tested by tests/unit/cli/lists_test.cpp.

#include "cli/options.hpp"
#include "control/api.hpp"

#include <string>
#include <vector>

namespace monoinit::cli {

/// Whether the unit is of the types and in the states asked for, and fits one of the patterns, if there are any.
bool matches(const control::UnitSummary& unit, const Options& options, const std::vector<std::string>& patterns);
std::string render_paths(const std::vector<control::UnitSummary>& paths, const Options& options, bool color);
std::string render_sockets(const std::vector<control::UnitSummary>& sockets, const Options& options, bool color);
std::string render_timers(std::vector<control::UnitSummary> timers, const Options& options, base::Duration now, bool color);
std::string render_units(const std::vector<control::UnitSummary>& units, const Options& options, bool color);

} // namespace monoinit::cli
