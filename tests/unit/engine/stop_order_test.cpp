// The order of stopping, and the time each unit has.
#include "engine/stop_order.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::engine;
using namespace std::chrono_literals;

namespace {

constexpr base::UnitId web{1}, api{2}, db{3}, target{4};

const StopOrder::Place& place_of(const std::vector<StopOrder::Place>& places, base::UnitId unit) {
    return *std::find_if(places.begin(), places.end(), [&](const auto& place) { return place.unit == unit; });
}

} // namespace

TEST_CASE("each member of a chain has its share, and those behind a stuck one still have time") {
    StopOrder order;
    for (const base::UnitId unit : {web, api, db})
        order.add(unit, true, 90s);
    order.link(web, api);
    order.link(api, db);
    CHECK(order.sort().empty());
    order.share_out(6s);
    const auto places = order.places();
    CHECK(places.front().unit == web);
    CHECK(places.back().unit == db);
    CHECK(place_of(places, web).by == 2s);
    CHECK(place_of(places, api).by == 4s);
    CHECK(place_of(places, db).by == 6s);
    CHECK(place_of(places, db).levels_before == 2);
}

TEST_CASE("nobody has more than its own timeout, and what is left goes to the others") {
    StopOrder order;
    order.add(web, true, 1s);
    order.add(db, true, 90s);
    order.link(web, db);
    CHECK(order.sort().empty());
    order.share_out(8s);
    const auto places = order.places();
    CHECK(place_of(places, web).share < place_of(places, db).share);
    CHECK(place_of(places, db).by == 8s);
}

TEST_CASE("what has nothing to stop takes no time") {
    StopOrder order;
    order.add(web, true, 90s);
    order.add(target, false, 0s);
    order.add(db, true, 90s);
    order.link(web, target);
    order.link(target, db);
    CHECK(order.sort().empty());
    order.share_out(8s);
    CHECK(place_of(order.places(), web).by == 4s);
    CHECK(place_of(order.places(), db).by == 8s);
}

TEST_CASE("a cycle is cut at one unit") {
    StopOrder order;
    for (const base::UnitId unit : {web, api, db})
        order.add(unit, true, 90s);
    order.link(web, api);
    order.link(api, db);
    order.link(db, web);
    CHECK(order.sort().size() == 1);
    CHECK(order.places().size() == 3);
}
