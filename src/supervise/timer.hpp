#pragma once
// The state machine of one timer, systemd.timer(5): when it elapses next, and what it does then. Pure: it is told the time
// on both clocks, how the unit it starts is, and which zone holds; the engine starts the unit.
//
//   dead -> waiting -> running -> waiting …      running: the unit it started is not down again yet
//   waiting -> elapsed                           nothing is left to wait for
//   waiting -> failed                            the unit could not be asked to start
//
// It wakes exactly when due, which every AccuracySec= allows. Tested by tests/unit/supervise/timer_test.cpp.

#include "base/calendar.hpp"
#include "supervise/types.hpp"

namespace monoinit::supervise {

enum class TimerState : std::uint8_t { Dead, Waiting, Running, Elapsed, Failed };
std::string_view name(TimerState state);
ActiveState active_state(TimerState state);

/// What a timer must know besides the clock.
struct TimerContext {
    Moment started;                        ///< when this container's monoinit was started
    const base::TimeZone* zone = nullptr;  ///< the local one; null = UTC
    std::uint64_t random = 0, machine = 0; ///< seeds: of this container start, and of the place
    // The unit it starts:
    ActiveState trigger = ActiveState::Inactive;
    Moment trigger_up, trigger_down; ///< when it was last started, and when it was last down
};

class Timer {
  public:
    explicit Timer(std::shared_ptr<const unit::UnitConfig> config) : config_(std::move(config)) {}

    void replace_config(std::shared_ptr<const unit::UnitConfig> config) { config_ = std::move(config); }
    /// `stamp`: when it last elapsed in an earlier life (Persistent=), 0 = unknown.
    /// False: its start limit is hit, and it has failed.
    bool start(base::Duration stamp, Moment now, const TimerContext& context);
    void stop();
    /// The unit it starts has changed, or what was to start it is over.
    void trigger_changed(Moment now, const TimerContext& context);
    /// The clock was set, or the zone is another. True: the unit is to be started for just that.
    bool clock_changed(Moment now, const TimerContext& context);
    bool zone_changed(Moment now, const TimerContext& context);
    /// New settings, or a restore: what comes next is worked out anew.
    void recompute(Moment now, const TimerContext& context);
    /// True when it is due: the engine then starts the unit, and says elapsed() or fail().
    bool due(Moment now) const;
    void elapsed(Moment now);
    void fail();
    void reset_failed();

    /// When to look again; `never` unless it waits.
    Instant deadline(Moment now) const;
    /// Nothing is left that could make it elapse, not even a start of its unit by others.
    bool never_elapses() const;
    /// The next moment on both clocks, for people; unset when there is none.
    Moment next(Moment now) const;

    struct Data {
        TimerState state = TimerState::Dead;
        Moment last_trigger;                 ///< mono may be unset: then it is of an earlier life
        base::Duration next_wall{};          ///< of OnCalendar=, 0 = none
        Instant next_mono = base::never;     ///< of the spans
        Moment started;                      ///< when the timer was
        std::uint32_t draws = 0;             ///< random delays so far
        std::vector<Instant> recent_starts;  ///< within StartLimitIntervalSec=

        bool operator==(const Data&) const = default;
    };
    const Data& data() const { return data_; }
    void restore(Data data) { data_ = std::move(data); }

  private:
    void begin_anew();
    void enter(TimerState state) { data_.state = state; }
    void enter_waiting(Moment now, const TimerContext& context);
    std::optional<base::Duration> next_calendar(Moment now, const TimerContext& context) const;
    Instant next_span(Moment now, const TimerContext& context, bool& depends_on_unit) const;
    base::Duration random_delay(const TimerContext& context);

    const unit::TimerSection& section() const { return *config_->timer; }

    std::shared_ptr<const unit::UnitConfig> config_;
    Data data_;
};

} // namespace monoinit::supervise
