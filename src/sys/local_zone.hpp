#pragma once
// The time zone of this process, as localtime(3) finds it: TZ, then /etc/localtime, then UTC. Read once, and again when TZ
// has changed. Tested by tests/unit/log/format_test.cpp.

#include "base/time_zone.hpp"

namespace monoinit::sys {

/// Not to be kept. One thread only.
const base::TimeZone& local_zone();

} // namespace monoinit::sys
