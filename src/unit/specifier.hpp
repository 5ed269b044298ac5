#pragma once
// "%n", "%i", "%t" …: systemd.unit(5) "Specifiers". Tested by tests/unit/unit/specifier_test.cpp.

#include "base/result.hpp"
#include "unit/loader.hpp"

#include <string>
#include <string_view>

namespace monoinit::unit {

/// Expands specifiers of the unit called `unit_name` (with `fragment` as its file for %y/%Y). An unknown one is an error.
base::Result<std::string> expand_specifiers(const Environment& environment, std::string_view unit_name,
                                            std::string_view fragment, std::string_view text);

} // namespace monoinit::unit
