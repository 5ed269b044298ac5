// StartLimitIntervalSec= and StartLimitBurst=.

#include "sim.hpp"
#include "supervise/start_limit.hpp"

using namespace monoinit;
using namespace monoinit::supervise;

TEST_CASE("so many starts in so much time") {
    unit::StartLimit limit; // 5 in 10 s
    std::vector<Instant> recent;
    const auto at = [](base::Duration span) { return Instant{span}; };
    for (const base::Duration t : {0s, 1s, 2s, 3s, 4s})
        CHECK(count_start(limit, recent, at(t)));
    CHECK_FALSE(count_start(limit, recent, at(5s)));
    CHECK_FALSE(count_start(limit, recent, at(9999ms)));
    CHECK(count_start(limit, recent, at(10s))); // the first has left the window
    CHECK_FALSE(count_start(limit, recent, at(10s)));
    CHECK(recent.size() == 5);
}

TEST_CASE("an interval or burst of 0 is no limit") {
    unit::StartLimit limit;
    std::vector<Instant> recent;
    const bool interval = GENERATE(false, true);
    if (interval)
        limit.interval = {};
    else
        limit.burst = 0;
    for (int i = 0; i < 100; i++)
        CHECK(count_start(limit, recent, Instant{1s}));
    CHECK(recent.empty());
}
