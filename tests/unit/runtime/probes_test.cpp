// Probes while there are no processes or descriptors for them: when they are tried again, when not any more, what is said.
#include "runtime/probes.hpp"

#include <catch2/catch.hpp>

#include <cerrno>

using namespace monoinit;
using namespace std::chrono_literals;

namespace {

struct World {
    sys::EpollLoop loop = std::move(*sys::EpollLoop::create());
    std::vector<std::string> complaints, answers;
    runtime::Probes probes{loop, [this](std::string text) { complaints.push_back(std::move(text)); }};
    base::Instant now{1000s};
    int error = EAGAIN, attempts = 0;

    std::uint64_t start(base::Duration limit = 10s) {
        return probes.start(
            [this]() -> base::Result<exec::Probe> {
                attempts++;
                if (error != 0)
                    return base::fail_errno(error, "cannot fork");
                return exec::Probe::start([] { return std::string("done"); });
            },
            now, limit, [this](base::Result<std::string> answer) { answers.push_back(answer ? *answer : base::to_string(answer.error())); });
    }
    /// To the next moment at which something is due.
    base::Duration advance() {
        const base::Instant next = probes.next_deadline();
        REQUIRE(next != base::never);
        const base::Duration waited = next - now;
        now = next;
        probes.expire(now);
        return waited;
    }
};

} // namespace

TEST_CASE("a probe for which there is no process is tried again with growing pauses, said once") {
    World world;
    CHECK(world.start() != 0);
    CHECK(world.start() != 0);
    CHECK(world.attempts == 2);
    CHECK(world.complaints == std::vector<std::string>{"cannot fork: Resource temporarily unavailable: trying again"});
    std::vector<base::Duration> pauses;
    for (int i = 0; i < 7; i++)
        pauses.push_back(world.advance());
    CHECK(pauses == std::vector<base::Duration>{50ms, 100ms, 200ms, 400ms, 800ms, 1s, 1s});
    CHECK(world.attempts == 16);
    CHECK(world.complaints.size() == 1);
    world.error = 0;
    world.advance();
    while (world.answers.size() < 2)
        REQUIRE(world.loop.run_once(20s));
    CHECK(world.answers == std::vector<std::string>{"done", "done"});
    CHECK(world.probes.idle());
    world.error = EMFILE;
    world.start();
    CHECK(world.complaints.size() == 2); // another shortage
}

TEST_CASE("a probe is not tried beyond its limit, nor after what is no shortage, nor when nobody wants it") {
    World world;
    world.start(300ms);
    CHECK(world.advance() == 50ms);
    CHECK(world.advance() == 100ms); // the next would come after the limit
    CHECK(world.answers == std::vector<std::string>{"cannot fork: Resource temporarily unavailable"});
    CHECK(world.attempts == 3);
    world.error = EPERM;
    CHECK(world.start() == 0); // answered already
    CHECK(world.answers.back() == "cannot fork: Operation not permitted");
    world.error = ENOMEM;
    const auto probe = world.start();
    world.probes.cancel(probe);
    CHECK(world.answers.back() == "no longer wanted");
    CHECK(world.probes.idle());
    CHECK(world.probes.next_deadline() == base::never);
}

TEST_CASE("a probe's limit counts from when it could be made") {
    World world;
    world.start(300ms);
    world.advance();
    world.error = 0;
    world.advance(); // 150 ms are over
    CHECK(world.probes.next_deadline() == world.now + 300ms);
    world.now = world.now + 300ms;
    world.probes.expire(world.now);
    CHECK(world.answers.size() == 1);
    CHECK(world.answers.back().starts_with("took longer than 0.3 s"));
}
