// From a process to its unit, in a made-up /proc.
#include "log/attribution.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::log;
using namespace std::chrono_literals;

namespace {

std::map<pid_t, Attribution::Facts> world() {
    return {{10, {1, 0, "guard: web.service"}}, {11, {10, 33, "nginx"}}, {12, {11, 33, "worker"}},
            {20, {1, 1000, "guard: web.service"}}, {21, {20, 1000, "forger"}}, {30, {1, 0, "orphan"}}, {50, {1, 0, "guard: web.serv"}}, {40, {40, 0, "loop"}}};
}

} // namespace

TEST_CASE("the guard above a process names its unit") {
    auto processes = world();
    Attribution attribution(1, 0, [&](pid_t pid) { return processes[pid]; });
    CHECK(attribution.unit_of(12, 1s) == "web.service");
    CHECK(attribution.unit_of(11, 1s) == "web.service");
    CHECK(attribution.unit_of(10, 1s) == "web.service");
}

TEST_CASE("nothing is guessed, and nobody's title but a guard's counts") {
    auto processes = world();
    Attribution attribution(1, 0, [&](pid_t pid) { return processes[pid]; });
    for (const pid_t pid : {0, 1, 20, 21, 30, 31, 40, 50})
        CHECK(attribution.unit_of(pid, 1s).empty());
}

TEST_CASE("answers are kept for a moment only") {
    auto processes = world();
    Attribution attribution(1, 0, [&](pid_t pid) { return processes[pid]; });
    CHECK(attribution.unit_of(12, 1s) == "web.service");
    processes.erase(12);
    CHECK(attribution.unit_of(12, 1100ms) == "web.service");
    CHECK(attribution.unit_of(12, 1300ms).empty());
}
