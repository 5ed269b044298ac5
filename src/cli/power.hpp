#pragma once
// What `shutdown` makes of its command line. Tested by tests/unit/cli/tools_test.cpp.

#include "base/calendar.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

#include <optional>
#include <string_view>

namespace monoinit::cli {

/// "now", "+5" and "5" (minutes), "23:10" (the next in `zone`), as microseconds since 1970; nothing: at once.
base::Result<std::optional<base::Duration>> parse_shutdown_time(std::string_view text, base::Duration now, const base::TimeZone& zone);

} // namespace monoinit::cli
