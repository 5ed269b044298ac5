#pragma once
// What is mounted where. Tested by tests/unit/sys/mounts_test.cpp.

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::sys {

/// Whether something is mounted at `path`, by /proc/self/mountinfo: never touches the path itself, which may hang.
bool is_mount_point(const std::string& path);

/// The same on the text of a mountinfo file, proc(5).
bool lists_mount_point(std::string_view mountinfo, std::string_view path);

struct Mount {
    std::string point;
    bool may_hang = false; ///< FUSE or network: somebody else answers for it, or does not
};

/// Every mount, in the order in which they cover each other.
std::vector<Mount> mounts();
std::vector<Mount> parse_mounts(std::string_view mountinfo);

} // namespace monoinit::sys
