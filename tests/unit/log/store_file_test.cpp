// Blocks, indexes and names of store files.
#include "store_support.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace monoinit::log;
using namespace monoinit::log::test;

namespace {

std::string some_records(std::uint64_t from, std::uint64_t to) {
    std::string bytes;
    for (std::uint64_t i = from; i < to; i++)
        bytes += stored(line(i, i % 2 == 0 ? "even.service" : "odd.service", "line " + std::to_string(i), i % 10 == 0 ? 3 : 6));
    return bytes;
}

} // namespace

TEST_CASE("a summary says what a block holds, up to a limit") {
    UnitNumbers numbers;
    const std::string bytes = some_records(5, 25);
    const Summary all = summarize(bytes, bytes.size(), numbers);
    CHECK(all.head.raw_size == bytes.size());
    CHECK(all.head.count == 20);
    CHECK(all.head.first_cursor == 5);
    CHECK(all.head.last_cursor == 24);
    CHECK(all.head.max_wall_us == 24'000'000);
    CHECK(all.head.priorities == ((1U << 3) | (1U << 6)));
    CHECK(all.units == std::vector<std::uint16_t>{0, 1});
    CHECK(numbers.names() == std::vector<std::string>{"odd.service", "even.service"});
    CHECK(summarize(bytes, 1, numbers).head.count == 1);
    CHECK(summarize("garbage", 7, numbers).head.raw_size == 0);
}

TEST_CASE("blocks are checked, compressed or not") {
    UnitNumbers numbers;
    const std::string records = some_records(1, 500);
    const Summary summary = summarize(records, records.size(), numbers);
    for (const bool compress : {false, true}) {
        std::string file = "head";
        append_block(file, records, summary, compress);
        const auto head = read_block_head(file, 4);
        REQUIRE(head);
        CHECK((head->stored_size < head->raw_size) == (compress && can_compress()));
        std::string buffer;
        CHECK(read_block(file, 4, *head, buffer) == records);
        for (std::size_t at : {std::size_t{30}, file.size() - 1}) {
            std::string damaged = file;
            damaged[at] ^= 1;
            const auto its_head = read_block_head(damaged, 4);
            CHECK((!its_head || !read_block(damaged, 4, *its_head, buffer)));
        }
        CHECK_FALSE(read_block_head(std::string_view(file).substr(0, file.size() - 1), 4));
    }
}

TEST_CASE("a damaged index is no index, whatever is damaged") {
    FileIndex index;
    index.units = {"web.service"};
    index.blocks.push_back({56, {}, {0}});
    std::string file(100, 'x');
    append_index(file, index, file.size());
    const auto read = read_index(file);
    REQUIRE(read);
    CHECK(read->units == index.units);
    CHECK(read->blocks.size() == 1);
    CHECK(read->blocks[0].units == std::vector<std::uint16_t>{0});
    std::mt19937 random(2);
    for (int i = 0; i < 20000; i++) {
        std::string damaged = file;
        const std::size_t at = 100 + random() % (file.size() - 100);
        damaged[at] = static_cast<char>(damaged[at] ^ static_cast<char>(1 + random() % 255));
        const auto found = read_index(damaged);
        CHECK((!found || found->units == index.units)); // padding may change
    }
}

TEST_CASE("names of store files, and nobody else's") {
    CHECK(store_file_name(0x1f, finished_suffix) == "000000000000001f.log");
    CHECK(parse_store_file_name("000000000000001f.log")->number == 0x1f);
    CHECK(parse_store_file_name("000000000000001f.open")->open);
    for (const char* name : {"000000000000001f.new", "1f.log", "000000000000001f.log.gz", "000000000000001F.journal", ".", "system.journal", "00000000000000zz.log"})
        CHECK_FALSE(parse_store_file_name(name));
}

TEST_CASE("a file's head is known again") {
    const FileHead head = make_file_head(boot_number(3), 9, 42);
    std::string bytes(reinterpret_cast<const char*>(&head), sizeof head);
    CHECK(read_file_head(bytes)->number == 9);
    bytes[20] ^= 1;
    CHECK_FALSE(read_file_head(bytes));
    CHECK_FALSE(read_file_head("short"));
}
