// Tested by tests/unit/log/selection_test.cpp.

#include "log/selection.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "log/fields.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fnmatch.h>
#include <regex.h>

namespace monoinit::log {
namespace {

constexpr std::size_t longest_pattern = 4096;

bool matches_any(const std::vector<std::string>& patterns, std::string_view name) {
    return std::ranges::any_of(patterns, [&](const std::string& pattern) {
        return pattern.find_first_of("*?[") == std::string::npos ? pattern == name
                                                                 : ::fnmatch(pattern.c_str(), std::string(name).c_str(), 0) == 0;
    });
}

/// What people write in PCRE and POSIX does not know.
base::Result<std::string> in_posix(std::string_view text) {
    std::string posix;
    bool in_set = false;
    for (std::size_t i = 0; i < text.size(); i++) {
        const char c = text[i];
        if (c == '\\' && i + 1 < text.size()) {
            const char next = text[++i];
            if (next == 'd')
                posix += in_set ? "0-9" : "[0-9]";
            else if (next == 'D')
                posix += "[^0-9]";
            else
                (posix += '\\') += next;
            continue;
        }
        if (c == '(' && i + 1 < text.size() && text[i + 1] == '?' && !in_set) {
            if (i + 2 >= text.size() || text[i + 2] != ':')
                return base::fail(base::Errc::Unsupported, "a pattern may not hold (?…) but (?:…)");
            i += 2;
        }
        if (c == '[')
            in_set = true;
        else if (c == ']')
            in_set = false;
        posix += c;
    }
    return posix;
}

constexpr std::string_view special = "\\^$.[]|()*+?{}";

/// The longest run of plain characters that no alternative or count can make optional.
std::string longest_literal(std::string_view text) {
    if (text.find('|') != std::string_view::npos || text.find('(') != std::string_view::npos)
        return {};
    std::string best, run;
    bool in_set = false;
    for (std::size_t i = 0; i < text.size(); i++) {
        const char c = text[i];
        if (in_set) {
            in_set = c != ']';
            continue;
        }
        if (special.find(c) == std::string_view::npos) {
            run += c;
            continue;
        }
        if ((c == '*' || c == '?' || c == '{') && !run.empty())
            run.pop_back(); // there may be none of it
        if (run.size() > best.size())
            best = run;
        run.clear();
        if (c == '\\')
            i++;
        in_set = c == '[';
        if (c == '{')
            i = std::min(text.find('}', i), text.size() - 1);
    }
    return run.size() > best.size() ? run : best;
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

// ---- patterns --------------------------------------------------------------------------------------------------------

struct Pattern::Compiled {
    regex_t regex;
    Compiled() = default;
    Compiled(const Compiled&) = delete;
    Compiled& operator=(const Compiled&) = delete;
    ~Compiled() { ::regfree(&regex); }
};

bool has_capitals(std::string_view text) {
    return std::ranges::any_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
}

base::Result<Pattern> Pattern::compile(const std::string& text, bool ignore_case) {
    if (text.size() > longest_pattern)
        return base::fail(base::Errc::TooLarge, "the pattern is too long");
    Pattern pattern;
    if (!ignore_case && text.find_first_of(special) == std::string::npos) {
        pattern.literal_ = text;
        return pattern;
    }
    const std::string posix = TRY(in_posix(text));
    regex_t regex;
    if (const int error = ::regcomp(&regex, posix.c_str(), REG_EXTENDED | REG_NOSUB | (ignore_case ? REG_ICASE : 0)); error != 0) {
        char reason[128];
        ::regerror(error, &regex, reason, sizeof reason);
        return base::fail(base::Errc::Invalid, fmt::format("bad pattern {}: {}", base::printable(text, 80), reason));
    }
    auto compiled = std::make_shared<Compiled>();
    compiled->regex = regex;
    pattern.compiled_ = std::move(compiled);
    if (!ignore_case)
        pattern.literal_ = longest_literal(text);
    return pattern;
}

bool Pattern::matches(std::string_view text) const {
    if (!literal_.empty() && ::memmem(text.data(), text.size(), literal_.data(), literal_.size()) == nullptr)
        return false;
    if (!compiled_)
        return true;
    regmatch_t range{0, static_cast<regoff_t>(text.size())};
    return ::regexec(&compiled_->regex, text.data(), 1, &range, REG_STARTEND) == 0;
}

// ---- lines -----------------------------------------------------------------------------------------------------------

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
