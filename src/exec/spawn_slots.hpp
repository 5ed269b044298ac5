#pragma once
// Forking without copying the descriptor table. PID 1 holds several descriptors a unit; a plain fork copies thousands of
// them only for the guard to close them again, which makes the thousandth start dearer than the first. Instead the guard is
// forked with a shared table and takes a private copy of its low end only (close_range with UNSHARE). For that the few
// descriptors it needs are duplicated into a group of reserved low numbers, which PID 1 must leave alone until the guard
// has its copy: it says so in a page both share, at the latest by its first report. There are a few groups; when all are
// in use, on small descriptor limits and on old kernels spawn_guard() forks plainly.
// Tested by tests/unit/exec.

#include "base/ids.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <sys/types.h>

namespace monoinit::exec {

/// The descriptors of a guard, by the numbers under which it finds them.
struct GuardDescriptors {
    int socket = -1;
    std::array<int, 3> streams{-1, -1, -1}; ///< of StreamPlan::Kind::Fd, else -1
};

struct SpawnSlot {
    std::size_t group;
    GuardDescriptors descriptors;
};

/// Duplicates the descriptors into a free group; nothing when there is none.
std::optional<SpawnSlot> take_slot(const GuardDescriptors& wanted);
/// The fork: 0 in the child, which must call detach_slot() before anything else. The guard's id finds the slot again.
pid_t fork_with_slot(const SpawnSlot& slot, base::GuardId guard);
/// In the child: from here on the table is its own, and holds only low numbers.
void detach_slot(const SpawnSlot& slot);

/// The guard has said something: its group is free.
void release_slot(base::GuardId guard);
/// Whether this guard died before it could say anything (then its group is freed, and its socket shows end of file).
bool release_dead_slot(base::GuardId guard);

} // namespace monoinit::exec
