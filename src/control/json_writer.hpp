#pragma once
// Typed data -> JSON text, without a tree in between: a list of thousands of units costs one buffer in PID 1.
// Only codec.cpp and tests include this. Tested by tests/unit/control/codec_test.cpp.

#include "base/strings.hpp"
#include "control/fields.hpp"

#include <string>

namespace monoinit::control {

class JsonWriter {
  public:
    /// `full`: every field, indented, for people; else fields that hold their default are left out.
    explicit JsonWriter(bool full) : full_(full) {}

    template <class T> void write(const T& value) {
        if constexpr (has_fields<T>)
            write_struct(value);
        else
            write_scalar(value);
    }
    template <class T> void member(std::string_view name, const T& value) {
        separate();
        write_scalar(name);
        text_ += full_ ? ": " : ":";
        write(value);
    }
    void open(char bracket) {
        text_ += bracket;
        level_++;
        fresh_ = true;
    }
    void close(char bracket) {
        level_--;
        if (!fresh_)
            line_break();
        fresh_ = false;
        text_ += bracket;
    }
    /// Before each element of an array and each member.
    void separate() {
        if (!fresh_)
            text_ += ',';
        fresh_ = false;
        line_break();
    }
    std::string take() { return std::move(text_); }

  private:
    template <class T> void write_struct(const T& value) {
        [[maybe_unused]] static const T dflt{};
        open('{');
        std::apply([&](const auto&... f) { (write_field(value, dflt, f), ...); }, fields<T>);
        close('}');
    }
    template <class T, class M> void write_field(const T& value, const T& dflt, const Field<T, M>& f) {
        const M& content = value.*f.member;
        if (full_ || !is_default(content, dflt.*f.member))
            member(f.name, content);
    }
    template <class M> static bool is_default(const M& value, const M& dflt) {
        if constexpr (has_fields<M>)
            return false;
        else if constexpr (requires { value.empty(); value.front(); })
            return value.empty() && dflt.empty();
        else
            return value == dflt;
    }
    template <class E> void write_scalar(const std::vector<E>& list) {
        open('[');
        for (const E& element : list) {
            separate();
            write(element);
        }
        close(']');
    }
    template <class E> void write_scalar(const std::optional<E>& value) {
        if (value)
            write(*value);
        else
            text_ += "null";
    }
    void write_scalar(const std::pair<std::string, std::string>& property) {
        open('{');
        member("name", property.first);
        member("value", property.second);
        close('}');
    }
    void write_scalar(const Moment& moment) {
        open('{');
        member("monotonic", moment.mono.since_boot);
        member("realtime", moment.wall);
        close('}');
    }
    void write_scalar(Duration span) { text_ += std::to_string(span.count()); }
    void write_scalar(bool value) { text_ += value ? "true" : "false"; }
    template <class I>
        requires std::is_integral_v<I>
    void write_scalar(I value) {
        text_ += std::to_string(value);
    }
    void write_scalar(Verb verb) { write_scalar(base::name_of(verb_names, verb)); }
    void write_scalar(const std::string& value) { write_scalar(std::string_view(value)); }
    void write_scalar(std::string_view value);
    void line_break() {
        if (full_)
            text_.append("\n").append(2 * level_, ' ');
    }

    bool full_;
    bool fresh_ = true; ///< nothing in the innermost bracket yet
    std::size_t level_ = 0;
    std::string text_;
};

} // namespace monoinit::control
