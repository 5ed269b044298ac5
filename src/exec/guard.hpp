#pragma once
// The guard: one process per running command, subreaper of everything below it. guard_prepare does what precedes the
// command (with heap), guard_loop is its long life (static memory only).
// Tested by tests/unit/exec/guard_test.cpp.

#include "exec/child.hpp"
#include "exec/guard_protocol.hpp"
#include "exec/plan.hpp"

#include <string>

namespace monoinit::exec {

/// First thing in the forked child of PID 1, all signals blocked. Never returns.
[[noreturn]] void run_guard(const Plan& plan, int socket);

struct StartOutcome {
    pid_t pid = 0; ///< 0 = failed
    ChildFailure failure;
    std::string detail; ///< for people; empty: made from the failure
};

/// Reads environment files, makes directories, opens streams, starts the command.
StartOutcome start_command(const Plan& plan);

/// Reports the start, then reaps, signals and answers until nothing is left. Touches no heap. Never returns.
[[noreturn]] void guard_loop(int socket, const HelloMessage& identity, const StartResultMessage& start);

/// Gives the heap inherited from PID 1 back. Nothing may be allocated or freed after it.
void drop_heap();
void remember_heap_start();

} // namespace monoinit::exec
