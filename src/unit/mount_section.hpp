#pragma once
// [Mount], systemd.mount(5), as plain data; see config.hpp. Its commands stand in the lists that services have too
// (ServiceSection::commands): mount is ExecList::Start, remount ExecList::Reload, umount ExecList::Stop.
// Tested by tests/unit/unit/mounts_test.cpp.

#include "base/time.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace monoinit::unit {

struct MountSection {
    std::string what, where, type, options; ///< `where` is filled in from the unit's name where it is not set
    bool sloppy_options = false, lazy_unmount = false, read_write_only = false, force_unmount = false;
    std::uint32_t directory_mode = 0755;
    base::Duration timeout = std::chrono::seconds(90);
};

/// One line of the mount table.
struct MountPoint {
    std::string where, what, type, options;
    bool operator==(const MountPoint&) const = default;
};

} // namespace monoinit::unit
