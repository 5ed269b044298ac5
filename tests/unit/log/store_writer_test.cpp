// The thread that writes the store: what it is given comes into files, a disk that cannot be written holds nobody up, and
// what was in the ring when its process ended is written by the next.
#include "../temporary_directory.hpp"
#include "log/store_writer.hpp"
#include "store_support.hpp"
#include "sys/syscalls.hpp"

#include <catch2/catch.hpp>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace monoinit;
using namespace monoinit::log;
using namespace monoinit::log::test;

namespace {

bool wait_for(const std::function<bool()>& what) {
    for (int i = 0; i < 2000; i++, ::poll(nullptr, 0, 5))
        if (what())
            return true;
    return false;
}

/// Runs `body` in a child, where the writer's thread lives and ends.
void in_child(const std::function<void()>& body) {
    const pid_t child = ::fork();
    if (child == 0) {
        body();
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
}

void check(bool good) {
    if (!good)
        ::_exit(1);
}

} // namespace

TEST_CASE("lines come into files, rotated and vacuumed when asked") {
    TemporaryDirectory place;
    in_child([&] {
        auto memory = std::move(SharedMemory::map(-1).value());
        StoreWriter writer(memory);
        check(writer.configure({place / "logs", {}}));
        for (std::uint64_t i = 1; i <= 5000; i++) {
            const std::string text = "line " + std::to_string(i);
            const Record record = line(i, "web.service", text);
            check(wait_for([&] { return writer.may_append(stored_size(record)); }));
            writer.append(record);
            writer.wake();
        }
        const std::uint64_t head = writer.flush();
        check(wait_for([&] { return writer.done(head); }));
        check(memory.header().store_written == 5000 && writer.lines_lost() == 0 && writer.last_error() == 0);
        writer.rotate();
        check(wait_for([&] { return writer.done(head); }));
        StoreLimits few;
        few.max_files = 0;
        few.max_age = std::chrono::hours(1);
        writer.vacuum(few);
        check(wait_for([&] { return writer.done(head); }));
    });
    auto reader = std::move(StoreReader::open(place / "logs").value());
    CHECK(texts(reader, {}, false, 10000).size() == 5000);
    CHECK_FALSE(reader.files().back().open);
}

TEST_CASE("what was in the ring when the process ended is written by the next") {
    TemporaryDirectory place;
    const sys::UniqueFd shared(sys::memory_file("test"));
    in_child([&] {
        auto memory = std::move(SharedMemory::map(shared.get()).value());
        StoreWriter writer(memory);
        check(writer.configure({"/proc/nowhere", {}})); // a place where nothing can be written
        for (std::uint64_t i = 1; i <= 10; i++)
            writer.append(line(i, "web.service", "line " + std::to_string(i)));
        (void)writer.flush();
        check(wait_for([&] { return writer.last_error() != 0; }));
        check(writer.may_append(store_ring_size)); // nobody waits for it
    });
    in_child([&] {
        auto memory = std::move(SharedMemory::map(shared.get()).value());
        StoreWriter writer(memory);
        check(writer.configure({place / "logs", {}}));
        const std::uint64_t head = writer.flush();
        check(wait_for([&] { return writer.done(head); }));
    });
    auto reader = std::move(StoreReader::open(place / "logs").value());
    CHECK(texts(reader).size() == 10);
    CHECK(reader.boots().size() == 1);
}

TEST_CASE("lines for a disk that cannot be written are counted once the ring is full") {
    in_child([] {
        auto memory = std::move(SharedMemory::map(-1).value());
        StoreWriter writer(memory);
        check(writer.configure({"/proc/nowhere", {}}));
        const std::string text(1000, 'x');
        for (std::uint64_t i = 1; i <= 2000; i++)
            writer.append(line(i, "web.service", text));
        check(writer.lines_lost() > 900 && writer.lines_lost() < 1100);
        check(writer.configure({})); // switched off: nothing is kept for it any more
        check(wait_for([&] { return writer.idle(); }));
    });
}
