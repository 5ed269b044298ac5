// A store's directory: rotation, what has to go, what was left by a writer that was killed, and what others put there.
#include "../temporary_directory.hpp"
#include "log/store_directory.hpp"
#include "store_support.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <algorithm>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace monoinit;
using namespace monoinit::log;
using namespace monoinit::log::test;
using std::chrono::seconds;

namespace {

struct Place {
    TemporaryDirectory top;
    std::string path = top / "a/b/logs";

    void put(StoreDirectory& directory, std::uint64_t from, std::uint64_t to, const std::string& unit = "web.service") {
        for (std::uint64_t i = from; i < to; i++)
            REQUIRE(directory.append(stored(line(i, unit, "line " + std::to_string(i))), 1 << 20));
    }
    StoreReader reader() { return std::move(StoreReader::open(path).value()); }
    std::vector<std::string> names() {
        std::vector<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator(path))
            found.push_back(entry.path().filename());
        std::sort(found.begin(), found.end());
        return found;
    }
};

StoreLimits small() {
    StoreLimits limits;
    limits.max_file = 64 << 10;
    limits.max_use = 1 << 20;
    limits.keep_free = 1;
    return limits;
}

} // namespace

TEST_CASE("lines can be read while they are written, and after the file is finished") {
    Place place;
    StoreDirectory directory(place.path, small(), boot_number(1));
    place.put(directory, 1, 4);
    auto reader = place.reader();
    CHECK(texts(reader) == std::vector<std::string>{"line 1", "line 2", "line 3"});
    directory.rotate();
    CHECK(place.names() == std::vector<std::string>{"0000000000000001.log"});
    reader.refresh();
    CHECK(texts(reader).size() == 3);
    CHECK(reader.verify("0000000000000001.log"));
    place.put(directory, 4, 5);
    reader.refresh();
    CHECK(texts(reader).back() == "line 4");
    CHECK(reader.boots().size() == 1);
}

TEST_CASE("files end at their size, and old ones go") {
    Place place;
    StoreLimits limits = small();
    limits.max_use = 256 << 10;
    limits.compress = false;
    StoreDirectory directory(place.path, limits, boot_number(1));
    place.put(directory, 1, 6000);
    std::uint64_t bytes = 0;
    auto reader = place.reader();
    for (const auto& file : reader.files())
        bytes += file.bytes;
    CHECK(bytes <= limits.max_use);
    CHECK(bytes > limits.max_use / 4);
    const auto lines = texts(reader, {}, false, 100000);
    CHECK(lines.back() == "line 5999");
    CHECK(lines.size() < 5999);
    CHECK(lines.size() > 500);
    for (std::size_t i = 0; i < lines.size(); i++) // without a hole
        REQUIRE(lines[i] == "line " + std::to_string(6000 - lines.size() + i));
    SECTION("by number") {
        limits.max_use = 0;
        limits.max_files = 1;
        directory.rotate();
        directory.vacuum(limits);
        CHECK(place.names().size() == 1);
    }
    SECTION("by age") {
        StoreLimits age;
        age.max_files = 0;
        age.max_age = seconds(100);
        directory.rotate();
        directory.vacuum(age);
        CHECK_FALSE(place.names().empty());
        for (const std::string& name : place.names()) {
            const timespec old[2] = {{1, 0}, {1, 0}};
            REQUIRE(::utimensat(AT_FDCWD, (place.path + "/" + name).c_str(), old, 0) == 0);
        }
        directory.vacuum(age);
        CHECK(place.names().empty());
    }
}

TEST_CASE("a noisy unit does not push out a quiet one's last lines") {
    Place place;
    StoreLimits limits = small();
    limits.max_use = 256 << 10;
    limits.compress = false;
    StoreDirectory directory(place.path, limits, boot_number(1));
    const auto quiet = [&](std::uint64_t cursor) { place.put(directory, cursor, cursor + 1, cursor % 2 == 0 ? "even.service" : "odd.service"); };
    std::uint64_t cursor = 1;
    for (int round = 0; round < 10; round++) {
        quiet(cursor++);
        quiet(cursor++);
        place.put(directory, cursor, cursor + 3000);
        cursor += 3000;
    }
    auto reader = place.reader();
    Selection only;
    only.units = {"even.service", "odd.service"};
    const auto kept = texts(reader, only);
    CHECK(kept.size() == 20); // all that they have said
    CHECK(std::ranges::is_sorted(kept, {}, [](const std::string& text) { return std::stoul(text.substr(5)); }));
    CHECK(texts(reader, only, true) == std::vector<std::string>(kept.rbegin(), kept.rend()));
    std::uint64_t bytes = 0;
    for (const auto& file : reader.files()) {
        bytes += file.bytes;
        CHECK(reader.verify(file.name));
    }
    CHECK(bytes <= limits.max_use);
    CHECK(place.names().size() < 10);
    only.units = {"web.service"};
    CHECK(texts(reader, only, true, 1) == std::vector<std::string>{"line " + std::to_string(cursor - 1)});
}

