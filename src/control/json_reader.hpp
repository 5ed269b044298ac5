#pragma once
// JSON text -> a flat row of values, in the order of the text: nlohmann-json does the lexing and parsing, its tree (a map and
// an allocation for every member) is left out. Only codec.cpp and tests include this. Tested by
// tests/unit/control/codec_test.cpp.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::control {

enum class JsonKind : std::uint8_t { Null, Boolean, Natural, Negative, Fraction, String, Array, Object };

class JsonText;

/// One value of a JsonText, which must outlive it.
class JsonValue {
  public:
    JsonValue(const JsonText& text, std::uint32_t index) : text_(&text), index_(index) {}
    JsonKind kind() const;
    bool is(JsonKind kind) const { return this->kind() == kind; }
    std::uint64_t natural() const;   ///< of Natural; of Boolean 0 or 1
    std::int64_t negative() const;   ///< of Negative
    std::string_view string() const; ///< of String
    std::string_view key() const;    ///< of a member of an object
    /// The first and the next value in an array or object; nothing when there is none.
    std::optional<JsonValue> first() const;
    std::optional<JsonValue> next_in(const JsonValue& parent) const;
    /// A member of an object; the last one, where a key occurs twice.
    std::optional<JsonValue> find(std::string_view key) const;

  private:
    const JsonText* text_;
    std::uint32_t index_;
};

class JsonText {
  public:
    /// Nothing if `text` is not one JSON value (RFC 8259) and no more. At most 4 GB; depth is the caller's to limit.
    static std::optional<JsonText> parse(std::string_view text);
    JsonValue root() const { return {*this, 0}; }

  private:
    friend class JsonValue;
    friend struct JsonRecorder;
    struct Span {
        std::uint32_t begin = 0, size = 0;
    };
    struct Node {
        JsonKind kind;
        std::uint32_t end = 0;    ///< index after everything below it
        Span key, string;         ///< in strings_
        std::uint64_t number = 0; ///< Negative: two's complement
    };
    std::string_view at(Span span) const { return std::string_view(strings_).substr(span.begin, span.size); }

    std::vector<Node> nodes_;
    std::string strings_;
};

} // namespace monoinit::control
