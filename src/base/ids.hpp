#pragma once
// Strong integers: units, jobs and guards are named by number, never by pointer, so that nothing dangles
// across a reload and a crash checkpoint can hold them.

#include <cstdint>
#include <functional>

namespace monoinit::base {

template <class Tag, class Rep = std::uint32_t> struct Id {
    Rep value = 0; ///< 0 = none

    explicit operator bool() const { return value != 0; }
    auto operator<=>(const Id&) const = default;
};

/// A loaded unit; stable for the life of the unit, also across daemon-reload and re-exec.
using UnitId = Id<struct UnitTag>;
using JobId = Id<struct JobTag>;
/// One running command and its guard process; never used twice in the life of a container.
using GuardId = Id<struct GuardTag>;

} // namespace monoinit::base

template <class Tag, class Rep> struct std::hash<monoinit::base::Id<Tag, Rep>> {
    std::size_t operator()(monoinit::base::Id<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value); }
};
