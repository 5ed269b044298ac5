// JSON of verbs that answer without the init.
#include "cli/json.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::cli;

TEST_CASE("text is quoted, and what is no UTF-8 does not break the document") {
    CHECK(json_string("a\"b\n") == "\"a\\\"b\\n\"");
    CHECK(json_string("\xe6\x97\xa5") == "\"\xe6\x97\xa5\"");
    CHECK(json_string("\xff") == "\"\xef\xbf\xbd\"");
}

TEST_CASE("objects and arrays") {
    CHECK(json_object({{"a", "1"}, {"b", json_string("x")}}) == "{\"a\": 1, \"b\": \"x\"}");
    CHECK(json_object({}) == "{}");
    CHECK(json_strings({"a", "b"}) == "[\"a\", \"b\"]");
    CHECK(json_array({}) == "[]");
}
