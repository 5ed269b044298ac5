#pragma once
// What the targets of HttpGet= and TcpConnect= are made of: read by the parser for its complaints, and by exec/ to connect.
// Tested by tests/unit/unit/health_test.cpp.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace monoinit::unit {

struct TcpTarget {
    std::string host; ///< a name or an address, without brackets
    std::uint16_t port = 0;
};
/// "127.0.0.1:80", "[::1]:80", "localhost:80", or a port alone: localhost.
std::optional<TcpTarget> parse_tcp_target(std::string_view text);

struct HttpTarget {
    TcpTarget address;
    std::string host; ///< as written: the Host: header
    std::string path; ///< with query; "/" if the address names none
};
std::optional<HttpTarget> parse_http_target(std::string_view text);

} // namespace monoinit::unit
