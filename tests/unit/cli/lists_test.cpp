// list-units against recorded output of systemctl 252.
#include "cli/lists.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::cli;
using monoinit::control::UnitSummary;

namespace {

const std::vector<UnitSummary> failed{
    {.name = "noexec.service", .description = "noexec.service", .load_state = "loaded", .active_state = "failed", .sub_state = "failed"},
    {.name = "redis-server.service", .description = "Advanced key-value store", .load_state = "loaded", .active_state = "failed", .sub_state = "failed"}};

} // namespace

TEST_CASE("failed units, with and without legend") {
    Options options;
    options.states = {"failed"};
    CHECK(render_units(failed, options, false) == "  UNIT                 LOAD   ACTIVE SUB    DESCRIPTION\n"
                                                  "● noexec.service       loaded failed failed noexec.service\n"
                                                  "● redis-server.service loaded failed failed Advanced key-value store\n"
                                                  "\n"
                                                  "LOAD   = Reflects whether the unit definition was properly loaded.\n"
                                                  "ACTIVE = The high-level unit activation state, i.e. generalization of SUB.\n"
                                                  "SUB    = The low-level unit activation state, values depend on unit type.\n"
                                                  "2 loaded units listed.\n");
    options.legend = false;
    options.plain = true;
    CHECK(render_units(failed, options, false) == "noexec.service       loaded failed failed noexec.service\n"
                                                  "redis-server.service loaded failed failed Advanced key-value store\n");
    CHECK(render_units({}, options, false).empty());
}

TEST_CASE("timers: the next one first, then those that wait for nothing yet") {
    constexpr std::int64_t now = 1'795'677'745LL * 1'000'000;
    const auto at = [](std::int64_t micros) { return monoinit::base::Moment{{}, monoinit::base::Duration(micros)}; };
    const std::vector<UnitSummary> timers{{.name = "b.timer", .triggers = "b.service"},
                                          {.name = "late.timer", .triggers = "late.service", .next_elapse = at(now + 7'200'000'000)},
                                          {.name = "soon.timer", .triggers = "x.service", .next_elapse = at(now + 60'000'000), .last_trigger = at(now - 3'000'000)}};
    Options options;
    const std::string text = render_timers(timers, options, monoinit::base::Duration(now), false);
    CHECK(text.starts_with("NEXT "));
    CHECK(text.find("1min 0s left") < text.find("2h 0min left"));
    CHECK(text.find("3s ago") < text.find("soon.timer x.service"));
    CHECK(text.find("late.timer") < text.find("b.timer"));
    CHECK(text.ends_with("\n3 timers listed.\nPass --all to see loaded but inactive timers, too.\n"));
    CHECK(render_timers({}, options, {}, false) == "0 timers listed.\nPass --all to see loaded but inactive timers, too.\n");
}

TEST_CASE("a unit that is well has no dot") {
    const std::vector<UnitSummary> nginx{{.name = "nginx.service", .description = "A web server", .load_state = "loaded", .active_state = "active", .sub_state = "running"}};
    Options options;
    options.legend = false;
    CHECK(render_units(nginx, options, false) == "  nginx.service loaded active running A web server\n");
}
