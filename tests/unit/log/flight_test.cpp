// The journal of what is being read, killed at every step: at most one line comes twice, none is lost.

#include "log/flight.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

using namespace monoinit;
using namespace monoinit::log;

namespace {

struct Killed {};

struct Fixture {
    sys::UniqueFd file{sys::memory_file("test")};
    std::string encoded = encode_stream_info({"web.service", "web"});
    std::vector<std::string> lines;
    int kill_at = -1; ///< before the n-th line is taken (even) or after it (odd)
    int calls = 0;

    bool take(const FlightLine& line) {
        if (calls * 2 == kill_at) {
            kill_at = -1;
            throw Killed{};
        }
        lines.emplace_back(line.text);
        if (calls++ * 2 + 1 == kill_at) {
            kill_at = -1;
            throw Killed{};
        }
        return true;
    }
    Flight::Sink sink() {
        return [this](const FlightLine& line) { return take(line); };
    }
};

/// Feeds the pieces to one flight after another: whenever one is killed, the next maps the same memory.
void feed(Fixture& test, const std::vector<std::string>& pieces) {
    std::size_t next = 0;
    for (;;) {
        auto memory = SharedMemory::map(test.file.get());
        REQUIRE(memory);
        Flight flight(*memory);
        try {
            if (!flight.advance(test.sink()))
                FAIL("refused");
            for (; next < pieces.size();) {
                const auto room = flight.begin(StreamId{1}, test.encoded, {1, 2});
                std::copy(pieces[next].begin(), pieces[next].end(), room.begin());
                flight.arrived(pieces[next++].size());
                flight.advance(test.sink());
            }
            flight.finish(StreamId{1}, {1, 2}, test.sink());
            return;
        } catch (const Killed&) {
        }
    }
}

const std::vector<std::string> pieces = {"one\ntw", "o\nth", "re", "e\r", "\nfour\rfive\n", "si", "x"};
const std::vector<std::string> whole = {"one", "two", "three", "four", "five", "six"};

} // namespace

TEST_CASE("lines come out whole, however they came in") {
    Fixture test;
    feed(test, pieces);
    CHECK(test.lines == whole);
}

TEST_CASE("killed at any line, the successor goes on: one line twice at most") {
    for (int kill_at = 0; kill_at < 12; kill_at++) {
        CAPTURE(kill_at);
        Fixture test;
        test.kill_at = kill_at;
        feed(test, pieces);
        auto lines = test.lines;
        const auto twice = std::adjacent_find(lines.begin(), lines.end());
        CHECK((twice != lines.end()) == (kill_at % 2 == 1));
        lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
        CHECK(lines == whole);
    }
}

TEST_CASE("killed inside read(): the bytes are found without their count") {
    Fixture test;
    {
        auto memory = SharedMemory::map(test.file.get());
        Flight flight(*memory);
        auto room = flight.begin(StreamId{7}, test.encoded, {1, 2});
        std::copy_n("begin", 5, room.begin());
        flight.arrived(5);
        flight.advance(test.sink());
        room = flight.begin(StreamId{7}, test.encoded, {1, 2});
        std::copy_n("ning\nend", 8, room.begin()); // and the end came here
    }
    auto memory = SharedMemory::map(test.file.get());
    Flight flight(*memory);
    REQUIRE(flight.pending());
    CHECK(flight.pending_stream() == StreamId{7});
    CHECK(flight.pending_info()->unit == "web.service");
    CHECK(flight.advance(test.sink()));
    CHECK(test.lines == std::vector<std::string>{"beginning"});
    REQUIRE(flight.unfinished().size() == 1);
    CHECK(flight.unfinished()[0].second.identifier == "web");
    CHECK(flight.finish(StreamId{7}, {}, test.sink()));
    CHECK(test.lines == std::vector<std::string>{"beginning", "end"});
    CHECK(flight.unfinished().empty());
}

TEST_CASE("killed inside read() before anything came") {
    Fixture test;
    {
        auto memory = SharedMemory::map(test.file.get());
        Flight flight(*memory);
        flight.begin(StreamId{7}, test.encoded, {});
    }
    auto memory = SharedMemory::map(test.file.get());
    Flight flight(*memory);
    CHECK_FALSE(flight.pending());
}

TEST_CASE("a line the sink refuses is offered again, with what was carried") {
    Fixture test;
    auto memory = SharedMemory::map(test.file.get());
    Flight flight(*memory);
    int refusals = 3;
    const Flight::Sink sink = [&](const FlightLine& line) { return refusals-- <= 0 && test.take(line); };
    for (const std::string_view piece : {"car", "ried\nnext\nta"}) {
        const auto room = flight.begin(StreamId{1}, test.encoded, {});
        std::copy(piece.begin(), piece.end(), room.begin());
        flight.arrived(piece.size());
        while (!flight.advance(sink))
            CHECK(flight.pending());
    }
    CHECK(test.lines == std::vector<std::string>{"carried", "next"});
    CHECK(flight.finish(StreamId{1}, {}, test.sink()));
    CHECK(test.lines.back() == "ta");
}

TEST_CASE("more unfinished lines than there are slots") {
    Fixture test;
    auto memory = SharedMemory::map(test.file.get());
    Flight flight(*memory);
    const std::size_t count = carry_slots[0] + 5;
    for (std::uint64_t i = 1; i <= count; i++) {
        const auto room = flight.begin(StreamId{i}, test.encoded, {});
        std::copy_n("part", 4, room.begin());
        flight.arrived(4);
        CHECK(flight.advance(test.sink()));
    }
    CHECK(flight.unfinished().size() == count);
    for (std::uint64_t i = 1; i <= count; i++)
        CHECK(flight.finish(StreamId{i}, {}, test.sink()));
    CHECK(test.lines.size() == count);
    CHECK(flight.unfinished().empty());
}

TEST_CASE("random streams, random kills") {
    std::mt19937 random(11);
    for (int round = 0; round < 300; round++) {
        std::string text;
        std::vector<std::string> expected;
        for (unsigned i = 0; i < 20; i++) {
            expected.push_back(std::to_string(i) + std::string(random() % 30, 'x'));
            text += expected.back() + "\n";
        }
        std::vector<std::string> parts;
        for (std::size_t at = 0; at < text.size();) {
            parts.push_back(text.substr(at, 1 + random() % 60));
            at += parts.back().size();
        }
        Fixture test;
        test.kill_at = static_cast<int>(random() % 45);
        feed(test, parts);
        auto lines = test.lines;
        CHECK(lines.size() <= expected.size() + 1);
        lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
        CHECK(lines == expected);
    }
}
