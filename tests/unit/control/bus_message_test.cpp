#include "control/bus_client.hpp"
#include "control/bus_message.hpp"

#include <catch2/catch.hpp>

using namespace monoinit::control;

namespace {

/// As dbus-daemon sends them: every field in its place, padding zero.
std::string message(char kind, std::uint32_t reply_to, std::string_view member, std::string_view signature, const std::string& body,
                    std::string_view sender = "org.freedesktop.DBus") {
    std::string fields;
    const auto align = [](std::string& to, std::size_t by) { to.append((by - to.size() % by) % by, '\0'); };
    const auto number = [&](std::string& to, std::uint32_t value) {
        align(to, 4);
        for (int shift = 0; shift < 32; shift += 8)
            to += static_cast<char>(value >> shift & 0xff);
    };
    const auto text_field = [&](int code, char type, std::string_view text) {
        align(fields, 8);
        fields += static_cast<char>(code);
        fields += std::string("\1") + type + '\0';
        if (type == 'g')
            fields += static_cast<char>(text.size());
        else
            number(fields, static_cast<std::uint32_t>(text.size()));
        fields += std::string(text) + '\0';
    };
    text_field(7, 's', sender);
    if (!member.empty()) {
        text_field(2, 's', "org.freedesktop.DBus");
        text_field(3, 's', member);
    }
    if (reply_to != 0) {
        align(fields, 8);
        fields += std::string("\5\1u") + '\0';
        number(fields, reply_to);
    }
    if (!signature.empty())
        text_field(8, 'g', signature);
    std::string whole = std::string("l") + kind + '\0' + '\1';
    number(whole, static_cast<std::uint32_t>(body.size()));
    number(whole, 7);
    number(whole, static_cast<std::uint32_t>(fields.size()));
    whole += fields;
    align(whole, 8);
    return whole + body;
}

std::string strings(std::initializer_list<std::string> texts) {
    std::string body;
    for (const std::string& text : texts) {
        body.append((4 - body.size() % 4) % 4, '\0');
        body += std::string{static_cast<char>(text.size()), '\0', '\0', '\0'} + text + '\0';
    }
    return body;
}

} // namespace

TEST_CASE("what we send is what we would read", "[bus]") {
    const std::string call = encode_bus_call(3, "NameHasOwner", {"org.example.App"});
    CHECK(call.size() % 4 == 0);
    REQUIRE(bus_message_size(call));
    CHECK(*bus_message_size(call) == call.size());
    const auto read = decode_bus_message(call);
    REQUIRE(read);
    CHECK(read->kind == BusMessage::Kind::Call);
    CHECK(read->serial == 3);
    CHECK(read->member == "NameHasOwner");
    CHECK(read->interface == "org.freedesktop.DBus");
    CHECK(read->strings() == std::vector<std::string>{"org.example.App"});
    CHECK(decode_bus_message(encode_bus_call(1, "Hello", {}))->strings().empty());
}

TEST_CASE("answers and signals of ours", "[bus]") {
    const auto failure = decode_bus_message(encode_activation_failure(9, "a.service", "why"));
    REQUIRE(failure);
    CHECK(failure->kind == BusMessage::Kind::Signal);
    CHECK(failure->member == "ActivationFailure");
    CHECK_FALSE(failure->wants_reply);
    CHECK(failure->strings() == std::vector<std::string>{"a.service", "org.freedesktop.systemd1.NoSuchUnit", "why"});
    BusMessage call;
    call.serial = 12;
    call.sender = ":1.7";
    const auto error = decode_bus_message(encode_unknown_method(3, call));
    REQUIRE(error);
    CHECK(error->kind == BusMessage::Kind::Error);
    CHECK(error->reply_to == 12);
    CHECK(error->error_name == "org.freedesktop.DBus.Error.UnknownMethod");
    CHECK(decode_bus_message(encode_bus_call(1, "Hello", {}))->wants_reply);
}

TEST_CASE("signals and replies of the bus", "[bus]") {
    const auto signal = decode_bus_message(message(4, 0, "NameOwnerChanged", "sss", strings({"org.example.App", "", ":1.5"})));
    REQUIRE(signal);
    CHECK(signal->member == "NameOwnerChanged");
    CHECK(signal->sender == "org.freedesktop.DBus");
    CHECK(signal->strings() == std::vector<std::string>{"org.example.App", "", ":1.5"});
    const auto reply = decode_bus_message(message(2, 3, "", "b", std::string("\1\0\0\0", 4)));
    REQUIRE(reply);
    CHECK(reply->reply_to == 3);
    CHECK(reply->boolean() == true);
    CHECK(decode_bus_message(message(2, 3, "", "b", std::string("\2\0\0\0", 4)))->boolean() == std::nullopt);
    CHECK(decode_bus_message(message(2, 3, "", "s", strings({"x"})))->boolean() == std::nullopt);
    CHECK(decode_bus_message(message(4, 0, "x", "sas", strings({"x"})))->strings().empty());
}

TEST_CASE("what is cut short, or lies about its size, is no message", "[bus]") {
    const std::string good = message(4, 0, "NameOwnerChanged", "sss", strings({"org.example.App", "", ":1.5"}));
    for (std::size_t size = 0; size < good.size(); size++)
        CHECK_FALSE(decode_bus_message(good.substr(0, size)));
    CHECK_FALSE(bus_message_size("HTTP/1.1 400 Bad Request"));
    for (std::size_t at = 0; at < good.size(); at++)
        for (const int change : {1, 0x80, 0xff}) {
            std::string bad = good;
            bad[at] = static_cast<char>(bad[at] ^ change);
            if (const auto read = decode_bus_message(bad)) // must not crash, and stays within its bytes
                CHECK(read->strings().size() <= 3);
        }
    std::string huge = good;
    huge[4] = huge[5] = huge[6] = huge[7] = '\xff';
    CHECK(*bus_message_size(huge) > 0xffffffffU);
}

TEST_CASE("where the bus is", "[bus]") {
    CHECK(bus_socket("") == "/run/dbus/system_bus_socket");
    CHECK(bus_socket("unix:path=/x/y,guid=12") == "/x/y");
    CHECK(bus_socket("tcp:host=a;unix:guid=1,path=/z") == "/z");
    CHECK(bus_socket("unix:abstract=/a").empty());
}
