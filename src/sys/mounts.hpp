#pragma once
// What is mounted where. Tested by tests/unit/sys/mounts_test.cpp.

#include <string>
#include <string_view>

namespace monoinit::sys {

/// Whether something is mounted at `path`, by /proc/self/mountinfo: never touches the path itself, which may hang.
bool is_mount_point(const std::string& path);

/// The same on the text of a mountinfo file, proc(5).
bool lists_mount_point(std::string_view mountinfo, std::string_view path);

} // namespace monoinit::sys
