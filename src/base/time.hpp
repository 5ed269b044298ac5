#pragma once
// Time as data. The pure modules are told the time; only runtime/ and sys/ read clocks.
// Time spans follow systemd.time(7). Tested by tests/unit/base/time_test.cpp.

#include "base/result.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace monoinit::base {

/// Spans are microseconds, as everywhere in systemd.
using Duration = std::chrono::microseconds;
inline constexpr Duration infinity = Duration::max();

/// A point on CLOCK_BOOTTIME (it counts during suspend; a container may be frozen).
struct Instant {
    Duration since_boot{};

    auto operator<=>(const Instant&) const = default;
    Instant operator+(Duration span) const {
        return span == infinity || since_boot == infinity ? Instant{infinity} : Instant{since_boot + span};
    }
    Duration operator-(Instant earlier) const { return since_boot - earlier.since_boot; }
};
inline constexpr Instant never{infinity};

/// One moment on both clocks (systemd's dual_timestamp). `wall` is µs since 1970 UTC; 0 = not set.
struct Moment {
    Instant mono;
    Duration wall{};

    bool operator==(const Moment&) const = default;
    explicit operator bool() const { return wall.count() != 0; }
};

/// Parses "5min 20s", "1.5h", "infinity", "90" (unit `plain` when no unit is given), as systemd.time(7).
Result<Duration> parse_time_span(std::string_view text, Duration plain = std::chrono::seconds(1));

/// "1min 30s", "100ms", "infinity", "0" as systemd's format_timespan() prints them, rounded to `accuracy`.
std::string format_time_span(Duration span, Duration accuracy = Duration(1));

/// "0.36": `value` / `unit`, rounded to so many digits behind the point (unit >= 10^digits). Ours, since a printer of floating
/// point numbers is 40 kB of every image.
std::string decimal(std::uint64_t value, std::uint64_t unit, unsigned digits);

/// Short form for people: "3 min", "14 s", "31 ms", "0.36 s" (EXPERIENCE: the screen).
std::string human_time_span(Duration span);

} // namespace monoinit::base
