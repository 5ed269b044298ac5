// Millions of random events against the invariants. MONOINIT_SIM_SEED=N plays one world (that of a failure report);
// MONOINIT_SIM_EVENTS=N changes how many events are played in all.

#include "world.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <iostream>

using namespace monoinit::sim;

namespace {

/// Enough that everything Coverage asks for is reached in any case.
constexpr std::uint64_t events_by_default = 1'000'000;

std::optional<std::uint64_t> number(const char* variable) {
    const char* text = std::getenv(variable);
    return text != nullptr ? std::optional<std::uint64_t>(std::strtoull(text, nullptr, 10)) : std::nullopt;
}

} // namespace

TEST_CASE("whatever happens, in whatever order") {
    const std::uint64_t wanted = number("MONOINIT_SIM_EVENTS").value_or(events_by_default);
    const std::uint64_t first = number("MONOINIT_SIM_SEED").value_or(1);
    std::uint64_t seed = first, events = 0;
    const bool only_one = number("MONOINIT_SIM_SEED").has_value();
    Coverage coverage;
    do {
        World world(seed, coverage, only_one ? 100'000 : 80);
        try {
            world.play();
        } catch (const Violation& violation) {
            FAIL(violation.what());
        }
        events += world.events();
        seed++;
    } while (!only_one && events < wanted);
    std::cout << events << " events in " << seed - first << " worlds, " << coverage.edges.size() << " of "
              << monoinit::supervise::service_edges().size() << " edges of the service machine\n";
    for (const auto& [mark, count] : coverage.marks)
        std::cout << "  " << count << " x " << mark << "\n";
    if (only_one)
        return;
    for (const std::string& missing : coverage.missing()) {
        if (events < events_by_default)
            std::cout << "not reached: " << missing << "\n";
        else
            FAIL_CHECK("not reached: " << missing);
    }
}
