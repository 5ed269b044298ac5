#pragma once
// The processes below a guard: listing them and signalling them, exactly and without heap. "Below" is what the kernel
// says: the guard is their subreaper, so whoever loses its parent becomes its child, and nobody leaves.
// A signal never reaches a reused pid: the guard's own children cannot be reused before it reaps them; deeper ones are
// pinned by a pidfd before their place in the tree is looked at.
// Tested by tests/unit/exec/guard_test.cpp.

#include "exec/guard_protocol.hpp"

#include <cstddef>
#include <cstdint>
#include <sys/types.h>

namespace monoinit::exec {

/// A set of pids in the order they were found, in memory of its own that goes away with it.
class PidSet {
  public:
    PidSet();
    ~PidSet();
    PidSet(const PidSet&) = delete;
    PidSet& operator=(const PidSet&) = delete;

    bool add(pid_t pid); ///< true when it was not there (false too when the set is full)
    bool contains(pid_t pid) const;
    std::size_t size() const { return count_; }
    pid_t operator[](std::size_t i) const { return pids_[i]; }
    bool full() const { return count_ == limit_; }
    void clear();

  private:
    void index(std::size_t position);
    std::size_t slot_of(pid_t pid) const;

    pid_t* pids_;
    std::uint32_t* slots_; ///< position + 1 by hash; used beyond a few pids
    std::size_t count_ = 0, limit_, slot_count_;
};

/// What to send to each process, in this order.
struct SignalSeries {
    int signal = 0;
    bool then_continue = false, then_hangup = false;
    bool queued = false; ///< with `value`, as sigqueue(3)
    int value = 0;
};

struct SweepResult {
    std::uint32_t reached = 0, fresh = 0, refused = 0;
    pid_t refused_pid = 0;
};

/// One walk over the tree: signals every process that is not in `done` (which it joins), `spared` and nothing else left out.
/// `fresh` counts those that were new: the caller repeats until there are none.
SweepResult sweep(pid_t guard, const SignalSeries& series, pid_t spared, PidSet& done);

/// One process, if it is below the guard. Errno-like: 0, ESRCH, EPERM.
int signal_one(pid_t guard, pid_t pid, const SignalSeries& series);

/// Fills in entries (own children first) and totals.
void list_tree(pid_t guard, TreeMessage& message);

/// Whether `pid` is below the guard; stable against reuse of a pid in between.
bool is_in_tree(pid_t guard, pid_t pid);

} // namespace monoinit::exec
