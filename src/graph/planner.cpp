// Expansion of a transaction: from the requested job along the requirement atoms to every job it means. Iterative, so
// that a chain of ten thousand units costs no stack. A unit that cannot be loaded takes with it whatever requires it,
// but not what only wants it. Tested by tests/unit/graph/transaction_test.cpp.

#include "graph/planner.hpp"

namespace monoinit::graph {

namespace {

using unit::JobMode;
using unit::LoadState;

bool is_start_like(JobType type) {
    return type == JobType::Start || type == JobType::Restart;
}

} // namespace

RefusalReason refusal_of(LoadState state) {
    switch (state) {
    case LoadState::Loaded:
        return RefusalReason::None;
    case LoadState::NotFound:
    case LoadState::Stub:
        return RefusalReason::NotFound;
    case LoadState::BadSetting:
        return RefusalReason::BadSetting;
    case LoadState::Error:
        return RefusalReason::LoadError;
    case LoadState::Masked:
        return RefusalReason::Masked;
    }
    return RefusalReason::LoadError;
}

std::string describe_unloadable(const UnitFacts& facts) {
    std::string text(facts.name);
    switch (facts.load) {
    case LoadState::Loaded:
        return text;
    case LoadState::NotFound:
    case LoadState::Stub:
        return text += " not found";
    case LoadState::BadSetting:
        text += " has a bad setting";
        break;
    case LoadState::Error:
        text += " could not be read";
        break;
    case LoadState::Masked:
        text += " is masked";
        break;
    }
    if (!facts.load_error.empty()) {
        text += ": ";
        text += facts.load_error;
    }
    return text;
}

void Planner::refuse(RefusalReason reason, std::string text) {
    if (refused())
        return; // the first reason is the one that counts
    plan_.refusal = reason;
    plan_.text = std::move(text);
}

std::optional<Planner::Obstacle> Planner::check_request() {
    const UnitFacts facts = world_.facts(request_.unit);
    const std::string unit(facts.name);
    switch (request_.mode) {
    case JobMode::Isolate:
        if (request_.type != JobType::Start)
            return Obstacle{RefusalReason::Isolate, "isolate goes with start only"};
        if (facts.load == LoadState::Loaded && !facts.allow_isolate)
            return Obstacle{RefusalReason::Isolate, unit + " may not be isolated: AllowIsolate= is not set"};
        return std::nullopt;
    case JobMode::Triggering:
        if (request_.type != JobType::Stop)
            return Obstacle{RefusalReason::NotApplicable, "job mode triggering goes with stop only"};
        return std::nullopt;
    case JobMode::RestartDependencies:
        if (request_.type != JobType::Start)
            return Obstacle{RefusalReason::NotApplicable, "job mode restart-dependencies goes with start only"};
        return std::nullopt;
    case JobMode::Fail:
    case JobMode::Replace:
    case JobMode::ReplaceIrreversibly:
    case JobMode::Flush:
    case JobMode::IgnoreDependencies:
    case JobMode::IgnoreRequirements:
        return std::nullopt;
    }
    return std::nullopt;
}

std::uint32_t Planner::node_of(UnitId unit) const {
    std::uint32_t found = none;
    each_of_unit(unit, [&](std::uint32_t n) { found = found == none ? n : found; });
    return found;
}

std::uint32_t Planner::node_of(UnitId unit, JobType type) const {
    std::uint32_t found = none;
    each_of_unit(unit, [&](std::uint32_t n) { found = nodes_[n].type == type ? n : found; });
    return found;
}

std::uint32_t Planner::new_node(UnitId unit, JobType type) {
    const auto index = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back({unit, type});
    nodes_.back().ignore_order = request_.mode == JobMode::IgnoreDependencies;
    const auto [at, first] = by_unit_.try_emplace(unit, index);
    if (first) {
        unit_order_.push_back(unit);
        return index;
    }
    std::uint32_t last = at->second;
    while (nodes_[last].next_of_unit != none)
        last = nodes_[last].next_of_unit;
    nodes_[last].next_of_unit = index;
    return index;
}

void Planner::link(std::uint32_t from, std::uint32_t to, const Pull& pull) {
    const auto index = static_cast<std::uint32_t>(links_.size());
    links_.push_back(
        {from, to, pull.matters, pull.conflicts, true, nodes_[to].first_in, nodes_[from].first_out, pull.via});
    nodes_[to].first_in = index;
    nodes_[to].pulled_by++;
    nodes_[from].first_out = index;
}

std::optional<Planner::Obstacle>
Planner::add(JobType type, UnitId unit, std::uint32_t by, const Pull& pull) {
    const UnitFacts facts = world_.facts(unit);
    if (type != JobType::Stop) {
        const RefusalReason reason = refusal_of(facts.load);
        if (reason != RefusalReason::None)
            return Obstacle{reason, describe_unloadable(facts)};
    }
    if (is_start_like(type))
        if (const auto known = unloadable_.find(unit); known != unloadable_.end())
            return known->second;
    if (type == JobType::Reload && !facts.can_reload)
        return Obstacle{RefusalReason::NotApplicable,
                        std::string(facts.name) + " cannot be reloaded: it has no ExecReload="};
    std::uint32_t node = node_of(unit, type);
    if (node == none)
        node = new_node(unit, type); // expand_all() comes to it
    if (by != none)
        link(by, node, pull);
    return std::nullopt;
}

void Planner::expand_all() {
    if (request_.mode == JobMode::IgnoreDependencies || request_.mode == JobMode::IgnoreRequirements)
        return;
    for (; next_to_expand_ < nodes_.size() && !refused(); next_to_expand_++)
        if (nodes_[next_to_expand_].alive)
            expand(static_cast<std::uint32_t>(next_to_expand_));
}

void Planner::expand(std::uint32_t node) {
    const JobType type = nodes_[node].type;
    if (is_start_like(type))
        expand_start(node);
    if (!nodes_[node].alive)
        return;
    if (type == JobType::Stop)
        propagate(node, Atom::PropagateStop, JobType::Stop, true);
    if (type == JobType::Restart)
        propagate(node, Atom::PropagateRestart, JobType::TryRestart, true);
    if (node == 0 && request_.mode == JobMode::RestartDependencies)
        propagate(node, Atom::PropagateRestart, JobType::TryRestart, true);
    if (type == JobType::Reload)
        propagate(node, Atom::PropagateReload, JobType::TryReload, false);
}

void Planner::expand_start(std::uint32_t node) {
    const Graph& graph = world_.graph();
    const UnitId unit = nodes_[node].unit;
    graph.for_each(unit, Atom::PullInStart, [&](const Edge& e) { pull(node, e, JobType::Start, true); });
    graph.for_each(
        unit, Atom::PullInStartIgnored, [&](const Edge& e) { pull(node, e, JobType::Start, false); });
    graph.for_each(unit, Atom::PullInVerify, [&](const Edge& e) { pull(node, e, JobType::VerifyActive, true); });
    graph.for_each(unit, Atom::PullInStop, [&](const Edge& e) { pull(node, e, JobType::Stop, true, true); });
    graph.for_each(unit, Atom::PullInStopIgnored, [&](const Edge& e) { pull(node, e, JobType::Stop, false); });
}

void Planner::propagate(std::uint32_t node, Atom atom, JobType type, bool required) {
    world_.graph().for_each(nodes_[node].unit, atom, [&](const Edge& edge) {
        const UnitFacts other = world_.facts(edge.to);
        // A restart is passed on only to what is up: nobody is to be started who was not around.
        const JobType basic = collapse(type, other.activity, other.can_reload);
        if (basic != JobType::Nop)
            pull(node, edge, basic, required);
    });
}

void Planner::pull(std::uint32_t node, const Edge& edge, JobType type, bool required, bool conflicts) {
    if (!nodes_[node].alive)
        return;
    const auto obstacle = add(type, edge.to, node, {required, conflicts, edge});
    if (!obstacle)
        return;
    if (required && obstacle->reason != RefusalReason::NotApplicable)
        lose(node, edge.to, edge, *obstacle);
    else if (type == JobType::Start)
        plan_.dropped.push_back({Dropped::Kind::Missing, edge.to, type, {}, obstacle->text});
}

void Planner::lose(std::uint32_t node, UnitId cause, const Edge& via, const Obstacle& obstacle) {
    struct Loss {
        std::uint32_t node;
        UnitId cause;
        Edge via;
        Obstacle obstacle;
    };
    std::vector<Loss> losses{{node, cause, via, obstacle}};
    while (!losses.empty()) {
        Loss loss = std::move(losses.back());
        losses.pop_back();
        if (!nodes_[loss.node].alive)
            continue;
        const UnitId unit = nodes_[loss.node].unit;
        const std::string reason = world_.graph().describe(unit, loss.via);
        Obstacle known{loss.obstacle.reason, loss.obstacle.text + " <- " + reason};
        plan_.dropped.push_back({Dropped::Kind::Needs, unit, nodes_[loss.node].type, loss.cause, reason});
        for (std::uint32_t l = nodes_[loss.node].first_in; l != none; l = links_[l].next_in)
            if (links_[l].alive && links_[l].matters)
                losses.push_back({links_[l].from, unit, links_[l].via, known});
        kill(loss.node, false);
        if (loss.node == 0)
            refuse(known.reason, known.text);
        if (is_start_like(nodes_[loss.node].type))
            unloadable_.emplace(unit, std::move(known));
    }
}

void Planner::add_isolate_stops() {
    for (const UnitId unit : world_.occupied()) {
        const UnitFacts facts = world_.facts(unit);
        if (facts.ignore_on_isolate || node_of(unit) != none)
            continue;
        if (is_down(facts.activity) && !facts.job)
            continue;
        bool triggers_kept = false; // what starts a unit that stays, stays
        world_.graph().for_each(unit, Atom::Triggers, [&](const Edge& edge) {
            triggers_kept = triggers_kept || node_of(edge.to, JobType::Start) != none;
        });
        if (!triggers_kept)
            (void)add(JobType::Stop, unit, 0, {true, false}); // a stop meets no obstacle
    }
}

void Planner::add_triggering_stops() {
    world_.graph().for_each(request_.unit, Atom::TriggeredBy, [&](const Edge& edge) {
        if (!is_down(world_.facts(edge.to).activity))
            pull(0, edge, JobType::Stop, true);
    });
}

} // namespace monoinit::graph
