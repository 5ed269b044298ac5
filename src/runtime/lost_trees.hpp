#pragma once
// After a `kill -9` of a guard its processes fall to us. They are claimed by the pids the guard had reported, then by
// session, then by INVOCATION_ID in their environment; what stays ambiguous is ended if exactly one guard died, else it is
// kept as a stray until shutdown. Claimed processes are ended; only when none is left the unit may run again, so there are
// never two copies of a service (promise 12). Tested by tests/system/promise_12_helpers.py.

#include "base/ids.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace monoinit::runtime {

class LostTrees {
  public:
    /// `is_ours`: a child that is known to be something else (guard, logger, probe).
    /// `empty`: nothing is left of the guard's tree.
    LostTrees(std::function<bool(int pid)> is_ours, std::function<void(base::GuardId, base::UnitId)> empty);

    struct Lost {
        base::GuardId guard;
        base::UnitId unit;
        int guard_pid = 0; ///< until it is reaped; its socket ends before its children fall to us
        int main_pid = 0;  ///< its session, too
        std::vector<int> known;
        std::string invocation; ///< 32 hex digits
    };
    /// A guard died. Claims and ends what was below it.
    void add(Lost lost);
    /// A child of ours was reaped: looks again at what is left.
    void child_exited(int pid);
    void end_all();
    bool empty() const { return trees_.empty() && strays_.empty(); }
    const std::set<int>& strays() const { return strays_; }

  private:
    struct Tree {
        Lost lost;
        std::set<int> pids;
    };
    static bool is_dying(const Lost& lost);
    bool belongs(const Lost& lost, int pid) const;
    void sweep();

    std::function<bool(int)> is_ours_;
    std::function<void(base::GuardId, base::UnitId)> empty_;
    std::unordered_map<base::GuardId, Tree> trees_;
    std::set<int> strays_;
};

} // namespace monoinit::runtime
