#pragma once
// The working set of one transaction while it is planned: jobs as nodes, "pulled in by" as links. Private to graph/;
// planner.cpp expands and reduces, cycles.cpp breaks ordering cycles, transaction.cpp is the order of the steps.

#include "graph/transaction.hpp"

#include <unordered_map>

namespace monoinit::graph {

class Planner {
  public:
    Planner(const World& world, const PlanRequest& request) : world_(world), request_(request) {}
    Plan run();

  private:
    static constexpr std::uint32_t none = ~0U;

    struct Node {
        UnitId unit;
        JobType type;
        bool alive = true, matters = false, ignore_order = false;
        std::uint32_t next_of_unit = none;
        std::uint32_t first_in = none, first_out = none; ///< links
        std::uint32_t pulled_by = 0;     ///< live links in
    };
    struct Link {
        std::uint32_t from = none, to = none;
        bool matters = false, conflicts = false, alive = true;
        std::uint32_t next_in = none, next_out = none;
        Edge via; ///< of the unit of `from`; no relation of its own for isolate's and triggering's stops
    };
    struct Pull {
        bool matters = false, conflicts = false;
        Edge via{};
    };
    /// Why a job could not be added.
    struct Obstacle {
        RefusalReason reason = RefusalReason::NotFound;
        std::string text;
    };

    // planner.cpp
    std::optional<Obstacle> check_request();
    std::optional<Obstacle> add(JobType type, UnitId unit, std::uint32_t by, const Pull& pull);
    void expand_all();
    void expand(std::uint32_t node);
    void expand_start(std::uint32_t node);
    void propagate(std::uint32_t node, Atom atom, JobType type, bool required);
    /// Adds what `node` pulls in through one edge. A required one that cannot be had costs the node its life.
    void pull(std::uint32_t node, const Edge& edge, JobType type, bool required, bool conflicts = false);
    void lose(std::uint32_t node, UnitId cause, const Edge& via, const Obstacle& obstacle);
    void add_isolate_stops();
    void add_triggering_stops();
    std::uint32_t new_node(UnitId unit, JobType type);
    void link(std::uint32_t from, std::uint32_t to, const Pull& pull);
    void refuse(RefusalReason reason, std::string text);
    bool refused() const { return plan_.refusal != RefusalReason::None; }

    // reduce.cpp
    void mark_matters();
    void minimize_impact();
    void drop_redundant();
    void collect_garbage();
    void merge_all();
    bool merge_unit(UnitId unit); ///< false: a contradiction was met; a job was dropped or the request refused
    std::string contradiction(std::uint32_t stop) const;
    void absorb(std::uint32_t keeper, std::uint32_t other);
    std::uint32_t weaker(std::uint32_t a, std::uint32_t b) const;
    bool is_conflicted_by(std::uint32_t node) const;
    void check_destructive();
    /// Kills a node; `cascade`: also the nodes that cannot do without it.
    void kill(std::uint32_t node, bool cascade);

    // cycles.cpp
    void break_cycles();
    void break_cycles_once();
    struct Walk;
    bool walk_from(UnitId root, Walk& walk); ///< false: a cycle was broken, walk again
    bool break_cycle(const std::vector<UnitId>& cycle);
    std::string name_cycle(const std::vector<UnitId>& cycle) const;
    std::optional<JobType> ordered_job(UnitId unit) const; ///< planned, else installed

    std::uint32_t node_of(UnitId unit) const; ///< first live node
    std::uint32_t node_of(UnitId unit, JobType type) const;
    template <class Visit> void each_of_unit(UnitId unit, Visit&& visit) const {
        const auto at = by_unit_.find(unit);
        for (std::uint32_t n = at == by_unit_.end() ? none : at->second; n != none; n = nodes_[n].next_of_unit)
            if (nodes_[n].alive)
                visit(n);
    }

    const World& world_;
    PlanRequest request_;
    Plan plan_;
    std::vector<Node> nodes_; ///< node 0 is the anchor
    std::vector<Link> links_;
    std::unordered_map<UnitId, std::uint32_t> by_unit_; ///< head of the list of a unit's nodes
    std::vector<UnitId> unit_order_;                    ///< units in order of discovery
    std::size_t next_to_expand_ = 0;
    bool restarts_start_ = false; ///< cycles: restart jobs are looked at as the starts that they become
    std::vector<std::uint32_t> unpulled_; ///< candidates for collect_garbage()
    std::unordered_map<UnitId, Obstacle> unloadable_; ///< units found impossible to start, and why
};

} // namespace monoinit::graph
