// The values were compared with `systemd-analyze timespan` of systemd 252.
#include "base/time.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::base;
using namespace std::chrono_literals;

TEST_CASE("time spans parse as systemd.time(7)") {
    const auto parse = [](std::string_view text) {
        auto span = parse_time_span(text);
        INFO(text);
        REQUIRE(span);
        return *span;
    };
    CHECK(parse("0") == 0us);
    CHECK(parse("90") == 90s);
    CHECK(parse("1.5s") == 1500ms);
    CHECK(parse("1.5") == 1500ms);
    CHECK(parse(".5s") == 500ms);
    CHECK(parse("1.5h") == 90min);
    CHECK(parse("5min20s") == 320s);
    CHECK(parse("5 min 20 s") == 320s);
    CHECK(parse("5min 20") == 320s);
    CHECK(parse("1 2") == 3s);
    CHECK(parse("1m") == 1min);
    CHECK(parse("1M") == 2629800s);
    CHECK(parse("1y12month") == 63115200s);
    CHECK(parse("300ms20s 5day") == 432020300ms);
    CHECK(parse("1us") == 1us);
    CHECK(parse("1µs") == 1us);
    CHECK(parse("1μs") == 1us);
    CHECK(parse("1.9999999s") == 1999999us);
    CHECK(parse("3.3333333min") == 199999998us); // digit by digit, as systemd
    CHECK(parse("+1") == 1s);
    CHECK(parse("00012") == 12s);
    CHECK(parse(" infinity ") == infinity);
    CHECK(*parse_time_span("5", 1min) == 5min);
    CHECK(*parse_time_span("250", 1us) == 250us);
}

TEST_CASE("what is no time span is refused") {
    for (const auto* text : {"", " ", "1.", "1.s", "1.5.5s", "-1", "-1s", "1e3", "0x10", "1S", "1MIN", "1nsec", "infinity 1",
                             "18446744073709551615s", "600000y", "1000000000000000000000", "s", "1 x", "5min x"}) {
        INFO(text);
        CHECK_FALSE(parse_time_span(text));
    }
    CHECK(*parse_time_span("18446744073709551615us") == infinity); // fits systemd's 64 bits, not ours
}

TEST_CASE("decimals are rounded") {
    CHECK(decimal(360'000, 1'000'000, 2) == "0.36");
    CHECK(decimal(4'999, 1'000'000, 2) == "0.00");
    CHECK(decimal(5'000, 1'000'000, 2) == "0.01");
    CHECK(decimal(1'996'000, 1'000'000, 2) == "2.00");
    CHECK(decimal(131'400'000, 1'000'000, 0) == "131");
    CHECK(decimal(131'500'000, 1'000'000, 0) == "132");
    CHECK(decimal(9'960'000, 1'000'000, 1) == "10.0");
}

TEST_CASE("time spans print as systemd prints them") {
    CHECK(format_time_span(0s) == "0");
    CHECK(format_time_span(infinity) == "infinity");
    CHECK(format_time_span(1500ms) == "1.500000s");
    CHECK(format_time_span(1500ms, 1ms) == "1.500s");
    CHECK(format_time_span(1500ms, 1s) == "1s");
    CHECK(format_time_span(90s) == "1min 30s");
    CHECK(format_time_span(61500ms) == "1min 1.500000s");
    CHECK(format_time_span(1500us) == "1.500ms");
    CHECK(format_time_span(999us) == "999us");
    CHECK(format_time_span(100ms) == "100ms");
    CHECK(format_time_span(2629800s) == "1month");
    CHECK(format_time_span(400 * 24h) == "1y 1month 4d 7h 30min");
    CHECK(format_time_span(infinity - 1us).starts_with("292271y 1w 1d 10h"));
}

TEST_CASE("a printed span parses to itself") {
    for (Duration span = 1us; span < 100000h; span = span * 7 + 13us)
        CHECK(*parse_time_span(format_time_span(span)) == span);
}

TEST_CASE("spans for people") {
    CHECK(human_time_span(31ms) == "31 ms");
    CHECK(human_time_span(360ms) == "0.36 s");
    CHECK(human_time_span(1400ms) == "1.4 s");
    CHECK(human_time_span(14s) == "14 s");
    CHECK(human_time_span(90s) == "90 s");
    CHECK(human_time_span(3min) == "3 min");
    CHECK(human_time_span(5h) == "5 h");
    CHECK(human_time_span(72h) == "3 days");
}
