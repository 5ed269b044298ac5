#pragma once
// JSON text -> a flat row of values, in the order of the text. Our own, since PID 1 reads strangers' messages with it and
// `initctl list` its longest answer: no tree (a map and an allocation for every member), no exceptions, strings decoded
// where they stand; a quarter of the code and a fifth of the time of nlohmann-json, which judges it in the tests. Only
// codec.cpp and tests include this. Tested by tests/unit/control/json_reader_test.cpp.

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
    /// Nothing if `text` is not one JSON value (RFC 8259) in valid UTF-8 and no more. At most 4 GB; depth costs heap, no
    /// stack. An integer beyond 64 bits counts as a Fraction.
    static std::optional<JsonText> parse(std::string text);
    JsonValue root() const { return {*this, 0}; }

  private:
    friend class JsonValue;
    friend class JsonParser;
    struct Span {
        std::uint32_t begin = 0, size = 0;
    };
    struct Node {
        JsonKind kind;
        std::uint32_t end = 0;    ///< index after everything below it
        Span key, string;         ///< in text_
        std::uint64_t number = 0; ///< Negative: two's complement
    };
    std::string_view at(Span span) const { return std::string_view(text_).substr(span.begin, span.size); }

    std::string text_; ///< strings in it decoded
    std::vector<Node> nodes_;
};

} // namespace monoinit::control