TEST_CASE("what is left of files of different boots stays apart") {
    Place place;
    StoreLimits limits = small();
    limits.max_use = 256 << 10;
    std::uint64_t cursor = 1;
    for (std::uint8_t boot = 1; boot < 4; boot++) {
        StoreDirectory directory(place.path, limits, boot_number(boot));
        place.put(directory, cursor, cursor + 1, "quiet.service");
        place.put(directory, cursor + 1, cursor + 6000);
        cursor += 6000;
    }
    auto reader = place.reader();
    CHECK(reader.boots().size() == 3);
    Selection only;
    only.units = {"quiet.service"};
    CHECK(texts(reader, only).size() == 3);
}

TEST_CASE("what a killed writer left is finished by the next one, up to what is torn") {
    Place place;
    {
        StoreDirectory directory(place.path, small(), boot_number(1));
        place.put(directory, 1, 10);
    }
    const std::string open = place.path + "/0000000000000001.open";
    REQUIRE(::truncate(open.c_str(), static_cast<off_t>(std::filesystem::file_size(open) - 3)) == 0);
    std::ofstream(place.path + "/0000000000000002.new") << "half of something";
    auto before = place.reader();
    CHECK(texts(before).size() == 8);
    StoreDirectory next(place.path, small(), boot_number(2));
    place.put(next, 100, 101);
    auto reader = place.reader();
    CHECK(texts(reader).size() == 9);
    CHECK(texts(reader).back() == "line 100");
    CHECK(reader.boots().size() == 2);
    CHECK(place.names().front() == "0000000000000001.log");
}

TEST_CASE("what was written twice around a kill comes once") {
    Place place;
    {
        StoreDirectory directory(place.path, small(), boot_number(1));
        place.put(directory, 1, 6);
    }
    StoreDirectory next(place.path, small(), boot_number(1)); // the same start of the container
    place.put(next, 4, 8);
    auto reader = place.reader();
    const std::vector<std::string> expected{"line 1", "line 2", "line 3", "line 4", "line 5", "line 6", "line 7"};
    CHECK(texts(reader) == expected);
    CHECK(texts(reader, {}, true) == std::vector<std::string>(expected.rbegin(), expected.rend()));
}

TEST_CASE("files of others are left alone, and links are not followed") {
    Place place;
    std::filesystem::create_directories(place.path);
    std::ofstream(place.path + "/notes.txt") << "mine";
    std::ofstream(place.path + "/0000000000000007.log") << "no log file at all";
    std::ofstream(place.top / "target") << "target";
    std::filesystem::create_symlink(place.top / "target", place.path + "/0000000000000008.log");
    std::filesystem::create_directory(place.path + "/0000000000000009.open");
    StoreLimits limits = small();
    limits.max_files = 1;
    StoreDirectory directory(place.path, limits, boot_number(1));
    place.put(directory, 1, 3);
    auto reader = place.reader();
    CHECK(texts(reader).size() == 2);
    CHECK(std::filesystem::exists(place.path + "/notes.txt"));
    CHECK(std::filesystem::exists(place.top / "target"));
}

TEST_CASE("a directory that is removed while it is used is made again") {
    Place place;
    StoreDirectory directory(place.path, small(), boot_number(1));
    place.put(directory, 1, 3);
    std::filesystem::remove_all(place.path);
    place.put(directory, 3, 5);
    auto reader = place.reader();
    CHECK(texts(reader) == std::vector<std::string>{"line 3", "line 4"});
}

TEST_CASE("a place where nothing can be written says so") {
    StoreDirectory directory("/proc/no/such/place", small(), boot_number(1));
    CHECK_FALSE(directory.append(stored(line(1, "web.service", "x")), 1000));
}
