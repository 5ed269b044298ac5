// See codecs_socket.hpp. Addresses are taken apart here; whether an IPv6 address is one is the kernel's library's to say,
// when the socket is made. Tested by tests/unit/unit/socket_test.cpp.
#include "unit/codecs_socket.hpp"

#include "unit/name.hpp"

#include <algorithm>

namespace monoinit::unit {

namespace {

struct NetlinkFamily {
    std::string_view name;
    std::uint32_t number;
};
constexpr NetlinkFamily netlink_families[] = {{"route", 0}, {"firewall", 3}, {"inet-diag", 4}, {"nflog", 5}, {"xfrm", 6},
                                              {"selinux", 7}, {"iscsi", 8}, {"audit", 9}, {"fib-lookup", 10}, {"connector", 11},
                                              {"netfilter", 12}, {"ip6-fw", 13}, {"dnrtmsg", 14}, {"kobject-uevent", 15}, {"generic", 16}};

std::string_view netlink_name(std::uint32_t number) {
    for (const NetlinkFamily& family : netlink_families)
        if (family.number == number)
            return family.name;
    return "?";
}

} // namespace

std::string ListenAddress::text() const {
    switch (family) {
    case AddressFamily::Path: return host;
    case AddressFamily::Abstract: return "@" + host;
    case AddressFamily::Inet: return host + ":" + std::to_string(port);
    case AddressFamily::Inet6: return "[" + host + "]:" + std::to_string(port);
    case AddressFamily::Port: return "[::]:" + std::to_string(port);
    case AddressFamily::Vsock: return "vsock:" + (cid == 0xffffffff ? "" : std::to_string(cid)) + ":" + std::to_string(port);
    case AddressFamily::Netlink: return std::string(netlink_name(cid)) + (port != 0 ? " " + std::to_string(port) : "");
    }
    return {};
}

namespace codec {

namespace {

constexpr std::size_t most_addresses = 128; ///< of one unit: they come in one message (exec/open_sockets.hpp)
constexpr std::size_t longest_path = 107;   ///< sockaddr_un

bool is_digits(Value text) { return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }); }

Result<std::uint32_t> port_of(Value text) {
    if (!is_digits(text))
        return base::fail(base::Errc::Invalid, "not a port number");
    return static_cast<std::uint32_t>(TRY(parse_integer(text, 1, 65535)));
}

bool is_ipv4(Value text) {
    const auto parts = base::split(text, '.');
    return parts.size() == 4 && std::ranges::all_of(parts, [](Value part) {
        return is_digits(part) && part.size() <= 3 && (part.size() == 1 || part[0] != '0') && parse_integer(part, 0, 255);
    });
}

bool may_be_ipv6(Value text) {
    return text.find(':') != Value::npos &&
           std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.'; });
}

/// "vsock:CID:PORT"; without a CID any of ours.
Result<void> parse_vsock(Value text, ListenAddress& address) {
    const std::size_t colon = text.find(':');
    if (colon == Value::npos)
        return base::fail(base::Errc::Invalid, "not vsock:CID:PORT");
    constexpr std::int64_t highest = 0xffffffff;
    address.family = AddressFamily::Vsock;
    address.cid = colon == 0 ? 0xffffffff : static_cast<std::uint32_t>(TRY(parse_integer(text.substr(0, colon), 0, highest)));
    address.port = static_cast<std::uint32_t>(TRY(parse_integer(text.substr(colon + 1), 0, highest)));
    return {};
}

Result<void> parse_internet(Value text, ListenAddress& address) {
    if (is_digits(text)) {
        address.family = AddressFamily::Port;
        address.port = TRY(port_of(text));
        return {};
    }
    const std::size_t colon = text.rfind(':');
    if (colon == Value::npos)
        return base::fail(base::Errc::Invalid, "neither a path, @name, port nor address:port");
    address.port = TRY(port_of(text.substr(colon + 1)));
    Value host = text.substr(0, colon);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed)
        host = host.substr(1, host.size() - 2);
    if (bracketed ? !may_be_ipv6(host) : !is_ipv4(host))
        return base::fail(base::Errc::Invalid, "not an IP address (names are not looked up; IPv6 ones stand in [])");
    address.family = bracketed ? AddressFamily::Inet6 : AddressFamily::Inet;
    address.host = host;
    return {};
}

