// journalctl's options as a question.
#include "cli/journal_query.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::cli;

namespace {

base::Result<JournalQuery> asked(std::vector<std::string> arguments, Face face = Face::Journalctl) {
    const auto line = parse_options(face, "journalctl", arguments);
    if (!line)
        return line.error();
    base::TimeZones zones(nullptr, "UTC");
    std::vector<std::string> words = line->words;
    if (face == Face::Initctl && !words.empty())
        words.erase(words.begin());
    return journal_query(line->options, face, words, 1'795'692'731'000'000, zones);
}

} // namespace

TEST_CASE("units, priorities and counts") {
    auto query = asked({"-u", "web", "-p", "warning..3", "-n", "5"});
    REQUIRE(query);
    CHECK(query->selection.units == std::vector<std::string>{"web.service"});
    CHECK(query->selection.min_priority == 3);
    CHECK(query->selection.max_priority == 4);
    CHECK(query->count == 5U);
    CHECK(asked({"-n"})->count == 10U);
    CHECK(asked({"-n", "+3"})->from_start);
    CHECK_FALSE(asked({"-n", "all"})->count);
    CHECK_FALSE(asked({})->count);
    CHECK(asked({"-f"})->count == 10U);
    CHECK_FALSE(asked({"-f", "--no-tail"})->count);
    CHECK(asked({"-p", "err"})->selection.max_priority == 3);
    CHECK_FALSE(asked({"-p", "loud"}));
    CHECK_FALSE(asked({"-n", "many"}));
    CHECK(asked({"--facility=auth,10"})->selection.facilities == ((1U << 4) | (1U << 10)));
}

TEST_CASE("initctl logs: its own default, and -p for priorities") {
    auto query = asked({"logs", "-p", "err", "web", "-"}, Face::Initctl);
    REQUIRE(query);
    CHECK(query->count == 100U);
    CHECK(query->selection.max_priority == 3);
    CHECK(query->selection.units == std::vector<std::string>{"web.service", "-"});
    CHECK_FALSE(asked({"logs", "--since", "-1h"}, Face::Initctl)->count);
}

TEST_CASE("times, patterns, matches, cursors") {
    CHECK(asked({"--since", "1 hour ago"})->selection.since_us == 1'795'689'131'000'000);
    CHECK(asked({"-S", "2026-11-26 10:00", "-U", "2026-11-26 11:00"})->selection.until_us == 1'795'690'800'000'000);
    CHECK_FALSE(asked({"-S", "11:00", "-U", "10:00"}));
    CHECK_FALSE(asked({"--since", "soonish"}));
    CHECK(asked({"-g", "error"})->selection.grep->matches("an ERROR"));
    CHECK_FALSE(asked({"-g", "Error"})->selection.grep->matches("an ERROR"));
    CHECK_FALSE(asked({"-g", "error", "--case-sensitive=yes"})->selection.grep->matches("an ERROR"));
    CHECK_FALSE(asked({"-g", "("}));
    const auto matched = asked({"A=1", "A=2", "+", "B=x=y"});
    REQUIRE(matched);
    REQUIRE(matched->selection.alternatives.size() == 2);
    CHECK(matched->selection.alternatives[0].size() == 2);
    CHECK(matched->selection.alternatives[1][0].value == "x=y");
    CHECK_FALSE(asked({"A=1", "+"}));
    CHECK_FALSE(asked({"/usr/sbin/sshd"}));
    CHECK_FALSE(asked({"--cursor=nonsense"}));
}

TEST_CASE("boots are chosen by offset, number and id") {
    std::vector<log::StoreReader::Boot> boots(3);
    for (std::uint8_t i = 0; i < 3; i++)
        boots[i].id.fill(i);
    const auto chosen = [&](std::string_view text) -> int {
        const auto boot = chosen_boot(boots, text);
        return boot && *boot ? (**boot)[0] : boot ? 99 : -1;
    };
    CHECK(chosen("") == 2);
    CHECK(chosen("0") == 2);
    CHECK(chosen("-1") == 1);
    CHECK(chosen("-2") == 0);
    CHECK(chosen("1") == 0);
    CHECK(chosen("+3") == 2);
    CHECK(chosen("all") == 99);
    CHECK(chosen("01010101010101010101010101010101") == 1);
    CHECK(chosen("01010101010101010101010101010101-1") == 0);
    for (const char* text : {"-3", "4", "x", "ffffffffffffffffffffffffffffffff", "01010101010101010101010101010101+5"})
        CHECK(chosen(text) == -1);
    CHECK_FALSE(chosen_boot({}, ""));
    const auto parsed = parse_options(Face::Journalctl, "journalctl", {"-b", "-1", "-u", "web"});
    REQUIRE(parsed);
    CHECK(parsed->options.journal.boot == "-1");
    CHECK(parse_options(Face::Journalctl, "journalctl", {"-b", "-u", "web"})->options.journal.boot == "");
}
