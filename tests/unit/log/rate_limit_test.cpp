// So many lines in so much time.
#include "log/rate_limit.hpp"

#include <catch2/catch.hpp>

using monoinit::log::RateLimit;

TEST_CASE("a burst passes, the rest of the interval is dropped and counted once it is over") {
    RateLimit limit(1'000'000, 3);
    for (std::uint64_t at : {5'000'000U, 5'000'001U, 5'999'998U})
        CHECK(limit.allow(at));
    CHECK_FALSE(limit.allow(5'999'999));
    CHECK_FALSE(limit.allow(5'999'999));
    CHECK(limit.take_dropped(5'999'999) == 0);
    CHECK(limit.take_dropped(6'000'000) == 2);
    CHECK(limit.take_dropped(6'000'000) == 0);
    CHECK(limit.allow(6'000'000));
    CHECK(limit.take_dropped() == 0);
}

TEST_CASE("nothing set is no limit") {
    RateLimit none(0, 0), no_burst(1'000'000, 0), no_interval(0, 5);
    for (std::uint64_t at = 1; at < 1000; at++) {
        CHECK(none.allow(at));
        CHECK(no_burst.allow(at));
        CHECK(no_interval.allow(at));
    }
}
