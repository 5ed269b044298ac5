// tests/data/calendar.tsv was recorded from systemd-analyze 252 (tests/system/calendar_expressions.py --record).
#include "base/calendar.hpp"

#include "../memory_files.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

using namespace monoinit;
using namespace monoinit::base;

namespace {

/// The zones of tests/data/zoneinfo, where they are in a real tree.
const MemoryFiles& zone_files() {
    static const MemoryFiles files = [] {
        MemoryFiles all;
        for (const char* name : {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Europe/Dublin", "Asia/Tokyo", "America/Sao_Paulo",
                                 "Africa/Casablanca", "Pacific/Apia", "Asia/Tehran", "Europe/London", "CET", "GMT", "EST"}) {
            std::ifstream file(std::string(MONOINIT_SOURCE_DIR "/tests/data/zoneinfo/") + name, std::ios::binary);
            std::stringstream text;
            text << file.rdbuf();
            all.file(std::string("/usr/share/zoneinfo/") + name, text.str());
        }
        return all;
    }();
    return files;
}

std::vector<std::string> columns(const std::string& line) {
    std::vector<std::string> out(1);
    for (const char c : line)
        if (c == '\t')
            out.emplace_back();
        else
            out.back() += c;
    return out;
}

} // namespace

TEST_CASE("calendar expressions are systemd's: normalised form and the next moments") {
    std::ifstream table(MONOINIT_SOURCE_DIR "/tests/data/calendar.tsv");
    std::size_t rows = 0;
    for (std::string line; std::getline(table, line);) {
        if (line.starts_with('#'))
            continue;
        rows++;
        const auto row = columns(line);
        INFO(line);
        TimeZones zones(&zone_files(), row[0]);
        const auto calendar = Calendar::parse(row[2], zones);
        CHECK(calendar.has_value() == (row[3] != "-"));
        if (!calendar)
            continue;
        CHECK(calendar->normalized() == row[3]);
        Duration at(std::stoll(row[1]) * 1'000'000);
        for (std::size_t i = 4; i < row.size(); i++) {
            const auto next = calendar->next(at, *zones.local());
            if (row[i] == "never") {
                CHECK_FALSE(next);
                break;
            }
            REQUIRE(next);
            CHECK(std::to_string(next->count() / 1'000'000) == row[i]);
            CHECK(*next > at);
            at = *next;
        }
    }
    CHECK(rows >= 300);
}

TEST_CASE("the normalised form means the same") {
    TimeZones zones(&zone_files(), "Europe/Berlin");
    for (const char* text : {"Mon..Fri 9..17/2:00", "*-*~03 12:00 Asia/Tokyo", "*:*:0/0.5", "weekly", "12:00 CEST", "2024/4-02-29 1:2:3.5"}) {
        INFO(text);
        const auto calendar = Calendar::parse(text, zones);
        REQUIRE(calendar);
        const auto again = Calendar::parse(calendar->normalized(), zones);
        REQUIRE(again);
        CHECK(*again == *calendar);
    }
}

TEST_CASE("what is wrong with an expression is said") {
    TimeZones zones(&zone_files(), "UTC");
    const auto why = [&](std::string_view text) {
        const auto calendar = Calendar::parse(text, zones);
        return calendar ? std::string("fine") : calendar.error().what;
    };
    CHECK(why("") == "empty calendar expression");
    CHECK(why("*-13-1") == "month out of range, or its step does not fit");
    CHECK(why("12:00 Mars/Base") == "its time zone is not in /usr/share/zoneinfo (package tzdata)");
    CHECK(why("Fri..Mon") == "a range of weekdays cannot go backwards");
    CHECK(why(std::string(10'000, '1')) == "calendar expression too long");
    std::string list = "*:0";
    for (int i = 0; i < 1000; i++)
        list += ",1";
    CHECK(why(list) == "too many parts in a list");
}

TEST_CASE("an expression that can never be costs no more than another") {
    TimeZones zones(&zone_files(), "Europe/Berlin");
    const auto never = Calendar::parse("Mon *-02-30 12:00", zones);
    REQUIRE(never);
    CHECK_FALSE(never->next(Duration(0), *zones.local()));
    CHECK_FALSE(never->next(Duration(-1), *zones.local()));
    CHECK_FALSE(never->next(infinity, *zones.local()));
}
