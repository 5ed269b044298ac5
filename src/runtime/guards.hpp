#pragma once
// The guards that run: one for each command of a unit. Performs the engine's process effects through them and turns what
// they report into events. Containment after the death of a guard itself is lost_trees.hpp.
// Tested by tests/system (every story) and tests/unit/exec.

#include "control/api.hpp"
#include "engine/engine.hpp"
#include "exec/build_plan.hpp"
#include "exec/guard_link.hpp"
#include "runtime/checkpoint.hpp"
#include "runtime/log_process.hpp"
#include "runtime/lost_trees.hpp"
#include "runtime/notify_sockets.hpp"
#include "runtime/sockets.hpp"
#include "sys/epoll_loop.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>

namespace monoinit::runtime {

class Guards : public SenderJudge {
  public:
    /// What guards need of the rest of the shell.
    struct Links {
        sys::EpollLoop& loop;
        Checkpoint& checkpoint;
        LogProcess& log;
        exec::ManagerContext& manager;
        std::function<void(engine::Event)> feed;
        std::function<engine::UnitStatus(base::UnitId)> status;
        std::function<std::array<std::uint8_t, 16>(base::UnitId)> invocation;
        /// Units that name this one in OnFailure= or OnSuccess=.
        std::function<std::vector<base::UnitId>(base::UnitId)> monitored;
        /// Descriptors that a service is given.
        std::function<PassedSockets(base::UnitId)> sockets;
    };
    explicit Guards(Links links);
    ~Guards() override;
    void set_notify(NotifySockets& notify) { notify_ = &notify; }

    // The engine's actions.
    void spawn(base::UnitId unit, const supervise::Spawn& spawn);
    void signal(base::UnitId unit, const supervise::Signal& signal);
    void watch(const supervise::WatchPid& watch);
    void query(const supervise::QueryTree& query);

    /// No command of the unit begins until go_on() was called as often: what its last run has left is being removed, which must
    /// not hit what the next one makes.
    void hold_back(base::UnitId unit) { held_back_[unit].removals++; }
    void go_on(base::UnitId unit);

    /// Guards of which nothing is needed any more may end. Called once a turn of the loop, when what follows from their end
    /// is done: a successor is started first, and the processor is free for it.
    void let_leave();

    /// To every process of the unit, and nothing after it.
    void signal_unit(base::UnitId unit, int signal);
    /// As sigqueue(3), if the process is one of the unit's.
    void queue_signal(base::UnitId unit, int pid, int signal, int value);
    /// To every tree there is: the end of the container.
    void signal_all(int signal);

    /// A child of ours was reaped: true when it was a guard or belonged to a lost tree.
    bool child_exited(int pid, int wait_status);
    /// Kills what strays from lost guards at the end of a shutdown.
    void end_strays() { lost_.end_all(); }
    bool strays_left() const { return !lost_.empty(); }

    /// Takes up a guard of the image before: asks it for everything it knows.
    void adopt(const FdEntry& entry, sys::UniqueFd fd);
    /// After adopt() of all and the restoring of the engine: guards that are dead become GuardLost.
    void resynchronise();
    /// Guards that the unit's record has and nobody left us: their trees were being taken back when the image before ended.
    void take_back_lost(base::UnitId unit);

    struct Link {
        base::GuardId guard;
        base::UnitId unit;
        int fd = -1;
    };
    std::vector<Link> links() const;
    bool knows(base::GuardId guard) const { return guards_.contains(guard); }
    std::vector<int> pids_of(base::UnitId unit) const; ///< of living guards
    /// The unit that a process belongs to; 0 = none.
    base::UnitId unit_above(int pid) const;
    std::vector<control::ExecRecord> history_of(base::UnitId unit) const;
    std::vector<std::string> notices_of(base::UnitId unit) const;
    /// The start that the unit's credentials were made for; asked before the next one is made.
    std::array<std::uint8_t, 16> credentials_of(base::UnitId unit) const;
    void forget(base::UnitId unit); ///< it is not known any more
    bool is_guard(int pid) const { return by_pid_.contains(pid); }
    std::size_t count() const { return guards_.size(); }

