// Dependencies as atoms, the flat graph, job rules.

#include "../engine/build.hpp"
#include "graph/graph.hpp"
#include "graph/job.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <map>

using namespace monoinit::graph;
using namespace monoinit::test;
using monoinit::unit::DependencyKind;

namespace {

using Configs = std::vector<std::shared_ptr<const monoinit::unit::UnitConfig>>;

/// The graph with the configurations that it points to.
struct Built : Graph {
    Configs configs;
};

Built build(Configs configs) {
    std::vector<const monoinit::unit::UnitConfig*> by_id;
    std::map<std::string, UnitId, std::less<>> names;
    for (const auto& config : configs) { // pointers to the objects stay good when the vector moves
        by_id.push_back(config.get());
        names[config->name] = UnitId{static_cast<std::uint32_t>(by_id.size())};
    }
    Built graph;
    graph.configs = std::move(configs);
    graph.build(by_id, [&](std::string_view name) {
        const auto at = names.find(name);
        return at == names.end() ? UnitId{} : at->second;
    });
    return graph;
}

std::vector<UnitId> others(const Graph& graph, UnitId unit, Atom atom) {
    std::vector<UnitId> found;
    graph.for_each(unit, atom, [&](const Edge& edge) { found.push_back(edge.to); });
    return found;
}

constexpr UnitId a{1}, b{2}, c{3};

} // namespace

TEST_CASE("each relation is the inverse of its inverse and every directive has one") {
    for (std::size_t i = 0; i < relation_count; i++) {
        const auto relation = static_cast<Relation>(i);
        CHECK(inverse(inverse(relation)) == relation);
        CHECK_FALSE(name(relation).empty());
    }
    CHECK(relation_of(DependencyKind::BindsTo) == Relation::BindsTo);
    CHECK(relation_of(DependencyKind::Triggers) == Relation::Triggers);
    CHECK_FALSE(relation_of(DependencyKind::RequiresMountsFor));
    CHECK(inverse(Relation::PartOf) == Relation::ConsistsOf);
}

TEST_CASE("an edge is felt on both sides") {
    const Built graph = build({service("a").needs("b").after("b").conflicts("c"), service("b"), service("c")});
    CHECK(others(graph, a, Atom::PullInStart) == std::vector{b});
    CHECK(others(graph, b, Atom::PropagateStop) == std::vector{a});
    CHECK(others(graph, b, Atom::PropagateStartFailure) == std::vector{a});
    CHECK(others(graph, a, Atom::PullInStop) == std::vector{c});
    CHECK(others(graph, c, Atom::PullInStopIgnored) == std::vector{a});
    CHECK(graph.has(a, Atom::After, b));
    CHECK(graph.has(b, Atom::Before, a));
    CHECK_FALSE(graph.has(a, Atom::Before, b));
    CHECK(graph.edges(UnitId{9}).empty());
    CHECK(graph.edges(UnitId{}).empty());
}

TEST_CASE("doubles, unknown units and a unit that names itself make no edges") {
    const Built graph = build({service("a").wants("b").wants("b").wants("a").wants("ghost"), service("b")});
    CHECK(graph.edges(a).size() == 1);
    CHECK(graph.edges(b).size() == 1);
}

TEST_CASE("an edge says which directive made it, and where") {
    const Built graph = build({service("a").needs("b"), service("b"),
                               service("c").with([](auto& config) {
                                   config.files.push_back("/etc/systemd/system/c.service.d/more.conf");
                                   config.unit.dependencies.push_back(
                                       {DependencyKind::Wants, monoinit::unit::Origin::File, 1, 7, "b.service"});
                                   config.unit.dependencies.push_back(
                                       {DependencyKind::After, monoinit::unit::Origin::Default, 0, 0, "b.service"});
                               })});
    CHECK(graph.describe(a, graph.edges(a).front()) == "Requires= (a.service:2)");
    CHECK(graph.describe(b, graph.edges(b, Relation::RequiredBy).front()) == "Requires= (a.service:2)");
    CHECK(graph.describe(c, graph.edges(c, Relation::Wants).front()) == "Wants= (c.service.d/more.conf:7)");
    CHECK(graph.describe(c, graph.edges(c, Relation::After).front()) == "After=");
}

TEST_CASE("jobs of one unit merge, but for contradictions") {
    CHECK(merge(JobType::Start, JobType::VerifyActive) == JobType::Start);
    CHECK(merge(JobType::Start, JobType::Restart) == JobType::Restart);
    CHECK(merge(JobType::Start, JobType::Reload) == JobType::ReloadOrStart);
    CHECK(merge(JobType::VerifyActive, JobType::Reload) == JobType::Reload);
    CHECK(merge(JobType::Stop, JobType::Stop) == JobType::Stop);
    for (const JobType other : {JobType::Start, JobType::VerifyActive, JobType::Reload, JobType::Restart}) {
        CHECK_FALSE(merge(JobType::Stop, other));
        CHECK_FALSE(merge(other, JobType::Stop));
        CHECK(is_conflicting(JobType::Stop, other));
        CHECK(merge(other, JobType::Restart) == merge(JobType::Restart, other));
    }
    CHECK(is_superset(JobType::Restart, JobType::Start));
    CHECK_FALSE(is_superset(JobType::Start, JobType::Restart));
    CHECK_FALSE(is_conflicting(JobType::Nop, JobType::Stop));
}

TEST_CASE("what a job type means depends on the unit") {
    CHECK(collapse(JobType::TryRestart, Activity::Inactive, true) == JobType::Nop);
    CHECK(collapse(JobType::TryRestart, Activity::Active, true) == JobType::Restart);
    CHECK(collapse(JobType::ReloadOrRestart, Activity::Active, true) == JobType::Reload);
    CHECK(collapse(JobType::ReloadOrRestart, Activity::Active, false) == JobType::Restart);
    CHECK(collapse(JobType::ReloadOrRestart, Activity::Failed, true) == JobType::Start);
    CHECK(collapse(JobType::TryReloadOrRestart, Activity::Inactive, false) == JobType::Nop);
    CHECK(collapse(JobType::ReloadOrStart, Activity::Inactive, true) == JobType::Start);
    CHECK(is_redundant(JobType::Start, Activity::Reloading));
    CHECK(is_redundant(JobType::Stop, Activity::Failed));
    CHECK_FALSE(is_redundant(JobType::Restart, Activity::Inactive));
}

TEST_CASE("stopping goes before starting, and stops go in reverse") {
    CHECK(order_of(JobType::Start, JobType::Start) == Order::FirstUnit);
    CHECK(order_of(JobType::Stop, JobType::Stop) == Order::SecondUnit);
    CHECK(order_of(JobType::Start, JobType::Stop) == Order::SecondUnit);
    CHECK(order_of(JobType::Stop, JobType::Start) == Order::FirstUnit);
    CHECK(order_of(JobType::Restart, JobType::Restart) == Order::SecondUnit);
    CHECK(order_of(JobType::Start, JobType::Restart) == Order::SecondUnit);
}

TEST_CASE("ten thousand units make a graph in no time") {
    Configs configs;
    for (int i = 0; i < 10'000; i++) {
        Build unit = service("u" + std::to_string(i));
        for (int n = 1; n <= 5; n++)
            unit.after("u" + std::to_string((i + n * 37) % 10'000)).wants("u0");
        configs.push_back(unit);
    }
    const Built graph = build(configs);
    CHECK(graph.edges(UnitId{1}, Relation::WantedBy).size() == 9'999);
}
