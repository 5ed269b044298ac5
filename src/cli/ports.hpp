#pragma once
// Ports of services, for people and for devcontainer.json. Tested by tests/unit/cli/ports_test.cpp.

#include "unit/config.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace monoinit::cli {

struct PortRow {
    std::string unit; ///< full name
    std::uint16_t port = 0;
    std::string address; ///< empty: nobody listens
    int pid = 0;
    bool declared = false;
};

/// X-Ports=, then what its own checks connect to on this host.
std::vector<std::uint16_t> declared_ports(const unit::UnitConfig& config);
std::string render_ports(const std::vector<PortRow>& rows, bool color);
/// {"forwardPorts": …, "portsAttributes": …} of the declared ones.
std::string devcontainer_ports(const std::vector<PortRow>& rows);

} // namespace monoinit::cli
