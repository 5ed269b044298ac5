#pragma once
// The units the engine knows: one slot per UnitId, and an index by name (aliases included). An id is used again only when
// thousands of others have gone after it: by then nothing speaks of the unit that had it.
// Private to engine/.

#include "engine/engine.hpp"
#include "graph/job.hpp"
#include "supervise/health.hpp"
#include "supervise/socket.hpp"
#include "supervise/timer.hpp"

#include <deque>
#include <map>
#include <string>
#include <unordered_map>

namespace monoinit::engine {

using base::Duration;
using base::Instant;
using base::Moment;
using supervise::ActiveState;

/// What is to be done to one unit. At most one a unit; requests for more are merged into it.
struct Job {
    JobId id;
    graph::JobType type = graph::JobType::Start;
    graph::JobState state = graph::JobState::Waiting;
    bool irreversible = false, ignore_order = false;
    bool boot = false;    ///< part of the boot: "ready" waits for it
    bool by_person = false;
    bool queued = false;  ///< in the run queue
    bool said_unhealthy = false; ///< the line about waiting for another unit's health
    enum class Checks : std::uint8_t { None, Asked, Passed } checks = Checks::None; ///< conditions
    std::uint32_t blockers = 0; ///< jobs that go first and are not over
    Instant installed{}, began = base::never; ///< began: first time it ran
    Instant deadline = base::never;           ///< JobTimeoutSec=, JobRunningTimeoutSec=
    Instant next_report = base::never;        ///< the line about a slow job
    std::vector<std::uint64_t> requests;      ///< who waits
};

/// Why a unit is not running, as far as it is not its own failure: one link of the chain that status prints.
struct Cause {
    /// Whose failure it was; empty if no unit's. By name: the unit may be gone, or never have been, when it is printed.
    std::string unit;
    std::string text; ///< "Requires= (code-server.service:5)"; without a unit the whole sentence
    bool empty() const { return unit.empty() && text.empty(); }
    bool operator==(const Cause&) const = default;
};

struct Unit {
    UnitId id;
    ConfigPtr config;
    bool listed = true; ///< the last complete sync() had it; else it is forgotten once it is down
    ActiveState active = ActiveState::Inactive;
    std::unique_ptr<supervise::Service> service; ///< made when first needed
    std::unique_ptr<supervise::HealthMonitor> health; ///< made when first needed, null without a check
    std::unique_ptr<supervise::Timer> timer; ///< made when first needed
    std::unique_ptr<supervise::Socket> socket; ///< made when first needed
    UnitId accepted_by; ///< of a service that one connection was accepted for: the socket unit
    std::string peer;   ///< and where it came from
    std::string health_failure; ///< why OnUnhealthy=stop ended it; empty once it is up again
    std::unique_ptr<Job> job;
    Moment active_enter, active_exit, inactive_enter, inactive_exit, state_change, condition_time;
    Moment loaded; ///< when its configuration was taken over
    bool condition_result = false, assert_result = false;
    std::string condition_failed;
    std::uint32_t checks_pending = 0; ///< answers of the shell that are still to come; only the last one counts
    std::uint64_t invocation = 0;
    Cause cause;
    std::string failure; ///< of a unit without a machine of its own
    graph::JobResult start_result = graph::JobResult::Done; ///< of the last start job
    Instant auto_window{}; ///< rate limit of the jobs that dependencies make
    std::uint32_t auto_count = 0;
    Instant look_again = base::never; ///< when what the rate limit kept back is looked at again
    bool killed = false;     ///< SIGKILL was needed while stopping
    Instant armed = base::never; ///< its entry among the timers
    bool touched = false, dirty = false, steady_queued = false;
};

class UnitTable {
  public:
    UnitId find(std::string_view name) const;
    Unit* get(UnitId id) const { return id && id.value <= slots_.size() ? slots_[id.value - 1].get() : nullptr; }
    Unit& add(ConfigPtr config);
    /// Takes over a new configuration, names included.
    void replace(Unit& unit, ConfigPtr config);
    void remove(UnitId id);
    /// Removes a unit that nothing has ever happened to; its id is free again if no unit came after it.
    void forget_newest(UnitId id);
    /// After a re-exec: the unit gets the id it had before; whoever has it now gets the other one.
    void renumber(Unit& unit, UnitId id);

    std::size_t slots() const { return slots_.size(); }
    std::size_t size() const { return size_; }
    template <class Visit> void each(Visit&& visit) const {
        for (std::size_t i = 0; i < slots_.size(); i++) // by index: a visit may add
            if (slots_[i])
                visit(*slots_[i]);
    }

  private:
    void index_names(const Unit& unit);
    void unindex_names(const Unit& unit);

    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    std::vector<std::unique_ptr<Unit>> slots_;
    std::deque<UnitId> vacant_; ///< in the order in which they became so
    std::unordered_map<std::string, UnitId, Hash, std::equal_to<>> names_;
    std::size_t size_ = 0;
};

} // namespace monoinit::engine
