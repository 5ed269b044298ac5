// Moments as text, as strftime(3) has them.
#include "base/time_text.hpp"

#include <catch2/catch.hpp>
#include <ctime>

using namespace monoinit::base;

TEST_CASE("each conversion is strftime's, at moments of many years and both seasons") {
    const char* const forms[] = {"%a %Y-%m-%d %H:%M:%S %Z", "%b %d %e %z", "%Y-%m-%dT%H:%M:%S%z", "100%% %q"};
    const TimeZone zone = *TimeZone::from_rule("CET-1CEST,M3.5.0,M10.5.0/3");
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    for (std::int64_t seconds = 63'072'000; /* glibc knows no rules before 1971 */ seconds < 8'000'000'000; seconds += 9'876'543)
        for (const char* form : forms) {
            const auto time = static_cast<std::time_t>(seconds);
            std::tm parts{};
            localtime_r(&time, &parts);
            char text[128];
            const std::string expected(text, std::strftime(text, sizeof text, form, &parts));
            CAPTURE(seconds, form);
            REQUIRE(time_text(zone, Duration(seconds * 1'000'000), form) == expected);
        }
    unsetenv("TZ");
    tzset();
    CHECK(time_text(TimeZone(), Duration(-1), "%H:%M:%S %Z%z") == "23:59:59 UTC+0000");
}
