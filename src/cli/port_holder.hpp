#pragma once
// "Address already in use": which port, and who has it. Tested by tests/unit/cli/port_holder_test.cpp and tests/system/control.py.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::cli {

bool says_address_in_use(const std::vector<std::string>& lines);
/// Ports that lines of a log name, the most likely first; none when no line says that an address is in use.
/// `command` is the unit's command line, whose numbers count last.
std::vector<std::uint16_t> ports_complained_of(const std::vector<std::string>& lines, std::string_view command);

/// Socket inode of a listener on the port, by the text of /proc/net/tcp or tcp6.
std::optional<std::uint64_t> listener_inode(std::string_view table, std::uint16_t port);

struct PortHolder {
    std::uint16_t port = 0;
    int pid = 0; ///< 0: a process we may not look at
};
/// Who listens on the first of these that somebody listens on.
std::optional<PortHolder> find_port_holder(const std::vector<std::uint16_t>& ports);

} // namespace monoinit::cli
