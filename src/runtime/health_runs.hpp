#pragma once
// Health checks that run: one guard for each step, with a pipe for its output of which the last 4 kB are kept. Performs the
// engine's HealthActions and turns what comes back into HealthEvents. These channels are not in the checkpoint: when PID 1 is
// executed anew, a guard sees the end of its channel and ends its tree by itself, and the engine runs the check again.
// Tested by tests/system/health.py.

#include "engine/engine.hpp"
#include "exec/build_plan.hpp"
#include "exec/guard_link.hpp"
#include "runtime/lost_trees.hpp"
#include "runtime/probes.hpp"
#include "sys/epoll_loop.hpp"
#include "sys/unique_fd.hpp"

#include <functional>
#include <memory>
#include <unordered_map>

namespace monoinit::runtime {

class HealthRuns {
  public:
    /// What checks need of the rest of the shell.
    struct Links {
        sys::EpollLoop& loop;
        exec::ManagerContext& manager;
        Probes& probes;
        std::string logs_socket;
        std::function<void(engine::Event)> feed;
        std::function<engine::UnitStatus(base::UnitId)> status;
        std::function<std::array<std::uint8_t, 16>(base::UnitId)> invocation;
        std::function<bool(int)> is_other_child; ///< a guard of a service, the logger
    };
    explicit HealthRuns(Links links);
    ~HealthRuns();

    void run(base::UnitId unit, const supervise::RunCheck& check);
    void end(const supervise::EndCheck& check);
    /// A child of ours was reaped: true when it was the guard of a check.
    bool child_exited(int pid);
    bool is_guard(int pid) const { return by_pid_.contains(pid); }
    std::size_t count() const { return runs_.size(); }

  private:
    struct Run {
        base::UnitId unit;
        std::unique_ptr<exec::GuardLink> link;
        sys::UniqueFd output;
        std::string tail;      ///< the end of what it wrote
        std::string command;   ///< its path; empty for a check of ours
        bool may_fail = false; ///< "-"
        int pid = 0, main_pid = 0;
        bool started = false, empty = false, watching_output = false;
    };
    void watch_log(base::UnitId unit, const supervise::RunCheck& check, const std::string& pattern, const engine::UnitStatus& status);
    void refuse(base::UnitId unit, base::GuardId guard, std::string text);
    void on_ready(base::GuardId id, std::uint32_t events);
    void handle(base::GuardId id, const exec::GuardReport& report);
    void on_exit(Run& run, base::GuardId id, const exec::GuardExit& exit);
    void take_output(Run& run);
    void gone(base::GuardId id);
    void flush(Run& run);
    bool watch(base::GuardId id);

    Links links_;
    LostTrees lost_;
    sys::UniqueFd nowhere_; ///< /dev/null: where output beyond the bound is spliced to
    std::unordered_map<base::GuardId, Run> runs_;
    std::unordered_map<int, base::GuardId> by_pid_;
};

} // namespace monoinit::runtime
