// See version.hpp. Tested by tests/unit/base/version_test.cpp.
#include "base/version.hpp"

#include <algorithm>
#include <optional>

namespace monoinit::base {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// What means nothing is passed over.
void skip(std::string_view& text) {
    while (!text.empty() && !is_digit(text[0]) && !is_letter(text[0]) && std::string_view("~-^.").find(text[0]) == std::string_view::npos)
        text.remove_prefix(1);
}

template <class F> std::string_view take(std::string_view& text, F belongs) {
    const auto end = std::find_if_not(text.begin(), text.end(), belongs);
    const std::string_view part = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    text.remove_prefix(part.size());
    return part;
}

int order_of(std::size_t a, std::size_t b) { return a < b ? -1 : a > b ? 1 : 0; }

/// Who has the separator here is the older; both: it is taken from both, and 0. Nothing: neither has it.
std::optional<int> at_separator(std::string_view& a, std::string_view& b, char separator) {
    const bool in_a = a.starts_with(separator), in_b = b.starts_with(separator);
    if (!in_a && !in_b)
        return std::nullopt;
    if (in_a != in_b)
        return in_a ? -1 : 1;
    a.remove_prefix(1);
    b.remove_prefix(1);
    return 0;
}

int compare_numbers(std::string_view a, std::string_view b) {
    if (a.empty() || b.empty())
        return order_of(a.size(), b.size()); // a number is newer than letters
    a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
    b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
    return a.size() != b.size() ? order_of(a.size(), b.size()) : a.compare(b);
}

} // namespace

int compare_versions(std::string_view a, std::string_view b) {
    for (;;) {
        skip(a);
        skip(b);
        std::optional<int> order = at_separator(a, b, '~');
        if (!order && (a.empty() || b.empty()))
            return order_of(a.size(), b.size());
        for (const char separator : {'-', '^', '.'})
            order = order ? order : at_separator(a, b, separator);
        if (!order)
            order = is_digit(a[0]) || is_digit(b[0]) ? compare_numbers(take(a, is_digit), take(b, is_digit)) : take(a, is_letter).compare(take(b, is_letter));
        if (*order != 0)
            return *order;
    }
}

} // namespace monoinit::base
