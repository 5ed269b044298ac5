#include "unit/words.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::unit;

namespace {

using Words = std::vector<std::string>;

Words command_words(std::string_view text) {
    auto words = split_words(text, Unquote | CUnescape);
    INFO(text);
    REQUIRE(words);
    return *words;
}

bool fails(std::string_view text, unsigned flags) { return !split_words(text, flags); }

} // namespace

TEST_CASE("words, quotes, escapes") {
    CHECK(command_words("a  b\tc ") == Words{"a", "b", "c"});
    CHECK(command_words("\"a b\" 'c \"d'") == Words{"a b", "c \"d"});
    CHECK(command_words("a\"b c\"d") == Words{"ab cd"});
    CHECK(command_words("\"\" ''") == Words{"", ""});
    CHECK(command_words("a\\sb \\x41\\102 \\u00e9 \\U0001f389 \\n\\t\\\\") == Words{"a b", "AB", "é", "🎉", "\n\t\\"});
    CHECK(command_words("'a\\nb'") == Words{"a\nb"}); // escapes count in both kinds of quotes
    CHECK(command_words("").empty());
    CHECK(command_words(" \t").empty());
    CHECK(command_words("\\\"a") == Words{"\"a"});
}

TEST_CASE("what is no word") {
    CHECK(fails("\"a", Unquote | CUnescape));
    CHECK(fails("a\\", Unquote | CUnescape));
    CHECK(fails("a\\q", Unquote | CUnescape));
    CHECK(fails("\\x4", Unquote | CUnescape));
    CHECK(fails("\\x00", Unquote | CUnescape)); // a NUL would end the argument
    CHECK(fails("\\000", Unquote | CUnescape));
    CHECK(fails("\\777", Unquote | CUnescape));
    CHECK(fails("\\ud800", Unquote | CUnescape));
    CHECK(fails("\\U00110000", Unquote | CUnescape));
}

TEST_CASE("the flags") {
    CHECK(*split_words("a\\x2db \"c d\"", Unquote | RetainEscape) == Words{"a\\x2db", "c d"});
    CHECK(*split_words("\"a b\"", 0) == Words{"\"a", "b\""});
    CHECK(*split_words("a\\ b", Unquote) == Words{"a b"});
    CHECK(*split_words("\"a b", Unquote | Relax) == Words{"a b"});
    CHECK(*split_words("a\\", Unquote | Relax) == Words{"a"});
    CHECK(*split_words("a\\q \\", Unquote | CUnescape | UnescapeRelax) == Words{"a\\q", "\\"});
}

TEST_CASE("a quoted word reads back") {
    for (const std::string word : {"plain", "", "two words", "a\"b'c", "back\\slash", "\n\t\x01\x7f", "é 🎉", ";", "$X ${Y}"})
        CHECK(command_words(quote_word(word)) == Words{word});
}

TEST_CASE("c_unescape") {
    CHECK(*c_unescape("a\\tb c\\x21") == "a\tb c!");
    CHECK_FALSE(c_unescape("\\"));
    CHECK_FALSE(c_unescape("\\q"));
}
