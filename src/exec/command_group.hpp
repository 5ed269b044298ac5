#pragma once
// The cgroup of a command: `root`/slices/unit/guard's id. The unit's directory has the limits; a directory of its own for
// each guard makes cgroup.kill hit exactly what is below that guard. The guard itself stays outside: its memory is ours,
// and it has to report what was killed. Tested by tests/system/cgroups.py.

#include "exec/plan.hpp"
#include "sys/unique_fd.hpp"

#include <cstdint>
#include <string>

namespace monoinit::exec {

struct CommandGroup {
    std::string path;   ///< empty = none
    sys::UniqueFd procs; ///< cgroup.procs, for the child to enter by
    std::uint64_t oom_kills = 0; ///< of the unit, before this command
    std::string complaint; ///< a limit that does not act, and why; empty = all do
};

/// Made by the guard. What cannot be had is gone without, and said: the command matters more than its limits.
CommandGroup make_command_group(const Plan& plan);

/// Writes what is set into a group that there is. What cannot be written, and why; empty: nothing. May wait for a path of a device.
std::string apply_settings(const std::string& group, const std::vector<unit::CgroupSetting>& settings);

/// Processes of the unit that the kernel has killed for want of memory; 0 where it does not count. No heap.
std::uint64_t count_oom_kills(const char* path);

} // namespace monoinit::exec
