#pragma once
// The engine's inside. One event at a time: dispatch (dispatch.cpp), then settle() until nothing is left to do. What has
// to be done next stands in queues, in this order: failures to pass on, state changes, runnable jobs, units that
// StopWhenUnneeded= and kin must look at. So nothing is nested, and a job whose dependency has failed is gone before it
// could run. Private to engine/; each group of methods has a .cpp of its own.

#include "engine/job_table.hpp"
#include "engine/stop_order.hpp"
#include "graph/transaction.hpp"

#include <set>
#include <unordered_set>

namespace monoinit::engine {

class Writer;
class Reader;

struct Engine::Impl final : graph::World {
    explicit Impl(EngineOptions options) : options_(options) {}

    // graph::World
    const graph::Graph& graph() const override { return graph_; }
    graph::UnitFacts facts(UnitId id) const override;
    std::vector<UnitId> occupied() const override;

    // dispatch.cpp: events in, effects out
    std::vector<Effect> handle(const Event& event, Moment now);
    void on(const JobRequest& event);
    void on(const CancelJob& event);
    void on(const ResetFailed& event);
    void on(const KillUnit& event);
    void on(const ConditionsChecked& event);
    void on(const GuardEvent& event);
    void on(const PidFileEvent& event);
    void on(const BusNameEvent& event);
    void on(const NotifyEvent& event);
    void on(const MountsRead& event);
    void on(const DeviceSeen& event);
    void on(const ScopeAdopted& event);
    void on(const ScopeEmptied& event);
    void on(const HealthEvent& event);
    void on(const StampRead& event);
    void on(const SocketsOpened& event);
    void on(const SocketReady& event);
    void on(const ConnectionAccepted& event);
    void on(const PathsLookedAt& event);
    void on(const PathsChanged& event);
    void on(const SourcesChanged& event);
    void on(const ClockChanged& event);
    void on(const ZoneChanged& event);
    void on(const Tick& event);
    void on(const Shutdown& event);
    void on(const ShutdownNow& event);
    void settle();
    void release_idle();
    void rearm();
    Instant next_deadline() const;

    // sync.cpp: what is loaded
    void sync(const std::vector<ConfigPtr>& units, bool complete, Moment now);
    bool timers_stale_ = false; ///< configurations are new: with the next event timers look when they elapse
    bool mounts_stale_ = false; ///< and mounts whether they are there
    void drop_unlisted(const std::unordered_set<UnitId>& seen);
    void fresh_graph();           ///< rebuilds it if units changed
    void forget_if_gone(Unit& unit);
    void forget_unknown(UnitId id);
    void unlist(UnitId id);

    // requests.cpp: from a request to installed jobs
    struct Outcome {
        graph::RefusalReason refusal = graph::RefusalReason::None;
        std::string text;
        JobId job;
        std::vector<QueuedJob> transaction{};
    };
    Outcome request(const JobRequest& event);
    Outcome carry_out(const graph::PlanRequest& request, const JobRequest* by);
    Outcome refused_by_hand(const Unit& unit, graph::JobType type) const;
    void install(const graph::PlannedJob& planned);
    void note_dropped(const graph::Dropped& dropped);
    /// A job of the engine's own: refusals go to the log.
    void enqueue(graph::JobType type, UnitId unit, unit::JobMode mode, std::string_view why);
    void restart_due(Unit& unit);

    // run.cpp: jobs act on units
    void run_job(Unit& unit);
    void run_start(Unit& unit);
    void run_stop(Unit& unit);
    void run_reload(Unit& unit);
    void run_verify(Unit& unit);
    bool ask_conditions(Unit& unit);
    bool bound_units_up(Unit& unit);
    void start_service(Unit& unit);
    supervise::Service& service(Unit& unit);
    void apply(Unit& unit, std::vector<supervise::Action> actions);
    void change(Unit& unit, ActiveState after, bool reload_failed = false, bool will_restart = false);
    void emergency(unit::EmergencyAction action, std::optional<int> exit_status, bool failure, const std::string& reason);

