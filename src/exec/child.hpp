#pragma once
// The last step before exec: what runs in the vfork child, prepared by the guard as plain pointers.
// Tested by tests/unit/exec.

#include "exec/stage.hpp"

#include <cstddef>
#include <cstdint>
#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>

namespace monoinit::exec {

struct ChildLimit {
    int resource;
    rlimit value;
};

/// How near a process without CAP_SYS_RESOURCE gets to `wanted`, as systemd does it: no higher than the hard limit it has.
constexpr rlimit within(const rlimit& wanted, const rlimit& now) {
    const auto least = [&now](rlim_t each) { return each < now.rlim_max ? each : now.rlim_max; };
    return {least(wanted.rlim_cur), least(wanted.rlim_max)};
}

/// All memory belongs to the guard and outlives the child's use of it.
struct ChildSpec {
    /// Called in place of execve() with its argument, its result is the exit status. The child is then a fork, not a vfork.
    int (*instead)(const void* argument) = nullptr;
    const void* instead_argument = nullptr;

    // execve: each candidate is tried in turn while it is "not there"
    const char* const* candidates = nullptr; ///< null-terminated
    char* const* argv = nullptr;
    char* const* envp = nullptr;
    char* pid_digits[3] = {}; ///< where in envp the child writes its pid (10 digits and NUL fit); null = unused

    // descriptors: all sources are above the targets
    int streams[3] = {-1, -1, -1}; ///< become 0, 1, 2; -1 = leave what is there
    const int* listen_fds = nullptr;
    std::size_t listen_count = 0;
    std::size_t socket_count = SIZE_MAX;
    bool non_blocking = false;
    bool take_terminal = false; ///< stream 0 becomes the controlling terminal
    bool force_terminal = false;

    int group_procs = -1; ///< cgroup.procs of the command's group; -1 = none
    const char* root_directory = nullptr;
    pid_t guard = 0; ///< with which the command dies
    const char* working_directory = nullptr;
    bool working_directory_optional = false;
    bool ignore_sigpipe = true;

    const ChildLimit* limits = nullptr;
    std::size_t limit_count = 0;

    const char* oom_score_adjust = nullptr; ///< text to write
    bool set_nice = false, set_policy = false, set_affinity = false, set_io = false, set_slack = false;
    bool reset_on_fork = false;
    int nice = 0, policy = 0, cpu_priority = 0, io_class = 0, io_priority = 0;
    std::uint64_t timer_slack = 0;
    cpu_set_t affinity{};

    bool set_groups = false, optional_groups = false, set_gid = false, set_uid = false;
    const gid_t* groups = nullptr;
    std::size_t group_count = 0;
    gid_t gid = 0;
    uid_t uid = 0;
    bool limit_bounding = false;
    std::uint64_t bounding = 0, ambient = 0;
    bool set_secure_bits = false;
    int secure_bits = 0;
    bool no_new_privileges = false;
};

/// Shared with the guard through vfork: filled in before the child leaves without exec.
struct ChildFailure {
    Stage stage = Stage::None;
    int error = 0;
    int resource = 0; ///< of Stage::Limits: RLIMIT_*
    int group_error = 0; ///< it could not enter its cgroup, and goes on outside
};

struct ChildArguments {
    const ChildSpec* spec;
    ChildFailure* failure;
};

/// Entry of the vfork child. Never returns: execve() or _exit(status of the stage).
int run_child(void* arguments);

} // namespace monoinit::exec
