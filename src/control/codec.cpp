// Varlink framing in both directions. Reading goes through json_reader.hpp (after the size, depth and number of values
// have been counted); writing through json_writer.hpp.
// Tested by tests/unit/control/codec_test.cpp.
#include "control/codec.hpp"

#include "control/fields.hpp"
#include "control/json_reader.hpp"
#include "control/json_writer.hpp"

namespace monoinit::control {

using base::Errc;

namespace {

constexpr std::string_view service_prefix = "org.varlink.service.";

/// Errors of our interface: what runtime returns, by name on the wire.
constexpr auto error_names = base::enum_names<Errc>({{Errc::NotFound, "NoSuchUnit"},
                                                     {Errc::Denied, "NotAllowed"},
                                                     {Errc::Invalid, "InvalidArgument"},
                                                     {Errc::Busy, "Busy"},
                                                     {Errc::Unsupported, "Unsupported"},
                                                     {Errc::Exists, "Exists"},
                                                     {Errc::TooLarge, "TooLarge"},
                                                     {Errc::System, "Failed"},
                                                     {Errc::Protocol, "ProtocolViolation"}});

// ---- reading --------------------------------------------------------------------------------------------------------

/// Fills structures through their tables of fields.
struct Reader {
    bool strict; ///< unknown members are errors
    std::string wrong{}; ///< the member at which reading failed

