#pragma once
// The part of the D-Bus wire protocol (D-Bus specification, "Message Protocol") that watching names and activating services takes:
// calls to the bus itself, its replies and signals, and errors as answers. Pure; everything received is bounded. Tested by tests/unit/control/bus_message_test.cpp and
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
    bool wants_reply = true; ///< of a call
    std::string interface, member, error_name, sender, signature;
    std::string body;
    bool big_endian = false;

    std::vector<std::string> strings() const; ///< the arguments of a body that holds nothing but strings; else none
    std::optional<bool> boolean() const;      ///< the argument of a body that is one boolean
};

/// A call of a method of org.freedesktop.DBus with string arguments, and one number more where `flags` is given.
std::string encode_bus_call(std::uint32_t serial, std::string_view member, const std::vector<std::string>& arguments,
                            std::optional<std::uint32_t> flags = {});
/// A signal of org.freedesktop.systemd1.Activator to the bus: a service it asked for is not to be had.
std::string encode_activation_failure(std::uint32_t serial, const std::string& unit, const std::string& why);
/// The answer to a call of what we have not.
std::string encode_unknown_method(std::uint32_t serial, const BusMessage& call);
/// The whole size of the message that begins with these bytes (at least bus_header_size); an error if they begin none.
base::Result<std::uint64_t> bus_message_size(std::string_view bytes);
/// Exactly one message.
base::Result<BusMessage> decode_bus_message(std::string_view bytes);

} // namespace monoinit::control
