// Escaping for terminals and JSON. One UTF-8 decoder serves both: it accepts exactly what RFC 3629 does.
// Tested by tests/unit/log/escape_test.cpp.

#include "log/escape.hpp"

#include <cstdint>
#include <cstring>

namespace monoinit::log {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";
constexpr char hex_digits[] = "0123456789abcdef";

void append_hex(std::string& out, std::string_view before, unsigned char byte) {
    out.append(before);
    out.push_back(hex_digits[byte >> 4]);
    out.push_back(hex_digits[byte & 15]);
}

unsigned char at(std::string_view text, std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
}

bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

/// Length of the valid multi-byte sequence at the front; 0 = none.
std::size_t sequence_length(std::string_view text) {
    const unsigned char first = at(text, 0), second = at(text, 1);
    if (first >= 0xC2 && first <= 0xDF)
        return is_continuation(second) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const bool overlong = first == 0xE0 && second < 0xA0;
        const bool surrogate = first == 0xED && second > 0x9F;
        return is_continuation(second) && is_continuation(at(text, 2)) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const bool overlong = first == 0xF0 && second < 0x90;
        const bool beyond = first == 0xF4 && second > 0x8F;
        const bool continued = is_continuation(second) && is_continuation(at(text, 2)) && is_continuation(at(text, 3));
        return continued && !overlong && !beyond ? 4 : 0;
    }
    return 0;
}

/// Length of a colour sequence, ESC [ digits ; : m; 0 = it is none.
std::size_t color_length(std::string_view text) {
    if (at(text, 1) != '[')
        return 0;
    constexpr std::size_t limit = 64;
    for (std::size_t i = 2; i < text.size() && i < limit; i++) {
        const char c = text[i];
        if (c == 'm')
            return i + 1;
        if ((c < '0' || c > '9') && c != ';' && c != ':')
            return 0;
    }
    return 0;
}

bool switches_off(std::string_view color) {
    return color == "\x1b[m" || color == "\x1b[0m" || color.ends_with(";0m") || color.ends_with("[00m");
}

} // namespace

void append_for_terminal(std::string& out, std::string_view text) {
    bool colored = false;
    for (std::size_t i = 0; i < text.size();) {
        const unsigned char byte = at(text, i);
        const std::string_view rest = text.substr(i);
        std::size_t length = 1;
        if (byte >= 0x80) {
            length = sequence_length(rest);
            if (length == 0) {
                out.append(replacement);
                length = 1;
            } else if (byte == 0xC2 && at(rest, 1) < 0xA0) {
                append_hex(out, "\\u00", at(rest, 1)); // C1: U+009B is another way to say ESC [
            } else {
                out.append(rest.substr(0, length));
            }
        } else if (byte == 0x1B && color_length(rest) > 0) {
            length = color_length(rest);
            out.append(rest.substr(0, length));
            colored = !switches_off(rest.substr(0, length));
        } else if ((byte < 0x20 && byte != '\t') || byte == 0x7F) {
            append_hex(out, "\\x", byte);
        } else {
            out.push_back(static_cast<char>(byte));
        }
        i += length;
    }
    if (colored)
        out.append("\x1b[0m");
}

void append_without_nul(std::string& out, std::string_view text) {
    while (const void* nul = std::memchr(text.data(), 0, text.size())) {
        const auto before = static_cast<std::size_t>(static_cast<const char*>(nul) - text.data());
        out.append(text.substr(0, before)).append("\\x00");
        text.remove_prefix(before + 1);
    }
    out.append(text);
}

void append_json_string(std::string& out, std::string_view text) {
    out.push_back('"');
    for (std::size_t i = 0; i < text.size();) {
        const unsigned char byte = at(text, i);
        if (byte >= 0x80) {
            const std::size_t length = sequence_length(text.substr(i));
            out.append(length > 0 ? text.substr(i, length) : replacement);
            i += length > 0 ? length : 1;
            continue;
        }
        i++;
        if (byte == '"' || byte == '\\') {
            out.push_back('\\');
            out.push_back(static_cast<char>(byte));
        } else if (byte == '\n') {
            out.append("\\n");
        } else if (byte == '\t') {
            out.append("\\t");
        } else if (byte == '\r') {
            out.append("\\r");
        } else if (byte < 0x20 || byte == 0x7F) {
            append_hex(out, "\\u00", byte);
        } else {
            out.push_back(static_cast<char>(byte));
        }
    }
    out.push_back('"');
}

} // namespace monoinit::log