    // finish.cpp: jobs end
    void finish(Unit& unit, graph::JobResult result, std::string reason = {}, bool recursive = true);
    void pass_on(UnitId unit, graph::Atom atom);
    void fail_dependents();
    void say_end(const Unit& unit, const Job& job, graph::JobResult result, const std::string& reason);
    void count_boot();
    static bool kept_down(graph::JobResult result);

    // changes.cpp: units change state
    struct Change {
        UnitId unit;
        ActiveState before, after;
        bool reload_failed = false, will_restart = false;
    };
    void take_change(const Change& change);
    void stamp(Unit& unit, ActiveState before, ActiveState after);
    bool judge_job(Unit& unit, const Change& change); ///< true: no job asked for this change
    void retroactive(Unit& unit, const Change& change);
    void start_handlers(Unit& unit, const Change& change);
    void look_at_neighbours(Unit& unit);
    void look_at(UnitId unit);
    void steady(Unit& unit);
    bool within_rate(Unit& unit);

    // health.cpp: checks, what follows from them, and who waits for them
    supervise::HealthMonitor* health_of(Unit& unit); ///< null without a check
    void health_follows(Unit& unit, ActiveState before, ActiveState after);
    void refresh_health(Unit& unit); ///< after a new configuration or a restore
    void apply_health(Unit& unit, std::vector<supervise::HealthAction> actions);
    void health_tick(Unit& unit);
    void consequence(Unit& unit, const supervise::Consequence& due);
    bool waits_for_health(Unit& unit); ///< X-AfterHealthy=; true: the job waits, or has failed
    void wake_dependents(const Unit& unit);
    static supervise::Health health_state(const Unit& unit);
    void save_health(const Unit& unit, Writer& io) const;
    static std::optional<supervise::HealthMonitor::Data> read_health(Reader& io, std::string& failure);

    // timers.cpp: timer units, and the units they start
    void start_timer(Unit& unit);
    supervise::TimerContext timer_context(const Unit& unit) const;
    Unit* triggered_by(const Unit& timer) const;
    void follow_timer(Unit& unit);  ///< its machine may be in another state now
    bool may_elapse(const Unit& unit) const; ///< not when it is about to be stopped
    void timer_due(Unit& unit);
    void tell_timers(const Unit& unit); ///< those that start it
    void tell_all_timers(bool (supervise::Timer::*changed)(Moment, const supervise::TimerContext&));
    void refresh_timer(Unit& unit); ///< after a new configuration or a restore
    void save_timer(const Unit& unit, Writer& io) const;
    static std::optional<supervise::Timer::Data> read_timer(Reader& io);

    // sockets.cpp: socket units, and the services they start
    supervise::Socket& socket(Unit& unit);
    void start_socket(Unit& unit);
    void follow_socket(Unit& unit, std::vector<supervise::Action> actions);
    void trigger_service(Unit& unit, std::vector<supervise::Action> actions);
    bool has_room_for(Unit& unit, const std::string& peer);
    void tell_sockets(Unit& unit); ///< those that start it, or have accepted its connection
    void save_socket(const Unit& unit, Writer& io) const;
    static std::optional<supervise::Socket::Data> read_socket(Reader& io);

    // mounts.cpp: mount units follow the mount table; devices and automounts follow what is there
    supervise::Mount& mount(Unit& unit);
    void start_mount(Unit& unit);
    void follow_mount(Unit& unit, std::vector<supervise::Action> actions);
    void look_at_table(Unit& unit);
    bool is_mounted(const Unit& unit) const; ///< of a mount unit, or the mount unit of an automount
    bool may_not_stop(const Unit& unit, std::string& why) const;
    void save_mount(const Unit& unit, Writer& io) const;
    static std::optional<supervise::Mount::Data> read_mount(Reader& io);
    // paths.cpp: path units, and the units they start
    supervise::Path& path(Unit& unit);
    void start_path(Unit& unit);
    void follow_path(Unit& unit, std::vector<supervise::Action> actions);
    void path_holds(Unit& unit, const std::string& which, std::vector<supervise::Action> actions);
    void tell_paths(const Unit& unit); ///< those that start it
    void refresh_path(Unit& unit);     ///< after a new configuration
    void note_activation(Unit& unit, Activation by);
    void save_path(const Unit& unit, Writer& io) const;
    static std::optional<supervise::Path::Data> read_path(Reader& io);