Result<void> parse_socket(const ParseContext& context, const std::string& text, ListenAddress& address) {
    if (text[0] == '/') {
        address.host = TRY(absolute_path(context, text));
        if (address.host.size() > longest_path)
            return base::fail(base::Errc::TooLarge, "longer than the 107 bytes of a socket's path");
        return {};
    }
    if (text[0] == '@') {
        address.family = AddressFamily::Abstract;
        address.host = text.substr(1);
        if (address.host.empty() || address.host.size() > longest_path)
            return base::fail(base::Errc::Invalid, "an abstract name has 1 to 107 bytes");
        return {};
    }
    if (text.starts_with("vsock:"))
        return parse_vsock(Value(text).substr(6), address);
    if (address.kind == ListenKind::SequentialPacket)
        return base::fail(base::Errc::Invalid, "sequential packets are for Unix sockets: a path or @name");
    return parse_internet(text, address);
}

Result<void> parse_netlink(Value text, ListenAddress& address) {
    const std::size_t blank = text.find(' ');
    const auto* const family = std::ranges::find(netlink_families, text.substr(0, blank), &NetlinkFamily::name);
    if (family == std::end(netlink_families))
        return base::fail(base::Errc::Invalid, "not a netlink family");
    address.family = AddressFamily::Netlink;
    address.cid = family->number;
    if (blank != Value::npos)
        address.port = static_cast<std::uint32_t>(TRY(parse_integer(text.substr(blank + 1), 0, 0xffffffff)));
    return {};
}

} // namespace

Result<void> add_address(ParseContext& context, Value value, ListenKind kind, std::vector<ListenAddress>& list) {
    if (value.empty()) {
        list.clear();
        return {};
    }
    if (list.size() >= most_addresses)
        return base::fail(base::Errc::TooLarge, "more than 128 addresses");
    const std::string text = TRY(expand(context, std::string(value)));
    ListenAddress address{.kind = kind, .host = {}};
    switch (kind) {
    case ListenKind::Stream:
    case ListenKind::Datagram:
    case ListenKind::SequentialPacket:
        if (text.empty())
            return base::fail(base::Errc::Invalid, "no address");
        TRY(parse_socket(context, text, address));
        break;
    case ListenKind::Fifo:
    case ListenKind::Special:
        address.host = TRY(absolute_path(context, text));
        break;
    case ListenKind::MessageQueue:
        if (text.size() < 2 || text.size() > 255 || text[0] != '/' || text.find('/', 1) != std::string::npos)
            return base::fail(base::Errc::Invalid, "a message queue is named by / and a word");
        address.host = text;
        break;
    case ListenKind::Netlink:
        TRY(parse_netlink(text, address));
        break;
    }
    list.push_back(std::move(address));
    return {};
}

std::string show_addresses(const std::vector<ListenAddress>& list, ListenKind kind) {
    std::string text;
    for (const ListenAddress& address : list)
        if (address.kind == kind) // a port alone is shown as it was written
            text += (text.empty() ? "" : "\n") + (address.family == AddressFamily::Port ? std::to_string(address.port) : address.text());
    return text;
}

Result<void> ByteCount::parse(ParseContext&, Value value, std::uint64_t& field) {
    const std::uint64_t size = TRY(parse_size(value));
    if (size > 0x7fffffff)
        return base::fail(base::Errc::TooLarge, "more than 2G");
    field = size;
    return {};
}

Result<void> ActivatedService::parse(ParseContext& context, Value value, std::string& field) {
    if (value.empty()) {
        field.clear();
        return {};
    }
    std::string name = TRY(expand(context, std::string(value)));
    if (!is_valid_name(name) || type_of(name) != UnitType::Service || is_template(name))
        return base::fail(base::Errc::Invalid, "not the name of a service");
    field = std::move(name);
    return {};
}

Result<void> DescriptorName::parse(ParseContext& context, Value value, std::string& field) {
    std::string name = TRY(expand(context, std::string(value)));
    if (name.size() > 255 || !std::ranges::all_of(name, [](char c) { return c >= ' ' && c < 127 && c != ':'; }))
        return base::fail(base::Errc::Invalid, "a descriptor's name is ASCII, without colons");
    field = std::move(name);
    return {};
}

Result<void> Paths::parse(ParseContext& context, Value value, std::vector<std::string>& field) {
    return add_words(context, value, 0, field, [](std::string_view path) { return path.starts_with('/'); }, "a path that is not absolute, left out");
}

std::string Paths::show(const std::vector<std::string>& field) { return base::join(field, " "); }

} // namespace codec
} // namespace monoinit::unit
