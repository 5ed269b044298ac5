// Reading JSON. Tested by tests/unit/control/json_reader_test.cpp, against nlohmann-json.
#include "control/json_reader.hpp"

#include "base/strings.hpp"

#include <charconv>
#include <limits>
#include <utility>

namespace monoinit::control {

namespace {

constexpr std::size_t bytes_per_value = 16; ///< of our messages, or a little more: room that is not used is not touched

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Writes a code point as UTF-8; returns where it ends.
char* put_utf8(char* out, std::uint32_t code) {
    const auto byte = [&](std::uint32_t value) { *out++ = static_cast<char>(value); };
    if (code < 0x80) {
        byte(code);
    } else if (code < 0x800) {
        byte(0xc0 | code >> 6);
        byte(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        byte(0xe0 | code >> 12);
        byte(0x80 | (code >> 6 & 0x3f));
        byte(0x80 | (code & 0x3f));
    } else {
        byte(0xf0 | code >> 18);
        byte(0x80 | (code >> 12 & 0x3f));
        byte(0x80 | (code >> 6 & 0x3f));
        byte(0x80 | (code & 0x3f));
    }
    return out;
}

} // namespace

/// One pass over the text; containers that are open stand in a vector. Everything returns false where the text is no JSON.
class JsonParser {
  public:
    explicit JsonParser(JsonText& out) : out_(out), at_(out.text_.data()), end_(at_ + out.text_.size()) {}

    bool run() {
        for (;;) {
            bool opened = false;
            if (!value(opened))
                return false;
            if (opened)
                continue;
            // A value has ended; so may the containers around it.
            for (;;) {
                if (open_.empty()) {
                    skip_blanks();
                    return at_ == end_;
                }
                const bool object = out_.nodes_[open_.back()].kind == JsonKind::Object;
                if (take(',')) {
                    if (object && !key())
                        return false;
                    break;
                }
                if (!take(object ? '}' : ']'))
                    return false;
                close();
            }
        }
    }

  private:
    void skip_blanks() {
        while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r'))
            at_++;
    }
    bool take(char c) {
        skip_blanks();
        const bool is = at_ < end_ && *at_ == c;
        at_ += is ? 1 : 0;
        return is;
    }
    bool take_word(std::string_view word) {
        const bool is = std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word);
        at_ += is ? word.size() : 0;
        return is;
    }
    void add(JsonKind kind, std::uint64_t number = 0, JsonText::Span string = {}) {
        const auto index = static_cast<std::uint32_t>(out_.nodes_.size());
        out_.nodes_.push_back({kind, index + 1, std::exchange(next_key_, {}), string, number});
    }
    void close() {
        out_.nodes_[open_.back()].end = static_cast<std::uint32_t>(out_.nodes_.size());
        open_.pop_back();
    }

    /// A value, or the beginning of one: `opened` says that the first value inside comes next.
    bool value(bool& opened) {
        skip_blanks();
        if (at_ == end_)
            return false;
        switch (*at_) {
        case '{':
        case '[': {
            const bool object = *at_++ == '{';
            open_.push_back(static_cast<std::uint32_t>(out_.nodes_.size()));
            add(object ? JsonKind::Object : JsonKind::Array);
            if (take(object ? '}' : ']')) {
                close();
                return true;
            }
            opened = true;
            return !object || key();
        }
        case '"': {
            JsonText::Span span;
            if (!string(span))
                return false;
            add(JsonKind::String, 0, span);
            return true;
        }
        case 't':
            add(JsonKind::Boolean, 1);
            return take_word("true");
        case 'f':
            add(JsonKind::Boolean, 0);
            return take_word("false");
        case 'n':
            add(JsonKind::Null);
            return take_word("null");
        default:
            return number();
        }
    }

    bool key() {
        skip_blanks();
        return at_ < end_ && *at_ == '"' && string(next_key_) && take(':');
    }

    /// A string, decoded in place: it never becomes longer.
    bool string(JsonText::Span& span) {
        char* const begin = ++at_;
        while (at_ < end_ && *at_ != '"' && *at_ != '\\' && static_cast<unsigned char>(*at_) >= 0x20)
            at_++;
        char* out = at_;
        while (at_ < end_ && *at_ != '"') {
            if (static_cast<unsigned char>(*at_) < 0x20)
                return false;
            if (*at_ != '\\')
                *out++ = *at_++;
            else if (!escape(out))
                return false;
        }
        if (at_ == end_)
            return false;
        at_++;
        span = {static_cast<std::uint32_t>(begin - out_.text_.data()), static_cast<std::uint32_t>(out - begin)};
        return base::is_valid_utf8(out_.at(span));
    }

