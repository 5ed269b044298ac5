#pragma once
// Where we run: facts of the machine or container, gathered once at start as plain data. Everything is best effort: what
// cannot be read stays empty. Tested by tests/unit/sys/place_test.cpp.

#include <string>
#include <string_view>
#include <sys/types.h>

namespace monoinit::sys {

struct Place {
    uid_t uid = 0;
    gid_t gid = 0;
    std::string user_name, group_name, home, shell;
    std::string host_name, pretty_host_name, machine_id, boot_id, kernel_release;
    std::string architecture; ///< systemd's word: "x86-64", "arm64"
    std::string os_id, os_version_id, os_build_id, os_variant_id, os_image_id, os_image_version;
    std::string locale;    ///< LANG of /etc/locale.conf or /etc/default/locale
    std::string container; ///< "docker", "podman", "lxc", "kubernetes", … "a container"; "no container" on a machine
    bool is_pid1 = false;
    bool cgroup_writable = false; ///< cgroup v2, and our own group may be divided
    std::string cgroup_controllers; ///< that it was given: "memory pids"
};

/// `root` stands before every file looked at (tests).
Place look_around(const std::string& root = {});

/// The value of KEY in a file of KEY=value lines, as os-release(5): quotes and backslashes undone; empty if absent.
std::string value_in(std::string_view text, std::string_view key);

} // namespace monoinit::sys
