#pragma once
// [Timer], systemd.timer(5), as plain data; see config.hpp. Tested by tests/unit/unit/timer_test.cpp.

#include "base/time.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace monoinit::base {
class Calendar;
}

namespace monoinit::unit {

/// What a time span of a timer counts from.
enum class TimerBase : std::uint8_t { Active, Boot, Startup, UnitActive, UnitInactive };
inline constexpr std::size_t timer_bases = 5;

struct TimerSection {
    std::vector<std::shared_ptr<const base::Calendar>> calendars; ///< OnCalendar=
    std::array<std::vector<base::Duration>, timer_bases> spans;   ///< On…Sec=, by TimerBase
    base::Duration accuracy = std::chrono::minutes(1);
    base::Duration randomized_delay{}, randomized_offset{};
    bool fixed_random_delay = false;
    bool on_clock_change = false, on_timezone_change = false;
    bool persistent = false;
    bool wake_system = false;
    bool remain_after_elapse = true;
    bool defer_reactivation = false;
    std::string unit; ///< what it starts; empty: the service of its own name
    bool empty() const; ///< nothing makes it elapse
};

} // namespace monoinit::unit
