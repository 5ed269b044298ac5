// The checkpoint as the next image finds it: records, replaced records, descriptors, a write cut short.
#include "runtime/checkpoint.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <random>
#include <sys/mman.h>
#include <unistd.h>

using namespace monoinit;
using runtime::Checkpoint;
using runtime::FdKind;

namespace {

Checkpoint reopened(const Checkpoint& old) {
    auto found = Checkpoint::adopt(sys::UniqueFd(::dup(old.fd())));
    REQUIRE(found.has_value());
    return std::move(*found);
}

std::string bytes_of(int fd) {
    std::string bytes(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), 0);
    REQUIRE(::pread(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    return bytes;
}

sys::UniqueFd file_of(const std::string& bytes) {
    sys::UniqueFd fd(::memfd_create("test", MFD_CLOEXEC));
    REQUIRE(::write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    return fd;
}

/// Every occurrence.
std::string replaced(std::string bytes, const std::string& what, const std::string& by) {
    REQUIRE(what.size() == by.size());
    REQUIRE(bytes.find(what) != std::string::npos);
    for (std::size_t at = 0; (at = bytes.find(what, at)) != std::string::npos; at += by.size())
        bytes.replace(at, by.size(), by);
    return bytes;
}

template <class T> void put(std::string& bytes, std::size_t at, T value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
}

} // namespace

TEST_CASE("records survive, the newest copy wins") {
    auto made = Checkpoint::create(64);
    REQUIRE(made.has_value());
    CHECK(made->write(1, "one"));
    CHECK(made->write(2, "two"));
    CHECK(made->write(1, "uno"));
    const auto records = reopened(*made).read_all();
    REQUIRE(records.size() == 2);
    CHECK(records[0] == std::pair<std::uint32_t, std::string>{1, "uno"});
    CHECK(records[1].second == "two");
}

TEST_CASE("a record that outgrows its place moves, an erased one is gone") {
    auto made = Checkpoint::create(64);
    REQUIRE(made.has_value());
    for (std::size_t size : {10U, 5000U, 200000U, 3U}) {
        CHECK(made->write(7, std::string(size, 'x')));
        const auto records = reopened(*made).read_all();
        REQUIRE(records.size() == 1);
        CHECK(records[0].second.size() == size);
    }
    made->erase(7);
    CHECK(reopened(*made).read_all().empty());
}

TEST_CASE("records that come and go do not make it grow") {
    auto made = Checkpoint::create(64);
    REQUIRE(made.has_value());
    const auto size = [&] { return ::lseek(made->fd(), 0, SEEK_END); };
    CHECK(made->write(1, "stays"));
    CHECK(made->write(2, std::string(3000, 'x')));
    made->erase(2);
    const auto before = size();
    for (std::uint32_t key = 3; key < 2000; key++) {
        CHECK(made->write(key, std::string(100 + key, 'y')));
        CHECK(reopened(*made).read_all().size() == 2);
        made->erase(key);
    }
    CHECK(size() == before);
    const Checkpoint again = reopened(*made);
    REQUIRE(again.read_all().size() == 1);
    CHECK(again.read_all()[0].second == "stays");
}

TEST_CASE("kept descriptors are listed until forgotten") {
    auto made = Checkpoint::create(64);
    REQUIRE(made.has_value());
    const sys::UniqueFd first(::dup(0)), second(::dup(0));
    REQUIRE(first.get() < second.get());
    CHECK(made->keep({FdKind::Guard, second.get(), 77, 3, 0}));
    made->set_pid(second.get(), 1234);
    CHECK(made->keep({FdKind::Control, first.get(), 0, 0, 0}));
    CHECK_FALSE(made->keep({FdKind::Guard, 64, 1, 1, 0}));
    CHECK_FALSE(made->keep({FdKind::Guard, -1, 1, 1, 0}));
    auto again = reopened(*made);
    auto kept = again.kept();
    REQUIRE(kept.size() == 2);
    CHECK(kept[1].pid == 1234);
    CHECK(kept[1].id == 77);
    static std::vector<int> visited; // the visitor is a plain function
    visited.clear();
    again.for_each_fd([](int fd) { visited.push_back(fd); });
    CHECK(visited == std::vector{first.get(), second.get()});
    again.forget(second.get());
    CHECK(made->kept().size() == 1); // the same memory
}

TEST_CASE("a descriptor that is not open is not taken up, nor is a damaged entry") {
    auto made = Checkpoint::create(64);
    REQUIRE(made.has_value());
    const sys::UniqueFd kept(::dup(0));
    CHECK(made->keep({FdKind::Guard, kept.get(), 0x7172737475767778, 3, 0}));
    CHECK(made->keep({FdKind::Notify, 63, 1, 3, 0}));
    auto again = reopened(*made);
    CHECK(again.damage().descriptors == 1);
    REQUIRE(again.kept().size() == 1);
    const auto found = Checkpoint::adopt(file_of(replaced(bytes_of(made->fd()), "xwvutsrq", "xwvutsrp")));
    REQUIRE(found.has_value());
    CHECK(found->damage().descriptors == 1); // and the one that is not open was cleared before
    CHECK(found->kept().empty());
}

TEST_CASE("of a damaged record the copy before it counts, and of one without a whole copy nothing") {
    auto made = Checkpoint::create(64);
    REQUIRE(made.has_value());
    CHECK(made->write(1, "unit one, before"));
    CHECK(made->write(1, "unit one, after "));
    CHECK(made->write(2, "unit two, before"));
    CHECK(made->write(2, "unit two, after "));
    CHECK(made->write(3, "unit three"));
    const std::string bytes = bytes_of(made->fd());
    const auto older = Checkpoint::adopt(file_of(replaced(bytes, "unit one, after ", "unit one, AFTER ")));
    REQUIRE(older.has_value());
    REQUIRE(older->read_all().size() == 3);
    CHECK(older->read_all()[0].second == "unit one, before");
    CHECK(older->damage().older == 1);
    CHECK(older->damage().lost == 0);
    const auto lost = Checkpoint::adopt(file_of(replaced(bytes, "unit two", "UNIT two")));
    REQUIRE(lost.has_value());
    REQUIRE(lost->read_all().size() == 2);
    CHECK(lost->read_all()[1].second == "unit three");
    CHECK(lost->damage().lost == 1);
    const auto whole = Checkpoint::adopt(file_of(bytes));
    REQUIRE(whole.has_value());
    CHECK_FALSE(whole->damage().any());
}

TEST_CASE("a write cut short is no damage") {
    auto made = Checkpoint::create(64);
    REQUIRE(made.has_value());
    CHECK(made->write(1, "the first state"));
    CHECK(made->write(1, "the second state"));
    const auto found = Checkpoint::adopt(file_of(replaced(bytes_of(made->fd()), "the first state", "the third sta..")));
    REQUIRE(found.has_value());
    CHECK_FALSE(found->damage().any());
    CHECK(found->read_all()[0].second == "the second state");
}

TEST_CASE("what follows damage is found again") {
    auto made = Checkpoint::create(64);
    REQUIRE(made.has_value());
    for (std::uint32_t key = 1; key <= 5; key++)
        CHECK(made->write(key, "record " + std::to_string(key)));
    std::string bytes = bytes_of(made->fd());
    // From record 2's bytes over the head of record 3 into its bytes.
    const std::size_t from = bytes.find("record 2"), to = bytes.find("record 3") + 8;
    for (std::size_t at = from; at < to; at++)
        bytes[at] = static_cast<char>(at * 7);
    const auto found = Checkpoint::adopt(file_of(bytes));
    REQUIRE(found.has_value());
    const auto records = found->read_all();
    REQUIRE(records.size() == 3);
    CHECK(records[1].second == "record 4");
    CHECK(found->damage().lost == 2);
    auto usable = Checkpoint::adopt(file_of(bytes));
    CHECK(usable->write(9, std::string(100'000, 'n')));
    CHECK(reopened(*usable).read_all().size() == 4);
}

TEST_CASE("any damage is survived") {
    auto made = Checkpoint::create(64);
    REQUIRE(made.has_value());
    for (std::uint32_t key = 0; key < 40; key++)
        for (int i = 0; i < 3; i++)
            CHECK(made->write(key, std::string(20 * key, static_cast<char>('a' + i))));
    const std::string bytes = bytes_of(made->fd());
    std::mt19937 random(20261126);
    for (int round = 0; round < 300; round++) {
        std::string bad = bytes;
        for (int hit = 0; hit < 1 << round % 8; hit++)
            bad[random() % (round % 2 == 0 ? 4096 : bad.size())] = static_cast<char>(random());
        auto found = Checkpoint::adopt(file_of(bad));
        if (!found)
            continue;
        for (const auto& [key, text] : found->read_all()) {
            CHECK(text.size() == 20 * key);
            CHECK(text.find_first_not_of(text.empty() ? 'x' : text.front()) == std::string::npos);
        }
        CHECK(found->write(1000, std::string(5000, 'z')));
    }
}

TEST_CASE("the file cannot be taken from under the handler") {
    auto made = Checkpoint::create(64);
    REQUIRE(made.has_value());
    CHECK(::ftruncate(made->fd(), 0) != 0);
}

TEST_CASE("a checkpoint of the format before is taken over") {
    constexpr std::size_t head = 56, slot = 24, descriptors = 64, extent = 24, capacity = 512;
    constexpr std::size_t first = (head + slot * descriptors + 63) / 64 * 64;
    std::string bytes(64 * 1024, 0);
    put(bytes, 0, std::uint64_t{0x31746e696f6e6f6dULL});
    put(bytes, 8, std::uint32_t{1});
    put(bytes, 12, std::uint32_t{descriptors});
    put(bytes, 16, std::uint64_t{first + 2 * (extent + 2 * capacity)});
    const sys::UniqueFd kept(::dup(0));
    const auto number = static_cast<std::uint32_t>(kept.get());
    put(bytes, 24, number + 1);
    put(bytes, 32, std::uint32_t{3}); // crashes
    put(bytes, head + number * slot, runtime::FdEntry{FdKind::Guard, kept.get(), 5, 6, 7});
    for (std::uint32_t i = 0; i < 2; i++) {
        const std::size_t at = first + i * (extent + 2 * capacity);
        const std::uint32_t fields[] = {i + 1, 1, capacity, 3, 3, 5}; // key, live, capacity, sequence, lengths: the second copy counts
        std::memcpy(bytes.data() + at, fields, sizeof fields);
        bytes.replace(at + extent, 3, "old");
        bytes.replace(at + extent + capacity, 5, i == 0 ? "first" : "other");
    }
    const auto found = Checkpoint::adopt(file_of(bytes));
    REQUIRE(found.has_value());
    CHECK(found->crash().count == 3);
    const auto records = found->read_all();
    REQUIRE(records.size() == 2);
    CHECK(records[0].second == "first");
    CHECK(records[1].second == "other");
    REQUIRE(found->kept().size() == 1);
    CHECK(found->kept()[0].pid == 7);
    CHECK(bytes_of(found->fd()).substr(8, 4) == std::string("\2\0\0\0", 4));
    put(bytes, 16, std::uint64_t{bytes.size() + 1});
    CHECK_FALSE(Checkpoint::adopt(file_of(bytes)).has_value());
}

namespace {

/// Every field another value, so that one that has moved is seen.
runtime::CrashNote golden_note() {
    runtime::CrashNote note{.count = 1, .signal = 2, .last_usec = 3, .restoring = 4, .generation = 5, .sender = 6, .own = 7, .has_address = 8,
                            .went_back = 9, .reserved = 10, .address = 11, .quick = 12, .rests = 13, .frame_count = 14, .heard = 15, .shutdown_ms = 16};
    for (std::uint32_t i = 0; i < note.frames.size(); i++)
        note.frames[i] = 100 + i;
    for (std::size_t i = 0; i < note.text.size(); i++)
        note.text[i] = static_cast<char>('0' + i % 64);
    return note;
}

const std::vector golden_descriptors{runtime::FdEntry{FdKind::Guard, 0, 0x0102030405060708, 9, 10}, runtime::FdEntry{FdKind::ScopeProcess, 2, 11, 12, 0}};
const runtime::Records golden_records{{runtime::engine_record, "globals"}, {7, std::string(1000, 'x')}, {runtime::log_record, "settings"}};

} // namespace

// What an upgrade meets. A file is never changed: with MONOINIT_RENEW=1 the one of a new format is written, beside those of formats before.
TEST_CASE("what a release of this format has left is read, to the last field") {
    const std::string path = std::string(MONOINIT_SOURCE_DIR) + "/tests/data/checkpoint-" + std::to_string(Checkpoint::newest_format);
    if (std::getenv("MONOINIT_RENEW") != nullptr && !std::ifstream(path)) {
        auto made = Checkpoint::create(8);
        REQUIRE(made.has_value());
        for (const auto& [key, bytes] : golden_records)
            CHECK(made->write(key, bytes));
        CHECK(made->write(7, golden_records[1].second)); // its second copy counts
        for (const runtime::FdEntry& entry : golden_descriptors)
            CHECK(made->keep(entry));
        made->crash() = golden_note();
        std::string bytes = bytes_of(made->fd());
        bytes.resize(bytes.find_last_not_of('\0') + 1024);
        std::ofstream(path) << bytes;
    }
    std::ifstream file(path);
    REQUIRE(file);
    const auto found = Checkpoint::adopt(file_of({std::istreambuf_iterator<char>(file), {}}));
    REQUIRE(found.has_value());
    CHECK_FALSE(found->damage().any());
    CHECK(found->read_all() == golden_records);
    CHECK((found->crash() == golden_note()));
    CHECK((found->kept() == golden_descriptors));
}

TEST_CASE("an entry of a kind that this version does not know is told from one whose descriptor is not open") {
    auto made = Checkpoint::create(64);
    REQUIRE(made.has_value());
    CHECK(made->keep({FdKind::Notify, 63, 1, 3, 0}));
    CHECK(made->keep({static_cast<FdKind>(static_cast<std::uint32_t>(runtime::last_fd_kind) + 1), 0, 1, 3, 0}));
    const Checkpoint again = reopened(*made);
    CHECK(again.damage().descriptors == 2);
    CHECK(again.damage().foreign == 1);
}

TEST_CASE("what is no checkpoint is refused") {
    const sys::UniqueFd junk(::memfd_create("junk", MFD_CLOEXEC));
    REQUIRE(::ftruncate(junk.get(), 70000) == 0);
    CHECK_FALSE(Checkpoint::adopt(sys::UniqueFd(::dup(junk.get()))).has_value());
    REQUIRE(::ftruncate(junk.get(), 3) == 0);
    CHECK_FALSE(Checkpoint::adopt(sys::UniqueFd(::dup(junk.get()))).has_value());
}
