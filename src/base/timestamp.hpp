#pragma once
// Moments as people write and read them: systemd.time(7) "PARSING TIMESTAMPS". Tested by tests/unit/base/timestamp_test.cpp.

#include "base/enum_names.hpp"
#include "base/time.hpp"
#include "base/time_zone.hpp"

#include <string>
#include <string_view>

namespace monoinit::base {

/// "2026-11-26 07:22", "Fri 2012-11-23 11:12:13.5 UTC", "11:12", "yesterday", "+3h30min", "5min ago", "@1395716396" …
/// as microseconds since 1970.
Result<Duration> parse_timestamp(std::string_view text, Duration now, TimeZones& zones);

/// How systemctl --timestamp= has moments written: "Thu 2026-11-26 07:22:25 CET"; "@1795677745"; with microseconds; in UTC; both.
enum class TimestampStyle : std::uint8_t { Pretty, Unix, Us, Utc, UsUtc };
inline constexpr auto timestamp_styles = enum_names<TimestampStyle>({{TimestampStyle::Pretty, "pretty"}, {TimestampStyle::Unix, "unix"},
                                                                     {TimestampStyle::Us, "us"}, {TimestampStyle::Us, "µs"}, {TimestampStyle::Us, "μs"},
                                                                     {TimestampStyle::Utc, "utc"}, {TimestampStyle::UsUtc, "us+utc"},
                                                                     {TimestampStyle::UsUtc, "µs+utc"}, {TimestampStyle::UsUtc, "μs+utc"}});
std::string format_timestamp(Duration wall, const TimeZone& zone, TimestampStyle style = TimestampStyle::Pretty);

} // namespace monoinit::base
