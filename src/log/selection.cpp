// Tested by tests/unit/log/selection_test.cpp.

#include "log/selection.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "log/fields.hpp"

#include <algorithm>
#include <charconv>
#include <fnmatch.h>

namespace monoinit::log {
namespace {

bool matches_any(const std::vector<std::string>& patterns, std::string_view name) {
    return std::ranges::any_of(patterns, [&](const std::string& pattern) {
        return pattern.find_first_of("*?[") == std::string::npos ? pattern == name
                                                                 : ::fnmatch(pattern.c_str(), std::string(name).c_str(), 0) == 0;
    });
}

bool disjunct_matches(const std::vector<FieldMatch>& matches, const Record& record, const BootId& boot) {
    std::vector<std::string_view> needed, found;
    for (const FieldMatch& match : matches)
        if (std::ranges::find(needed, match.name) == needed.end())
            needed.push_back(match.name);
    for_each_field(record, boot, [&](std::string_view name, std::string_view value) {
        for (const FieldMatch& match : matches)
            if (match.name == name && match.value == value && std::ranges::find(found, std::string_view(match.name)) == found.end())
                found.push_back(match.name);
    });
    return found.size() == needed.size();
}

} // namespace

// ---- lines -----------------------------------------------------------------------------------------------------------

bool same_lines(const Selection& a, const Selection& b) {
    return a.units == b.units && a.identifiers == b.identifiers && a.not_identifiers == b.not_identifiers && a.min_priority == b.min_priority &&
           a.max_priority == b.max_priority && a.facilities == b.facilities && a.since_us == b.since_us && a.until_us == b.until_us &&
           a.alternatives.empty() && b.alternatives.empty() && !a.grep && !b.grep && a.own == b.own;
}

bool selects_unit(const Selection& selection, std::string_view unit) { return selection.units.empty() || matches_any(selection.units, unit); }

bool selects(const Selection& selection, const Record& record, const BootId& boot) {
    if (record.priority < selection.min_priority || record.priority > selection.max_priority)
        return false;
    if (record.wall_us < selection.since_us || record.wall_us > selection.until_us)
        return false;
    if ((selection.facilities >> (record.facility & 31U) & 1U) == 0 || (record.own && !selection.own))
        return false;
    if (!selects_unit(selection, record.unit))
        return false;
    const std::string_view identifier = record.identifier;
    if (!selection.identifiers.empty() && !matches_any(selection.identifiers, identifier))
        return false;
    if (matches_any(selection.not_identifiers, identifier))
        return false;
    if (selection.grep && !selection.grep->matches(record.text))
        return false;
    return selection.alternatives.empty() ||
           std::ranges::any_of(selection.alternatives, [&](const auto& matches) { return disjunct_matches(matches, record, boot); });
}

// ---- boots and cursors -----------------------------------------------------------------------------------------------

std::string boot_text(const BootId& boot) {
    std::string text;
    for (const std::uint8_t byte : boot)
        text += fmt::format("{:02x}", byte);
    return text;
}

std::optional<BootId> parse_boot(std::string_view text) {
    std::string digits;
    std::ranges::copy_if(text, std::back_inserter(digits), [](char c) { return c != '-'; });
    BootId boot{};
    if (digits.size() != 2 * boot.size())
        return std::nullopt;
    for (std::size_t i = 0; i < boot.size(); i++) {
        const char* at = digits.data() + 2 * i;
        if (const auto [end, error] = std::from_chars(at, at + 2, boot[i], 16); error != std::errc() || end != at + 2)
            return std::nullopt;
    }
    return boot;
}

std::string cursor_text(const Record& record, const BootId& boot) {
    const std::string id = boot_text(boot);
    return fmt::format("s={};i={:x};b={};m={:x};t={:x};x={:x}", id, record.cursor, id, record.mono_us, record.wall_us, record.cursor);
}

std::optional<Position> parse_cursor(std::string_view text) {
    Position position;
    bool has_cursor = false, has_boot = false;
    for (const std::string_view part : base::split(text, ';')) {
        if (part.size() < 3 || part[1] != '=')
            return std::nullopt;
        const std::string_view value = part.substr(2);
        std::uint64_t number = 0;
        const bool is_number = std::from_chars(value.data(), value.data() + value.size(), number, 16).ptr == value.data() + value.size();
        if (part[0] == 'b') {
            const auto boot = parse_boot(value);
            if (!boot)
                return std::nullopt;
            position.boot = *boot;
            has_boot = true;
        } else if (part[0] == 'i' && is_number) {
            position.cursor = number;
            has_cursor = true;
        } else if (part[0] == 't' && is_number) {
            position.wall_us = number;
        }
    }
    return has_boot && has_cursor ? std::optional(position) : std::nullopt;
}

} // namespace monoinit::log