    // sources.cpp: X-Watch=
    void refresh_sources(Unit& unit);
    void forget_sources(Unit& unit);

    // scopes.cpp: processes that others have started
    void follow_scope(Unit& unit, std::vector<supervise::Action> actions);
    void save_scope(const Unit& unit, Writer& io) const;
    static std::optional<supervise::Scope::Data> read_scope(Reader& io);

    // ending.cpp: the container ends because units have
    static bool stop_is_asked(const Unit& unit);
    void container_follows(const Unit& unit, const Change& change, bool asked);
    static int exit_code(const Unit& unit);
    static bool keeps_container(const Unit& unit);
    bool check_all_ended(); ///< true: so a shutdown has begun

    // shutdown.cpp
    void begin_shutdown(Shutdown::Kind kind, Duration budget, int exit_status, const std::string& reason);
    void share_out_budget();
    static void add_to(StopOrder& order, const Unit& unit);
    static bool has_to_stop(const Unit& unit);
    std::vector<PlannedStop> plan_shutdown(Duration budget);
    void install_stops();
    void kill_all();
    void check_shutdown();
    void note_down(Unit& unit); ///< for the summary
    std::string summary() const;

    // words.cpp: what people read
    std::string brief(const Unit& unit) const;   ///< "code-server"
    std::string failure_words(const Unit& unit) const; ///< "failed (exit 3)"
    std::string why(const Unit& unit) const;
    std::string not_started(const Unit& unit) const;   ///< "code-server not started: …"
    void log(supervise::Severity severity, UnitId unit, std::string text);
    void report_slow(Unit& unit);

    // checkpoint.cpp
    std::string save(const Unit& unit) const;
    std::string save_globals() const;
    base::Result<void> restore(std::string_view bytes);
    base::Result<void> restore_globals(std::string_view bytes);
    void resume(); ///< first event after a restore: jobs are made consistent with their units
    void resume_job(Unit& unit);

    // helpers
    Unit& touch(Unit& unit);
    Unit* with_service(UnitId id);
    Instant now() const { return now_.mono; }
    Instant deadline_of(const Unit& unit) const;
    bool will_restart(const Unit& unit) const;
    static bool supported(const Unit& unit);
    static std::string why_unsupported(const Unit& unit);
    GuardId next_guard() { return GuardId{++last_guard_}; }

    EngineOptions options_;
    UnitTable units_;
    graph::Graph graph_;
    JobTable jobs_{units_, graph_};
    bool graph_stale_ = true, restored_ = false;
    std::set<UnitId> restored_units_;
    std::vector<std::pair<UnitId, GuardId>> never_made_;
    void make_guards_again(); // found.cpp
    std::string restored_boot_target_;
    Moment now_;
    std::vector<Effect> effects_;

    struct Failure { UnitId unit; JobId job; Cause cause; };
    std::deque<Failure> failures_;
    std::deque<Change> changes_;
    std::deque<UnitId> steady_;
    std::set<std::pair<Instant, UnitId>> timers_;
    base::StringSet mounted_; ///< names of units, as of the last look
    base::StringSet given_;   ///< those that are there since before us
    std::set<UnitId> idle_; ///< Type=idle commands that wait for quiet
    std::vector<UnitId> touched_, dirty_;

    UnitId boot_target_;
    bool boot_asked_ = false, boot_over_ = false;
    bool maybe_all_ended_ = true; ///< something has changed since check_all_ended() looked
    std::uint32_t boot_jobs_ = 0;
    std::size_t failed_ = 0; ///< units in failed state
    std::uint32_t last_guard_ = 0;
    std::uint64_t last_invocation_ = 0;

    struct Stopping {
        bool on = false, killed = false, over = false;
        Shutdown::Kind kind = Shutdown::Kind::Signal;
        Instant began{}, kill_at = base::never, leave_at = base::never;
        Duration budget = base::infinity;
        int exit_status = 0;
        std::set<UnitId> up;          ///< what has to go down yet
        UnitId slowest;
        Duration slowest_took{};
        std::vector<UnitId> killed_units;
    } stopping_;
};

} // namespace monoinit::engine
