#pragma once
// What the place allows, beyond place.hpp: gathered by a tool that may block, never by PID 1. Plain data, so that what
// `initctl doctor` concludes from it can be tested. Everything is best effort. Tested by tests/unit/sys/surroundings_test.cpp.

#include "sys/place.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace monoinit::sys {

/// Of /proc/PID/status.
struct ProcessRights {
    bool known = false;
    uid_t uid = 0; ///< effective
    gid_t gid = 0;
    std::uint64_t effective = 0; ///< capabilities
    bool no_new_privileges = false;
    int seccomp = -1; ///< 0 none, 1 strict, 2 filter; -1 not known
};
ProcessRights parse_rights(std::string_view status);

/// One row of /proc/PID/limits; unlimited is ~0.
struct LimitPair {
    std::uint64_t soft = ~std::uint64_t{0}, hard = ~std::uint64_t{0};
};
std::optional<LimitPair> parse_limit_row(std::string_view limits, std::string_view name); ///< "Max open files"

/// More than one user: a rootless engine, or a user namespace. Text of /proc/PID/uid_map.
bool maps_all_users(std::string_view uid_map);
/// Options of the mount at `point` in the text of /proc/self/mounts, the last one there; empty if there is none.
std::string mount_options(std::string_view mounts, std::string_view point);
/// Mount points that /etc/fstab names and that are not mounted (text of fstab(5) and of /proc/self/mounts); swap is none.
std::vector<std::string> unmounted_entries(std::string_view fstab, std::string_view mounts);
bool hides_processes(std::string_view proc_options); ///< hidepid= other than 0

struct Surroundings {
    Place place;
    std::string engine_version; ///< "podman-4.3.1"; of /run/.containerenv
    bool user_namespace = false;

    // who runs: monoinit where it is known, else this process
    pid_t subject = 0, subject_parent = 0, subject_session = 0;
    std::string pid1_name, pid1_line; ///< comm, and the command line
    std::string parent_line;
    ProcessRights rights;
    bool has_passwd_entry = false;

    bool run_writable = false, tmp_writable = false, shm_writable = false, root_writable = false; ///< by the subject
    std::optional<std::uint64_t> shm_size;
    bool state_on_disk = false; ///< the runtime directory is no tmpfs
    std::vector<std::string> fstab; ///< unmounted_entries()
    bool hidden_processes = false, dev_log = false;
    std::optional<LimitPair> nofile, nproc, core;
    std::string terminal; ///< of the subject's standard input; empty: none, or not ours to see
    std::string zone;     ///< TZ
    bool zone_known = true, has_localtime = false;
    std::string locale;   ///< LANG or LC_ALL of the environment
};

/// `subject`: the running monoinit, 0 if there is none. `state_directory` may be empty.
Surroundings look_closely(pid_t subject, const std::string& state_directory);

} // namespace monoinit::sys
