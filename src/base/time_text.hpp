#pragma once
// Moments as text: the few conversions of strftime(3) that we print. (glibc's would bring its scanf and all floating point
// readers into a static binary: 90 kB.) Tested by tests/unit/base/time_text_test.cpp.

#include "base/time.hpp"
#include "base/time_zone.hpp"

#include <string>
#include <string_view>

namespace monoinit::base {

/// `wall`: since 1970 UTC. Knows %Y %m %d %e %H %M %S %a %b %Z %z and %%; everything else stands for itself.
std::string time_text(const TimeZone& zone, Duration wall, std::string_view form);

} // namespace monoinit::base
