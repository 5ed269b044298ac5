#pragma once
// Which stored lines a reader wants: journalctl(1)'s options as data. Tested by tests/unit/log/selection_test.cpp.

#include "base/result.hpp"
#include "log/pattern.hpp"
#include "log/store_file.hpp"

#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace monoinit::log {

struct FieldMatch {
    std::string name, value;
};

/// After a line; of a boot that is not there, after its time.
struct Position {
    BootId boot{};
    std::uint64_t cursor = 0, wall_us = 0;
    bool including = false; ///< --cursor=: that line too
};

struct Selection {
    std::vector<std::string> units;                 ///< names or globs; empty: all
    std::vector<std::string> identifiers, not_identifiers;
    std::uint8_t min_priority = 0, max_priority = 7;
    std::uint32_t facilities = ~0U;                 ///< bit N: facility N
    std::uint64_t since_us = 0, until_us = std::numeric_limits<std::uint64_t>::max();
    std::optional<BootId> boot;
    /// FIELD=value … + …: one of these; within one, the same field twice means either, different fields mean both.
    std::vector<std::vector<FieldMatch>> alternatives;
    std::optional<Pattern> grep;
    bool own = true;                                ///< monoinit's own lines too
    std::optional<Position> after;
};

/// Whether two selections, but for `boot` and `after`, want the same.
bool same_lines(const Selection& a, const Selection& b);
bool selects_unit(const Selection& selection, std::string_view unit);
/// Units, priorities and times may be judged by the block already; this judges everything but `after`.
bool selects(const Selection& selection, const Record& record, const BootId& boot);

std::string boot_text(const BootId& boot); ///< 32 hexadecimal digits
std::optional<BootId> parse_boot(std::string_view text); ///< with or without dashes

/// journald's form: "s=…;i=…;b=…;m=…;t=…;x=…".
std::string cursor_text(const Record& record, const BootId& boot);
std::optional<Position> parse_cursor(std::string_view text);

} // namespace monoinit::log
