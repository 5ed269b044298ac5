#include "sys/epoll_loop.hpp"

#include "sys/socket.hpp"
#include "sys/syscalls.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <unistd.h>
#include <vector>

using namespace monoinit;
using namespace monoinit::sys;

namespace {

struct World {
    EpollLoop loop = std::move(*EpollLoop::create());
    std::vector<Pipe> pipes;
    std::vector<int> heard;

    /// A pipe that is watched; its number.
    std::size_t watch(std::uint32_t events = EPOLLIN) {
        pipes.push_back(std::move(*make_pipe_pair()));
        const auto number = pipes.size() - 1;
        added = loop.add(fd(number), events, [this, number](std::uint32_t) {
            char byte;
            (void)!::read(fd(number), &byte, 1);
            heard.push_back(static_cast<int>(number));
        });
        return number;
    }
    int fd(std::size_t number) const { return pipes[number].read.get(); }
    void write(std::size_t number) { REQUIRE(::write(pipes[number].write.get(), "x", 1) == 1); }
    int turn() { return loop.run_once(base::Duration{}).value(); }
    base::Result<void> added;
};

} // namespace

TEST_CASE("what the kernel has no room to watch is watched by poll, until it has") {
    for (const int error : {ENOSPC, ENOMEM}) {
        World world;
        const auto first = world.watch();
        std::size_t second = 0, third = 0;
        {
            const ScopedFault full(Call::EpollCtl, {.error = error});
            second = world.watch();
            third = world.watch();
            REQUIRE(world.added);
            CHECK(world.loop.polled() == 2);
            CHECK(world.loop.size() == 3);
            CHECK(world.turn() == 0);
            for (const auto each : {first, second, third})
                world.write(each);
            CHECK(world.turn() == 3);
            world.loop.remove(world.fd(third));
            CHECK(world.loop.polled() == 1);
            world.write(third);
            world.write(second);
            CHECK(world.turn() == 1);
            CHECK(world.heard.back() == static_cast<int>(second));
            REQUIRE(world.loop.modify(world.fd(second), 0)); // looked away from
            world.write(second);
            CHECK(world.turn() == 0);
            REQUIRE(world.loop.modify(world.fd(second), EPOLLIN));
        }
        CHECK(world.turn() == 1); // in the epoll set by now
        CHECK(world.loop.polled() == 0);
        world.write(second);
        CHECK(world.turn() == 1);
    }
}

TEST_CASE("waiting wakes for what is polled, and for what is not") {
    World world;
    const auto inside = world.watch();
    const ScopedFault full(Call::EpollCtl, {.error = ENOSPC});
    const auto outside = world.watch();
    for (const auto each : {inside, outside}) {
        world.write(each);
        CHECK(world.loop.run_once(std::chrono::seconds(20)).value() == 1);
        CHECK(world.heard.back() == static_cast<int>(each));
    }
    CHECK(world.loop.run_once(std::chrono::milliseconds(1)).value() == 0);
}

TEST_CASE("a polled one may go, and its number be another's, in a callback of the same turn") {
    World world;
    const ScopedFault full(Call::EpollCtl, {.error = ENOSPC});
    std::vector<Pipe> pipes;
    int old_ran = 0, new_ran = 0;
    pipes.push_back(std::move(*make_pipe_pair()));
    pipes.push_back(std::move(*make_pipe_pair()));
    const int victim = pipes[1].read.get();
    REQUIRE(pipes[0].read.get() < victim); // they are called in this order
    REQUIRE(world.loop.add(pipes[0].read.get(), EPOLLIN, [&](std::uint32_t) {
        world.loop.remove(pipes[0].read.get());
        world.loop.remove(victim);
        REQUIRE(world.loop.add(victim, EPOLLIN, [&](std::uint32_t) { new_ran++; }));
    }));
    REQUIRE(world.loop.add(victim, EPOLLIN, [&](std::uint32_t) { old_ran++; }));
    for (const Pipe& pipe : pipes)
        REQUIRE(::write(pipe.write.get(), "x", 1) == 1);
    CHECK(world.turn() == 1);
    CHECK(old_ran == 0);
    CHECK(new_ran == 0); // the event was its predecessor's
    CHECK(world.turn() == 1);
    CHECK(new_ran == 1);
}

TEST_CASE("other refusals are errors, and edges cannot be polled") {
    World world;
    {
        const ScopedFault forbidden(Call::EpollCtl, {.error = EPERM});
        world.watch();
        CHECK(world.added.error().errnum == EPERM);
    }
    const ScopedFault full(Call::EpollCtl, {.error = ENOSPC});
    world.watch(EPOLLIN | EPOLLET);
    CHECK(world.added.error().errnum == ENOSPC);
    CHECK(world.loop.size() == 0);
    CHECK(world.loop.add(-1, EPOLLIN, {}).error().errnum == EBADF);
}
