// Ordering cycles: a depth-first walk over the jobs in their order (installed jobs included, since they must be waited
// for as well). A cycle is broken by giving up a job that the request does not need; one walk back over the cycle finds
// it, from its end. What was walked to the end without a cycle stays so when jobs disappear, so the whole is linear
// but for the cycles. Restart jobs are stops first and starts later, in another order: both orders are walked.
// Tested by tests/unit/graph.

#include "graph/planner.hpp"

#include <algorithm>

namespace monoinit::graph {

struct Planner::Walk {
    enum class Mark : std::uint8_t { OnPath, Finished };
    struct Frame {
        UnitId unit;
        std::size_t next = 0; ///< index into successors
        std::vector<UnitId> successors;
    };
    std::unordered_map<UnitId, Mark> marks;
    std::vector<Frame> path;
};

std::optional<JobType> Planner::ordered_job(UnitId unit) const {
    const UnitFacts facts = world_.facts(unit);
    std::optional<JobType> type = facts.job_ignores_order ? std::nullopt : facts.job;
    if (const std::uint32_t n = node_of(unit); n != none) {
        if (nodes_[n].ignore_order)
            return std::nullopt;
        // It will be merged into the installed job, or replace it.
        type = merge(nodes_[n].type, type.value_or(nodes_[n].type)).value_or(nodes_[n].type);
    }
    return restarts_start_ && type == JobType::Restart ? JobType::Start : type;
}

namespace {

/// The units whose jobs wait for this one's.
template <class JobOf> std::vector<UnitId> successors(const Graph& graph, UnitId unit, const JobOf& job_of) {
    std::vector<UnitId> found;
    const std::optional<JobType> own = job_of(unit);
    // No cycle leads through such a slice, and a thousand units may be in it: each of their starts would walk over all.
    if (!own || graph.is_plain_group(unit))
        return found;
    graph.for_each(unit, Atom::Before, [&](const Edge& edge) {
        const auto other = job_of(edge.to);
        if (other && order_of(*own, *other) == Order::FirstUnit)
            found.push_back(edge.to);
    });
    graph.for_each(unit, Atom::After, [&](const Edge& edge) {
        const auto other = job_of(edge.to);
        if (other && order_of(*other, *own) == Order::SecondUnit)
            found.push_back(edge.to);
    });
    return found;
}

} // namespace

void Planner::break_cycles() {
    for (const bool later : {false, true}) {
        restarts_start_ = later;
        break_cycles_once();
    }
}

void Planner::break_cycles_once() {
    Walk walk;
    for (std::size_t i = 0; i < unit_order_.size() && !refused();) {
        if (node_of(unit_order_[i]) == none || walk_from(unit_order_[i], walk)) {
            i++;
            continue;
        }
        for (const Walk::Frame& frame : walk.path) // a job less: what is on the path is walked again
            walk.marks.erase(frame.unit);
        walk.path.clear();
    }
}

bool Planner::walk_from(UnitId root, Walk& walk) {
    const auto job_of = [this](UnitId unit) { return ordered_job(unit); };
    const auto enter = [&](UnitId unit) {
        walk.marks[unit] = Walk::Mark::OnPath;
        walk.path.push_back({unit, 0, successors(world_.graph(), unit, job_of)});
    };
    if (walk.marks.contains(root))
        return true;
    enter(root);
    while (!walk.path.empty()) {
        Walk::Frame& frame = walk.path.back();
        if (frame.next == frame.successors.size()) {
            walk.marks[frame.unit] = Walk::Mark::Finished;
            walk.path.pop_back();
            continue;
        }
        const UnitId next = frame.successors[frame.next++];
        const auto mark = walk.marks.find(next);
        if (mark == walk.marks.end()) {
            enter(next);
        } else if (mark->second == Walk::Mark::OnPath) {
            std::vector<UnitId> cycle;
            auto at = std::find_if(
                walk.path.begin(), walk.path.end(), [&](const Walk::Frame& f) { return f.unit == next; });
            for (; at != walk.path.end(); ++at)
                cycle.push_back(at->unit);
            if (break_cycle(cycle) || refused())
                return false;
        }
    }
    return true;
}

/// Gives up a job of the cycle. False when none of its jobs is of this transaction: nothing to be done here.
bool Planner::break_cycle(const std::vector<UnitId>& cycle) {
    std::uint32_t victim = none;
    bool ours = false;
    for (auto unit = cycle.rbegin(); unit != cycle.rend() && victim == none; ++unit)
        if (const std::uint32_t n = node_of(*unit); n != none) {
            ours = true;
            victim = nodes_[n].matters ? none : n;
        }
    if (!ours)
        return false;
    const std::string text = name_cycle(cycle);
    if (victim == none) {
        refuse(RefusalReason::Cycle, text + "; all of it is required, nothing can be dropped");
        return false;
    }
    const Node& node = nodes_[victim];
    plan_.dropped.push_back({Dropped::Kind::Cycle,
                             node.unit,
                             node.type,
                             {},
                             text + "; dropped " + std::string(name(node.type)) + " job of " +
                                 std::string(world_.facts(node.unit).name)});
    kill(victim, true);
    collect_garbage();
    return true;
}

/// "ordering cycle: a.service -> b.service -> a.service [After= (b.service:3), Before= (b.service:4)]"
std::string Planner::name_cycle(const std::vector<UnitId>& cycle) const {
    const Graph& graph = world_.graph();
    std::string text = "ordering cycle: ", reasons;
    for (std::size_t i = 0; i < cycle.size(); i++) {
        const UnitId from = cycle[i], to = cycle[(i + 1) % cycle.size()];
        text += world_.facts(from).name;
        text += " -> ";
        std::string reason;
        for (const Atom atom : {Atom::Before, Atom::After})
            graph.for_each(from, atom, [&](const Edge& edge) {
                if (edge.to == to && reason.empty())
                    reason = graph.describe(from, edge);
            });
        reasons += reasons.empty() ? "" : ", ";
        reasons += reason;
    }
    text += world_.facts(cycle.front()).name;
    return text + " [" + reasons + "]";
}

} // namespace monoinit::graph
