#pragma once
// The overview and the list as text. Tested by tests/unit/cli/overview_test.cpp.

#include "base/time.hpp"
#include "control/api.hpp"

#include <string>
#include <vector>

namespace monoinit::cli {

/// `now`: µs since 1970.
std::string render_overview(const control::ManagerInfo& info, const std::vector<control::UnitSummary>& units, base::Duration now, bool color);
std::string render_rows(const std::vector<control::UnitSummary>& units, base::Duration now, bool heading, bool memory, bool color);

} // namespace monoinit::cli
