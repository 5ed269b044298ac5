// Ports that units declare and processes listen on.
#include "cli/ports.hpp"

#include "cli/port_holder.hpp"

#include <catch2/catch.hpp>

using namespace monoinit;
using namespace monoinit::cli;

TEST_CASE("a unit serves what it says, and what its checks ask of this host") {
    unit::UnitConfig config;
    config.service.edit().ports = {4035, 80};
    unit::HealthCheck& check = config.health.edit().checks[0];
    check.tcp_connect = {"80", "127.0.0.1:81", "db:5432"};
    check.http_get = {"http://localhost:82/healthz", "http://elsewhere:83/"};
    CHECK(declared_ports(config) == std::vector<std::uint16_t>{4035, 80, 81, 82});
}

TEST_CASE("the tables of the kernel are read") {
    const auto four = listeners_in("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
                                   "   0: 0100007F:0FC3 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1\n"
                                   "   1: 00000000:0050 00000000:0000 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1\n"
                                   "   2: broken\n");
    CHECK(four == std::vector<Listener>{{4035, "127.0.0.1", 4711}});
    const auto six = listeners_in("   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 9 1\n");
    CHECK(six == std::vector<Listener>{{8080, "::1", 9}});
}

TEST_CASE("devcontainer.json gets each declared port once") {
    CHECK(devcontainer_ports({{"web.service", 4035, "", 0, true}, {"other.service", 4035, "", 0, true}, {"api.service", 90, "::", 7, false}}) ==
          R"({"forwardPorts": [4035], "portsAttributes": {"4035": {"label": "web"}}})");
    CHECK(devcontainer_ports({}) == R"({"forwardPorts": [], "portsAttributes": {}})");
    const std::string table = render_ports({{"web.service", 4035, "0.0.0.0", 41, true}, {"web.service", 9000, "", 0, true}, {"web.service", 1, "::", 41, false}}, false);
    CHECK(table.find("declared, nobody listens") != std::string::npos);
    CHECK(table.find("not declared") != std::string::npos);
}
