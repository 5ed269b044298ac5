// The only file that includes nlohmann-json. Tested by tests/unit/control/codec_test.cpp.
#include "control/json_reader.hpp"

#include <nlohmann/json.hpp>

namespace monoinit::control {

/// What the parser calls (the interface json_sax of nlohmann-json).
struct JsonRecorder {
    using Json = nlohmann::json;

    JsonText& text;
    std::vector<std::uint32_t> open{}; ///< arrays and objects not closed yet
    JsonText::Span next_key{};

    JsonText::Span keep(std::string_view string) {
        const JsonText::Span span{static_cast<std::uint32_t>(text.strings_.size()), static_cast<std::uint32_t>(string.size())};
        text.strings_ += string;
        return span;
    }
    bool add(JsonKind kind, std::uint64_t number = 0, JsonText::Span string = {}) {
        const auto index = static_cast<std::uint32_t>(text.nodes_.size());
        text.nodes_.push_back({kind, index + 1, std::exchange(next_key, {}), string, number});
        return true;
    }
    bool begin(JsonKind kind) {
        open.push_back(static_cast<std::uint32_t>(text.nodes_.size()));
        return add(kind);
    }
    bool end() {
        text.nodes_[open.back()].end = static_cast<std::uint32_t>(text.nodes_.size());
        open.pop_back();
        return true;
    }

    bool null() { return add(JsonKind::Null); }
    bool boolean(bool value) { return add(JsonKind::Boolean, value ? 1 : 0); }
    bool number_integer(Json::number_integer_t value) { return add(JsonKind::Negative, static_cast<std::uint64_t>(value)); }
    bool number_unsigned(Json::number_unsigned_t value) { return add(JsonKind::Natural, value); }
    bool number_float(Json::number_float_t, const std::string&) { return add(JsonKind::Fraction); }
    bool string(std::string& value) { return add(JsonKind::String, 0, keep(value)); }
    bool binary(Json::binary_t&) { return false; } // of other formats
    bool start_object(std::size_t) { return begin(JsonKind::Object); }
    bool end_object() { return end(); }
    bool start_array(std::size_t) { return begin(JsonKind::Array); }
    bool end_array() { return end(); }
    bool key(std::string& name) {
        next_key = keep(name);
        return true;
    }
    bool parse_error(std::size_t, const std::string&, const Json::exception&) { return false; }
};

std::optional<JsonText> JsonText::parse(std::string_view text) {
    std::optional<JsonText> parsed(std::in_place);
    if (text.size() > std::numeric_limits<std::uint32_t>::max())
        return std::nullopt;
    parsed->strings_.reserve(text.size());
    JsonRecorder recorder{*parsed};
    if (!nlohmann::json::sax_parse(text.begin(), text.end(), &recorder))
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
