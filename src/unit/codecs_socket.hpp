#pragma once
// Codecs of [Socket]. Included by rows_socket.hpp only. Tested by tests/unit/unit/socket_test.cpp.

#include "unit/codecs.hpp"

namespace monoinit::unit::codec {

Result<void> add_address(ParseContext& context, Value value, ListenKind kind, std::vector<ListenAddress>& list);
std::string show_addresses(const std::vector<ListenAddress>& list, ListenKind kind);

/// Listen…=; an empty value takes back every one so far, of whatever kind, as systemd does.
template <ListenKind Kind> struct Listen {
    static constexpr base::Literal type = Kind == ListenKind::Fifo || Kind == ListenKind::Special ? "path" : "address";
    static Result<void> parse(ParseContext& context, Value value, std::vector<ListenAddress>& list) { return add_address(context, value, Kind, list); }
    static std::string show(const std::vector<ListenAddress>& list) { return show_addresses(list, Kind); }
};

/// Bytes, with K, M and G.
struct ByteCount {
    static constexpr base::Literal type = "size";
    static Result<void> parse(ParseContext&, Value value, std::uint64_t& field);
    static std::string show(std::uint64_t field) { return std::to_string(field); }
};

/// Service=: a service, and no template.
struct ActivatedService {
    static constexpr base::Literal type = "unit name";
    static Result<void> parse(ParseContext& context, Value value, std::string& field);
    static std::string show(const std::string& field) { return field; }
};

/// FileDescriptorName=.
struct DescriptorName {
    static constexpr base::Literal type = "name";
    static Result<void> parse(ParseContext& context, Value value, std::string& field);
    static std::string show(const std::string& field) { return field; }
};

/// Absolute paths; they add up, an empty value resets.
struct Paths {
    static constexpr base::Literal type = "paths";
    static Result<void> parse(ParseContext& context, Value value, std::vector<std::string>& field);
    static std::string show(const std::vector<std::string>& field);
};

} // namespace monoinit::unit::codec
