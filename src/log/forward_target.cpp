// Tested by tests/unit/log/forward_test.cpp.

#include "log/forward_target.hpp"

#include "base/fmt.hpp"
#include "base/time_text.hpp"
#include "log/format.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cstdlib>
#include <netinet/in.h>

namespace monoinit::log {
namespace {

constexpr struct {
    std::string_view scheme;
    ForwardTarget::Kind kind;
    bool path;
} schemes[] = {
    {"file:", ForwardTarget::Kind::File, true},     {"syslog:", ForwardTarget::Kind::Syslog, true},
    {"unix:", ForwardTarget::Kind::Unix, true},     {"udp:", ForwardTarget::Kind::Udp, false},
    {"tcp:", ForwardTarget::Kind::Tcp, false},
};

int priority_value(const Record& record) { return record.facility * 8 + record.priority; }

std::string_view sender_of(const Record& record) { return record.identifier.empty() ? short_unit_name(record.unit) : record.identifier; }

/// Names in a header: printable ASCII without blanks, of a limited length; "-" when nothing is left.
std::string header_word(std::string_view text, std::size_t longest) {
    std::string word;
    for (const char c : text.substr(0, longest))
        word += c > ' ' && c < 0x7f ? c : '_';
    return word.empty() ? "-" : word;
}

} // namespace

std::optional<SocketAddress> address_of(const ForwardTarget& target) {
    SocketAddress address;
    const auto port = static_cast<std::uint16_t>(std::strtoul(target.port.c_str(), nullptr, 10));
    auto* const v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    if (::inet_pton(AF_INET, target.host.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        address.size = sizeof *v4;
    } else if (::inet_pton(AF_INET6, target.host.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        address.size = sizeof *v6;
    } else {
        return std::nullopt;
    }
    return address;
}

base::Result<ForwardTarget> parse_forward_target(std::string_view text) {
    ForwardTarget target;
    const std::string_view all = text;
    const auto is_scheme = [](std::string_view rest) {
        return std::ranges::any_of(schemes, [&](const auto& row) { return rest.starts_with(row.scheme); });
    };
    if (const std::size_t equals = text.find('='); !is_scheme(text) && equals != std::string_view::npos) {
        target.unit = text.substr(0, equals);
        if (target.unit.find('.') == std::string::npos && target.unit.find_first_of("*?[") == std::string::npos)
            target.unit += ".service";
        text.remove_prefix(equals + 1);
    }
    for (const auto& row : schemes) {
        if (!text.starts_with(row.scheme))
            continue;
        target.kind = row.kind;
        text.remove_prefix(row.scheme.size());
        if (row.path) {
            if (!text.starts_with('/'))
                return base::fail(base::Errc::Invalid, std::string(all) + ": an absolute path is expected");
            target.path = text;
            return target;
        }
        const std::size_t colon = text.rfind(':');
        if (colon == std::string_view::npos)
            return base::fail(base::Errc::Invalid, std::string(all) + ": HOST:PORT is expected");
        target.port = text.substr(colon + 1);
        std::string_view host = text.substr(0, colon);
        if (host.starts_with('[') && host.ends_with(']'))
            host = host.substr(1, host.size() - 2);
        target.host = host == "localhost" ? "127.0.0.1" : host;
        const bool is_port = !target.port.empty() && target.port.size() <= 5 && target.port.find_first_not_of("0123456789") == std::string::npos &&
                             std::stoul(target.port) <= 0xffff && std::stoul(target.port) > 0;
        if (!is_port || !address_of(target))
            return base::fail(base::Errc::Invalid, std::string(all) + ": an address (names are not looked up) and a port are expected");
        return target;
    }
    return base::fail(base::Errc::Invalid, std::string(all) + ": file:PATH, syslog:PATH, unix:PATH, udp:HOST:PORT or tcp:HOST:PORT is expected");
}

std::string as_syslog(const Record& record) {
    const std::string time = format_time(record.wall_us, record.mono_us, TimeForm::Short);
    const std::string pid = record.pid != 0 ? fmt::format("[{}]", record.pid) : "";
    return fmt::format("<{}>{} {}{}: {}", priority_value(record), time, header_word(sender_of(record), 48), pid, record.text);
}

std::string as_rfc5424(const Record& record, std::string_view host_name) {
    static const base::TimeZone utc;
    const std::string time = base::time_text(utc, base::Duration(static_cast<std::int64_t>(record.wall_us)), "%Y-%m-%dT%H:%M:%S");
    return fmt::format("<{}>1 {}.{:06}Z {} {} {} - - {}", priority_value(record), time, record.wall_us % 1000000, header_word(host_name, 255),
                       header_word(sender_of(record), 48), record.pid != 0 ? std::to_string(record.pid) : "-", record.text);
}

} // namespace monoinit::log
