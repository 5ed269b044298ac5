#pragma once
// The engine joins units, dependency graph, jobs and state machines. Pure: handle(event, now) -> effects.
// Tested by tests/unit/engine (stories with a fake clock) and tests/sim (deterministic simulation).

#include "engine/effect.hpp"
#include "supervise/mount.hpp"
#include "supervise/path.hpp"
#include "supervise/scope.hpp"
#include "supervise/service.hpp"
#include "supervise/socket.hpp"
#include "supervise/timer.hpp"

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace monoinit::engine {

using ConfigPtr = std::shared_ptr<const unit::UnitConfig>;

/// What has started a unit, for TRIGGER_UNIT= and kin; empty: nothing has, or a job.
struct Activation {
    std::string unit; ///< the timer or path unit
    std::string path; ///< of a path unit
    base::Moment elapsed; ///< of a timer
};

/// What `status`, `list` and `show` print of a unit. A snapshot, cheap to make.
struct UnitStatus {
    UnitId id;
    ConfigPtr config;
    supervise::ActiveState active = supervise::ActiveState::Inactive;
    std::string_view sub; ///< "running", "exited", "dead" …
    const supervise::Service::Data* service = nullptr; ///< null unless a service
    base::Moment active_enter, active_exit, inactive_enter, inactive_exit, state_change, condition_time;
    base::Moment loaded; ///< when its files were read
    bool condition_result = false, assert_result = false;
    std::string condition_failed; ///< which, empty if none
    std::optional<graph::JobType> job;
    JobId job_id;
    bool job_running = false;
    std::string why;  ///< the chain of causes to the root unit, one line each, when it does not run
    base::Instant next_attempt = base::never; ///< auto-restart
    supervise::Health health = supervise::Health::None; ///< None unless the unit is up and has checks
    const supervise::Timer::Data* timer = nullptr; ///< null unless a timer that was started
    base::Moment next_elapse;                      ///< of a timer that waits
    const supervise::Socket::Data* socket = nullptr; ///< null unless a socket that was started
    const supervise::Mount::Data* mount = nullptr;   ///< null unless a mount
    const supervise::Path::Data* path = nullptr;     ///< null unless a path unit that was started
    const Activation* activation = nullptr;          ///< null unless a timer or path unit has started it
    bool watched = false;                            ///< X-Watch= acts
    const supervise::Scope::Data* scope = nullptr;   ///< null unless a scope that has had processes
    UnitId accepted_by;                            ///< of a service that one connection was accepted for: the socket unit
    const supervise::HealthMonitor* monitor = nullptr;  ///< null without checks, or before the first start
    std::uint64_t invocation = 0; ///< changes with each start; the shell makes INVOCATION_ID= of it
};

/// One unit of an ordered shutdown, as it would be now.
struct PlannedStop {
    UnitId unit;
    std::uint32_t wave = 1;       ///< units of a wave stop in parallel, each as soon as what it waits for is down
    base::Duration share{}, by{}; ///< its own part of the budget; when it is killed, from the beginning; 0 without a budget
    bool out_of_order = false;    ///< its ordering is a cycle: it waits for nothing
};

struct JobStatus { JobId id; UnitId unit; graph::JobType type; graph::JobState state; base::Instant since; std::vector<JobId> waits_for; };

struct EngineOptions {
    supervise::Policy policy;
    base::Duration report_slow_job = std::chrono::seconds(10), report_slow_job_again = std::chrono::seconds(30);
    bool exit_when_done = false; ///< the container ends when all units have
    bool orchestrated = false;   ///< the first failure does; goes with policy.restarts = false
    base::Moment started;                       ///< of monoinit: OnBootSec= counts from here
    base::TimeZonePtr zone;                     ///< the local one; null = UTC
    std::uint64_t random_seed = 0, machine_seed = 0; ///< for RandomizedDelaySec=: of this container start, of the place
    base::Duration shutdown_budget = base::infinity; ///< of an end that these, or X-Essential=, bring about
};

class Engine {
  public:
    explicit Engine(EngineOptions options);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Adds new units and replaces the configuration of known ones (daemon-reload: `complete` = also forget inactive
    /// units that are no longer there). Runtime state is untouched. Aliases are known by `names`.
    void sync(const std::vector<ConfigPtr>& units, bool complete, base::Moment now);
    /// Drops a name that was asked for and is no unit's, unless something refers to it; ids of others stay.
    void forget_unknown(UnitId unit);
    /// The unit's file is gone: it is forgotten, if nothing of it runs.
    void unlist(UnitId unit);
    /// The order in which units would stop, wave by wave; those that have nothing to stop are left out.
    std::vector<PlannedStop> plan_shutdown(base::Duration budget) const;
    /// Which unit's start is the boot; BootFinished is emitted when no job of that transaction is left.
    void set_boot_target(UnitId unit);
    /// After restore: whoever was to act on BootFinished did not come to it; it is emitted again.
    void repeat_boot_end();
    /// What timers count from: when monoinit was started, the local zone, and seeds for random delays (of this start, of the place).
    void set_origin(base::Moment started, base::TimeZonePtr zone, std::uint64_t random_seed, std::uint64_t machine_seed);

    /// Whether missed watchdogs, and the actions of failures (FailureAction=, StartLimitAction=, JobTimeoutAction=), have consequences.
    void set_service_watchdogs(bool on);

    std::vector<Effect> handle(const Event& event, base::Moment now);
    base::Instant next_deadline() const;

    UnitId find(std::string_view name) const; ///< by any name; 0 = not loaded
    UnitStatus status(UnitId unit) const;
    std::vector<UnitId> units() const;        ///< all loaded, by name
    std::vector<JobStatus> jobs() const;
    enum class SystemState : std::uint8_t { Initializing, Starting, Running, Degraded, Maintenance, Stopping };
    SystemState system_state() const;
    /// Units this one names, or that name it, through one dependency kind, resolved and merged (list-dependencies, show).
    std::vector<UnitId> dependencies(UnitId unit, unit::DependencyKind kind, bool reverse) const;

    /// Checkpoint: bytes of one unit's runtime state (and of the jobs), versioned, append-only; restore() takes them up
    /// again after sync(). What does not parse is reported, not fatal.
    std::vector<UnitId> take_dirty();           ///< units changed since the last call
    std::string save(UnitId unit) const;
    std::string save_globals() const;           ///< counters, boot target, shutdown state, jobs
    base::Result<void> restore(std::string_view unit_bytes, base::Moment now);
    base::Result<void> restore_globals(std::string_view bytes, base::Moment now);
    /// Told once after all records, before the first event: whether a guard exists. Those that a record speaks of and that do not are made
    /// then: the fault came between the record and the deed.
    void resume_guards(const std::function<bool(GuardId)>& exists);
    /// Where a record is lost, what runs: whether the unit's machine knows of the guard, and how it is told.
    bool knows_guard(UnitId unit, GuardId guard) const;
    void take_up(UnitId unit, const supervise::FoundCommand& found, base::Moment now);
    /// Where the globals are lost, and something runs: the boot is over. Services of the boot target that run once and remain are taken
    /// to have run. Returns what else belongs to the target and is not up: what may be started (one-time services may not).
    std::vector<UnitId> assume_booted(UnitId boot_target, base::Moment now);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace monoinit::engine
