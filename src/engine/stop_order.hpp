#pragma once
// In which order units stop, and how the time there is for it is shared out among them. The shutdown itself and
// `initctl shutdown --plan` both go by it. Private to engine/. Tested by tests/unit/engine/stop_order_test.cpp and tests/sim.

#include "base/ids.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace monoinit::engine {

class StopOrder {
  public:
    struct Place {
        base::UnitId unit;
        bool stops = false;             ///< has something to stop
        base::Duration timeout{};       ///< TimeoutStopSec=
        std::vector<base::UnitId> next; ///< stop when this one is down
        std::uint32_t blockers = 0;     ///< not placed yet
        std::uint32_t levels_before = 0, levels_after = 0; ///< longest chains of units that have something to stop
        base::Duration weight{}, before{}, behind{};
        base::Duration share{}, by{};   ///< time of its own; after this much, counted from the beginning, it is killed
    };

    void add(base::UnitId unit, bool stops, base::Duration timeout) { places_[unit] = {unit, stops, timeout}; }
    bool contains(base::UnitId unit) const { return places_.contains(unit); }
    void link(base::UnitId first, base::UnitId next);
    /// Puts them in order; gives those that do not wait, because their order is a cycle.
    std::vector<base::UnitId> sort();
    /// On the longest chain through a unit each member that has something to stop gets an equal share of `span`, but no more
    /// than its own timeout; then shares are stretched to fill it. Times grow along each chain, so those after a stuck unit
    /// always have some left. After sort().
    void share_out(base::Duration span);
    /// In the order of sort().
    std::vector<Place> places() const;

  private:
    template <class Step> void forward(Step&& step);
    template <class Step> void backward(Step&& step);

    std::map<base::UnitId, Place> places_;
    std::vector<base::UnitId> order_;
};

} // namespace monoinit::engine
