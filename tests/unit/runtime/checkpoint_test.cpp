// The checkpoint as the next image finds it: records, replaced records, descriptors, a write cut short.
#include "runtime/checkpoint.hpp"

#include <catch2/catch.hpp>

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
    CHECK(made->keep({FdKind::Guard, 9, 77, 3, 0}));
    made->set_pid(9, 1234);
    CHECK(made->keep({FdKind::Control, 5, 0, 0, 0}));
    CHECK_FALSE(made->keep({FdKind::Guard, 64, 1, 1, 0}));
    CHECK_FALSE(made->keep({FdKind::Guard, -1, 1, 1, 0}));
    auto again = reopened(*made);
    auto kept = again.kept();
    REQUIRE(kept.size() == 2);
    CHECK(kept[1].pid == 1234);
    CHECK(kept[1].id == 77);
    again.forget(9);
    CHECK(made->kept().size() == 1); // the same memory
}

TEST_CASE("what is no checkpoint is refused") {
    const sys::UniqueFd junk(::memfd_create("junk", MFD_CLOEXEC));
    REQUIRE(::ftruncate(junk.get(), 70000) == 0);
    CHECK_FALSE(Checkpoint::adopt(sys::UniqueFd(::dup(junk.get()))).has_value());
    REQUIRE(::ftruncate(junk.get(), 3) == 0);
    CHECK_FALSE(Checkpoint::adopt(sys::UniqueFd(::dup(junk.get()))).has_value());
}
