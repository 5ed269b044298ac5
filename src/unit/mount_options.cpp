// Options= of a mount unit. Apart from mounts.cpp, since a guard needs no loader. Tested by tests/unit/unit/mounts_test.cpp.
#include "unit/mounts.hpp"

#include "base/strings.hpp"

#include <algorithm>
#include <array>

namespace monoinit::unit {

bool has_option(const MountSection& mount, std::string_view word) {
    return std::ranges::any_of(base::split(mount.options, ','), [word](std::string_view each) { return base::trim(each) == word; });
}

std::string options_for_mounting(const MountSection& mount) {
    constexpr auto not_for_it = std::to_array<std::string_view>({"nofail", "auto", "noauto", "user", "nouser", "users", "owner", "group"});
    std::string options;
    for (const std::string_view each : base::split(mount.options, ',')) {
        const std::string_view word = base::trim(each);
        const bool foreign = word.empty() || word == "defaults" || word.starts_with("x-") || word.starts_with("comment=") ||
                             std::ranges::find(not_for_it, word) != not_for_it.end();
        if (!foreign)
            options += (options.empty() ? "" : ",") + std::string(word);
    }
    return options;
}

} // namespace monoinit::unit
