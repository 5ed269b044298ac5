#pragma once
// The world around one engine, played at random but by the rules: guards answer in the order things happened to them,
// signals end processes that do not ignore them, answers come late or after a crash never. After every event the
// engine is looked at; what must always hold is in invariants.cpp.

#include "engine/engine.hpp"
#include "random_units.hpp"

#include <map>
#include <set>
#include <stdexcept>

namespace monoinit::sim {

using base::GuardId;
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
    explicit World(std::uint64_t seed);
    /// Plays until the shutdown is over. Throws Violation.
    void play();
    std::uint64_t events() const { return events_; }

  private:
    struct Guard {
        UnitId unit;
        int pid = 0;          ///< 0: not forked yet
        bool command = false; ///< the command runs
        unsigned others = 0;  ///< other processes below it
        bool stubborn = false;///< ignores everything but SIGKILL
        bool reported = false, main = false;
    };

    // world.cpp: what happens
    void step();
    void make_request();
    void happen_to_guard();
    void send_notify();
    void make_quiet();
    void shut_down();
    void reload();
    void crash();
    void pass_time();
    void deliver_one();
    void feed(const Event& event);
    void perform(const Effect& effect);
    void perform(UnitId unit, const supervise::Action& action);
    void spawn(UnitId unit, const supervise::Spawn& spawn);
    void signal(const supervise::Signal& signal);
    void end_command(GuardId id, Guard& guard, base::ExitInfo how);
    void end_others(GuardId id, Guard& guard);
    void lose_guard(GuardId id);
    void save_dirty();
    UnitId random_unit();

    // invariants.cpp: what must hold
    void check();
    void check_jobs();
    void check_guards();
    void check_order(const std::map<JobId, engine::JobStatus>& now);
    void check_quiet(JobId last) const;
    std::map<std::string, std::string> snapshot() const;
    [[noreturn]] void fail(const std::string& what) const;

    Random random_;
    std::uint64_t seed_;
    std::vector<Config> configs_;
    engine::EngineOptions options_;
    std::unique_ptr<engine::Engine> engine_;
    base::Moment now_;
    std::uint64_t events_ = 0;
    std::uint64_t stop_event_ = ~0ULL; ///< in which a unit's FailureAction= began the shutdown

    std::map<GuardId, Guard> guards_;
    struct Pending { GuardId guard; Event event; }; ///< guard 0: in no order with others
    std::vector<Pending> pending_;
    int last_pid_ = 1;
    std::uint32_t last_guard_ = 0;

    std::map<UnitId, std::string> saved_;
    std::string saved_globals_;
    std::set<std::uint64_t> open_requests_;
    std::uint64_t last_request_ = 0;
    std::map<UnitId, ActiveState> states_; ///< as UnitChanged told
    std::map<JobId, engine::JobStatus> jobs_; ///< before the event
    bool order_ignored_ = false;           ///< a job that ignores ordering was asked for
    bool stopping_ = false, left_ = false, all_stopped_ = false, well_behaved_ = false;
    std::map<UnitId, std::vector<base::Instant>> starts_; ///< since a person last cleared the counters
    std::vector<std::string> recent_;      ///< for the report
};

} // namespace monoinit::sim
