#pragma once
// The world around one engine, played at random but by the rules: guards answer in the order things happened to them,
// signals end processes that do not ignore them, answers come late or after a crash never. After every event the
// engine is looked at; what must always hold is in invariants.cpp, what must hold once nothing moves any more in rest.cpp.

#include "coverage.hpp"
#include "engine/engine.hpp"
#include "random_units.hpp"

#include <map>
#include <set>
#include <stdexcept>

namespace monoinit::sim {

using base::GuardId;
using base::Instant;
using base::JobId;
using base::UnitId;
using engine::Effect;
using engine::Event;
using supervise::ActiveState;

struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class World {
  public:
    World(std::uint64_t seed, Coverage& coverage, std::size_t lines_kept = 80);
    /// Plays until the shutdown is over. Throws Violation.
    void play();
    std::uint64_t events() const { return events_; }

  private:
    struct Guard {
        UnitId unit;
        int pid = 0;
        bool command = false;    ///< the command runs
        unit::ExecList list = unit::ExecList::Start;
        unsigned others = 0;     ///< other processes below it
        bool stubborn = false;   ///< ignores everything but SIGKILL
    };
    /// What this world does besides; each gives up a rule that holds in the others.
    struct Manners {
        bool reloads = false;    ///< daemon-reload: the order changes under jobs
        bool odd_modes = false;  ///< ignore-dependencies, ignore-requirements
        bool cancels = false;    ///< jobs are cancelled by hand
    };
    struct Seen {
        engine::UnitStatus status;
        supervise::ServiceState state = supervise::ServiceState::Dead;
        Instant start_began{};
    };
    struct Pending { GuardId guard; Event event; }; ///< guard 0: in no order with others

    // world.cpp: what happens
    void step();
    void make_request();
    void touch_paths();
    void happen_to_guard();
    void send_notify();
    void connect();
    void make_quiet();
    bool tell_what_is_awaited();
    void shut_down();
    void set_clock();
    void mount_by_hand();
    void reload();
    void crash();
    void pass_time();
    void to_next_deadline();
    void deliver_one();
    void feed(const Event& event);
    void save_dirty();
    UnitId random_unit();

    // effects.cpp: what the engine wants done
    void perform(const Effect& effect);
    void perform(UnitId unit, const supervise::Action& action);
    void said(const engine::Log& log);
    void replied(const engine::RequestReply& reply);
    void job_finished(const engine::JobFinished& finished);
    bool perform_for_socket(UnitId unit, const supervise::Action& action);
    void spawn(UnitId unit, const supervise::Spawn& spawn);
    supervise::PathsSeen paths_of(UnitId unit);
    void signal(const supervise::Signal& signal);
    void end_command(GuardId id, Guard& guard, base::ExitInfo how);
    void end_others(GuardId id, Guard& guard);
    void lose_guard(GuardId id);

    // invariants.cpp: what must hold after every event
    void look();
    void check();
    void check_jobs();
    void check_ends(const std::map<JobId, engine::JobStatus>& before);
    void check_guards();
    void check_order(const std::map<JobId, engine::JobStatus>& before);
    void check_start_limit(UnitId unit, Instant began);
    void check_timers();
    void check_sockets();
    void check_paths();
    void check_stopped(UnitId unit);

    // rest.cpp: what must hold when nothing moves, and at the end
    bool at_rest() const;
    void check_rest() const;
    void check_listening(const Seen& seen) const;
    void check_pair(const Seen& unit, unit::DependencyKind kind, const Seen& other) const;
    bool needed(const Seen& unit) const;
    bool let_alone(UnitId unit) const;
    void check_old_jobs(JobId last) const;
    void check_end();
    /// All there is to know of a unit: for people, and the machine's own data.
    struct Picture {
        std::string text;
        std::optional<supervise::Service::Data> data;
    };
    void check_restored(const std::map<std::string, Picture>& before) const;
    std::map<std::string, Picture> snapshot() const;

    std::string name_of(UnitId unit) const;
    [[noreturn]] void fail(const std::string& what) const;

    Random random_;
    std::uint64_t seed_;
    std::size_t lines_kept_; ///< of what happened, for the report
    Coverage& coverage_;
    Manners manners_;
    std::vector<Config> configs_;
    engine::EngineOptions options_;
    std::unique_ptr<engine::Engine> engine_;
    base::Moment now_;
    std::uint64_t events_ = 0;

    std::map<GuardId, Guard> guards_;
    std::vector<Pending> pending_;
    std::set<UnitId> open_, watched_; ///< sockets that the shell holds, and looks at
    base::StringSet mounted_; ///< by the units' names
    int last_pid_ = 1;
    std::uint32_t last_guard_ = 0;

    std::map<UnitId, std::string> saved_;
    std::string saved_globals_;
    std::uint64_t last_request_ = 0, asked_ = 0; ///< asked_: the request in hand, 0 once it has its reply
    unit::JobMode asked_mode_ = unit::JobMode::Replace;
    std::set<std::uint64_t> open_requests_;
    std::map<UnitId, Seen> units_;            ///< as of the last event
    std::map<UnitId, ActiveState> states_;    ///< as UnitChanged told
    std::map<UnitId, std::set<ActiveState>> passed_; ///< states told in this event
    std::map<JobId, engine::JobStatus> jobs_; ///< as of the last event
    std::set<JobId> ended_;                   ///< in this event
    std::map<UnitId, std::vector<Instant>> starts_; ///< since the counters were last cleared
    std::set<UnitId> cleared_;                ///< in this event
    std::map<UnitId, Instant> tried_; ///< last end of a start job
    std::map<UnitId, Instant> limited_; ///< last time the engine had started or stopped it too often
    std::set<UnitId> path_watches_, sources_; ///< whose paths, whose sources are watched
    std::set<UnitId> refused_;        ///< a job of the engine's own could not be: its requirements contradict each other
    std::set<UnitId> extended_;               ///< sent EXTEND_TIMEOUT_USEC=: its timeouts are its own affair
    bool stopping_ = false, left_ = false, all_stopped_ = false, well_behaved_ = false;
    bool order_known_ = true; ///< no job under way ignores the order
    Instant stopping_since_{}, leave_by_ = base::never;
    std::vector<std::string> recent_; ///< for the report
};

} // namespace monoinit::sim
