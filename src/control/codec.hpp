#pragma once
// Varlink messages <-> typed requests and replies. JSON is read by json_reader.hpp and written straight into text.
// Requests come from strangers: size, depth and number of values are checked before parsing, types and ranges while
// decoding, and nothing throws.
// Tested by tests/unit/control/codec_test.cpp and tests/fuzz.

#include "base/result.hpp"
#include "control/api.hpp"

#include <string>
#include <string_view>
#include <variant>

namespace monoinit::control {

inline constexpr std::string_view interface_name = "io.monoinit.Manager";
/// The text of io.monoinit.Manager.varlink, embedded at build.
std::string_view interface_description();

struct Limits {
    std::size_t bytes = 128 << 10, depth = 16, values = 20000;
};
/// Whether a JSON text is worth parsing: counted without parsing it.
bool within_limits(std::string_view text, const Limits& limits);

/// org.varlink.service, which every Varlink service answers.
struct GetInfoRequest {};
struct GetInterfaceDescriptionRequest { std::string interface; };

struct Call {
    bool more = false, oneway = false;
    std::variant<Request, GetInfoRequest, GetInterfaceDescriptionRequest> request;
};
/// What is wrong with a call, as the error the wire wants.
struct WireError {
    std::string name;                             ///< "org.varlink.service.MethodNotFound"
    std::string parameter_name, parameter_value;  ///< its one parameter
};
/// A call, or what to answer; a text that is no message at all is an error without a name: drop the client.
std::variant<Call, WireError> decode_call(std::string_view message, const Limits& limits);

std::string encode_reply(const Reply& reply, bool continues);
std::string encode_error(const WireError& error);
WireError wire_error(const base::Error& error);
struct ServiceInfo { std::string vendor, product, version, url; };
std::string encode_service_info(const ServiceInfo& info);
std::string encode_interface_description(std::string_view description);

std::string encode_call(const Request& request, bool more);
struct Answer {
    Reply reply;
    bool continues = false;
};
/// An answer to `request`; what the server refused comes as Error with the code it had there.
base::Result<Answer> decode_reply(const Request& request, std::string_view message);

/// For people and programs (--json): every field, indented; UTF-8 as it is.
std::string to_json(const Reply& reply);
std::string json_string(std::string_view text); ///< quoted; what is no UTF-8 becomes U+FFFD
std::string_view method_name(const Request& request);
std::string_view verb_name(Verb verb); ///< "try-restart"
std::optional<Verb> verb_from_name(std::string_view name);

} // namespace monoinit::control
