#pragma once
// Words, quotes and C escapes as unit files use them: systemd.service(5) "Command lines", systemd.syntax(7) "Quoting".
// Tested by tests/unit/unit/words_test.cpp.

#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::unit {

/// How a directive wants its words split; combine with |.
enum WordFlags : unsigned {
    Unquote = 1,        ///< quotes group and are removed
    CUnescape = 2,      ///< "\n", "\x2d" … become the byte; an unknown one is an error
    RetainEscape = 4,   ///< backslashes are ordinary characters
    Relax = 8,          ///< an open quote or a trailing backslash ends with the text instead of being an error
    UnescapeRelax = 16, ///< an unknown escape stays as written
};

/// Takes the next word off `text` (which moves behind it and the blanks that follow). Nothing at the end of the text.
/// Without CUnescape and RetainEscape a backslash makes the next character ordinary.
base::Result<std::optional<std::string>> next_word(std::string_view& text, unsigned flags);

base::Result<std::vector<std::string>> split_words(std::string_view text, unsigned flags);

/// "\x2d\n" -> the bytes. An unknown escape is an error, and so is a NUL unless it is allowed.
base::Result<std::string> c_unescape(std::string_view text, bool allow_nul = false);

/// The word in a form that next_word(Unquote | CUnescape) reads back.
std::string quote_word(std::string_view word);

} // namespace monoinit::unit
