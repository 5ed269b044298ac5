#pragma once
// Moments as people write and read them: systemd.time(7) "PARSING TIMESTAMPS". Tested by tests/unit/base/timestamp_test.cpp.

#include "base/time.hpp"
#include "base/time_zone.hpp"

#include <string>
#include <string_view>

namespace monoinit::base {

/// "2026-11-26 07:22", "Fri 2012-11-23 11:12:13.5 UTC", "11:12", "yesterday", "+3h30min", "5min ago", "@1395716396" …
/// as microseconds since 1970.
Result<Duration> parse_timestamp(std::string_view text, Duration now, TimeZones& zones);

/// "Thu 2026-11-26 07:22:25 UTC".
std::string format_timestamp(Duration wall, const TimeZone& zone);

} // namespace monoinit::base
