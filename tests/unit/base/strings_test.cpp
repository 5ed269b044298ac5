#include "base/strings.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::base;

TEST_CASE("trim, split, join") {
    CHECK(trim(" \t a b \r\n") == "a b");
    CHECK(trim(" \t").empty());
    CHECK(split("a::b:", ':') == std::vector<std::string_view>{"a", "", "b", ""});
    CHECK(split("", ':').size() == 1);
    CHECK(join({"a", "b"}, ", ") == "a, b");
    CHECK(join({}, ", ").empty());
}

TEST_CASE("UTF-8 validity") {
    CHECK(is_valid_utf8("zażółć 日本語 🎉"));
    CHECK_FALSE(is_valid_utf8("\xff"));
    CHECK_FALSE(is_valid_utf8("\xc0\xaf"));         // overlong
    CHECK_FALSE(is_valid_utf8("\xed\xa0\x80"));     // surrogate
    CHECK_FALSE(is_valid_utf8("\xf4\x90\x80\x80")); // beyond U+10FFFF
    CHECK_FALSE(is_valid_utf8("\xe2\x82"));         // cut off
}

TEST_CASE("printable text holds no control bytes") {
    CHECK(printable("日本 ok\t.") == "日本 ok\t.");
    CHECK(printable("a\x1b[31mb\x7f") == "a\\x1b[31mb\\x7f");
    CHECK(printable("\xc2\x9b") == "\\x9b"); // C1 CSI
    CHECK(printable("a\xff") == "a\ufffd");
    CHECK(printable("日本語", 7) == "日本…");
    CHECK(printable("abc", 3) == "abc");
}

TEST_CASE("did you mean") {
    CHECK(closest("RestartSecs", {"Restart", "RestartSec", "RestartSteps"}) == "RestartSec");
    CHECK(closest("alwais", {"no", "on-success", "always", "on-abort"}) == "always");
    CHECK(closest("restart", {"Restart", "RestartSec"}) == "Restart");
    CHECK(closest("ExceStart", {"ExecStart", "ExecStop"}) == "ExecStart"); // swapped letters are one slip
    CHECK(closest("Colour", {"Restart", "ExecStart"}).empty());
    CHECK(closest(std::string(10000, 'x'), {"Restart"}).empty());
    CHECK(closest("", {"Restart"}).empty());
}

TEST_CASE("columns on a terminal") {
    CHECK(display_width("abc") == 3);
    CHECK(display_width("日本") == 4);
    CHECK(display_width("e\u0301") == 1);
    CHECK(display_width("●×") == 2);
    CHECK(display_width("🎉") == 2);
}

TEST_CASE("globs") {
    CHECK(glob_match("*", ""));
    CHECK(glob_match("getty@*.service", "getty@tty1.service"));
    CHECK(glob_match("a?c", "abc"));
    CHECK_FALSE(glob_match("a?c", "ac"));
    CHECK(glob_match("[a-c]x", "bx"));
    CHECK_FALSE(glob_match("[!a-c]x", "bx"));
    CHECK(glob_match("[]]", "]"));
    CHECK(glob_match("[", "["));
    CHECK(glob_match("\\*", "*"));
    CHECK_FALSE(glob_match("\\*", "a"));
    CHECK(glob_match("*a*b*c", "xxaxxbxxbxxc"));
    CHECK_FALSE(glob_match("*a*a*a*a*a*a*a*a*b", std::string(5000, 'a'))); // not exponential
}
