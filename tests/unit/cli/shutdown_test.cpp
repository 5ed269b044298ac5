// The plan of a shutdown, for people.
#include "cli/shutdown.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace std::chrono_literals;

TEST_CASE("waves, shares and what is special") {
    control::ShutdownPlanReply plan{.budget = 8s, .stops = {{.unit = "web.service", .wave = 1, .share = 4s, .killed_after = 4s, .timeout = 90s, .note = "KillMode=mixed"},
                                                            {.unit = "db.service", .wave = 2, .share = 3s, .killed_after = 7s, .timeout = 3s, .note = ""}}};
    CHECK(cli::render_plan(plan, false) == "WAVE  UNIT  SHARE  KILLED AFTER  NOTE\n"
                                           "   1  web     4 s           4 s  KillMode=mixed\n"
                                           "   2  db      3 s           7 s\n"
                                           "\n"
                                           "8 s for all; a wave begins as soon as what stands before it is down, and who is not in time is killed\n");
    plan.budget.reset();
    CHECK(cli::render_plan(plan, false).find("90 s") != std::string::npos);
    CHECK(cli::render_plan({}, false).find("nothing runs") != std::string::npos);
}
