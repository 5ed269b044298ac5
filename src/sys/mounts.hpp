#pragma once
// What is mounted where. Tested by tests/unit/sys/mounts_test.cpp.

#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::sys {

struct Mount {
    std::string point;
    bool may_hang = false; ///< FUSE or network: somebody else answers for it, or does not
    std::string source{}, type{}, options{}; ///< options: of the mount, then those of the file system that it does not say itself
};

/// Every mount, in the order in which they cover each other. An error where the table cannot be read now.
base::Result<std::vector<Mount>> mounts();
std::vector<Mount> parse_mounts(std::string_view mountinfo);

/// Whether mount(2) is not refused outright: CAP_SYS_ADMIN.
bool may_mount();

/// Whether a path of /dev or /sys is there, without leaving the file system that is mounted there: so that it cannot hang. Nothing
/// if that cannot be told so.
std::optional<bool> device_exists(const std::string& path);

} // namespace monoinit::sys
