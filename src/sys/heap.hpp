#pragma once
// Forks that do not take the heap along. A fork copies page tables and write-protects every page of PID 1's heap, which
// with a thousand units costs as much as the rest of a start (measured: 10 MB of heap double it). The guard needs none of
// it, so the heap is excluded from the forks that make guards. Such a child has no malloc(): its operator new works on
// memory of its own (a Scope, or enter_child()). All other forks take the heap along as ever.
// Tested by tests/unit/sys.

#include <cstddef>

namespace monoinit::sys::heap {

/// Once at boot, before anything big is allocated: keeps the heap in one piece (no mmap'ed chunks) and allows lean forks.
void prepare();
/// Whether prepare() was called and the system can do it; else lean forks are ordinary ones.
bool can_exclude();

/// Takes the memory that is given up when there is no more: false while it is not to be had. For PID 1, at each turn of its loop.
bool hold_reserve();
bool holds_reserve();

/// For the next fork. Cheap when nothing changes. False: this fork will take the heap along.
bool exclude_from_fork();
void include_in_fork();

/// While it lives, what is allocated with operator new lies in memory that a lean fork takes along. Scopes do not nest.
/// The memory is used anew when everything in it was freed.
class Scope {
  public:
    Scope();
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    /// False when something did not fit and lies on the ordinary heap.
    bool complete() const;
};

/// In the child of a lean fork: operator new works on fresh memory from here on, delete does nothing. malloc() must not be
/// called (opendir, glob, getline … do).
void enter_child();
/// Gives back every heap this process has or inherited. Nothing may be allocated or freed after it.
void drop();

} // namespace monoinit::sys::heap
