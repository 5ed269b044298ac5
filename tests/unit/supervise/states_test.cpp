// The tables of states and edges.

#include "supervise/service_states.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace monoinit::supervise;

TEST_CASE("names are systemd's") {
    CHECK(name(ServiceState::StopSigterm) == "stop-sigterm");
    CHECK(name(ServiceState::AutoRestart) == "auto-restart");
    CHECK(active_state(ServiceState::AutoRestart) == ActiveState::Activating);
    CHECK(active_state(ServiceState::ReloadSignal) == ActiveState::Reloading);
    CHECK(name(ActiveState::Deactivating) == "deactivating");
    CHECK(name(ServiceResult::CoreDump) == "core-dump");
    std::set<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(ServiceState::AutoRestart); i++)
        CHECK(names.insert(name(static_cast<ServiceState>(i))).second);
}

TEST_CASE("edges: none twice, none to itself, every state can be left and reached") {
    std::set<std::pair<ServiceState, ServiceState>> seen;
    std::set<ServiceState> from, to;
    for (const Edge& edge : service_edges()) {
        CHECK(edge.from != edge.to);
        CHECK(seen.insert({edge.from, edge.to}).second);
        CHECK(is_legal(edge.from, edge.to));
        from.insert(edge.from);
        to.insert(edge.to);
    }
    CHECK(from.size() == static_cast<std::size_t>(ServiceState::AutoRestart) + 1);
    CHECK(to == from);
    CHECK_FALSE(is_legal(ServiceState::Running,
                         ServiceState::Dead)); // every end passes through a signal state
}

TEST_CASE("the diagram is made of the edges") {
    const std::string dot = states_dot();
    CHECK(dot.starts_with("digraph service {"));
    CHECK(dot.find("\"running\" -> \"stop-sigterm\";") != std::string::npos);
}
