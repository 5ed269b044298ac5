// The tree of list-dependencies: systemctl's order and lines; cycles end.
#include "cli/dependencies.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace monoinit::cli;

namespace {

std::vector<Neighbour> neighbours(const std::string& unit) {
    static const std::map<std::string, std::vector<Neighbour>> graph{
        {"nginx.service", {{"sysinit.target", "active"}, {"system.slice", "active"}, {"network-online.target", "active"}}},
        {"sysinit.target", {{"local-fs.target", "active"}, {"b.service", "inactive"}, {"a.service", "failed"}}},
        {"local-fs.target", {{"sysinit.target", "active"}}},
        {"a.service", {{"deep.service", "active"}}},
    };
    const auto found = graph.find(unit);
    return found == graph.end() ? std::vector<Neighbour>{} : found->second;
}

} // namespace

TEST_CASE("targets last and expanded, services first") {
    CHECK(draw_dependencies("nginx.service", neighbours, {}) == "nginx.service\n"
                                                                "● ├─system.slice\n"
                                                                "● ├─network-online.target\n"
                                                                "● └─sysinit.target\n"
                                                                "×   ├─a.service\n"
                                                                "○   ├─b.service\n"
                                                                "●   └─local-fs.target\n"
                                                                "●     └─sysinit.target ...\n");
}

TEST_CASE("with --all every unit is expanded, with --plain once and without lines") {
    const std::string all = draw_dependencies("sysinit.target", neighbours, {.all = true});
    CHECK(all.find("deep.service") != std::string::npos);
    CHECK(draw_dependencies("a.service", neighbours, {.all = true, .plain = true}) == "a.service\n  deep.service\n");
    CHECK(draw_dependencies("none.service", neighbours, {}) == "none.service\n");
}
