// JSON strings: control bytes escaped, invalid UTF-8 replaced (RFC 8259 wants UTF-8), everything else as it is.
// Tested by tests/unit/control/codec_test.cpp.
#include "control/json_writer.hpp"

namespace monoinit::control {

namespace {

/// Length of the valid UTF-8 sequence that `text` begins with, 0 if it does not.
std::size_t sequence_length(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    return length != 0 && length <= text.size() && base::is_valid_utf8(text.substr(0, length)) ? length : 0;
}

void append_ascii(std::string& out, char c) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
    case '"':
    case '\\':
        (out += '\\') += c;
        return;
    case '\n':
        out += "\\n";
        return;
    case '\t':
        out += "\\t";
        return;
    default:
        if (byte >= 0x20 && byte != 0x7f)
            out += c;
        else
            ((out += "\\u00") += digits[byte >> 4]) += digits[byte & 15];
    }
}

} // namespace

void JsonWriter::write_scalar(std::string_view value) {
    text_ += '"';
    while (!value.empty()) {
        std::size_t plain = 0; // most of it goes through in one piece
        while (plain < value.size() && value[plain] >= 0x20 && value[plain] < 0x7f && value[plain] != '"' && value[plain] != '\\')
            plain++;
        text_ += value.substr(0, plain);
        value.remove_prefix(plain);
        if (value.empty())
            break;
        if (static_cast<unsigned char>(value.front()) < 0x80) {
            append_ascii(text_, value.front());
            value.remove_prefix(1);
            continue;
        }
        const std::size_t length = sequence_length(value);
        if (length == 0)
            text_ += "\xef\xbf\xbd"; // U+FFFD
        else
            text_ += value.substr(0, length);
        value.remove_prefix(length == 0 ? 1 : length);
    }
    text_ += '"';
}

} // namespace monoinit::control
