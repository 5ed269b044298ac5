#pragma once
// Pages made from the directive table: units/DIRECTIVES.md, units/COVERAGE.md, and the answer to `initctl help RestartSec`.
// Tested by tests/unit/unit/reference_test.cpp, which also keeps the committed pages fresh.

#include "unit/directives.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::unit {

/// Every row, section by section.
std::string directives_markdown();
/// How much of systemd's own list (names without "=") the table covers, and which names it does not know.
std::string coverage_markdown(const std::vector<std::string_view>& systemd_names);
/// What a directive does here, for a terminal; "RestartSec" and "RestartSec=" both. Nothing when there is none.
std::optional<std::string> describe_directive(std::string_view name);
/// The names that come closest, for "did you mean".
std::string_view closest_directive(std::string_view name);

std::string_view support_name(Support support); ///< "full"

} // namespace monoinit::unit
