#pragma once
// The part of the D-Bus wire protocol (D-Bus specification, "Message Protocol") that watching names takes: calls to the bus
// itself, its replies and signals. Pure; everything received is bounded. Tested by tests/unit/control/bus_message_test.cpp and
// tests/system/bus_names.py against Debian's dbus-daemon.

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::control {

inline constexpr std::size_t bus_header_size = 16; ///< what has to be there before the size of a message is known
inline constexpr std::size_t most_bus_message = 64 << 10; ///< longer ones are none of the bus's own, and skipped

struct BusMessage {
    enum class Kind : std::uint8_t { Call = 1, Reply = 2, Error = 3, Signal = 4 } kind = Kind::Call;
    std::uint32_t serial = 0, reply_to = 0;
    std::string interface, member, error_name, sender, signature;
    std::string body;
    bool big_endian = false;

    std::vector<std::string> strings() const; ///< the arguments of a body that holds nothing but strings; else none
    std::optional<bool> boolean() const;      ///< the argument of a body that is one boolean
};

/// A call of a method of org.freedesktop.DBus with string arguments.
std::string encode_bus_call(std::uint32_t serial, std::string_view member, const std::vector<std::string>& arguments);
/// The whole size of the message that begins with these bytes (at least bus_header_size); an error if they begin none.
base::Result<std::uint64_t> bus_message_size(std::string_view bytes);
/// Exactly one message.
base::Result<BusMessage> decode_bus_message(std::string_view bytes);

} // namespace monoinit::control
