// Questions to a store: by unit, time, priority, boot, cursor, text and field, in both directions.
#include "../temporary_directory.hpp"
#include "log/store_directory.hpp"
#include "store_support.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <random>

using namespace monoinit;
using namespace monoinit::log;
using namespace monoinit::log::test;

namespace {

/// Two starts of a container; lines of three units; some files finished, one open.
struct Store {
    TemporaryDirectory place;

    Store() {
        StoreLimits limits;
        limits.keep_free = 1;
        std::uint64_t cursor = 1;
        for (std::uint8_t boot = 1; boot <= 2; boot++) {
            StoreDirectory directory(place.path(), limits, boot_number(boot));
            for (int part = 0; part < 3; part++) {
                std::string batch;
                for (int i = 0; i < 20; i++, cursor++)
                    batch += stored(line(cursor, i % 3 == 0 ? "web.service" : i % 3 == 1 ? "db@1.service" : "job.timer", "event " + std::to_string(cursor),
                                         i % 10 == 9 ? 3 : 6));
                REQUIRE(directory.append(batch, 1 << 20));
                if (part != 2)
                    directory.rotate();
            }
        }
    }
    StoreReader reader() { return std::move(StoreReader::open(place.path()).value()); }
    std::vector<std::string> ask(const Selection& selection, bool backward = false, std::size_t most = 1000) {
        auto store = reader();
        return texts(store, selection, backward, most);
    }
};

} // namespace

TEST_CASE("questions to a store") {
    Store store;
    Selection selection;
    SECTION("everything, in both directions") {
        auto all = store.ask({});
        REQUIRE(all.size() == 120);
        CHECK(all.front() == "event 1");
        CHECK(all.back() == "event 120");
        std::reverse(all.begin(), all.end());
        CHECK(store.ask({}, true) == all);
        CHECK(store.ask({}, true, 2) == std::vector<std::string>{"event 120", "event 119"});
    }
    SECTION("a unit, by name and by pattern") {
        selection.units = {"web.service"};
        CHECK(store.ask(selection).size() == 42);
        selection.units = {"db@*.service", "job.timer"};
        CHECK(store.ask(selection).size() == 78);
        selection.units = {"nobody.service"};
        CHECK(store.ask(selection).empty());
    }
    SECTION("priorities") {
        selection.max_priority = 3;
        CHECK(store.ask(selection).size() == 12);
        selection.min_priority = 4;
        selection.max_priority = 7;
        CHECK(store.ask(selection).size() == 108);
    }
    SECTION("times") {
        selection.since_us = 30'000'000;
        selection.until_us = 32'000'000;
        CHECK(store.ask(selection) == std::vector<std::string>{"event 30", "event 31", "event 32"});
    }
    SECTION("boots") {
        selection.boot = boot_number(2);
        CHECK(store.ask(selection).front() == "event 61");
        auto reader = store.reader();
        const auto boots = reader.boots();
        REQUIRE(boots.size() == 2);
        CHECK(boots[0].id == boot_number(1));
        CHECK(boots[0].first_us == 1'000'000);
        CHECK(boots[0].last_us == 60'000'000);
    }
    SECTION("after a line, and from it on") {
        selection.after = Position{boot_number(1), 58, 0, false};
        CHECK(store.ask(selection, false, 3) == std::vector<std::string>{"event 59", "event 60", "event 61"});
        selection.after->including = true;
        CHECK(store.ask(selection, false, 1) == std::vector<std::string>{"event 58"});
        CHECK(store.ask(selection, true).size() == 63);
    }
    SECTION("after a line of a boot that is gone: by its time") {
        selection.after = Position{boot_number(9), 5, 118'000'000, false};
        CHECK(store.ask(selection).front() == "event 118");
    }
    SECTION("text") {
        selection.grep = Pattern::compile("event 11[5-7]$", false).value();
        CHECK(store.ask(selection) == std::vector<std::string>{"event 115", "event 116", "event 117"});
        selection.grep = Pattern::compile("EVENT 7", true).value();
        CHECK(store.ask(selection).size() == 11);
    }
    SECTION("the end") {
        auto reader = store.reader();
        REQUIRE(reader.end());
        CHECK(reader.end()->cursor == 120);
        selection.after = reader.end();
        CHECK(store.ask(selection).empty());
    }
    SECTION("a damaged block costs its lines only") {
        const std::string path = store.place / "0000000000000001.log";
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(150);
        file.put('\x7f');
        file.put('\x7f');
        file.close();
        auto reader = store.reader();
        CHECK_FALSE(reader.verify("0000000000000001.log"));
        CHECK(texts(reader).size() == 100);
    }
    SECTION("without its index a file is read all the same") {
        const std::string path = store.place / "0000000000000002.log";
        REQUIRE(std::filesystem::file_size(path) > 20);
        std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
        CHECK(store.ask({}).size() == 120);
        selection.units = {"web.service"};
        CHECK(store.ask(selection).size() == 42);
    }
}

