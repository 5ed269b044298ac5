// Properties in the order of systemd's bus.
#include "cli/property_order.hpp"

#include <catch2/catch.hpp>

using monoinit::cli::order_properties;
using monoinit::control::PropertyList;

TEST_CASE("a service's own properties come before those of all units, the manager has others") {
    PropertyList list{{"Id", "a.service"}, {"X-Ports", "80"}, {"User", "dev"}, {"ExecStart", "{ }"}, {"Type", "exec"}, {"ConditionUser", ""}, {"KillMode", "mixed"}};
    order_properties(list, "a.service", false);
    std::vector<std::string> names;
    for (const auto& [name, value] : list)
        names.push_back(name);
    CHECK(names == std::vector<std::string>{"Type", "ExecStart", "User", "KillMode", "Id", "X-Ports", "ConditionUser"});
    order_properties(list, "a.service", true);
    CHECK(list.size() == 5);
    order_properties(list, "a.target", true);
    CHECK(list == PropertyList{{"Id", "a.service"}});

    PropertyList manager{{"NJobs", "0"}, {"Version", "252"}};
    order_properties(manager, "", true);
    CHECK(manager.front().first == "Version");
}
