// Matches, patterns, cursors.
#include "store_support.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::log;
using namespace monoinit::log::test;

TEST_CASE("matches: a field twice means either, two fields both, and + starts over") {
    std::string fields;
    append_field(fields, "TEAM", "web");
    Record record = line(1, "web.service", "hello", 3);
    record.fields = fields;
    Selection selection;
    const auto selected = [&](std::vector<std::vector<FieldMatch>> alternatives) {
        selection.alternatives = std::move(alternatives);
        return selects(selection, record, boot_number(1));
    };
    CHECK(selected({{{"TEAM", "web"}}}));
    CHECK_FALSE(selected({{{"TEAM", "db"}}}));
    CHECK(selected({{{"TEAM", "db"}, {"TEAM", "web"}}}));
    CHECK(selected({{{"TEAM", "web"}, {"PRIORITY", "3"}}}));
    CHECK_FALSE(selected({{{"TEAM", "web"}, {"PRIORITY", "4"}}}));
    CHECK(selected({{{"TEAM", "db"}}, {{"_SYSTEMD_UNIT", "web.service"}}}));
    CHECK(selected({{{"MESSAGE", "hello"}, {"_BOOT_ID", boot_text(boot_number(1))}}}));
}

TEST_CASE("identifiers, facilities and monoinit's own lines") {
    Record record = line(1, "web.service", "x");
    Selection selection;
    selection.identifiers = {"web"};
    CHECK(selects(selection, record, {}));
    selection.not_identifiers = {"w*"};
    CHECK_FALSE(selects(selection, record, {}));
    selection = {};
    selection.facilities = 1U << 10;
    CHECK_FALSE(selects(selection, record, {}));
    record.facility = 10;
    CHECK(selects(selection, record, {}));
    record.own = true;
    selection.own = false;
    CHECK_FALSE(selects(selection, record, {}));
}

TEST_CASE("patterns") {
    const auto matches = [](const char* pattern, std::string_view text, bool ignore_case = false) {
        return Pattern::compile(pattern, ignore_case).value().matches(text);
    };
    CHECK(matches("plain", "some plain text"));
    CHECK_FALSE(matches("plain", "some Plain text"));
    CHECK(matches("plain", "some Plain text", true));
    CHECK(matches("\\d+ms$", "took 12ms"));
    CHECK(matches("[\\d.]+s", "1.5s"));
    CHECK(matches("(?:GET|POST) /", "POST /x"));
    CHECK(matches("colou?r", "color"));
    CHECK(matches("ab{0,2}c", "ac"));
    CHECK(matches("^$", ""));
    CHECK_FALSE(matches("a.c", "a\nb"));
    CHECK(Pattern::compile("GET /a.*b", false).value().literal() == "GET /a");
    CHECK(Pattern::compile("x*long text", false).value().literal() == "long text");
    CHECK(Pattern::compile("one|two", false).value().literal().empty());
    CHECK_FALSE(Pattern::compile("(", false));
    CHECK(Pattern::compile("[\\]x]y", false).value().literal() == "y");
    CHECK(Pattern::compile("[]x[:alpha:]z]y", false).value().literal() == "y");
    CHECK(Pattern::compile("gr\u00fc?n", false).value().literal() == "gr");
    CHECK(Pattern::compile("a\\x41bc", false).value().literal().empty());
    CHECK(Pattern::compile("took \\d+ms", false).value().literal() == "took ");
    if (!has_perl_patterns()) {
        CHECK_FALSE(Pattern::compile("(?=x)", false));
        return;
    }
    CHECK(matches("(?i)error", "An ERROR"));
    CHECK(matches("<.+?>", "<a><b>"));
    CHECK(matches("\\b(?!un)known\\b", "is known"));
    CHECK_FALSE(matches("(?<!un)known", "unknown"));
    CHECK(matches("(a)\\1", "aa"));
    CHECK(matches("^gr.n$", "gr\u00fcn"));
    CHECK(matches("GR\u00dcN", "gr\u00fcn", true));
    CHECK(matches("x\\d", "\xff\xfe x1"));
    CHECK(matches("\\x41", "A"));
    CHECK_FALSE(matches("(a+)+(b+)+(c+)+$", std::string(60, 'a') + std::string(60, 'b') + std::string(60, 'c') + "!")); // and soon
    CHECK_FALSE(Pattern::compile(std::string(5000, 'x'), false));
    CHECK(has_capitals("Ab"));
    CHECK_FALSE(has_capitals("ab1"));
}

TEST_CASE("cursors") {
    const Record record = line(0x1234, "web.service", "x");
    const auto back = parse_cursor(cursor_text(record, boot_number(0xab)));
    REQUIRE(back);
    CHECK(back->cursor == 0x1234);
    CHECK(back->boot == boot_number(0xab));
    CHECK(back->wall_us == record.wall_us);
    for (const char* text : {"", "x", "i=12", "b=00", "s=1;i=zz;b=abababababababababababababababab", "i=1;b=ab"})
        CHECK_FALSE(parse_cursor(text));
    CHECK(parse_boot("abababab-abab-abab-abab-abababababab") == boot_number(0xab));
}
