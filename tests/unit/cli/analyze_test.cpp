// What systemd-analyze makes of moments.
#include "cli/analyze.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::cli;

namespace {

constexpr std::int64_t ms = 1000;

const std::map<std::string, StartTimes> times{
    {"a.target", {"a.target", "active", 0, 900 * ms}},           {"b.service", {"b.service", "active", 400 * ms, 890 * ms}},
    {"c.service", {"c.service", "active", 100 * ms, 390 * ms}},  {"d.service", {"d.service", "failed", 50 * ms, 385 * ms}},
    {"e.socket", {"e.socket", "active", 0, 20 * ms}},
};

Names after(const std::string& unit) {
    if (unit == "a.target")
        return {"e.socket", "b.service", "never-started.service"};
    if (unit == "b.service")
        return {"c.service", "d.service"};
    return unit == "c.service" ? Names{"e.socket", "b.service"} : Names{};
}

} // namespace

TEST_CASE("the chain goes by what was up last, and ends where nothing was waited for") {
    CHECK(draw_critical_chain("a.target", times, after, 0) == "a.target @900ms\n"
                                                              "└─b.service @400ms +490ms\n"
                                                              "  └─c.service @100ms +290ms\n"
                                                              "    └─e.socket @20ms\n");
}

TEST_CASE("with fuzz also what was nearly as late") {
    CHECK(draw_critical_chain("b.service", times, after, 10 * ms) == "b.service @400ms +490ms\n"
                                                                     "├─c.service @100ms +290ms\n"
                                                                     "│ └─e.socket @20ms\n"
                                                                     "└─d.service @50ms +335ms\n");
}

TEST_CASE("a unit that nothing is known of stands alone") { CHECK(draw_critical_chain("x.service", times, after, 0) == "x.service\n"); }

TEST_CASE("the picture has a bar for each unit, and its text cannot break out") {
    const std::string picture = draw_plot({{"<&>.service", "active", 1, 2000}, {"b.target", "active", 0, 5000}}, "a \"title\"");
    for (const char* part : {"<svg ", "&lt;&amp;&gt;.service (1ms)", ">b.target</text>", "a &quot;title&quot;", "</svg>\n"})
        CHECK(picture.find(part) != std::string::npos);
    CHECK(draw_plot({}, "").find("</svg>") != std::string::npos);
}