    bool escape(char*& out) {
        constexpr std::string_view names = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
        at_++;
        if (at_ == end_)
            return false;
        const char name = *at_++;
        if (const std::size_t known = names.find(name); known != std::string_view::npos) {
            *out++ = values[known];
            return true;
        }
        std::uint32_t code = 0;
        if (name != 'u' || !hex(code))
            return false;
        if (code >= 0xdc00 && code < 0xe000)
            return false; // the second half of a pair alone
        if (code >= 0xd800 && code < 0xdc00) {
            std::uint32_t low = 0;
            if (!take_word("\\u") || !hex(low) || low < 0xdc00 || low >= 0xe000)
                return false;
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        out = put_utf8(out, code);
        return true;
    }

    bool hex(std::uint32_t& code) {
        if (end_ - at_ < 4 || std::from_chars(at_, at_ + 4, code, 16).ptr != at_ + 4)
            return false;
        at_ += 4;
        return true;
    }

    bool digits() {
        const char* const begin = at_;
        while (at_ < end_ && is_digit(*at_))
            at_++;
        return at_ != begin;
    }

    bool number() {
        const char* const begin = at_;
        const bool negative = *at_ == '-';
        at_ += negative ? 1 : 0;
        if (at_ < end_ && *at_ == '0')
            at_++;
        else if (!digits())
            return false;
        const char* const whole = at_;
        if (at_ < end_ && *at_ == '.') {
            at_++;
            if (!digits())
                return false;
        }
        if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
            at_++;
            at_ += at_ < end_ && (*at_ == '+' || *at_ == '-') ? 1 : 0;
            if (!digits())
                return false;
        }
        std::uint64_t natural = 0;
        std::int64_t below = 0;
        const std::errc error = negative ? std::from_chars(begin, whole, below).ec : std::from_chars(begin, whole, natural).ec;
        if (at_ != whole || error != std::errc{})
            add(JsonKind::Fraction);
        else
            add(negative ? JsonKind::Negative : JsonKind::Natural, negative ? static_cast<std::uint64_t>(below) : natural);
        return true;
    }

    JsonText& out_;
    char* at_;
    char* end_;
    std::vector<std::uint32_t> open_; ///< arrays and objects not closed yet
    JsonText::Span next_key_{};
};

std::optional<JsonText> JsonText::parse(std::string text) {
    if (text.size() > std::numeric_limits<std::uint32_t>::max())
        return std::nullopt;
    std::optional<JsonText> parsed(std::in_place);
    parsed->text_ = std::move(text);
    parsed->nodes_.reserve(parsed->text_.size() / bytes_per_value);
    if (!JsonParser(*parsed).run())
        return std::nullopt;
    return parsed;
}

JsonKind JsonValue::kind() const { return text_->nodes_[index_].kind; }

std::uint64_t JsonValue::natural() const { return text_->nodes_[index_].number; }

std::int64_t JsonValue::negative() const { return static_cast<std::int64_t>(text_->nodes_[index_].number); }

std::string_view JsonValue::string() const { return text_->at(text_->nodes_[index_].string); }

std::string_view JsonValue::key() const { return text_->at(text_->nodes_[index_].key); }

std::optional<JsonValue> JsonValue::first() const {
    if (text_->nodes_[index_].end == index_ + 1)
        return std::nullopt;
    return JsonValue(*text_, index_ + 1);
}

std::optional<JsonValue> JsonValue::next_in(const JsonValue& parent) const {
    const std::uint32_t next = text_->nodes_[index_].end;
    if (next == text_->nodes_[parent.index_].end)
        return std::nullopt;
    return JsonValue(*text_, next);
}

std::optional<JsonValue> JsonValue::find(std::string_view name) const {
    std::optional<JsonValue> found;
    if (is(JsonKind::Object))
        for (auto member = first(); member; member = member->next_in(*this))
            if (member->key() == name)
                found = member;
    return found;
}

} // namespace monoinit::control
