#pragma once
// Where lines may be passed on to, and how they look there. Targets, as the setting log_forward has them, each perhaps with a unit (name
// or glob) in front, "web=…":
//
//   file:/path        JSON lines (format.hpp), appended
//   syslog:/path      datagrams as syslog(3) sends them, as journald's ForwardToSyslog= does; that nobody listens there is no loss
//   unix:/path        the same in RFC 5424's form
//   udp:HOST:PORT     RFC 5424, a datagram a line (RFC 5426); HOST is an address, [::1] for IPv6
//   tcp:HOST:PORT     RFC 5424, with octet counts (RFC 6587)
// Tested by tests/unit/log/forward_test.cpp.

#include "base/result.hpp"
#include "log/record.hpp"

#include <optional>
#include <string>
#include <sys/socket.h>

namespace monoinit::log {

struct ForwardTarget {
    enum class Kind : std::uint8_t { File, Syslog, Unix, Udp, Tcp } kind = Kind::File;
    std::string unit;          ///< name or glob; empty: all
    std::string path;          ///< of a file or socket
    std::string host, port;
};
base::Result<ForwardTarget> parse_forward_target(std::string_view text);

/// "<30>Nov 26 10:02:11 web[57]: text", and RFC 5424's "<30>1 2026-11-26T10:02:11.123456Z host web 57 - - text".
std::string as_syslog(const Record& record);
std::string as_rfc5424(const Record& record, std::string_view host_name);

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
};
/// Of a Udp or Tcp target.
std::optional<SocketAddress> address_of(const ForwardTarget& target);

} // namespace monoinit::log
