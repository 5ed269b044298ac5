// Records as they lie in a store file, whole and damaged.
#include "store_support.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace monoinit::log;
using namespace monoinit::log::test;

TEST_CASE("a record comes back as it was") {
    Record record = line(7, "web.service", "text", 3);
    std::string fields;
    append_field(fields, "CODE_FILE", "a.c");
    append_field(fields, "BLOB", std::string_view("\0=\n", 3));
    record.fields = fields;
    record.pid = 12;
    record.facility = 10;
    record.transport = Transport::Journal;
    record.continues = true;
    record.own = true;
    const std::string bytes = stored(record);
    std::string_view rest = bytes;
    const auto back = take_stored(rest);
    REQUIRE(back);
    CHECK(rest.empty());
    CHECK(back->cursor == 7);
    CHECK(back->wall_us == 7'000'000);
    CHECK(back->unit == "web.service");
    CHECK(back->identifier == "web");
    CHECK(back->text == "text");
    CHECK(back->pid == 12);
    CHECK(back->facility == 10);
    CHECK(back->transport == Transport::Journal);
    CHECK((back->continues && back->own && !back->continued));
    std::vector<std::pair<std::string, std::string>> found;
    for_each_listed_field(back->fields, [&](std::string_view name, std::string_view value) { found.emplace_back(name, value); });
    REQUIRE(found.size() == 2);
    CHECK(found[1] == std::pair<std::string, std::string>("BLOB", std::string("\0=\n", 3)));
}

TEST_CASE("what is cut or changed is no record, and nothing beyond it is read") {
    std::string fields;
    append_field(fields, "A", "b");
    Record record = line(1, "web.service", "some text");
    record.fields = fields;
    const std::string whole = stored(record);
    for (std::size_t size = 0; size < whole.size(); size++) {
        std::string_view rest = std::string_view(whole).substr(0, size);
        CHECK_FALSE(take_stored(rest));
    }
    std::mt19937 random(1);
    for (int i = 0; i < 20000; i++) {
        std::string bytes = whole;
        for (int n = 0; n < 3; n++)
            bytes[random() % bytes.size()] = static_cast<char>(random());
        std::string_view rest = bytes;
        if (const auto parsed = take_stored(rest))
            for_each_listed_field(parsed->fields, [](std::string_view, std::string_view) {});
    }
}
