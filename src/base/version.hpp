#pragma once
// Comparing versions, as the UAPI group's Version Format Specification has it. Tested by tests/unit/base/version_test.cpp.

#include <string_view>

namespace monoinit::base {

/// <0, 0, >0. Numbers by value; "~" comes before everything, the end included; then "-", "^", ".".
int compare_versions(std::string_view a, std::string_view b);

} // namespace monoinit::base
