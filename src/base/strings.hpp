#pragma once
// Small text helpers shared by the pure modules. Tested by tests/unit/base/strings_test.cpp.

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::base {

std::string_view trim(std::string_view text); ///< without leading and trailing blanks (space, tab, CR, LF)
std::vector<std::string_view> split(std::string_view text, char separator); ///< keeps empty fields
/// Of a text that ends before its parts: not to be had.
template <class T>
    requires std::is_same_v<T, std::string>
std::vector<std::string_view> split(T&& text, char separator) = delete;
std::string join(const std::vector<std::string>& parts, std::string_view separator);

bool is_valid_utf8(std::string_view text);

/// Makes hostile text fit for a line on a terminal: control bytes but tab become "\x1b"-like escapes, invalid UTF-8
/// becomes U+FFFD, at most `limit` bytes (then "…"). Valid UTF-8 is never escaped.
std::string printable(std::string_view text, std::size_t limit = 4096);

/// Edit distance for "did you mean": the best of `candidates` that is close enough to be a slip, else empty.
std::string_view closest(std::string_view word, const std::vector<std::string_view>& candidates);

/// Columns on a terminal: East Asian wide characters count 2, combining ones 0.
std::size_t display_width(std::string_view utf8);

/// fnmatch(3)-like glob with `*`, `?`, `[set]` and no special treatment of dots or slashes.
bool glob_match(std::string_view pattern, std::string_view text);

} // namespace monoinit::base
