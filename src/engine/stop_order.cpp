// See stop_order.hpp.

#include "engine/stop_order.hpp"

#include <algorithm>
#include <set>

namespace monoinit::engine {

using base::Duration;
using base::UnitId;

void StopOrder::link(UnitId first, UnitId next) {
    places_[first].next.push_back(next);
    places_[next].blockers++;
}

template <class Step> void StopOrder::forward(Step&& step) {
    for (const UnitId id : order_)
        for (const UnitId next : places_[id].next)
            step(places_[id], places_[next]);
}

template <class Step> void StopOrder::backward(Step&& step) {
    for (auto id = order_.rbegin(); id != order_.rend(); ++id)
        for (const UnitId next : places_[*id].next)
            step(places_[*id], places_[next]);
}

std::vector<UnitId> StopOrder::sort() {
    std::vector<UnitId> ready, cut;
    std::set<UnitId> left;
    for (const auto& [id, place] : places_) {
        left.insert(id);
        if (place.blockers == 0)
            ready.push_back(id);
    }
    while (!left.empty()) {
        if (ready.empty()) { // a cycle among running units: one of them does not wait
            const UnitId victim = *std::min_element(left.begin(), left.end(), [&](UnitId a, UnitId b) {
                return places_[a].blockers < places_[b].blockers;
            });
            cut.push_back(victim);
            places_[victim].blockers = 0;
            ready.push_back(victim);
        }
        const UnitId id = ready.back();
        ready.pop_back();
        if (left.erase(id) == 0)
            continue;
        order_.push_back(id);
        for (const UnitId next : places_[id].next) {
            auto& blockers = places_[next].blockers;
            if (blockers == 0)
                continue;
            blockers--;
            if (blockers == 0)
                ready.push_back(next);
        }
    }
    forward([](const Place& place, Place& next) {
        next.levels_before = std::max(next.levels_before, place.levels_before + (place.stops ? 1U : 0U));
    });
    backward([](Place& place, const Place& next) {
        place.levels_after = std::max(place.levels_after, next.levels_after + (next.stops ? 1U : 0U));
    });
    return cut;
}

void StopOrder::share_out(Duration span) {
    for (auto& [id, place] : places_)
        if (place.stops) {
            const Duration share = span / (place.levels_before + 1 + place.levels_after);
            place.weight = std::clamp<Duration>(place.timeout, Duration(1), std::max<Duration>(share, Duration(1)));
        }
    forward([](const Place& place, Place& next) { next.before = std::max(next.before, place.before + place.weight); });
    backward([](Place& place, const Place& next) { place.behind = std::max(place.behind, next.behind + next.weight); });
    for (auto& [id, place] : places_) {
        const Duration chain = place.before + place.weight + place.behind;
        const auto part = [&](Duration of) {
            return Duration(static_cast<Duration::rep>(static_cast<double>(span.count()) * static_cast<double>(of.count()) /
                                                       static_cast<double>(std::max<Duration::rep>(chain.count(), 1))));
        };
        place.share = part(place.weight);
        place.by = part(place.before + place.weight);
    }
}

std::vector<StopOrder::Place> StopOrder::places() const {
    std::vector<Place> all;
    for (const UnitId id : order_)
        all.push_back(places_.at(id));
    return all;
}

} // namespace monoinit::engine
