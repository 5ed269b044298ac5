// The only file that includes toml++ (it costs 5 s to compile). A document becomes a flat list of settings with the
// line of each, so that everything after it can name file and line. Tested by tests/unit/config/config_test.cpp.
#include "config/config.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_HEADER_ONLY 1
#define TOML_FLOAT_CHARCONV 1 // its other way is a stringstream: 600 kB of iostreams and locales
// libstdc++'s from_chars() for doubles would be 40 kB more; strtod() is in the binary anyway.
namespace std {
inline from_chars_result monoinit_from_chars(const char* first, const char* last, double& value) {
    char* end = nullptr;
    const std::string text(first, last);
    value = std::strtod(text.c_str(), &end);
    return {first + (end - text.c_str()), end == text.c_str() ? errc::invalid_argument : errc{}};
}
template <class Integer> from_chars_result monoinit_from_chars(const char* first, const char* last, Integer& value) {
    return from_chars(first, last, value);
}
} // namespace std
#define from_chars monoinit_from_chars
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wswitch-enum"
// Its assumptions about the input do not hold ("[[[" breaks one): with NDEBUG they would be undefined behaviour,
// without it an abort of PID 1. The checks that follow them in its code do what is right.
#include <toml++/impl/preprocessor.h>
#undef TOML_ASSERT
#define TOML_ASSERT(condition) static_cast<void>(0)
#undef TOML_ASSERT_ASSUME
#define TOML_ASSERT_ASSUME(condition) static_cast<void>(0)
#include <toml++/toml.h>
#pragma GCC diagnostic pop

namespace monoinit::config {

namespace {

/// The text a flag or variable would hold; nothing for kinds no setting has (dates, tables in arrays).
std::optional<std::string> scalar(const toml::node& node) {
    if (const auto* text = node.as_string())
        return text->get();
    if (const auto* flag = node.as_boolean())
        return flag->get() ? "yes" : "no";
    if (const auto* integer = node.as_integer())
        return std::to_string(integer->get());
    if (const auto* number = node.as_floating_point())
        return std::to_string(number->get());
    return std::nullopt;
}

/// Appends the settings of `table`; a value of a kind that no setting has becomes an empty list.
void flatten(const toml::table& table, const std::string& prefix, std::vector<FileSetting>& out) {
    for (const auto& [key, node] : table) {
        FileSetting setting;
        setting.key = prefix + std::string(key.str());
        setting.line = static_cast<std::uint32_t>(key.source().begin.line);
        if (const toml::table* inner = node.as_table()) {
            flatten(*inner, setting.key + ".", out);
            continue;
        }
        if (const auto text = scalar(node)) {
            setting.values.push_back(*text);
        } else {
            setting.is_array = true;
            if (const toml::array* array = node.as_array())
                for (const toml::node& element : *array)
                    setting.values.push_back(scalar(element).value_or(""));
        }
        out.push_back(std::move(setting));
    }
}

} // namespace

base::Result<std::vector<FileSetting>> parse_toml(std::string_view text, std::string_view file) {
    const toml::parse_result document = toml::parse(text);
    if (!document) {
        const toml::parse_error& error = document.error();
        return base::Error{base::Errc::Invalid, 0, std::string(error.description()),
                           base::SourcePos{std::string(file), static_cast<std::uint32_t>(error.source().begin.line)}};
    }
    std::vector<FileSetting> settings;
    flatten(document.table(), "", settings);
    std::stable_sort(settings.begin(), settings.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
    return settings;
}

} // namespace monoinit::config
