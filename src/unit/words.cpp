// Splitting into words. Quotes count anywhere in a word (`a"b c"d` is one), an escape is read before quotes close.
// Tested by tests/unit/unit/words_test.cpp.
#include "unit/words.hpp"

#include <algorithm>
#include <cstdint>

namespace monoinit::unit {

using base::Errc;
using base::fail;
using base::Result;

namespace {

constexpr std::string_view blanks = " \t\n\r";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

void append_utf8(std::string& out, char32_t code) {
    const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80U | ((code >> shift) & 0x3fU)); };
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xc0U | (code >> 6));
        tail(0);
    } else if (code < 0x10000) {
        out += static_cast<char>(0xe0U | (code >> 12));
        tail(6), tail(0);
    } else {
        out += static_cast<char>(0xf0U | (code >> 18));
        tail(12), tail(6), tail(0);
    }
}

/// `count` digits of base 8 or 16 at the start of `text`.
std::optional<std::uint32_t> digits(std::string_view text, std::size_t count, unsigned base) {
    if (text.size() < count)
        return std::nullopt;
    std::uint32_t value = 0;
    for (const char c : text.substr(0, count)) {
        const unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                               : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a') + 10
                               : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A') + 10
                                                      : 99;
        if (digit >= base)
            return std::nullopt;
        value = value * base + digit;
    }
    return value;
}

std::optional<char> simple_escape(char c) {
    constexpr std::string_view letters = "abfnrtvs\\\"'", bytes = "\a\b\f\n\r\t\v \\\"'";
    const auto at = letters.find(c);
    return at == std::string_view::npos ? std::nullopt : std::optional(bytes[at]);
}

std::optional<std::size_t> append_code_point(std::string_view text, std::size_t count, std::string& out) {
    const auto code = digits(text.substr(1), count, 16);
    if (!code || *code == 0 || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
        return std::nullopt;
    append_utf8(out, *code);
    return count + 1;
}

/// The escape after a backslash: appends what it stands for, returns its length without the backslash.
std::optional<std::size_t> append_escape(std::string_view text, std::string& out) {
    if (text.empty())
        return std::nullopt;
    if (const auto byte = simple_escape(text.front())) {
        out += *byte;
        return 1;
    }
    std::optional<std::uint32_t> byte;
    std::size_t length = 3;
    switch (text.front()) {
    case 'u':
        return append_code_point(text, 4, out);
    case 'U':
        return append_code_point(text, 8, out);
    case 'x':
        byte = digits(text.substr(1), 2, 16);
        break;
    default:
        byte = digits(text, length, 8);
        break;
    }
    if (!byte || *byte == 0 || *byte > 255) // a NUL would end the argument
        return std::nullopt;
    out += static_cast<char>(*byte);
    return length;
}

/// One word, with the state that its characters need.
class WordReader {
  public:
    WordReader(std::string_view text, unsigned flags) : rest_(text), flags_(flags) {}

    std::string_view rest() const { return rest_; }

    Result<std::string> read() {
        while (!rest_.empty()) {
            take_plain();
            if (rest_.empty())
                break;
            const char c = rest_.front();
            if (c == '\\' && (flags_ & RetainEscape) == 0) {
                TRY(read_escape());
                continue;
            }
            if (quote_ == 0 && is_blank(c))
                break;
            rest_.remove_prefix(1);
            if ((flags_ & Unquote) != 0 && (quote_ != 0 ? c == quote_ : c == '"' || c == '\''))
                quote_ = quote_ != 0 ? '\0' : c;
            else
                word_ += c;
        }
        if (quote_ != 0 && (flags_ & Relax) == 0)
            return fail(Errc::Invalid, "quote without end");
        return std::move(word_);
    }

  private:
    /// The characters up to the next that may mean something: nearly always the whole word.
    void take_plain() {
        std::size_t n = 0;
        while (n < rest_.size() && rest_[n] != '\\' && rest_[n] != '"' && rest_[n] != '\'' && (quote_ != 0 || !is_blank(rest_[n])))
            n++;
        word_.append(rest_.substr(0, n));
        rest_.remove_prefix(n);
    }

    Result<void> read_escape() {
        rest_.remove_prefix(1);
        if (rest_.empty()) {
            if ((flags_ & UnescapeRelax) != 0 && (quote_ == 0 || (flags_ & Relax) != 0))
                word_ += '\\';
            else if ((flags_ & Relax) == 0)
                return fail(Errc::Invalid, "backslash at the end");
            return {};
        }
        if ((flags_ & CUnescape) != 0) {
            if (const auto used = append_escape(rest_, word_)) {
                rest_.remove_prefix(*used);
                return {};
            }
            if ((flags_ & UnescapeRelax) == 0)
                return fail(Errc::Invalid, "unknown escape sequence");
            word_ += '\\';
        }
        word_ += rest_.front();
        rest_.remove_prefix(1);
        return {};
    }

    std::string_view rest_;
    unsigned flags_;
    std::string word_;
    char quote_ = 0;
};

} // namespace

Result<std::optional<std::string>> next_word(std::string_view& text, unsigned flags) {
    const auto skip_blanks = [&] { text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size())); };
    skip_blanks();
    if (text.empty())
        return std::optional<std::string>();
    WordReader reader(text, flags);
    auto word = reader.read();
    text = reader.rest();
    skip_blanks();
    if (!word)
        return std::move(word).error();
    return std::optional(std::move(word).value());
}

Result<std::vector<std::string>> split_words(std::string_view text, unsigned flags) {
    std::vector<std::string> words;
    while (auto word = TRY(next_word(text, flags)))
        words.push_back(std::move(*word));
    return words;
}

Result<std::string> c_unescape(std::string_view text, bool allow_nul) {
    std::string out;
    while (!text.empty()) {
        if (allow_nul && (text.starts_with("\\x00") || text.starts_with("\\000"))) {
            out += '\0';
            text.remove_prefix(4);
            continue;
        }
        const char c = text.front();
        text.remove_prefix(1);
        if (c != '\\') {
            out += c;
            continue;
        }
        const auto used = append_escape(text, out);
        if (!used)
            return fail(Errc::Invalid, "unknown escape sequence");
        text.remove_prefix(*used);
    }
    return out;
}

std::string quote_word(std::string_view word) {
    constexpr std::string_view hex = "0123456789abcdef";
    const bool plain = !word.empty() && word != ";" && std::all_of(word.begin(), word.end(), [](char c) {
        return static_cast<unsigned char>(c) > ' ' && c != '"' && c != '\'' && c != '\\' && c != 0x7f;
    });
    if (plain)
        return std::string(word);
    std::string out = "\"";
    for (const char c : word) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            (out += '\\') += c;
        else if (c == '\n')
            out += "\\n";
        else if (byte < ' ' || byte == 0x7f)
            ((out += "\\x") += hex[byte >> 4]) += hex[byte & 15U];
        else
            out += c;
    }
    return out + "\"";
}

} // namespace monoinit::unit
