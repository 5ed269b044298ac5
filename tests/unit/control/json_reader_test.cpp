// The JSON reader alone, and against nlohmann-json on texts that are almost right.
#include "control/json_reader.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>

using namespace monoinit::control;
using Json = nlohmann::json;

namespace {

/// The same value in the library's tree.
Json tree(const JsonValue& value) {
    switch (value.kind()) {
    case JsonKind::Null: return nullptr;
    case JsonKind::Boolean: return value.natural() != 0;
    case JsonKind::Natural: return value.natural();
    case JsonKind::Negative: return value.negative();
    case JsonKind::Fraction: return "fraction";
    case JsonKind::String: return std::string(value.string());
    case JsonKind::Array: {
        Json list = Json::array();
        for (auto item = value.first(); item; item = item->next_in(value))
            list.push_back(tree(*item));
        return list;
    }
    case JsonKind::Object: {
        Json object = Json::object();
        for (auto item = value.first(); item; item = item->next_in(value))
            object[std::string(item->key())] = tree(*item);
        return object;
    }
    }
    return {};
}

/// What the library has, with fractions as tree() has them.
Json without_fractions(const Json& json) {
    if (json.is_number_float())
        return "fraction";
    Json copy = json;
    if (json.is_structured())
        for (auto it = copy.begin(); it != copy.end(); ++it)
            *it = without_fractions(*it);
    return copy;
}

void compare(const std::string& text) {
    CAPTURE(text);
    Json expected = Json::parse(text, nullptr, false);
    const auto read = JsonText::parse(text);
    if (expected.is_discarded() && read && tree(read->root()).dump().find("\"fraction\"") != std::string::npos)
        return; // a number beyond double's range is an error there
    REQUIRE(read.has_value() == !expected.is_discarded());
    if (read)
        CHECK(tree(read->root()) == without_fractions(expected));
}

} // namespace

TEST_CASE("a JSON text is read as a row of values") {
    const auto text = JsonText::parse(R"({"a":[1,-2,2.5,true,null,{"b":"\u00e9\n"}],"c":"first","c":"last","d":{},"e":[]})");
    REQUIRE(text);
    const JsonValue root = text->root();
    const auto list = root.find("a");
    REQUIRE(list);
    std::vector<JsonKind> kinds;
    for (auto item = list->first(); item; item = item->next_in(*list))
        kinds.push_back(item->kind());
    CHECK(kinds == std::vector{JsonKind::Natural, JsonKind::Negative, JsonKind::Fraction, JsonKind::Boolean, JsonKind::Null, JsonKind::Object});
    CHECK(list->first()->natural() == 1);
    CHECK(list->first()->next_in(*list)->negative() == -2);
    CHECK(root.find("c")->string() == "last");
    CHECK_FALSE(root.find("d")->first());
    CHECK_FALSE(root.find("e")->first());
    CHECK_FALSE(root.find("e")->next_in(root));
    CHECK_FALSE(root.find("f"));
    CHECK_FALSE(list->find("b"));
    for (const char* wrong : {"", "{", "{}x", "[1,]", "{\"a\" 1}", "nul", "\"\xff\"", "01"})
        CHECK_FALSE(JsonText::parse(wrong));
    CHECK(JsonText::parse("18446744073709551615")->root().natural() == 18446744073709551615U);
    CHECK(JsonText::parse("18446744073709551616")->root().is(JsonKind::Fraction));
}

TEST_CASE("escapes become UTF-8, and halves of pairs are refused") {
    CHECK(JsonText::parse(R"("\u65e5\ud83d\ude00\u0000|\/\b\f\r\t")")->root().string() == std::string_view("\u65e5\U0001f600\0|/\b\f\r\t", 14));
    for (const char* wrong : {R"("\ud83d")", R"("\ud83dx")", R"("\ude00")", R"("\ud83d\u0041")", R"("\u12")", R"("\x41")", R"("\)", "\"\t\"", "\"\xed\xa0\x80\""})
        CHECK_FALSE(JsonText::parse(wrong));
}

TEST_CASE("depth costs no stack") {
    const std::string deep(200000, '[');
    CHECK_FALSE(JsonText::parse(deep));
    CHECK(JsonText::parse(deep + std::string(200000, ']')));
}

TEST_CASE("twenty thousand texts that are almost JSON are judged as nlohmann-json judges them") {
    const std::string seeds[] = {
        R"({"method":"io.monoinit.Manager.Operate","parameters":{"units":["a.service","日本"],"n":-12,"x":1.5e-3},"more":true})",
        R"([0,-0,12,1e5,0.5,18446744073709551615,-9223372036854775808,[],{},null,false,"\u00e9\ud83d\ude00\n\\"])",
        R"( { "a" : [ 1 , { "b" : null } ] , "a" : 2 } )"};
    const std::string bits = "{}[]\",:\\u0019-.eE+tfn \n\xe6\x97\xa5\xff";
    std::mt19937 random(20261126);
    for (int i = 0; i < 20000; i++) {
        std::string text = seeds[random() % 3];
        for (auto changes = 1 + random() % 3; changes > 0; changes--) {
            const std::size_t at = random() % text.size();
            switch (random() % 3) {
            case 0: text[at] = bits[random() % bits.size()]; break;
            case 1: text.erase(at, 1 + random() % 4); break;
            default: text.insert(at, 1, bits[random() % bits.size()]);
            }
        }
        compare(text);
    }
}
