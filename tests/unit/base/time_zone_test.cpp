// The moments were compared with glibc's localtime() and mktime() through tests/data/calendar.tsv; here what that does not reach.
#include "base/time_zone.hpp"

#include "../memory_files.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

using namespace monoinit;
using namespace monoinit::base;

namespace {

std::string file(const std::string& name) {
    std::ifstream in(MONOINIT_SOURCE_DIR "/tests/data/zoneinfo/" + name, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

} // namespace

TEST_CASE("a POSIX rule and the file of the zone agree") {
    const auto from_file = TimeZone::from_tzif(file("Europe/Berlin"));
    const auto from_rule = TimeZone::from_rule("CET-1CEST,M3.5.0,M10.5.0/3");
    REQUIRE(from_file);
    REQUIRE(from_rule);
    for (std::int64_t at = 946'684'800; at < 7'258'118'400; at += 86'400 * 3 + 1801) {
        CHECK(from_file->at(at).offset == from_rule->at(at).offset);
        CHECK(from_file->at(at).abbreviation == from_rule->at(at).abbreviation);
    }
    CHECK(from_rule->name(true) == "CEST");
}

TEST_CASE("local time and back") {
    const auto zone = TimeZone::from_tzif(file("America/New_York"));
    REQUIRE(zone);
    for (std::int64_t at = 0; at < 7'000'000'000; at += 86'399) {
        Civil civil = zone->local(at);
        std::int32_t offset = 0;
        std::int64_t seconds = 0;
        REQUIRE(zone->resolve(civil, offset, seconds));
        CHECK(seconds == at);
    }
}

TEST_CASE("the next change is where the offset turns, in the file's list and in the rule behind it") {
    for (const char* name : {"America/New_York", "Australia/Lord_Howe", "Europe/Dublin"}) {
        const auto zone = TimeZone::from_tzif(file(name));
        REQUIRE(zone);
        for (std::int64_t at = 1'700'000'000; at < 3'000'000'000;) {
            const auto change = zone->next_change(at);
            REQUIRE(change);
            REQUIRE(*change > at);
            CHECK(zone->at(at).offset == zone->at(*change - 1).offset);
            if (*change != 2'147'483'647) // zic ends a list for readers of 32 bits there, though nothing turns
                CHECK(zone->at(*change - 1).offset != zone->at(*change).offset);
            at = *change;
        }
    }
    CHECK_FALSE(TimeZone().next_change(0));
}

TEST_CASE("damaged zone files and rules are refused") {
    const std::string whole = file("Europe/Berlin");
    for (std::size_t size = 0; size + 30 < whole.size(); size += 7)
        CHECK_FALSE(TimeZone::from_tzif(whole.substr(0, size)));
    for (std::size_t at = 0; at < whole.size(); at++) { // whatever it says, nothing is read that is not there
        std::string bent = whole;
        bent[at] = static_cast<char>(bent[at] ^ 0x55);
        if (const auto zone = TimeZone::from_tzif(bent)) {
            (void)zone->at(1'800'000'000);
            (void)zone->at(-99'000'000'000);
            (void)zone->at(99'000'000'000);
        }
    }
    for (const char* rule : {"", "A", "CET", "CET-", "CET-1CEST,", "CET-1CEST,M13.1.0,M1.1.1", "CET-1CEST,M3.5.0", "CET-1x", "CET-1CEST,M3.5.0,M10.5.0/3x"})
        CHECK_FALSE(TimeZone::from_rule(rule));
}

TEST_CASE("the local zone: TZ, then /etc/localtime, then UTC") {
    MemoryFiles files;
    files.file("/usr/share/zoneinfo/Asia/Tokyo", file("Asia/Tokyo")).file("/etc/localtime", file("Europe/Berlin"));
    CHECK(TimeZones(&files, "Asia/Tokyo").local()->name(false) == "JST");
    CHECK(TimeZones(&files, ":Asia/Tokyo").local()->name(false) == "JST");
    CHECK(TimeZones(&files, "").local()->name(false) == "CET");
    CHECK(TimeZones(&files, "<+03>-3").local()->at(0).offset == 10'800);
    CHECK(TimeZones(&files, "No/Where").local()->name(false) == "UTC");
    CHECK(TimeZones(nullptr, "").local()->name(false) == "UTC");
    TimeZones zones(&files, "");
    CHECK_FALSE(zones.find("../../../etc/localtime"));
    CHECK_FALSE(zones.reread_local());
    files.file("/etc/localtime", file("Asia/Tokyo"));
    CHECK(zones.reread_local());
    CHECK(zones.local()->name(false) == "JST");
}
