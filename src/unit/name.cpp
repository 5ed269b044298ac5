// Unit names: what is a valid one, its parts, and the escaping that turns any text or path into one.
// Why apart: names come from files, links, people and sockets, and every one of them must be judged alike before it
// is used as part of a path. Tested by tests/unit/unit/name_test.cpp.

#include "unit/name.hpp"

#include "base/enum_names.hpp"

namespace monoinit::unit {

namespace {

constexpr auto suffixes = base::enum_names<UnitType>({
    {UnitType::Service, "service"},
    {UnitType::Socket, "socket"},
    {UnitType::Target, "target"},
    {UnitType::Device, "device"},
    {UnitType::Mount, "mount"},
    {UnitType::Automount, "automount"},
    {UnitType::Swap, "swap"},
    {UnitType::Timer, "timer"},
    {UnitType::Path, "path"},
    {UnitType::Slice, "slice"},
    {UnitType::Scope, "scope"},
});

constexpr bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Characters that stand for themselves in an escaped text.
constexpr bool is_plain(char c) {
    return is_alphanumeric(c) || c == ':' || c == '_' || c == '.';
}

/// Characters a unit name may hold, '@' aside.
constexpr bool is_name_char(char c) {
    return is_plain(c) || c == '-' || c == '\\';
}

void append_hex(std::string& out, char c) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    out += "\\x";
    out += digits[byte >> 4];
    out += digits[byte & 15];
}

int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

std::size_t suffix_dot(std::string_view name) {
    return name.rfind('.');
}

/// Where the first '@' stands, npos if there is none before the suffix.
std::size_t at_sign(std::string_view name) {
    const std::size_t at = name.find('@');
    const std::size_t dot = suffix_dot(name);
    return dot == std::string_view::npos || at < dot ? at : std::string_view::npos;
}

/// The components of a path; nothing if one is "..".
std::optional<std::vector<std::string_view>> components(std::string_view path) {
    std::vector<std::string_view> parts;
    while (!path.empty()) {
        const std::size_t slash = path.find('/');
        const std::string_view part = path.substr(0, slash);
        path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
        if (part == "..")
            return std::nullopt;
        if (!part.empty() && part != ".")
            parts.push_back(part);
    }
    return parts;
}

/// For what people type: like escape(), but '-' and '\' are taken as written, and '.' stays in front.
std::string escape_mangled(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '/')
            out += '-';
        else if (is_name_char(c) || c == '@')
            out += c;
        else
            append_hex(out, c);
    }
    return out;
}

} // namespace

std::string_view suffix(UnitType type) {
    return base::name_of(suffixes, type);
}

std::optional<UnitType> type_of(std::string_view name) {
    const std::size_t dot = suffix_dot(name);
    if (dot == std::string_view::npos)
        return std::nullopt;
    return base::value_of(suffixes, name.substr(dot + 1));
}

bool is_valid_name(std::string_view name) {
    if (name.size() > name_limit || !type_of(name))
        return false;
    const std::string_view stem = name.substr(0, suffix_dot(name));
    if (stem.empty() || stem.front() == '@')
        return false;
    for (const char c : stem)
        if (!is_name_char(c) && c != '@')
            return false;
    return true;
}

bool is_template(std::string_view name) {
    const std::size_t at = at_sign(name);
    return at != std::string_view::npos && at + 1 == suffix_dot(name);
}

bool is_instance(std::string_view name) {
    const std::size_t at = at_sign(name);
    return at != std::string_view::npos && at + 1 != suffix_dot(name);
}

std::string_view prefix_of(std::string_view name) {
    const std::size_t at = at_sign(name);
    return name.substr(0, at != std::string_view::npos ? at : suffix_dot(name));
}

std::string_view instance_of(std::string_view name) {
    const std::size_t at = at_sign(name);
    if (at == std::string_view::npos)
        return {};
    const std::size_t dot = suffix_dot(name);
    return name.substr(at + 1, dot == std::string_view::npos ? dot : dot - at - 1);
}

std::string template_of(std::string_view name) {
    if (!is_instance(name))
        return {};
    const std::size_t dot = suffix_dot(name);
    if (dot == std::string_view::npos)
        return {};
    return std::string(name.substr(0, at_sign(name) + 1)).append(name.substr(dot));
}

std::string with_instance(std::string_view template_name, std::string_view instance) {
    const std::size_t at = at_sign(template_name);
    const std::size_t dot = suffix_dot(template_name);
    if (at == std::string_view::npos || dot == std::string_view::npos)
        return std::string(template_name);
    std::string name(template_name.substr(0, at + 1));
    name.append(instance).append(template_name.substr(dot));
    return name;
}

std::string with_suffix(std::string_view name, std::string_view default_suffix) {
    if (name.empty() || is_valid_name(name))
        return std::string(name);
    if (name.find_first_of("*?[") != std::string_view::npos)
        return std::string(name); // a pattern: the caller matches it
    if (name.front() == '/') {
        const bool device = name.starts_with("/dev/") || name.starts_with("/sys/");
        const std::string escaped = escape_path(name);
        if (!escaped.empty())
            return escaped + (device ? ".device" : ".mount");
    }
    std::string mangled = escape_mangled(name);
    if (!type_of(mangled))
        mangled += default_suffix;
    return mangled;
}

std::string_view short_name(std::string_view name) {
    constexpr std::string_view service = ".service";
    return name.size() > service.size() && name.ends_with(service)
               ? name.substr(0, name.size() - service.size())
               : name;
}

std::string escape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); i++) {
        const char c = text[i];
        if (c == '/')
            out += '-';
        else if (is_plain(c) && !(c == '.' && i == 0)) // no hidden files
            out += c;
        else
            append_hex(out, c);
    }
    return out;
}

base::Result<std::string> unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); i++) {
        const char c = text[i];
        if (c == '-') {
            out += '/';
        } else if (c == '\\') {
            const int high = i + 3 < text.size() && text[i + 1] == 'x' ? hex_value(text[i + 2]) : -1;
            const int low = high >= 0 ? hex_value(text[i + 3]) : -1;
            if (low < 0 || high + low == 0) // a NUL would cut the path it becomes part of
                return base::fail(base::Errc::Invalid, "bad escape in unit name");
            out += static_cast<char>(high * 16 + low);
            i += 3;
        } else if (c == '\0') {
            return base::fail(base::Errc::Invalid, "a NUL in a unit name");
        } else {
            out += c;
        }
    }
    return out;
}

std::string escape_path(std::string_view path) {
    const auto parts = components(path);
    if (!parts)
        return {};
    if (parts->empty())
        return "-";
    std::string joined;
    for (const std::string_view part : *parts)
        joined.append(joined.empty() ? "" : "/").append(part);
    return escape(joined);
}

base::Result<std::string> unescape_path(std::string_view text) {
    if (text == "-")
        return std::string("/");
    std::string path = "/" + TRY(unescape(text));
    const bool normalized = path.size() > 1 && path.back() != '/' && path.find("//") == std::string::npos;
    const auto parts = components(path);
    if (!normalized || !parts || path.find("/./") != std::string::npos || path.ends_with("/."))
        return base::fail(base::Errc::Invalid, "not an escaped path");
    return path;
}

std::string device_path(std::string_view unit_name) {
    auto path = unescape_path(unit_name.substr(0, unit_name.rfind('.')));
    if (!path || !path->starts_with('/'))
        return {};
    // udev's own names for what the kernel has elsewhere.
    constexpr std::string_view network = "/sys/subsystem/net/devices/";
    return path->starts_with(network) ? "/sys/class/net/" + path->substr(network.size()) : *path;
}

} // namespace monoinit::unit