TEST_CASE("a reader that follows sees what comes, across rotation") {
    TemporaryDirectory place;
    StoreDirectory directory(place.path(), {}, boot_number(1));
    REQUIRE(directory.append(stored(line(1, "web.service", "one")), 1000));
    auto reader = std::move(StoreReader::open(place.path()).value());
    Selection selection;
    std::vector<std::string> seen;
    const auto look = [&] {
        reader.refresh();
        const auto end = reader.end();
        for (const std::string& text : texts(reader, selection))
            seen.push_back(text);
        selection.after = end;
    };
    look();
    REQUIRE(directory.append(stored(line(2, "web.service", "two")), 1000));
    directory.rotate();
    look();
    REQUIRE(directory.append(stored(line(3, "web.service", "three")), 1000));
    look();
    look();
    CHECK(seen == std::vector<std::string>{"one", "two", "three"});
}

TEST_CASE("a clock that jumps back changes no order, and times still find what was said at them") {
    TemporaryDirectory place;
    StoreLimits limits;
    limits.keep_free = 1;
    StoreDirectory directory(place.path(), limits, boot_number(1));
    const std::uint64_t clock[] = {100, 101, 50, 51, 102}; // seconds
    for (std::uint64_t i = 0; i < std::size(clock); i++) {
        const std::string text = "at " + std::to_string(clock[i]); // a record holds none of its own
        Record record = line(i + 1, "web.service", text);
        record.wall_us = clock[i] * 1'000'000;
        REQUIRE(directory.append(stored(record), 1000));
        if (i % 2 == 1)
            directory.rotate();
    }
    auto reader = std::move(StoreReader::open(place.path()).value());
    const std::vector<std::string> order{"at 100", "at 101", "at 50", "at 51", "at 102"};
    CHECK(texts(reader) == order);
    CHECK(texts(reader, {}, true) == std::vector<std::string>(order.rbegin(), order.rend()));
    Selection early, late;
    early.until_us = 60'000'000;
    late.since_us = 60'000'000;
    CHECK(texts(reader, early) == std::vector<std::string>{"at 50", "at 51"});
    CHECK(texts(reader, late) == std::vector<std::string>{"at 100", "at 101", "at 102"});
    Selection after;
    after.after = Position{boot_number(1), 2, 101'000'000, false};
    CHECK(texts(reader, after) == std::vector<std::string>{"at 50", "at 51", "at 102"});
}

TEST_CASE("a store that is not there") { CHECK_FALSE(StoreReader::open("/no/such/place")); }

TEST_CASE("files full of garbage are read without harm") {
    Store store;
    std::mt19937 random(7);
    for (const auto& entry : std::filesystem::directory_iterator(store.place.path())) {
        std::ifstream in(entry.path(), std::ios::binary);
        const std::string bytes((std::istreambuf_iterator<char>(in)), {});
        for (int round = 0; round < 150; round++) {
            std::string damaged = bytes;
            for (std::size_t n = 1 + random() % 4; n > 0; n--)
                damaged[random() % damaged.size()] = static_cast<char>(random());
            if (round % 3 == 0)
                damaged.resize(random() % damaged.size());
            std::ofstream(entry.path(), std::ios::binary) << damaged;
            auto reader = store.reader();
            (void)texts(reader);
            (void)texts(reader, {}, true);
            (void)reader.boots();
            (void)reader.files();
            TemporaryDirectory left; // by a writer that was killed: the next one finishes it
            left.write("0000000000000001.open", damaged);
            REQUIRE(StoreDirectory(left.path(), {}, boot_number(3)).open());
            auto finished = std::move(StoreReader::open(left.path()).value());
            (void)texts(finished);
        }
        std::ofstream(entry.path(), std::ios::binary) << bytes;
    }
    CHECK(store.ask({}).size() == 120);
}
