#pragma once
// The unit files shipped inside the binary (units/ of the source tree).

#include <span>
#include <string_view>

namespace monoinit::unit {

struct EmbeddedUnit {
    std::string_view name; ///< "multi-user.target"
    std::string_view text;
};

/// Defined by the generated embedded_units.cpp.
std::span<const EmbeddedUnit> embedded_units();

} // namespace monoinit::unit
