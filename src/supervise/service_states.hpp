#pragma once
// The tables behind the service machine: one row per state, and the edges that exist. Everything
// that asks "what kind of state is this" reads a column here; a state added without a row does not
// compile. Tested by tests/unit/supervise/states_test.cpp; that every edge is used, by
// service_walk_test.cpp.

#include "supervise/service.hpp"

#include <span>

namespace monoinit::supervise {

/// Which timeout runs while the service is in a state.
enum class Arms : std::uint8_t { None, StartTimeout, StopTimeout, AbortTimeout, RestartDelay };

struct StateTraits {
    ServiceState state;
    std::string_view name;
    ActiveState active;
    bool watchdog; ///< WATCHDOG=1 is expected
    Arms arms;
};

struct Edge {
    ServiceState from;
    ServiceState to;

    bool operator==(const Edge&) const = default;
};

const StateTraits& traits(ServiceState state);
bool is_stop_signal(ServiceState state); ///< signals go out before ExecStopPost=
bool is_sigkill(ServiceState state);     ///< and it is the last one
std::span<const Edge> service_edges();

} // namespace monoinit::supervise