    template <class T> bool read(const JsonValue& json, T& out) {
        if constexpr (has_fields<T>)
            return read_struct(json, out);
        else
            return read_scalar(json, out);
    }
    template <class T> bool read_struct(const JsonValue& json, T& out) {
        if (!json.is(JsonKind::Object))
            return false;
        for (auto member = json.first(); member; member = member->next_in(json)) {
            const std::string_view key = member->key();
            bool known = false, good = true;
            std::apply([&](const auto&... f) { (void)((f.name == key && (known = true, good = read_member(*member, out.*f.member))) || ...); }, fields<T>);
            if (good && (known || !strict))
                continue;
            if (wrong.empty())
                wrong = key;
            return false;
        }
        return true;
    }
    template <class M> bool read_member(const JsonValue& json, M& out) { return json.is(JsonKind::Null) || read(json, out); }
    bool read_scalar(const JsonValue& json, std::string& out) {
        out = json.string();
        return json.is(JsonKind::String);
    }
    bool read_scalar(const JsonValue& json, bool& out) {
        out = json.natural() != 0;
        return json.is(JsonKind::Boolean);
    }
    template <class I>
        requires std::is_integral_v<I>
    bool read_scalar(const JsonValue& json, I& out) {
        if (json.is(JsonKind::Negative)) {
            out = static_cast<I>(json.negative());
            return std::in_range<I>(json.negative());
        }
        out = static_cast<I>(json.natural());
        return json.is(JsonKind::Natural) && std::in_range<I>(json.natural());
    }
    bool read_scalar(const JsonValue& json, Duration& out) {
        std::int64_t count = 0;
        if (!read_scalar(json, count) || count < 0)
            return false;
        out = Duration(count);
        return true;
    }
    bool read_scalar(const JsonValue& json, Moment& out) {
        const auto monotonic = json.find("monotonic"), realtime = json.find("realtime");
        return json.is(JsonKind::Object) && (!monotonic || read_scalar(*monotonic, out.mono.since_boot)) &&
               (!realtime || read_scalar(*realtime, out.wall));
    }
    bool read_scalar(const JsonValue& json, Verb& out) {
        const auto verb = verb_from_name(json.string());
        out = verb.value_or(out);
        return verb.has_value();
    }
    bool read_scalar(const JsonValue& json, std::pair<std::string, std::string>& out) {
        const auto name = json.find("name"), value = json.find("value");
        return name && value && read_scalar(*name, out.first) && read_scalar(*value, out.second);
    }
    template <class E> bool read_scalar(const JsonValue& json, std::optional<E>& out) { return read(json, out.emplace()); }
    template <class E> bool read_scalar(const JsonValue& json, std::vector<E>& out) {
        if (!json.is(JsonKind::Array))
            return false;
        out.clear();
        for (auto element = json.first(); element; element = element->next_in(json))
            if (!read(*element, out.emplace_back()))
                return false;
        return true;
    }
};

/// Calls `visit` with a default-constructed alternative of Request until one says true.
template <class F, std::size_t... I> bool any_request(F&& visit, std::index_sequence<I...>) {
    return (visit(std::variant_alternative_t<I, Request>{}) || ...);
}
template <class F> bool any_request(F&& visit) {
    return any_request(std::forward<F>(visit), std::make_index_sequence<std::variant_size_v<Request>>());
}

WireError invalid_parameter(std::string_view name) {
    return {std::string(service_prefix) + "InvalidParameter", "parameter", std::string(name)};
}

bool read_flag(const JsonValue& message, std::string_view name, bool& out) {
    const auto found = message.find(name);
    return !found || Reader{.strict = false}.read_member(*found, out);
}

/// The parameters of a message: none at all is an object without members.
struct Parameters {
    std::optional<JsonValue> value;
    explicit Parameters(const JsonValue& message) : value(message.find("parameters")) {
        if (value && value->is(JsonKind::Null))
            value.reset();
    }
    bool is_object() const { return !value || value->is(JsonKind::Object); }
    template <class T> bool read(Reader& reader, T& out) const { return !value || reader.read(*value, out); }
};

std::variant<Call, WireError> decode_service_call(std::string_view method, const Parameters& parameters, Call call) {
    if (method == "GetInfo") {
        call.request = GetInfoRequest{};
        return call;
    }
    if (method == "GetInterfaceDescription") {
        const auto found = parameters.value ? parameters.value->find("interface") : std::nullopt;
        if (!found || !found->is(JsonKind::String))
            return invalid_parameter("interface");
        call.request = GetInterfaceDescriptionRequest{std::string(found->string())};
        return call;
    }
    return WireError{std::string(service_prefix) + "MethodNotFound", "method", std::string(service_prefix) + std::string(method)};
}

std::variant<Call, WireError> decode_manager_call(std::string_view method, const Parameters& parameters, Call call) {
    std::optional<WireError> error;
    const bool known = any_request([&]<class T>(T request) {
        if (Method<T>::name != method)
            return false;
        Reader reader{.strict = true};
        if (!parameters.read(reader, request))
            error = invalid_parameter(reader.wrong.empty() ? "parameters" : reader.wrong);
        else
            call.request = Request(std::move(request));
        return true;
    });
    if (error)
        return *error;
    if (!known)
        return WireError{std::string(service_prefix) + "MethodNotFound", "method",
                         std::string(interface_name) + "." + std::string(method)};
    return call;
}

} // namespace

bool within_limits(std::string_view text, const Limits& limits) {
    if (text.size() > limits.bytes)
        return false;
    std::size_t depth = 0, values = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); i++) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            values++;
            if (++depth > limits.depth)
                return false;
        } else if (c == '}' || c == ']') {
            depth -= depth == 0 ? 0 : 1;
        } else if (c == ',') {
            values++;
        }
        if (values > limits.values)
            return false;
    }
    return true;
}

std::variant<Call, WireError> decode_call(std::string_view message, const Limits& limits) {
    if (!within_limits(message, limits))
        return WireError{};
    const auto text = JsonText::parse(std::string(message));
    if (!text || !text->root().is(JsonKind::Object))
        return WireError{};
    const JsonValue json = text->root();
    const auto method = json.find("method");
    if (!method || !method->is(JsonKind::String))
        return WireError{};
    const Parameters parameters(json);
    Call call;
    if (!parameters.is_object() || !read_flag(json, "more", call.more) || !read_flag(json, "oneway", call.oneway))
        return WireError{};

    const std::string_view name = method->string();
    const std::size_t dot = name.rfind('.');
    const std::string_view interface = name.substr(0, dot == std::string::npos ? 0 : dot);
    const std::string_view verb = name.substr(dot == std::string::npos ? 0 : dot + 1);
    if (interface == service_prefix.substr(0, service_prefix.size() - 1))
        return decode_service_call(verb, parameters, call);
    if (interface == interface_name)
        return decode_manager_call(verb, parameters, call);
    return WireError{std::string(service_prefix) + "InterfaceNotFound", "interface", std::string(interface)};
}

