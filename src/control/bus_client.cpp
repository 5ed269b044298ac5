// See bus_client.hpp.
#include "control/bus_client.hpp"

#include "base/strings.hpp"
#include "control/bus_message.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <unistd.h>

namespace monoinit::control {

namespace {

using base::Errc;
using base::fail;

constexpr std::string_view bus = "org.freedesktop.DBus", manager = "org.freedesktop.systemd1";
constexpr std::size_t most_to_write = 1 << 20, most_line = 1024, reads_at_once = 16;

std::string match_of(const std::string& name) {
    return "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" + name + "'";
}

/// SASL EXTERNAL wants the uid as hexadecimal digits of its decimal digits.
std::string hexadecimal(const std::string& text) {
    std::string digits;
    for (const char c : text)
        for (const int shift : {4, 0})
            digits += "0123456789abcdef"[static_cast<unsigned char>(c) >> shift & 15];
    return digits;
}

} // namespace

std::string bus_socket(std::string_view address) {
    for (const std::string_view alternative : base::split(address, ';'))
        if (alternative.starts_with("unix:"))
            for (const std::string_view part : base::split(alternative.substr(5), ','))
                if (part.starts_with("path=/"))
                    return std::string(part.substr(5));
    return address.empty() ? "/run/dbus/system_bus_socket" : "";
}

base::Result<BusClient> BusClient::connect(const std::string& path, bool activates) {
    return BusClient(TRY(sys::connect_unix(path, SOCK_STREAM | SOCK_NONBLOCK)), activates);
}

BusClient::BusClient(sys::UniqueFd fd, bool activates) : fd_(std::move(fd)) {
    out_ = std::string(1, '\0') + "AUTH EXTERNAL " + hexadecimal(std::to_string(::geteuid())) + "\r\n";
    constexpr std::uint32_t do_not_queue = 4;
    later_ = encode_bus_call(++serial_, "Hello", {});
    if (activates)
        later_ += encode_bus_call(++serial_, "RequestName", {std::string(manager)}, do_not_queue);
}

std::uint32_t BusClient::call(std::string_view member, const std::string& argument) {
    queue() += encode_bus_call(++serial_, member, {argument});
    return serial_;
}

/// Subscribed first, so that no change is missed between question and answer.
void BusClient::watch(const std::string& name) {
    call("AddMatch", match_of(name));
    asked_[call("NameHasOwner", name)] = name;
}

void BusClient::unwatch(const std::string& name) {
    call("RemoveMatch", match_of(name));
    std::erase_if(asked_, [&](const auto& each) { return each.second == name; });
}

void BusClient::activation_failed(const std::string& unit, const std::string& why) {
    queue() += encode_activation_failure(++serial_, unit, why);
}

base::Result<void> BusClient::turn(const Heard& heard) {
    TRY(read(heard));
    TRY(write());
    if (out_.size() > most_to_write)
        return fail(Errc::TooLarge, "the bus takes nothing more");
    return {};
}

base::Result<void> BusClient::write() {
    while (!out_.empty()) {
        const ssize_t size = sys::send_bytes(fd_.get(), out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size < 0)
            return errno == EAGAIN || errno == EINTR ? base::Result<void>() : base::fail_errno(errno, "cannot write to the bus");
        out_.erase(0, static_cast<std::size_t>(size));
    }
    return {};
}

base::Result<void> BusClient::read(const Heard& heard) {
    std::array<char, 16 << 10> buffer;
    for (std::size_t i = 0; i < reads_at_once; i++) {
        auto received = sys::receive_message(fd_.get(), buffer);
        if (!received)
            return received.error().code == Errc::Busy ? base::Result<void>() : base::Result<void>(received.error());
        if (!received->descriptors.empty())
            sys::close_elsewhere(std::move(received->descriptors));
        if (received->bytes.empty())
            return fail(Errc::System, stage_ == Stage::Authenticating ? "the bus does not let us in" : "the bus is gone");
        in_ += received->bytes;
        TRY(take(heard));
    }
    return {};
}

base::Result<void> BusClient::take_line() {
    const std::size_t end = in_.find("\r\n");
    if (end == std::string::npos)
        return in_.size() <= most_line ? base::Result<void>() : fail(Errc::Protocol, "no line of a D-Bus authentication");
    if (!in_.starts_with("OK "))
        return fail(Errc::Denied, "the bus does not let us in");
    in_.erase(0, end + 2);
    out_ += "BEGIN\r\n" + later_;
    later_.clear();
    stage_ = Stage::Talking;
    return {};
}

base::Result<void> BusClient::take(const Heard& heard) {
    if (stage_ == Stage::Authenticating)
        TRY(take_line());
    while (stage_ == Stage::Talking) {
        const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, in_.size()));
        in_.erase(0, skipped);
        skip_ -= skipped;
        if (in_.size() < bus_header_size)
            return {};
        const std::uint64_t size = TRY(bus_message_size(in_));
        if (size > most_bus_message) {
            skip_ = size;
            continue;
        }
        if (in_.size() < size)
            return {};
        understand(std::string_view(in_).substr(0, static_cast<std::size_t>(size)), heard);
        in_.erase(0, static_cast<std::size_t>(size));
    }
    return {};
}

/// Others may send us what they like; only the bus itself has its name as a sender.
void BusClient::understand(std::string_view bytes, const Heard& heard) {
    const auto message = decode_bus_message(bytes);
    if (!message)
        return;
    if (message->kind == BusMessage::Kind::Call) {
        if (message->wants_reply && !message->sender.empty())
            queue() += encode_unknown_method(++serial_, *message);
        return;
    }
    if (message->sender != bus)
        return;
    const auto strings = message->strings();
    if (message->kind == BusMessage::Kind::Signal) {
        if (message->member == "NameOwnerChanged" && strings.size() == 3)
            heard.owner(strings[0], !strings[2].empty());
        else if (message->member == "ActivationRequest" && strings.size() == 1)
            heard.activate(strings[0]);
        return;
    }
    const auto question = asked_.find(message->reply_to);
    if (question == asked_.end())
        return;
    const std::string name = std::move(question->second);
    asked_.erase(question);
    if (const auto owned = message->boolean(); owned && message->kind == BusMessage::Kind::Reply)
        heard.owner(name, *owned);
}

} // namespace monoinit::control
