#pragma once
// In which order systemctl shows properties: that of the interfaces of systemd's bus. Tested by tests/unit/cli/property_order_test.cpp.

#include "control/api.hpp"

#include <string_view>

namespace monoinit::cli {

/// Sorts them, for a unit of this name (empty: the manager). What systemd has no property for comes last, as it came; with
/// `only_known` it is left out.
void order_properties(control::PropertyList& properties, std::string_view unit, bool only_known);

} // namespace monoinit::cli
