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

struct Listener {
    std::uint16_t port = 0;
    std::string address; ///< "127.0.0.1", "0.0.0.0", "::"
    std::uint64_t inode = 0;
    bool operator==(const Listener&) const = default;
};
/// Every listener in the text of /proc/net/tcp or tcp6.
std::vector<Listener> listeners_in(std::string_view table);
std::vector<Listener> all_listeners();
/// Those among them that a process has open.
std::vector<Listener> held_listeners(int pid, const std::vector<Listener>& listeners);

struct PortHolder {
    std::uint16_t port = 0;
    int pid = 0; ///< 0: a process we may not look at
};
/// Who listens on the first of these that somebody listens on.
std::optional<PortHolder> find_port_holder(const std::vector<std::uint16_t>& ports);

} // namespace monoinit::cli
