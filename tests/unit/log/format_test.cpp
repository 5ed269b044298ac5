// The forms of a line.

#include "log/format.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <ctime>

using namespace monoinit::log;

namespace {

Record sample() {
    Record record;
    record.wall_us = 1795312932123456;
    record.mono_us = 12345678;
    record.unit = "code-server.service";
    record.identifier = "node";
    record.text = "HTTP \"server\"";
    return record;
}

std::string line(const Record& record, FormatOptions options) {
    std::string out;
    append_line(out, record, options);
    return out;
}

} // namespace

TEST_CASE("short form") {
    Record record = sample();
    CHECK(line(record, {}) == "[code-server] HTTP \"server\"\n");
    record.unit = "backup.timer";
    CHECK(line(record, {}) == "[backup.timer] HTTP \"server\"\n");
    record.own = true;
    CHECK(line(record, {}) == "[monoinit] HTTP \"server\"\n");
    record = sample();
    record.continues = true;
    CHECK(line(record, {}) == "[code-server] HTTP \"server\"…\n");
    record.continued = true;
    record.continues = false;
    CHECK(line(record, {}) == "[code-server] …HTTP \"server\"\n");
}

TEST_CASE("colour is of the prefix, the same for a unit each time") {
    const std::string one = line(sample(), {.color = true});
    CHECK(one == line(sample(), {.color = true}));
    CHECK(one.starts_with("\x1b["));
    CHECK(one.ends_with("[code-server]\x1b[0m HTTP \"server\"\n"));
    CHECK(make_prefix("x.service", true, true) == "\x1b[1m[monoinit]\x1b[0m ");
    CHECK(make_prefix("a\nb.service", false, false) == "[a\\x0ab] ");
}

TEST_CASE("plain and json forms") {
    Record record = sample();
    CHECK(line(record, {.format = Format::Plain}) == "HTTP \"server\"\n");
    CHECK(line(record, {.format = Format::Json}) ==
          "{\"__REALTIME_TIMESTAMP\":\"1795312932123456\",\"__MONOTONIC_TIMESTAMP\":\"12345678\",\"PRIORITY\":\"6\","
          "\"_TRANSPORT\":\"stdout\",\"SYSLOG_FACILITY\":\"3\",\"SYSLOG_IDENTIFIER\":\"node\",\"_SYSTEMD_UNIT\":\"code-server.service\","
          "\"MESSAGE\":\"HTTP \\\"server\\\"\"}\n");
    record.own = true;
    record.identifier = own_unit;
    CHECK(line(record, {.format = Format::Json}).find("\"UNIT\":\"code-server.service\"") != std::string::npos);
    record.unit = own_unit;
    CHECK(line(record, {.format = Format::Json}).find("UNIT") == std::string::npos);
}

TEST_CASE("times") {
    setenv("TZ", "JST-9", 1);
    tzset();
    const std::uint64_t wall = 1795312932123456, mono = 12345678;
    CHECK(format_time(wall, mono, TimeForm::Clock) == "11:02:12");
    CHECK(format_time(wall, mono, TimeForm::Short) == "Nov 22 11:02:12");
    CHECK(format_time(wall, mono, TimeForm::Iso) == "2026-11-22T11:02:12.123456+0900");
    CHECK(format_time(wall, mono, TimeForm::Unix) == "1795312932.123456");
    CHECK(format_time(wall, mono, TimeForm::Monotonic) == "[   12.345678]");
    CHECK(line(sample(), {.time = TimeForm::Clock}) == "11:02:12 [code-server] HTTP \"server\"\n");
    unsetenv("TZ");
    tzset();
}

TEST_CASE("NO_COLOR and dumb terminals") {
    unsetenv("NO_COLOR");
    setenv("TERM", "xterm", 1);
    CHECK(want_color(ColorMode::Auto, true));
    CHECK_FALSE(want_color(ColorMode::Auto, false));
    CHECK(want_color(ColorMode::Always, false));
    CHECK_FALSE(want_color(ColorMode::Never, true));
    setenv("TERM", "dumb", 1);
    CHECK_FALSE(want_color(ColorMode::Auto, true));
    setenv("TERM", "xterm", 1);
    setenv("NO_COLOR", "1", 1);
    CHECK_FALSE(want_color(ColorMode::Auto, true));
    unsetenv("NO_COLOR");
}
