#pragma once
// The dependency graph: for each unit its edges, sorted by relation, in one flat array (compressed rows). Built in time
// linear in the number of edges (but for sorting each unit's own), and thrown away and rebuilt as a whole when units
// change. An edge remembers the directive that declared it, for messages ("Requires= (code-server.service:5)").
// Tested by tests/unit/graph/graph_test.cpp.

#include "base/ids.hpp"
#include "graph/dependency.hpp"

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::graph {

using base::UnitId;

struct Edge {
    UnitId to;
    Relation relation = Relation::Requires;
    bool inverse = false;         ///< declared by the other side
    std::uint32_t dependency = 0; ///< index into the declaring unit's UnitSection::dependencies
};

class Graph {
  public:
    using Resolve = std::function<UnitId(std::string_view)>; ///< by any name; 0 = no such unit

    /// `by_id[i]` is the configuration of UnitId{i + 1}; null for ids no longer in use.
    void build(std::vector<const unit::UnitConfig*> by_id, const Resolve& resolve);

    std::span<const Edge> edges(UnitId unit) const;
    std::span<const Edge> edges(UnitId unit, Relation relation) const;
    bool has(UnitId unit, Atom atom, UnitId other) const;
    /// A slice that no file describes: what is in it is all that is ordered by it.
    bool is_plain_group(UnitId unit) const;

    /// Calls `visit(edge)` for each edge of `unit` whose relation holds `atom`.
    template <class Visit> void for_each(UnitId unit, Atom atom, Visit&& visit) const {
        std::uint32_t wanted = present(unit) & relations_with(atom);
        for (unsigned i = 0; wanted != 0; i++, wanted >>= 1)
            if ((wanted & 1U) != 0)
                for (const Edge& edge : edges(unit, static_cast<Relation>(i)))
                    visit(edge);
    }

    /// "Requires= (code-server.service:5)"; without a position where no file says it. In the words of the side that
    /// declared it.
    std::string describe(UnitId unit, const Edge& edge) const;
    /// "Requires=": the directive that made the edge.
    static std::string directive(const Edge& edge);

  private:
    std::uint32_t present(UnitId unit) const; ///< the relations this unit has any edge of

    std::vector<const unit::UnitConfig*> configs_;
    std::vector<std::uint32_t> first_; ///< per unit, one more than units
    std::vector<std::uint32_t> present_;
    std::vector<Edge> edges_;
};

} // namespace monoinit::graph
