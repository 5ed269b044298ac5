#pragma once
// Our own part of the cgroup v2 hierarchy, where we may divide it: found and prepared once at boot, then a directory a
// command. Nothing here waits for anybody: cgroupfs answers by itself. Tested by tests/system/cgroups.py.

#include "sys/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace monoinit::sys {

/// What the kernel demands: processes live in leaves. PID 1, CMD and guards live in this one, beside the slices.
inline constexpr std::string_view cgroup_leaf = "monoinit";

struct Cgroup {
    std::string root;        ///< directory of our own part; empty = none that we may divide
    std::string why_not;     ///< then
    bool writable = false;   ///< the group is ours to divide, whoever does
    std::string controllers; ///< "+memory +pids …" that act below; empty = placement and killing only
    std::string complaint;   ///< what could not be had
    std::string available;   ///< "memory pids": what the group was given
};

/// Where process `self` is and whether its group may be divided; changes nothing.
Cgroup find_cgroup();
/// Moves what is in the group into the leaf and passes the controllers on. `fresh`: at boot, what an earlier life left is
/// removed.
Cgroup prepare_cgroup(bool fresh);

/// Writes without making the file. False: errno says why.
bool write_cgroup_file(const std::string& path, std::string_view text);
/// The first number in a file such as memory.current or "key 123" of a flat keyed one; nothing when it is not there.
bool read_cgroup_number(const char* path, std::string_view key, std::uint64_t& number);

/// Processes in the group itself, as they are numbered here.
std::vector<int> cgroup_members(const std::string& group);

/// "254:0" of the whole disk that a path is, or lies on; empty: of none. May hang where the path does.
std::string block_device_of(const std::string& path);

/// Removes the group and those below it, then those above that are empty, up to `root_size` characters of the path, which is
/// cut meanwhile. No heap: guards use it.
void remove_cgroup(char* path, std::size_t root_size);
void remove_cgroups_below(int directory, int depth);

} // namespace monoinit::sys
