#pragma once
// The guard: one process per running command, subreaper of everything below it. guard_prepare does what precedes the
// command (with heap), guard_loop is its long life (static memory only).
// Tested by tests/unit/exec/guard_test.cpp.

#include "exec/child.hpp"
#include "exec/guard_protocol.hpp"
#include "exec/plan.hpp"
#include "exec/spawn_slots.hpp"

#include <array>
#include <string>

namespace monoinit::exec {

/// First thing in the forked child of PID 1, all signals blocked. Never returns.
[[noreturn]] void run_guard(const Plan& plan, const GuardDescriptors& descriptors);

/// The command's cgroup, as the guard's loop keeps it.
struct GuardGroup {
    char path[group_path_limit] = {}; ///< empty = none
    std::uint32_t root_size = 0;      ///< of the path: what is not ours to remove
    std::uint64_t oom_kills = 0;
};

struct StartOutcome {
    pid_t pid = 0; ///< 0 = failed
    ChildFailure failure;
    std::string detail; ///< for people; of a failure, made from it if empty; else what is missing of what was asked for
    GuardGroup group;
};

/// Reads environment files, makes directories, opens streams, starts the command.
/// `streams`: descriptors of the plan's Fd streams as they are numbered here.
StartOutcome start_command(const Plan& plan, const std::array<int, 3>& streams);

/// Reports the start (unless that is done), then reaps, signals and answers until nothing is left. Touches no heap. Never
/// returns.
[[noreturn]] void guard_loop(int socket, const HelloMessage& identity, const StartResultMessage& start, bool start_told,
                             const GuardGroup& group = {});

/// Gives back our static data, except the page-aligned `kept`.
void drop_statics(const void* kept, std::size_t kept_size);
/// Goes on with `entry` on another stack and drops the old one. Signals stay as they are.
[[noreturn]] void move_to_stack(char* memory, std::size_t size, void (*entry)());

} // namespace monoinit::exec
