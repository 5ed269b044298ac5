// Millions of random events against the invariants. MONOINIT_SIM_SEED=N plays one world (that of a failure report);
// MONOINIT_SIM_EVENTS=N changes how many events are played in all.

#include "world.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <iostream>

using namespace monoinit::sim;

namespace {

std::optional<std::uint64_t> number(const char* variable) {
    const char* text = std::getenv(variable);
    return text != nullptr ? std::optional<std::uint64_t>(std::strtoull(text, nullptr, 10)) : std::nullopt;
}

} // namespace

TEST_CASE("whatever happens, in whatever order") {
    const std::uint64_t wanted = number("MONOINIT_SIM_EVENTS").value_or(800'000);
    std::uint64_t seed = number("MONOINIT_SIM_SEED").value_or(1), events = 0;
    const bool only_one = number("MONOINIT_SIM_SEED").has_value();
    do {
        World world(seed);
        try {
            world.play();
        } catch (const Violation& violation) {
            FAIL(violation.what());
        }
        events += world.events();
        seed++;
    } while (!only_one && events < wanted);
    std::cout << events << " events in " << seed - 1 << " worlds\n";
}
