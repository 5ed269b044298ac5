// The native journal protocol, right and wrong.
#include "log/journal_entry.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>

using namespace monoinit::log;

namespace {

std::string binary(const std::string& key, const std::string& value) {
    std::string out = key + "\n";
    for (int i = 0; i < 8; i++)
        out += static_cast<char>(value.size() >> (8 * i) & 255);
    return out + value + "\n";
}

} // namespace

TEST_CASE("text and binary fields are read") {
    const std::string bytes = "PRIORITY=3\nSYSLOG_IDENTIFIER=app\nSYSLOG_PID=12\n_PID=1\nCODE_LINE=4\n" + binary("MESSAGE", "two\nlines");
    std::string_view rest = bytes;
    const auto entry = take_journal_entry(rest);
    REQUIRE(entry);
    CHECK(entry->message == "two\nlines");
    CHECK(entry->priority == 3);
    CHECK(entry->identifier == "app");
    CHECK(entry->pid == 12);
    CHECK(entry->fields == 6);
    CHECK_FALSE(entry->malformed);
    CHECK_FALSE(take_journal_entry(rest));
}

TEST_CASE("an empty line parts entries") {
    std::string_view rest = "MESSAGE=one\n\n\nMESSAGE=two";
    CHECK(take_journal_entry(rest)->message == "one");
    CHECK(take_journal_entry(rest)->message == "two");
    CHECK_FALSE(take_journal_entry(rest));
}

TEST_CASE("what is wrong costs itself only") {
    for (const std::string& wrong : {std::string("MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xff" "abc\n"), std::string("NOTHING"),
                                    std::string("MESSAGE\n\1\0\0", 11), binary("MESSAGE", "abc").substr(0, 19) + "x\n"}) {
        CAPTURE(wrong);
        const std::string bytes = "PRIORITY=4\n" + wrong;
        std::string_view rest = bytes;
        const auto entry = take_journal_entry(rest);
        REQUIRE(entry);
        CHECK(entry->priority == 4);
        CHECK_FALSE(entry->message);
        CHECK(entry->malformed);
        CHECK(rest.empty());
    }
    std::string_view rest = "lower=1\n1X=2\n_MESSAGE=forged\nPRIORITY=9\n";
    const auto entry = take_journal_entry(rest);
    CHECK_FALSE(entry->message);
    CHECK(entry->priority == 6);
}

TEST_CASE("the number of fields is bounded") {
    std::string bytes;
    for (int i = 0; i < 5000; i++)
        bytes += "A=1\n";
    std::string_view rest = bytes;
    CHECK(take_journal_entry(rest)->malformed);
    CHECK_FALSE(take_journal_entry(rest));
}

TEST_CASE("mutated entries never do harm") {
    std::mt19937 random(1);
    const std::string seed = "PRIORITY=3\n" + binary("MESSAGE", "some text") + "SYSLOG_PID=7\n\nMESSAGE=more\n";
    for (int i = 0; i < 20000; i++) {
        std::string text = seed.substr(0, random() % (seed.size() + 1));
        for (int changes = 0; changes < 4 && !text.empty(); changes++)
            text[random() % text.size()] = static_cast<char>(random() % 256);
        std::string_view rest = text;
        int entries = 0;
        while (take_journal_entry(rest))
            entries++;
        CHECK(entries <= 30);
    }
}
