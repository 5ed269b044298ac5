// What a file that has to go leaves behind.
#include "log/store_thinning.hpp"
#include "store_support.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::log;
using namespace monoinit::log::test;

namespace {

/// A finished file of lines "unit text".
std::string file_of(const std::vector<std::pair<std::string, std::string>>& lines, std::uint64_t first = 1) {
    FileBuilder builder(boot_number(1), 1, 1, true);
    UnitNumbers numbers;
    std::string records;
    for (const auto& [unit, text] : lines)
        records += stored(line(first++, unit, text));
    builder.add(records, summarize(records, records.size(), numbers));
    builder.finish(numbers.names());
    return builder.out();
}

std::vector<std::string> texts_of(std::string_view file) {
    std::vector<std::string> texts;
    std::string buffer;
    auto records = read_block(file, sizeof(FileHead), read_block_head(file, sizeof(FileHead)).value(), buffer).value();
    while (const auto record = take_stored(records))
        texts.emplace_back(record->text);
    return texts;
}

} // namespace

TEST_CASE("the index says how much each unit has said; where it does not, that is counted") {
    std::string file = file_of({{"a", "1"}, {"b", "22"}, {"a", "3"}});
    const UnitBytes bytes = unit_bytes_of(file);
    const std::uint64_t a = stored_size(line(1, "a", "1"));
    CHECK(bytes.at("a") == 2 * a);
    CHECK(bytes.at("b") == a + 1);
    file.resize(file.size() - 1); // no index any more
    CHECK(unit_bytes_of(file) == bytes);
    CHECK(unit_bytes_of("no file").empty());
}

TEST_CASE("a unit keeps what is missing of its share, from the end") {
    const UnitBytes drop = bytes_to_drop({{"noisy", 1000}, {"quiet", 100}, {"half", 500}}, {{"noisy", 5000}, {"half", 300}}, 400);
    CHECK(drop == UnitBytes{{"noisy", 1000}, {"quiet", 0}, {"half", 400}});
    StoreLimits limits;
    limits.max_use = 16 << 20;
    CHECK(unit_share(limits, 1) == 256 << 10);
    CHECK(unit_share(limits, 64) == 64 << 10);
    CHECK(unit_share(limits, 0) > 0);
}

TEST_CASE("two files become one of what is left") {
    const std::string first = file_of({{"a", "1"}, {"b", "2"}, {"a", "3"}}), second = file_of({{"b", "4"}, {"a", "5"}}, 4);
    const std::string_view both[] = {first, second};
    const std::uint64_t size = stored_size(line(1, "a", "1"));
    std::string made;
    FileBuilder builder(boot_number(1), 2, 1, true);
    const auto write = [&](std::string& piece) {
        made += piece;
        piece.clear();
        return true;
    };
    REQUIRE(thin_files(both, {{"a", size + 1}, {"b", 0}}, builder, write));
    CHECK(texts_of(made) == std::vector<std::string>{"2", "4", "5"});
    CHECK(read_index(made)->unit_bytes == std::vector<std::uint64_t>{2 * size, size});
    FileBuilder nothing(boot_number(1), 2, 1, true);
    CHECK_FALSE(thin_files(both, {{"a", 1000}, {"b", 1000}}, nothing, write));
    FileBuilder failing(boot_number(1), 2, 1, true);
    CHECK_FALSE(thin_files(both, {{"a", 0}}, failing, [](std::string&) { return false; }));
}
