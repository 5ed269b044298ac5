#pragma once
// The health of one unit: a state machine for each of its checks ([X-Health] and kin). Pure: time comes in, actions go out.
// A check has a verdict (starting -> healthy <-> unhealthy) and a phase (what it is doing); enter() and judge() are the only
// writers of the two. A check runs its steps one after the other, each under a guard of its own; whatever the outcome, the
// guard's tree is ended before the next step or run begins, so that checks never pile up.
//
// Tested by tests/unit/supervise/health_test.cpp (stories) and health_walk_test.cpp (every event sequence).

#include "supervise/types.hpp"

#include <array>
#include <functional>

namespace monoinit::supervise {

enum class Health : std::uint8_t { None, Starting, Healthy, Unhealthy };
std::string_view name(Health health); ///< "", "starting", "healthy", "unhealthy"

/// What may be asked of a unit: Kubernetes' three probes.
enum class HealthQuestion : std::uint8_t { Startup, Ready, Live };

enum class CheckPhase : std::uint8_t {
    Off,     ///< the unit is down, or has no such check
    Blocked, ///< until the startup check has succeeded
    Waiting, ///< until it is due
    Running, ///< a step runs
    Ending,  ///< the step's outcome is known; what is left below its guard is being killed
    Over,    ///< a startup check that has succeeded
};
bool is_legal(CheckPhase from, CheckPhase to);

// ---- actions ----------------------------------------------------------------------------------------------------------

/// Run one step of a check under this guard. The answers are CheckResult and CheckGone.
struct RunCheck {
    GuardId guard;
    unit::HealthKind kind = unit::HealthKind::Both;
    std::uint32_t step = 0;
    base::Duration timeout{}; ///< what is left of Timeout=
    int main_pid = 0;         ///< MAINPID=, filled in by the engine
};
/// SIGKILL to the guard's whole tree. Harmless when it is gone.
struct EndCheck { GuardId guard; };
struct HealthChange { Health before = Health::None, after = Health::None; };
/// What OnUnhealthy= says is to be done; never None.
struct Consequence { unit::OnUnhealthy what = unit::OnUnhealthy::Restart; std::string reason; };

using HealthAction = std::variant<RunCheck, EndCheck, HealthChange, Consequence, Say>;

// ---- inputs -----------------------------------------------------------------------------------------------------------

/// A step ended. `text`: what is wrong, for people ("HTTP 500 from http://…"); `output`: its last 4 kB.
struct CheckResult { GuardId guard; bool ok = false; std::string text, output; };
/// Nothing is left below the guard.
struct CheckGone { GuardId guard; };

class HealthMonitor {
  public:
    HealthMonitor(std::shared_ptr<const unit::UnitConfig> config, std::function<GuardId()> next_guard);

    void unit_up(Moment now, std::vector<HealthAction>& out);
    void unit_down(std::vector<HealthAction>& out);
    /// daemon-reload: checks that are gone end, new ones begin.
    void replace_config(std::shared_ptr<const unit::UnitConfig> config, bool up, Moment now, std::vector<HealthAction>& out);
    void on(const CheckResult& event, Moment now, std::vector<HealthAction>& out);
    void on(const CheckGone& event, Moment now, std::vector<HealthAction>& out);
    void on_deadline(Moment now, std::vector<HealthAction>& out); ///< when deadline() has passed; harmless otherwise
    Instant deadline() const;

    /// The worst of all checks; None when the unit has none.
    Health overall() const;
    Health answer(HealthQuestion question) const;

    /// Plain copyable data: what status shows and the checkpoint keeps.
    struct Check {
        CheckPhase phase = CheckPhase::Off;
        Health verdict = Health::Starting;
        GuardId guard;
        std::uint32_t step = 0;
        std::uint32_t streak = 0;            ///< failures in a row that count
        Instant due = base::never;           ///< Waiting: the next run; Running: Timeout=; Ending: patience with its processes
        Instant run_ends = base::never;      ///< Timeout= of the run that began last
        Moment began;                        ///< StartPeriod= counts from here
        Moment last_run;                     ///< when the last outcome came
        bool last_ok = false;
        std::string last_text, last_output;
    };
    using Data = std::array<Check, unit::health_kinds>;
    const Data& data() const { return data_; }
    /// After a re-exec. Runs that were under way are gone with their channels: they are made again at once.
    void restore(Data data, Moment now);

  private:
    struct Step {
        Moment now;
        std::vector<HealthAction>& out;
    };
    void enter(Check& check, CheckPhase next, Instant due);
    void judge(Check& check, Health verdict);
    void begin(std::size_t kind, Step& step);
    void begin_all(Step& step);
    void run(std::size_t kind, std::uint32_t number, Step& step);
    void settle(std::size_t kind, Step& step);
    void succeeded(std::size_t kind, Step& step);
    void failed(std::size_t kind, const std::string& text, Step& step);
    void report(Health before, Step& step) const;
    bool has(unit::HealthKind kind) const { return config_->health->check(kind).steps() != 0; }
    const unit::HealthCheck& settings(std::size_t kind) const { return config_->health->checks[kind]; }
    std::string step_words(std::size_t kind, std::uint32_t number) const;
    Check* owner(GuardId guard, std::size_t& kind);

    std::shared_ptr<const unit::UnitConfig> config_;
    std::function<GuardId()> next_guard_;
    Data data_;
};

} // namespace monoinit::supervise
