// Recent lines: bounds, fairness, order over units, and that a successor finds them.

#include "log/recent_store.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::log;

namespace {

struct Fixture {
    sys::UniqueFd file{sys::memory_file("test")};
    base::Result<SharedMemory> memory = SharedMemory::map(file.get());
};

void add(RecentStore& store, std::string_view unit, std::string_view text, std::uint8_t priority = 6, bool own = false) {
    Record record;
    record.unit = unit;
    record.identifier = "id";
    record.text = text;
    record.priority = priority;
    record.own = own;
    record.wall_us = store.last_cursor() + 1;
    store.append(record);
}

std::vector<std::string> texts(const RecentStore& store, const Filter& filter = {}, std::uint64_t after = 0) {
    std::vector<std::string> found;
    store.visit(filter, after, [&](const Record& record) {
        found.emplace_back(record.text);
        return true;
    });
    return found;
}

using Texts = std::vector<std::string>;

} // namespace

TEST_CASE("lines come back in order over all units, filtered") {
    Fixture test;
    RecentStore store(*test.memory);
    add(store, "a.service", "1");
    add(store, "b.service", "2", 3);
    add(store, "a.service", "3", 6, true);
    add(store, "", "4", 6, true);
    CHECK(texts(store) == Texts{"1", "2", "3", "4"});
    CHECK(texts(store, {{"a.service"}}) == Texts{"1", "3"});
    CHECK(texts(store, {{"a.service"}, 7, false}) == Texts{"1"});
    CHECK(texts(store, {{"*.service"}, 4}) == Texts{"2"});
    CHECK(texts(store, {{std::string(own_unit)}}) == Texts{"4"});
    CHECK(texts(store, {}, 2) == Texts{"3", "4"});
    CHECK(texts(store, {{}, 7, true, 3}) == Texts{"3", "4"});
    CHECK(texts(store, {}, store.cursor_before_last({}, 2)) == Texts{"3", "4"});
    CHECK(texts(store, {{"a.service"}}, store.cursor_before_last({{"a.service"}}, 1)) == Texts{"3"});
    CHECK(texts(store, {}, store.cursor_before_last({}, 0)).empty());
    CHECK(texts(store, {}, store.cursor_before_last({}, 100)).size() == 4);
}

TEST_CASE("a unit is bounded, its newest lines stay") {
    Fixture test;
    RecentStore store(*test.memory);
    for (int i = 0; i < 5000; i++)
        add(store, "noisy.service", "line " + std::to_string(i));
    const auto found = texts(store);
    CHECK(found.size() > 500);
    CHECK(found.size() * 50 <= 64 * 1024);
    CHECK(found.back() == "line 4999");
    CHECK(store.lost_since({}, 1));
    CHECK_FALSE(store.lost_since({}, 4999));
}

TEST_CASE("a noisy unit cannot push out a quiet one's lines") {
    Fixture test;
    RecentStore store(*test.memory, 24);
    add(store, "quiet.service", "remember me");
    for (int unit = 0; unit < 4; unit++)
        for (int i = 0; i < 2000; i++)
            add(store, "noisy" + std::to_string(unit), "line " + std::to_string(i));
    CHECK(texts(store, {{"quiet.service"}}) == Texts{"remember me"});
    for (int unit = 0; unit < 4; unit++)
        CHECK(texts(store, {{"noisy" + std::to_string(unit)}}).size() > 100);
    CHECK_FALSE(store.lost_since({{"quiet.service"}}, 0));
}

TEST_CASE("more units than blocks") {
    Fixture test;
    RecentStore store(*test.memory, 8);
    for (int unit = 0; unit < 100; unit++)
        add(store, "u" + std::to_string(unit), "x");
    CHECK(texts(store).size() == 8);
    CHECK(texts(store, {{"u99"}}).size() == 1);
}

TEST_CASE("lines longer than a block come back whole") {
    Fixture test;
    RecentStore store(*test.memory);
    const std::string big(default_line_max, 'b');
    add(store, "a.service", "before");
    add(store, "a.service", big);
    add(store, "a.service", std::string(4096, 'c'));
    add(store, "a.service", "");
    CHECK(texts(store) == Texts{"before", big, std::string(4096, 'c'), ""});
    add(store, "a.service", big); // the first one's beginning has to go: its rest is not shown
    const auto found = texts(store);
    CHECK(found.back() == big);
    CHECK(found.size() == 3);
}

TEST_CASE("a successor finds the lines and goes on counting") {
    Fixture test;
    {
        RecentStore store(*test.memory);
        for (int i = 0; i < 300; i++)
            add(store, i % 2 == 0 ? "a.service" : "b.service", std::to_string(i) + std::string(100, 'x'));
    }
    auto memory = SharedMemory::map(test.file.get());
    RecentStore store(*memory);
    CHECK(store.last_cursor() == 300);
    CHECK(texts(store).size() == 300);
    add(store, "a.service", "new");
    CHECK(texts(store, {}, 300) == Texts{"new"});
    std::uint64_t last = 0;
    store.visit({}, 0, [&](const Record& record) {
        CHECK(record.cursor == last + 1);
        last = record.cursor;
        CHECK(record.identifier == "id");
        return true;
    });
}