    // SenderJudge
    base::GuardId guard_above(base::UnitId unit, int pid) const override;
    bool has_started(base::GuardId guard) override;
    supervise::Notified::Sender role_of(base::UnitId unit, int pid, base::GuardId guard) const override;
    bool is_unit_user(base::UnitId unit, unsigned uid) const override;

  private:
    struct Guard {
        base::UnitId unit;
        std::unique_ptr<exec::GuardLink> link;
        int pid = 0;      ///< of the guard itself
        int main_pid = 0; ///< of its command
        bool started = false; ///< it has said how the start went
        supervise::Spawn command; ///< what it was to run; unknown after a re-exec
        bool empty = false, watching_output = false, reaped = false;
        bool resynchronising = false; ///< asked by a resumed image to say all again, and not heard yet
        bool childless = false; ///< it has said that nothing is left to be signalled
        std::vector<int> known_pids; ///< last reported, for claiming after its death
    };
    void watch_link(base::GuardId id);
    void on_ready(base::GuardId id, std::uint32_t events);
    void handle(base::GuardId id, exec::GuardReport report);
    void on_started(Guard& guard, base::GuardId id, const exec::GuardStarted& report);
    void on_exit(Guard& guard, base::GuardId id, const exec::GuardExit& report);
    void on_empty(Guard& guard, base::GuardId id);
    void on_tree(Guard& guard, base::GuardId id, const exec::GuardTree& report);
    void on_signalled(const Guard& guard, const exec::GuardSignalled& report);
    void gone(base::GuardId id);
    void remove_group(base::GuardId guard, base::UnitId unit) const;
    void flush(Guard& guard);
    bool give_up_held(base::UnitId unit, base::GuardId id);
    void fail_spawn(base::UnitId unit, base::GuardId id, supervise::SpawnResult result);
    void lack(base::UnitId unit, base::GuardId id, const base::Error& error);
    exec::CommandContext command_context(base::UnitId unit, const supervise::Spawn& spawn);
    base::Result<void> give_notify_socket(base::UnitId unit, const unit::ServiceSection& service, exec::CommandContext& context);
    void add_monitored(base::UnitId unit, exec::CommandContext& context) const;
    void add_sockets(base::UnitId unit, const unit::ExecSection& exec, exec::CommandContext& context) const;
    static exec::Outcome outcome_of(supervise::ServiceResult result, const std::optional<base::ExitInfo>& exit);
    void note_degraded(base::UnitId unit, const std::string& name, std::vector<std::string> notices);
    void note_limits(base::UnitId unit, const std::string& text);
    void note_start(base::UnitId unit, base::GuardId id, const supervise::Spawn& spawn, const unit::Command& command);

    Links links_;
    NotifySockets* notify_ = nullptr;
    LostTrees lost_;
    std::unordered_map<base::GuardId, Guard> guards_;
    std::vector<base::GuardId> leaving_;
    std::unordered_map<int, base::GuardId> by_pid_;
    struct HeldBack {
        unsigned removals = 0;
        std::vector<supervise::Spawn> spawns;
    };
    std::unordered_map<base::UnitId, HeldBack> held_back_;
    std::unordered_map<base::UnitId, std::vector<base::GuardId>> by_unit_;

    struct Ran {
        base::GuardId guard;
        std::uint64_t invocation = 0;
        control::ExecRecord record;
    };
    std::unordered_map<base::UnitId, std::deque<Ran>> history_;
    std::unordered_map<base::UnitId, std::vector<std::string>> notices_;
    std::unordered_map<base::UnitId, std::string> limits_; ///< the one that does not act, as said
    std::unordered_map<base::UnitId, std::array<std::uint8_t, 16>> credentials_;
};

} // namespace monoinit::runtime