base::Result<Answer> decode_reply(const Request& request, std::string_view message) {
    const auto parsed = JsonText::parse(std::string(message));
    if (!parsed || !parsed->root().is(JsonKind::Object))
        return base::fail(Errc::Protocol, "the answer is no Varlink message");
    const JsonValue json = parsed->root();
    const Parameters parameters(json);
    if (const auto error = json.find("error")) {
        const std::string name(error->is(JsonKind::String) ? error->string() : "?");
        const std::size_t dot = name.rfind('.');
        std::string text;
        if (parameters.value && parameters.value->is(JsonKind::Object))
            for (auto item = parameters.value->first(); item; item = item->next_in(*parameters.value))
                if (item->is(JsonKind::String))
                    text = item->string();
        if (name.starts_with(service_prefix))
            return base::fail(Errc::Unsupported, name.substr(service_prefix.size()) + " " + text +
                                                     " (initctl and PID 1 are of different versions?)");
        const auto code = base::value_of(error_names, std::string_view(name).substr(dot == std::string::npos ? 0 : dot + 1));
        return base::fail(code.value_or(Errc::System), text.empty() ? name : text);
    }
    Answer answer;
    if (!read_flag(json, "continues", answer.continues))
        return base::fail(Errc::Protocol, "the answer is no Varlink message");
    Reader reader{.strict = false};
    const bool good = std::visit(
        [&]<class T>(const T&) {
            typename Method<T>::Answer reply;
            const bool read = parameters.read(reader, reply);
            answer.reply = std::move(reply);
            return read;
        },
        request);
    if (!good)
        return base::fail(Errc::Protocol, "the answer's field " + reader.wrong + " is not understood");
    return answer;
}

// ---- writing --------------------------------------------------------------------------------------------------------

std::string encode_reply(const Reply& reply, bool continues) {
    JsonWriter writer(false);
    writer.open('{');
    std::visit([&](const auto& value) { writer.member("parameters", value); }, reply);
    if (continues)
        writer.member("continues", true);
    writer.close('}');
    return writer.take();
}

std::string encode_error(const WireError& error) {
    JsonWriter writer(false);
    writer.open('{');
    writer.member("error", error.name);
    writer.separate();
    JsonWriter parameters(false);
    parameters.open('{');
    if (!error.parameter_name.empty())
        parameters.member(error.parameter_name, error.parameter_value);
    parameters.close('}');
    std::string text = writer.take();
    text += "\"parameters\":" + parameters.take() + "}";
    return text;
}

WireError wire_error(const base::Error& error) {
    return {std::string(interface_name) + "." + std::string(base::name_of(error_names, error.code)), "text",
            base::to_string(error)};
}

std::string encode_service_info(const ServiceInfo& info) {
    JsonWriter writer(false);
    writer.open('{');
    writer.member("vendor", info.vendor);
    writer.member("product", info.product);
    writer.member("version", info.version);
    writer.member("url", info.url);
    writer.member("interfaces", Names{"org.varlink.service", std::string(interface_name)});
    writer.close('}');
    return "{\"parameters\":" + writer.take() + "}";
}

std::string encode_interface_description(std::string_view description) {
    JsonWriter writer(false);
    writer.open('{');
    writer.member("description", std::string(description));
    writer.close('}');
    return "{\"parameters\":" + writer.take() + "}";
}

std::string encode_call(const Request& request, bool more) {
    JsonWriter writer(false);
    writer.open('{');
    writer.member("method", std::string(interface_name) + "." + std::string(method_name(request)));
    std::visit([&](const auto& value) { writer.member("parameters", value); }, request);
    if (more)
        writer.member("more", true);
    writer.close('}');
    return writer.take();
}

std::string to_json(const Reply& reply) {
    JsonWriter writer(true);
    std::visit([&](const auto& value) { writer.write(value); }, reply);
    return writer.take();
}

std::string json_string(std::string_view text) {
    JsonWriter writer(true);
    writer.write(text);
    return writer.take();
}

std::string_view method_name(const Request& request) {
    return std::visit([]<class T>(const T&) { return Method<T>::name; }, request);
}

std::string_view verb_name(Verb verb) { return base::name_of(verb_names, verb); }

std::optional<Verb> verb_from_name(std::string_view name) { return base::value_of(verb_names, name); }

} // namespace monoinit::control
