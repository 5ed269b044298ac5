// The order of the steps of planning. Tested by tests/unit/graph/transaction_test.cpp.

#include "graph/transaction.hpp"

#include "graph/planner.hpp"

namespace monoinit::graph {

using unit::JobMode;

Plan Planner::run() {
    const UnitFacts facts = world_.facts(request_.unit);
    const JobType type = collapse(request_.type, facts.activity, facts.can_reload);
    if (type == JobType::Nop)
        return plan_; // try-restart of what is not running
    std::optional<Obstacle> obstacle = check_request();
    if (!obstacle)
        obstacle = add(type, request_.unit, none, {true, false});
    if (obstacle) {
        refuse(obstacle->reason, obstacle->text);
        return plan_;
    }
    if (request_.mode == JobMode::Triggering)
        add_triggering_stops();
    expand_all();
    if (request_.mode == JobMode::Isolate && !refused()) {
        add_isolate_stops();
        expand_all();
    }
    if (refused())
        return plan_;

    mark_matters(0);
    if (request_.mode == JobMode::Fail)
        minimize_impact();
    drop_redundant();
    collect_garbage();
    merge_all();
    if (!refused())
        drop_redundant();
    collect_garbage();
    if (!refused())
        break_cycles();
    if (!refused())
        check_destructive();
    if (refused())
        return plan_;

    for (const Node& node : nodes_)
        if (node.alive)
            plan_.jobs.push_back(
                {node.unit, node.type, request_.mode == JobMode::ReplaceIrreversibly, node.ignore_order});
    plan_.cancels_others = request_.mode == JobMode::Isolate || request_.mode == JobMode::Flush;
    return plan_;
}

Plan plan(const World& world, const PlanRequest& request) {
    return Planner(world, request).run();
}

} // namespace monoinit::graph
