// Tested by tests/unit/log/format_test.cpp.
#include "sys/local_zone.hpp"

#include "sys/real_files.hpp"

#include <cstdlib>
#include <optional>

namespace monoinit::sys {

const base::TimeZone& local_zone() {
    static std::optional<std::string> named; ///< TZ as it was when the zone was read
    static base::TimeZonePtr zone;
    const char* const tz = ::getenv("TZ");
    const std::optional<std::string> now = tz == nullptr ? std::nullopt : std::optional<std::string>(tz);
    if (zone == nullptr || now != named) {
        const RealFiles files;
        named = now;
        zone = base::TimeZones(&files, !now ? "" : now->empty() ? "UTC0" : *now).local();
    }
    return *zone;
}

} // namespace monoinit::sys
