// Lines out of bytes: breaks, carriage returns, limits, level prefixes.

#include "log/line_splitter.hpp"
#include "log/record.hpp"

#include <catch2/catch.hpp>

#include <random>
#include <string>
#include <vector>

using namespace monoinit::log;

namespace {

/// Splits `data` as it arrives in pieces of `piece` bytes.
std::vector<std::string> split(std::string_view data, std::size_t piece) {
    std::vector<std::string> lines;
    std::string carried;
    for (; !data.empty(); data.remove_prefix(std::min(piece, data.size()))) {
        std::string_view chunk = data.substr(0, piece);
        while (const auto cut = next_line(chunk, Carried::of(carried), true)) {
            carried.append(chunk.substr(0, cut->length));
            if (!cut->nothing)
                lines.emplace_back(strip_cr(carried));
            carried.clear();
            chunk.remove_prefix(cut->consumed);
        }
        carried.append(chunk);
        REQUIRE(carried.size() <= default_line_max);
    }
    if (!strip_cr(carried).empty())
        lines.emplace_back(strip_cr(carried));
    return lines;
}

using Lines = std::vector<std::string>;

} // namespace

TEST_CASE("lines end at newlines, however the bytes arrive") {
    for (std::size_t piece = 1; piece < 12; piece++) {
        CAPTURE(piece);
        CHECK(split("one\ntwo\n\nthree", piece) == Lines{"one", "two", "", "three"});
        CHECK(split("dos\r\nfile\r\n", piece) == Lines{"dos", "file"});
        CHECK(split("a\r\r\nb\n", piece) == Lines{"a", "b"});
        CHECK(split("\r\n\r\n", piece) == Lines{"", ""});
        CHECK(split("\n", piece) == Lines{""});
    }
}

TEST_CASE("what follows a carriage return is a line of its own") {
    for (std::size_t piece = 1; piece < 12; piece++) {
        CAPTURE(piece);
        CHECK(split("10%\r20%\r30%\n", piece) == Lines{"10%", "20%", "30%"});
        CHECK(split("x\r[web] forged\n", piece) == Lines{"x", "[web] forged"});
        CHECK(split("\r50%\r\n", piece) == Lines{"50%"});
    }
}

TEST_CASE("long lines are cut, between characters") {
    const auto lines = split(std::string(default_line_max * 2 + 10, 'x') + "\nnext\n", 65536);
    REQUIRE(lines.size() == 4);
    CHECK(lines[0].size() == default_line_max);
    CHECK(lines[1].size() == default_line_max);
    CHECK(lines[2].size() == 10);
    CHECK(lines[3] == "next");

    std::string umlauts = "x";
    for (std::size_t i = 0; i < default_line_max; i++)
        umlauts += "ä";
    for (const std::string& line : split(umlauts, 65536)) {
        CHECK(line.size() <= default_line_max);
        CHECK((static_cast<unsigned char>(line.front()) & 0xC0) != 0x80);
    }
    CHECK(split(std::string(default_line_max, 'y') + "\n", 1000) == Lines{std::string(default_line_max, 'y')});
    CHECK(split(std::string(5 * default_line_max, '\r') + "end\n", 4096).back() == "end");
}

TEST_CASE("how the bytes are cut up makes no difference") {
    std::mt19937 random(5);
    for (int round = 0; round < 3000; round++) {
        std::string data;
        for (auto i = random() % 24; i > 0; i--)
            data.push_back("ab\n\r"[random() % 4]);
        const Lines whole = split(data, data.size() + 1);
        for (std::size_t piece = 1; piece < 6; piece++)
            CHECK(split(data, piece) == whole);
        for (const std::string& line : whole)
            CHECK(line.find_first_of("\r\n") == std::string::npos);
    }
}

TEST_CASE("level prefixes") {
    const auto take = [](std::string_view text) {
        const auto level = take_level_prefix(text);
        return std::pair(level ? static_cast<int>(*level) : -1, std::string(text));
    };
    CHECK(take("<3>bad") == std::pair(3, std::string("bad")));
    CHECK(take("<7>") == std::pair(7, std::string()));
    CHECK(take("<30>facility") == std::pair(6, std::string("facility")));
    CHECK(take("<html>") == std::pair(-1, std::string("<html>")));
    CHECK(take("<>x") == std::pair(-1, std::string("<>x")));
    CHECK(take("<192>x") == std::pair(-1, std::string("<192>x")));
    CHECK(take("<1234>x") == std::pair(-1, std::string("<1234>x")));
    CHECK(take("<3") == std::pair(-1, std::string("<3")));
}
