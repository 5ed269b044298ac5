// What becomes of a service whose health check failed for good.
#include "sim.hpp"

using namespace monoinit;
using namespace monoinit::supervise;

namespace {

const std::string reason = "unhealthy: HTTP 500 (3 of 3)";

} // namespace

TEST_CASE("an unhealthy service is stopped politely and comes back, whatever Restart= says") {
    Sim sim;
    sim.start();
    REQUIRE(sim.state() == "running");
    sim.fail_health(reason);
    CHECK(sim.signal_numbers().front() == SIGTERM);
    CHECK(sim.state() == "auto-restart");
    CHECK(sim.result() == ServiceResult::Watchdog);
    CHECK(sim.data().last_failure == reason);
    sim.advance(60s);
    CHECK(sim.state() == "running");
    CHECK(sim.data().restarts == 1);
}

TEST_CASE("it comes back once: the next end is judged by Restart= again") {
    Sim sim;
    sim.start();
    sim.fail_health(reason);
    sim.advance(60s);
    sim.main_exits(exited(1));
    CHECK(sim.state() == "failed");
}

TEST_CASE("the restart of an unhealthy service waits longer each time") {
    Sim sim;
    sim.start();
    sim.fail_health(reason);
    const auto first = sim.data().state_deadline - sim.now().mono;
    sim.advance(first);
    REQUIRE(sim.state() == "running");
    sim.fail_health(reason);
    CHECK(sim.data().state_deadline - sim.now().mono > first);
}

TEST_CASE("ExecStop= runs, and a stop that comes meanwhile wins") {
    Sim sim(ServiceType::Simple, [](auto& unit) { list(unit, ExecList::Stop).push_back(command("/bin/quit")); });
    sim.start();
    sim.fail_health(reason);
    REQUIRE(sim.state() == "stop");
    sim.stop();
    sim.advance(300s);
    CHECK(sim.state() == "failed");
}

TEST_CASE("a service that is not up has no health to fail") {
    Sim sim;
    sim.fail_health(reason);
    CHECK(sim.state() == "dead");
    CHECK(sim.signals.empty());
}
