// See health_target.hpp. Tested by tests/unit/unit/health_test.cpp.
#include "unit/health_target.hpp"

#include <algorithm>
#include <charconv>

namespace monoinit::unit {

namespace {

constexpr std::string_view scheme = "http://";

/// Nothing that would end a line of the request, or be no part of an address.
bool is_plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0)
        return std::nullopt;
    return port;
}

/// "host", "host:80", "[::1]", "[::1]:80".
std::optional<TcpTarget> parse_authority(std::string_view text, std::uint16_t otherwise) {
    TcpTarget target{{}, otherwise};
    std::string_view rest;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == text.npos)
            return std::nullopt;
        target.host = text.substr(1, close - 1);
        rest = text.substr(close + 1);
    } else {
        const auto colon = text.find(':');
        target.host = text.substr(0, colon);
        rest = colon == text.npos ? std::string_view() : text.substr(colon);
    }
    if (!rest.empty()) {
        const auto port = rest.front() == ':' ? parse_port(rest.substr(1)) : std::nullopt;
        if (!port)
            return std::nullopt;
        target.port = *port;
    }
    if (target.host.empty() || target.port == 0 || !is_plain(target.host))
        return std::nullopt;
    return target;
}

} // namespace

std::optional<TcpTarget> parse_tcp_target(std::string_view text) {
    if (const auto port = parse_port(text))
        return TcpTarget{"localhost", *port};
    return parse_authority(text, 0);
}

std::optional<HttpTarget> parse_http_target(std::string_view text) {
    if (!text.starts_with(scheme) || !is_plain(text))
        return std::nullopt;
    text.remove_prefix(scheme.size());
    const auto end = std::min(text.find_first_of("/?#"), text.size());
    const std::string_view authority = text.substr(0, end);
    constexpr std::uint16_t http = 80;
    auto address = parse_authority(authority, http);
    if (!address || authority.find('@') != authority.npos)
        return std::nullopt;
    std::string path(text.substr(end, text.find('#', end) - end));
    if (!path.starts_with('/'))
        path.insert(0, "/");
    return HttpTarget{std::move(*address), std::string(authority), std::move(path)};
}

} // namespace monoinit::unit
