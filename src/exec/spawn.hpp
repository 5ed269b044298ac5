#pragma once
// Forking a guard. Order for the caller:
//   1. make_guard_channel(); write the channel into the checkpoint (intent record)
//   2. spawn_guard(plan, channel): returns when the guard is forked, before the command runs
//   3. GuardLink(channel.ours): StartResult says how it went
// The guard is a child of PID 1: its own end (exit status 0, or killed) comes as SIGCHLD of the returned pid.
// Tested by tests/unit/exec.

#include "base/result.hpp"
#include "exec/plan.hpp"
#include "sys/unique_fd.hpp"

namespace monoinit::exec {

struct GuardChannel {
    sys::UniqueFd ours;   ///< nonblocking, stays in PID 1
    sys::UniqueFd guards; ///< closed in PID 1 once the guard is forked
};

base::Result<GuardChannel> make_guard_channel();

/// Marks our end as what it is, so that is_guard_link() knows it without the checkpoint.
void mark_guard_link(int fd);
/// Whether `fd` is our end of a guard's channel. Nobody else can make one that looks so: the pair is ours by its credentials, and has
/// no name on either side.
bool is_guard_link(int fd);

/// Forks the guard; `channel.guards` is closed here in either case. EAGAIN and kin come back as an error (nothing runs).
base::Result<pid_t> spawn_guard(const Plan& plan, GuardChannel& channel);

/// Once at boot, before anything big is allocated: keeps this process's memory in one piece, so that a guard can give all
/// of it back with one call (spawn_guard() does it otherwise, later).
void prepare_heap();

} // namespace monoinit::exec
