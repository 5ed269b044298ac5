#pragma once
// The unit files shipped inside the binary (units/ of the source tree; units/README.md says what they mean).

#include <span>
#include <string_view>

namespace monoinit::unit {

struct EmbeddedUnit {
    std::string_view name; ///< "multi-user.target"
    std::string_view text;
    std::string_view alias_of; ///< a symlink in units/: another name of that unit, without text
};

/// Defined by the generated embedded_units.cpp.
std::span<const EmbeddedUnit> embedded_units();

} // namespace monoinit::unit
