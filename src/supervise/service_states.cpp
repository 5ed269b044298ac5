// Rows and edges of the service machine, and the diagram made of them.
// Tested by tests/unit/supervise/states_test.cpp and service_walk_test.cpp.

#include "supervise/service_states.hpp"

#include <algorithm>
#include <array>

namespace monoinit::supervise {

namespace {

using enum ServiceState;
using AS = ActiveState;

// clang-format off
constexpr auto state_traits = std::to_array<StateTraits>({
    //state          name               active              watchdog  arms
    {Dead,          "dead",            AS::Inactive,       false,    Arms::None},
    {Condition,     "condition",       AS::Activating,     false,    Arms::StartTimeout},
    {StartPre,      "start-pre",       AS::Activating,     false,    Arms::StartTimeout},
    {Start,         "start",           AS::Activating,     false,    Arms::StartTimeout},
    {StartPost,     "start-post",      AS::Activating,     true,     Arms::StartTimeout},
    {Running,       "running",         AS::Active,         true,     Arms::None},
    {Exited,        "exited",          AS::Active,         false,    Arms::None},
    {Reload,        "reload",          AS::Reloading,      true,     Arms::StartTimeout},
    {ReloadSignal,  "reload-signal",   AS::Reloading,      true,     Arms::StartTimeout},
    {ReloadNotify,  "reload-notify",   AS::Reloading,      true,     Arms::StartTimeout},
    {Stop,          "stop",            AS::Deactivating,   false,    Arms::StopTimeout},
    {StopWatchdog,  "stop-watchdog",   AS::Deactivating,   false,    Arms::AbortTimeout},
    {StopSigterm,   "stop-sigterm",    AS::Deactivating,   false,    Arms::StopTimeout},
    {StopSigkill,   "stop-sigkill",    AS::Deactivating,   false,    Arms::StopTimeout},
    {StopPost,      "stop-post",       AS::Deactivating,   false,    Arms::StopTimeout},
    {FinalWatchdog, "final-watchdog",  AS::Deactivating,   false,    Arms::AbortTimeout},
    {FinalSigterm,  "final-sigterm",   AS::Deactivating,   false,    Arms::StopTimeout},
    {FinalSigkill,  "final-sigkill",   AS::Deactivating,   false,    Arms::StopTimeout},
    {Failed,        "failed",          AS::Failed,         false,    Arms::None},
    {AutoRestart,   "auto-restart",    AS::Activating,     false,    Arms::RestartDelay},
});

// Every stop passes through stop-sigterm, stop-watchdog or stop-sigkill, also when nothing is left to signal; the states
// after it are entered only when there is something to wait for.
constexpr auto edges = std::to_array<Edge>({
    {Dead, Condition}, {Dead, StartPre}, {Dead, Start}, {Dead, Failed}, {Dead, AutoRestart},
    {Failed, Condition}, {Failed, StartPre}, {Failed, Start}, {Failed, Dead}, {Failed, AutoRestart},
    {AutoRestart, Condition}, {AutoRestart, StartPre}, {AutoRestart, Start}, {AutoRestart, Dead}, {AutoRestart, Failed},

    {Condition, StartPre}, {Condition, Start},
    {Condition, StopSigterm}, {Condition, StopWatchdog}, {Condition, StopSigkill},
    {StartPre, Start}, {StartPre, StopSigterm}, {StartPre, StopWatchdog}, {StartPre, StopSigkill},
    {Start, StartPost}, {Start, Running}, {Start, Exited}, {Start, Stop},
    {Start, StopSigterm}, {Start, StopWatchdog}, {Start, StopSigkill},
    {StartPost, Running}, {StartPost, Exited}, {StartPost, Stop},
    {StartPost, StopSigterm}, {StartPost, StopWatchdog}, {StartPost, StopSigkill},

    {Running, Exited}, {Running, Reload}, {Running, ReloadSignal}, {Running, ReloadNotify}, {Running, Stop},
    {Running, StopSigterm}, {Running, StopWatchdog}, {Running, StopSigkill},
    {Exited, Reload}, {Exited, Stop}, {Exited, StopSigterm}, {Exited, StopSigkill},
    {Reload, Running}, {Reload, Exited}, {Reload, ReloadSignal}, {Reload, ReloadNotify}, {Reload, Stop},
    {Reload, StopSigterm}, {Reload, StopWatchdog}, {Reload, StopSigkill},
    {ReloadSignal, ReloadNotify}, {ReloadSignal, Running}, {ReloadSignal, Exited}, {ReloadSignal, Stop},
    {ReloadSignal, StopSigterm}, {ReloadSignal, StopWatchdog}, {ReloadSignal, StopSigkill},
    {ReloadNotify, Running}, {ReloadNotify, Exited}, {ReloadNotify, Stop},
    {ReloadNotify, StopSigterm}, {ReloadNotify, StopWatchdog}, {ReloadNotify, StopSigkill},

    {Stop, StopSigterm}, {Stop, StopWatchdog}, {Stop, StopSigkill},
    {StopWatchdog, StopSigkill}, {StopWatchdog, StopPost}, {StopWatchdog, FinalSigterm},
    {StopWatchdog, Dead}, {StopWatchdog, Failed}, {StopWatchdog, AutoRestart},
    {StopSigterm, StopWatchdog}, {StopSigterm, StopSigkill}, {StopSigterm, StopPost}, {StopSigterm, FinalSigterm},
    {StopSigterm, Dead}, {StopSigterm, Failed}, {StopSigterm, AutoRestart},
    {StopSigkill, StopPost}, {StopSigkill, FinalSigterm}, {StopSigkill, FinalSigkill},
    {StopSigkill, Dead}, {StopSigkill, Failed}, {StopSigkill, AutoRestart},
    {StopPost, FinalWatchdog}, {StopPost, FinalSigterm}, {StopPost, FinalSigkill},
    {StopPost, Dead}, {StopPost, Failed}, {StopPost, AutoRestart},
    {FinalWatchdog, FinalSigkill}, {FinalWatchdog, Dead}, {FinalWatchdog, Failed}, {FinalWatchdog, AutoRestart},
    {FinalSigterm, FinalWatchdog}, {FinalSigterm, FinalSigkill},
    {FinalSigterm, Dead}, {FinalSigterm, Failed}, {FinalSigterm, AutoRestart},
    {FinalSigkill, Dead}, {FinalSigkill, Failed}, {FinalSigkill, AutoRestart},
});

// clang-format on

constexpr bool rows_in_order() {
    for (std::size_t i = 0; i < state_traits.size(); i++)
        if (static_cast<std::size_t>(state_traits[i].state) != i)
            return false;
    return state_traits.size() == static_cast<std::size_t>(AutoRestart) + 1;
}

static_assert(rows_in_order(), "one row per state, in the order of the enum");

} // namespace

const StateTraits& traits(ServiceState state) {
    return state_traits[static_cast<std::size_t>(state)];
}

bool is_stop_signal(ServiceState state) {
    return state == StopWatchdog || state == StopSigterm || state == StopSigkill;
}

bool is_sigkill(ServiceState state) {
    return state == StopSigkill || state == FinalSigkill;
}

std::span<const Edge> service_edges() {
    return edges;
}

std::string_view name(ServiceState state) {
    return traits(state).name;
}

ActiveState active_state(ServiceState state) {
    return traits(state).active;
}

bool is_legal(ServiceState from, ServiceState to) {
    return std::ranges::find(edges, Edge{from, to}) != edges.end();
}

std::string states_dot() {
    std::string dot = "digraph service {\n    rankdir=LR;\n    node [shape=box, style=rounded];\n";
    for (const StateTraits& row : state_traits)
        dot += "    \"" + std::string(row.name) + "\" [tooltip=\"" + std::string(name(row.active)) +
               "\"];\n";
    for (const auto& [from, to] : edges)
        dot += "    \"" + std::string(name(from)) + "\" -> \"" + std::string(name(to)) + "\";\n";
    return dot + "}\n";
}

} // namespace monoinit::supervise
