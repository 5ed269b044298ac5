// Hostile bytes: what reaches a terminal, a pipe, a JSON reader.

#include "log/escape.hpp"

#include "base/strings.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace monoinit::log;

namespace {

std::string terminal(std::string_view text) {
    std::string out;
    append_for_terminal(out, text);
    return out;
}

std::string json(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

} // namespace

TEST_CASE("a terminal sees no control bytes but tab and colour") {
    CHECK(terminal("plain\ttext, größe 漢字") == "plain\ttext, größe 漢字");
    CHECK(terminal("\x1b[31mred\x1b[0m") == "\x1b[31mred\x1b[0m");
    CHECK(terminal("\x1b[31mred") == "\x1b[31mred\x1b[0m"); // colour does not leak into the next line
    CHECK(terminal("\x1b[38;5;12mx\x1b[m") == "\x1b[38;5;12mx\x1b[m");
    CHECK(terminal("\x1b[2J") == "\\x1b[2J");
    CHECK(terminal("\x1b]0;title\x07") == "\\x1b]0;title\\x07");
    CHECK(terminal("\x1b[3") == "\\x1b[3");
    CHECK(terminal("a\rb\vc\x7f\b") == "a\\x0db\\x0bc\\x7f\\x08");
    CHECK(terminal(std::string_view("a\0b", 3)) == "a\\x00b");
    CHECK(terminal("\xC2\x9B"
                   "2J") == "\\u009b2J");
    CHECK(terminal("\x9B"
                   "2J\xFF") == "\xEF\xBF\xBD"
                                "2J\xEF\xBF\xBD");
    CHECK(terminal("\xC0\xAF\xED\xA0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    CHECK(terminal("\xE6\xBC") == "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_CASE("a pipe gets the bytes but NUL") {
    std::string out;
    append_without_nul(out, std::string_view("a\0\xFF\x1b\0", 5));
    CHECK(out == "a\\x00\xFF\x1b\\x00");
    out.clear();
    append_without_nul(out, "");
    CHECK(out.empty());
}

TEST_CASE("JSON strings") {
    CHECK(json("plain 漢字") == "\"plain 漢字\"");
    CHECK(json("q\" b\\ t\t n\n r\r") == "\"q\\\" b\\\\ t\\t n\\n r\\r\"");
    CHECK(json(std::string_view("\0\x1f\x7f", 3)) == "\"\\u0000\\u001f\\u007f\"");
    CHECK(json("\xFF") == "\"\xEF\xBF\xBD\"");
}

TEST_CASE("random bytes come out harmless") {
    std::mt19937 random(7);
    for (int round = 0; round < 2000; round++) {
        std::string bytes;
        for (auto i = random() % 40; i > 0; i--)
            bytes.push_back(static_cast<char>(random() % 4 == 0 ? 0x1B : random()));
        const std::string shown = terminal(bytes), quoted = json(bytes);
        CAPTURE(bytes, shown);
        CHECK(monoinit::base::is_valid_utf8(shown));
        CHECK(monoinit::base::is_valid_utf8(quoted));
        for (const char c : shown)
            CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\t' || c == '\x1b'));
        for (const char c : quoted)
            CHECK(static_cast<unsigned char>(c) >= 0x20);
    }
}
