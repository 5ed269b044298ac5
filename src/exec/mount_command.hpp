#pragma once
// What a guard does for a mount unit beside running mount(8): the mount point is made, and where the image has no mount(8) the
// system call is made by ourselves. Tested by tests/unit/exec/mount_command_test.cpp and tests/system/mounts.py.

#include "base/result.hpp"
#include "unit/config.hpp"

#include <string>

namespace monoinit::exec {

/// Directories for Where=, and for What= of a bind mount; a file where a file is bound. Refuses a way by symbolic links: the
/// table would then have another path than the unit's. May hang.
base::Result<void> make_mount_point(const unit::MountSection& mount);

/// mount(2) or umount2(2) in the place of the program. Writes what is wrong to stderr; returns what mount(8) would.
int mount_by_call(const unit::MountSection& mount, unit::ExecList list);

/// What Options= is to mount(2).
struct MountFlags {
    unsigned long flags = 0, propagation = 0;
    std::string data; ///< for the file system
    std::string needs_program; ///< an option that mount(8) would have to act on
};
MountFlags mount_flags(const unit::MountSection& mount);

/// For where we may not: what the container's run command can do instead.
std::string mount_outside(const unit::MountSection& mount);

} // namespace monoinit::exec
