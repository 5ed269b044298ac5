// Delays before a restart.

#include "sim.hpp"
#include "supervise/backoff.hpp"

using namespace monoinit;
using namespace monoinit::supervise;

TEST_CASE("RestartSec= alone stays the same") {
    unit::ServiceSection service;
    service.restart_delay = 3s;
    for (const std::uint32_t attempt : {1U, 2U, 1000U})
        CHECK(configured_delay(service, attempt) == 3s);
    service.restart_steps = 4; // without RestartMaxDelaySec= it means nothing
    CHECK(configured_delay(service, 3) == 3s);
}

TEST_CASE("RestartSteps= grow geometrically to RestartMaxDelaySec=") {
    unit::ServiceSection service;
    service.restart_delay = 1s;
    service.restart_max_delay = 16s;
    service.restart_steps = 4;
    const std::vector<base::Duration> expected{1s, 2s, 4s, 8s, 16s, 16s};
    for (std::uint32_t attempt = 1; attempt <= 6; attempt++)
        CHECK(configured_delay(service, attempt) == expected[attempt - 1]);
    service.restart_delay = 20s; // longer than the maximum
    CHECK(configured_delay(service, 3) == 20s);
    service.restart_delay = 0s;
    CHECK(configured_delay(service, 1) == 0s);
    CHECK(configured_delay(service, 5) == 16s);
}

TEST_CASE("the default: doubling up to a maximum, never overflowing") {
    CHECK(doubling_delay(100ms, 30s, 0) == 100ms);
    CHECK(doubling_delay(100ms, 30s, 3) == 800ms);
    CHECK(doubling_delay(100ms, 30s, 8) == 25600ms);
    CHECK(doubling_delay(100ms, 30s, 9) == 30s);
    CHECK(doubling_delay(100ms, 30s, 4'000'000'000U) == 30s);
    CHECK(doubling_delay(0ms, 30s, 4'000'000'000U) == 0ms);
    CHECK(doubling_delay(100ms, base::infinity, 100) == base::infinity);
}
