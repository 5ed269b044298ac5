#pragma once
// The processes of scope units: followed by a pidfd each, which a resumed image inherits. Where units have cgroups they are moved into
// one, and what they leave there is found again; elsewhere what is below them is found as long as they live themselves.
// Tested by tests/system/scopes.py.

#include "engine/engine.hpp"
#include "exec/build_plan.hpp"
#include "runtime/checkpoint.hpp"
#include "sys/epoll_loop.hpp"

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace monoinit::runtime {

class Scopes {
  public:
    struct Links {
        sys::EpollLoop& loop;
        Checkpoint& checkpoint;
        exec::ManagerContext& manager;
        std::function<void(engine::Event)> feed;
        std::function<engine::UnitStatus(base::UnitId)> status;
        std::function<void(base::UnitId, std::string)> warn;
        std::function<bool(int pid)> is_ours; ///< PID 1, the logger, guards: nobody's to take
    };
    explicit Scopes(Links links) : links_(std::move(links)) {}
    ~Scopes();

    /// Takes the processes, which must be alive and (unless `owner` is 0) that user's; then the scope is up.
    base::Result<void> adopt(base::UnitId unit, const std::vector<int>& pids, uid_t owner);
    // The engine's actions.
    void signal(base::UnitId unit, const supervise::SignalProcesses& signal);
    void release(base::UnitId unit);

    std::vector<int> pids_of(base::UnitId unit) const;
    /// The scope that the process is in, or below whose processes it is; 0 = none.
    base::UnitId unit_above(int pid) const;
    /// Units that are over, once: their files may go.
    std::vector<base::UnitId> take_ended() { return std::exchange(ended_, {}); }

    /// Takes up a pidfd of the image before; after the first event those whose units are not up are let go.
    void resume(const FdEntry& entry, sys::UniqueFd fd);
    void release_unclaimed();

  private:
    struct Process {
        int pid = 0;
        sys::UniqueFd pidfd;
    };
    void add(base::UnitId unit, Process process);
    void on_exit(base::UnitId unit, int pidfd);
    std::string group_of(base::UnitId unit) const; ///< empty: it has none
    std::string make_group(base::UnitId unit) const;
    bool adopt_rest(base::UnitId unit);

    Links links_;
    std::unordered_map<base::UnitId, std::vector<Process>> processes_;
    std::vector<base::UnitId> ended_;
};

} // namespace monoinit::runtime
