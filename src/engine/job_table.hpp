#pragma once
// Installed jobs and the order among them. Each job counts the jobs that go before it; when one is over, its neighbours
// in the graph count down, and those that reach zero enter the run queue. So an event costs what its unit's edges cost,
// never a look at all jobs. Private to engine/.

#include "engine/unit_table.hpp"
#include "graph/graph.hpp"

#include <deque>
#include <set>

namespace monoinit::engine {

class JobTable {
  public:
    JobTable(UnitTable& units, const graph::Graph& graph) : units_(units), graph_(graph) {}

    Job& install(Unit& unit, graph::JobType type, bool ignore_order, Instant now);
    /// Takes up a job of the checkpoint; reorder() must follow.
    void adopt(Unit& unit, std::unique_ptr<Job> job);
    /// The job leaves; whatever waited for it alone becomes runnable.
    std::unique_ptr<Job> remove(Unit& unit);
    /// Another type (a merge, or a restart that has become a start): the order is worked out anew, and it waits again.
    void change_type(Unit& unit, graph::JobType type);
    void ignore_order(Unit& unit);
    void set_state(Unit& unit, graph::JobState state);
    /// The graph was rebuilt.
    void reorder();

    void enqueue(Unit& unit); ///< if it waits and nothing blocks it
    /// Next runnable job's unit; 0 when there is none.
    UnitId next_runnable();

    /// A job of a ring of jobs that wait for each other, when all jobs wait; 0 when some can go on. Plans have no such
    /// rings; a daemon-reload that changes the order under queued jobs may close one.
    UnitId stalled() const;

    UnitId unit_of(JobId id) const;
    std::size_t size() const { return by_id_.size(); }
    std::size_t running() const { return running_; }
    const std::map<JobId, UnitId>& all() const { return by_id_; } ///< in order of installation

    /// Calls visit(other, first) for each other job ordered with this one; `first`: the other goes first.
    template <class Visit> void each_ordered(const Unit& unit, Visit&& visit) const {
        const auto consider = [&](UnitId to, bool unit_is_before) {
            Unit* other = units_.get(to);
            if (other == nullptr || !other->job || other->job->ignore_order || unit.job->ignore_order)
                return;
            const graph::Order order = unit_is_before ? graph::order_of(unit.job->type, other->job->type)
                                                      : graph::order_of(other->job->type, unit.job->type);
            if (order != graph::Order::Any)
                visit(*other, (order == graph::Order::SecondUnit) == unit_is_before);
        };
        graph_.for_each(unit.id, graph::Atom::Before, [&](const graph::Edge& e) { consider(e.to, true); });
        graph_.for_each(unit.id, graph::Atom::After, [&](const graph::Edge& e) { consider(e.to, false); });
    }

    std::uint32_t last_id = 0; ///< kept in the checkpoint: ids are never used twice

  private:
    void link(Unit& unit);
    void unlink(Unit& unit);

    UnitTable& units_;
    const graph::Graph& graph_;
    std::map<JobId, UnitId> by_id_;
    std::deque<UnitId> queue_;
    std::size_t running_ = 0;
};

} // namespace monoinit::engine
