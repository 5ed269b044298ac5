#pragma once
// Where lines end, as a pure function. A line ends at \n, \r\n, or at a run of \r: whatever follows a carriage return
// gets a prefix of its own, so that no service can overwrite another's on the screen. Lines over `line_max` are cut, between
// characters where it can be. Tested by tests/unit/log/line_splitter_test.cpp.

#include "log/record.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace monoinit::log {

/// The line's end within the data: `length` bytes belong to it, `consumed` are used up (with the line break).
struct LineCut {
    std::size_t length = 0;
    std::size_t consumed = 0;
    bool too_long = false; ///< cut at the limit; the line goes on
    bool nothing = false;  ///< a \r that followed nothing: no line at all

    bool operator==(const LineCut&) const = default;
};

/// What is carried over from before `data`.
struct Carried {
    std::size_t size = 0;
    bool ends_in_cr = false;
    bool only_cr = true; ///< nothing but carriage returns, or nothing at all

    static Carried of(std::string_view bytes);
};

/// The next line in `data`, or nothing when its end is not in sight. `has_cr`: whether `data` may hold a \r at all.
std::optional<LineCut> next_line(std::string_view data, Carried carried, bool has_cr, std::size_t line_max = default_line_max);

/// Without every \r that a line break left at the end.
std::string_view strip_cr(std::string_view line);

/// What "<3>text" says; `text` loses the prefix. Facilities are accepted and dropped, as journald does.
std::optional<unsigned char> take_level_prefix(std::string_view& text);

} // namespace monoinit::log
