// What makes an expanded transaction small and free of contradiction: which jobs matter to the request, which are
// redundant, which of two contradicting ones yields, and whether queued jobs would be destroyed.
// Tested by tests/unit/graph/transaction_test.cpp.

#include "graph/planner.hpp"

namespace monoinit::graph {

void Planner::kill(std::uint32_t node, bool cascade) {
    std::vector<std::uint32_t> doomed{node};
    while (!doomed.empty()) {
        const std::uint32_t n = doomed.back();
        doomed.pop_back();
        if (!nodes_[n].alive)
            continue;
        nodes_[n].alive = false;
        for (std::uint32_t l = nodes_[n].first_in; l != none; l = links_[l].next_in) {
            if (!links_[l].alive)
                continue;
            links_[l].alive = false;
            if (cascade && links_[l].matters)
                doomed.push_back(links_[l].from);
        }
        for (std::uint32_t l = nodes_[n].first_out; l != none; l = links_[l].next_out) {
            if (!links_[l].alive)
                continue;
            links_[l].alive = false;
            if (--nodes_[links_[l].to].pulled_by == 0)
                unpulled_.push_back(links_[l].to);
        }
    }
}

void Planner::collect_garbage() {
    if (request_.mode == unit::JobMode::Isolate)
        return;
    while (!unpulled_.empty()) {
        const std::uint32_t n = unpulled_.back();
        unpulled_.pop_back();
        if (n != 0 && nodes_[n].alive && nodes_[n].pulled_by == 0)
            kill(n, false);
    }
}

void Planner::mark_matters() {
    std::vector<std::uint32_t> open{0};
    nodes_[0].matters = true;
    while (!open.empty()) {
        const std::uint32_t n = open.back();
        open.pop_back();
        for (std::uint32_t l = nodes_[n].first_out; l != none; l = links_[l].next_out) {
            if (!links_[l].alive || !links_[l].matters || nodes_[links_[l].to].matters)
                continue;
            nodes_[links_[l].to].matters = true;
            open.push_back(links_[l].to);
        }
    }
}

void Planner::minimize_impact() {
    for (std::uint32_t n = 0; n < nodes_.size(); n++) {
        if (!nodes_[n].alive || nodes_[n].matters)
            continue;
        const UnitFacts facts = world_.facts(nodes_[n].unit);
        const bool stops_running = nodes_[n].type == JobType::Stop && is_up_or_coming(facts.activity);
        const bool reverses_job = facts.job && is_conflicting(nodes_[n].type, *facts.job);
        if (stops_running || reverses_job)
            kill(n, true);
    }
}

void Planner::drop_redundant() {
    for (const UnitId unit : unit_order_) {
        const UnitFacts facts = world_.facts(unit);
        bool keep = false;
        each_of_unit(unit, [&](std::uint32_t n) {
            keep = keep || n == 0 || !is_redundant(nodes_[n].type, facts.activity) ||
                   (facts.job && is_conflicting(nodes_[n].type, *facts.job));
        });
        if (!keep)
            each_of_unit(unit, [&](std::uint32_t n) { kill(n, false); });
    }
}

bool Planner::is_conflicted_by(std::uint32_t node) const {
    for (std::uint32_t l = nodes_[node].first_in; l != none; l = links_[l].next_in)
        if (links_[l].alive && links_[l].conflicts)
            return true;
    return false;
}

/// Which of two contradicting jobs of a unit to give up; none when both matter. Rather a stop than a start, unless the
/// unit is being stopped because another one, to be started, conflicts with it.
std::uint32_t Planner::weaker(std::uint32_t a, std::uint32_t b) const {
    if (nodes_[a].matters && nodes_[b].matters)
        return none;
    if (nodes_[a].matters)
        return b;
    if (nodes_[b].matters)
        return a;
    if (nodes_[a].type == JobType::Stop)
        return is_conflicted_by(a) ? b : a;
    if (nodes_[b].type == JobType::Stop)
        return is_conflicted_by(b) ? a : b;
    return a;
}

void Planner::merge_all() {
    // Only ever fewer jobs: a unit done stays done.
    for (const UnitId unit : unit_order_)
        while (!merge_unit(unit)) {
            if (refused())
                return;
            collect_garbage();
        }
}

bool Planner::merge_unit(UnitId unit) {
    std::vector<std::uint32_t> all;
    each_of_unit(unit, [&](std::uint32_t n) { all.push_back(n); });
    if (all.size() < 2)
        return true;
    for (std::size_t i = 0; i < all.size(); i++)
        for (std::size_t k = i + 1; k < all.size(); k++) {
            const JobType a = nodes_[all[i]].type, b = nodes_[all[k]].type;
            if (merge(a, b))
                continue;
            const std::uint32_t victim = weaker(all[i], all[k]);
            if (victim == none) {
                refuse(RefusalReason::Conflict,
                       std::string(world_.facts(unit).name) + " would have to " + std::string(name(a)) +
                           " and to " + std::string(name(b)) + ": the requirements contradict each other");
                return false;
            }
            const std::uint32_t kept = victim == all[i] ? all[k] : all[i];
            plan_.dropped.push_back({Dropped::Kind::Conflict, unit, nodes_[victim].type, {}, contradiction(kept)});
            kill(victim, true);
            return false;
        }
    const UnitFacts facts = world_.facts(unit);
    JobType type = nodes_[all[0]].type;
    for (std::size_t i = 1; i < all.size(); i++) {
        type = collapse(merge(type, nodes_[all[i]].type).value_or(type), facts.activity, facts.can_reload);
        absorb(all[0], all[i]);
    }
    nodes_[all[0]].type = type;
    return true;
}

/// Who wants a unit stopped that somebody else wants started.
std::string Planner::contradiction(std::uint32_t stop) const {
    for (std::uint32_t l = nodes_[stop].first_in; l != none; l = links_[l].next_in) {
        if (!links_[l].alive || !links_[l].conflicts)
            continue;
        const UnitId other = nodes_[links_[l].from].unit;
        return std::string(world_.facts(other).name) + ", which is started, conflicts with it: " +
               world_.graph().describe(other, links_[l].via);
    }
    return "its jobs contradict each other";
}

void Planner::absorb(std::uint32_t keeper, std::uint32_t other) {
    Node& to = nodes_[keeper];
    Node& from = nodes_[other];
    to.matters = to.matters || from.matters;
    to.pulled_by += from.pulled_by;
    for (std::uint32_t l = from.first_in; l != none;) {
        const std::uint32_t next = links_[l].next_in;
        links_[l].to = keeper;
        links_[l].next_in = to.first_in;
        to.first_in = l;
        l = next;
    }
    for (std::uint32_t l = from.first_out; l != none;) {
        const std::uint32_t next = links_[l].next_out;
        links_[l].from = keeper;
        links_[l].next_out = to.first_out;
        to.first_out = l;
        l = next;
    }
    from.first_in = from.first_out = none;
    from.alive = false;
}

void Planner::check_destructive() {
    const bool fail = request_.mode == unit::JobMode::Fail;
    for (const Node& node : nodes_) {
        if (!node.alive)
            continue;
        const UnitFacts facts = world_.facts(node.unit);
        if (!facts.job || !(fail || facts.job_irreversible) || !is_conflicting(*facts.job, node.type))
            continue;
        refuse(RefusalReason::Destructive,
               std::string(facts.name) + " has a " + std::string(name(*facts.job)) +
                   " job under way, which this would replace with " + std::string(name(node.type)));
        return;
    }
}

} // namespace monoinit::graph
