// The native journal protocol. Tested by tests/unit/log/journal_entry_test.cpp.

#include "log/journal_entry.hpp"

#include "log/stored_record.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace monoinit::log {
namespace {

constexpr std::uint32_t highest_facility = 23;
constexpr std::size_t longest_key = 64, most_fields = 1024; ///< journald's

bool is_key(std::string_view key) {
    const auto fits = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
    return !key.empty() && key.size() <= longest_key && !(key[0] >= '0' && key[0] <= '9') && std::all_of(key.begin(), key.end(), fits);
}

std::optional<std::uint32_t> number_of(std::string_view digits) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size())
        return std::nullopt;
    return value;
}

void take_up(JournalEntry& entry, std::string_view key, std::string_view value) {
    if (key == "MESSAGE")
        entry.message = value;
    else if (key == "SYSLOG_IDENTIFIER")
        entry.identifier = value.substr(0, 128);
    else if (key == "SYSLOG_PID")
        entry.pid = number_of(value).value_or(0);
    else if (key == "PRIORITY" && value.size() == 1 && value[0] >= '0' && value[0] <= '7')
        entry.priority = static_cast<std::uint8_t>(value[0] - '0');
    else if (key == "SYSLOG_FACILITY" && number_of(value).value_or(highest_facility + 1) <= highest_facility)
        entry.facility = static_cast<std::uint8_t>(*number_of(value));
    else if (key[0] != '_' && key != "PRIORITY" && entry.others.size() + key.size() + value.size() < max_fields)
        append_field(entry.others, key, value); // what begins with "_" is the journal's own to set
}

/// One field at the front; false: it is none, and nothing after it can be trusted.
bool take_field(std::string_view& rest, JournalEntry& entry) {
    const std::size_t line_end = rest.find('\n');
    const std::string_view line = rest.substr(0, line_end);
    if (const std::size_t equals = line.find('='); equals != std::string_view::npos) {
        if (is_key(line.substr(0, equals)))
            take_up(entry, line.substr(0, equals), line.substr(equals + 1));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        return true;
    }
    std::uint64_t size = 0;
    if (line_end == std::string_view::npos || rest.size() - line_end - 1 < sizeof size)
        return false;
    std::memcpy(&size, rest.data() + line_end + 1, sizeof size); // little-endian, as every machine we run on
    const std::string_view value = rest.substr(line_end + 1 + sizeof size);
    if (size > value.size() || (size < value.size() && value[size] != '\n'))
        return false;
    if (is_key(line))
        take_up(entry, line, value.substr(0, size));
    rest = value.substr(std::min<std::size_t>(size + 1, value.size()));
    return true;
}

} // namespace

std::optional<JournalEntry> take_journal_entry(std::string_view& rest) {
    while (rest.starts_with('\n'))
        rest.remove_prefix(1);
    if (rest.empty())
        return std::nullopt;
    JournalEntry entry;
    while (!rest.empty() && !rest.starts_with('\n')) {
        if (entry.fields++ == most_fields || !take_field(rest, entry)) {
            entry.malformed = true;
            rest = {};
        }
    }
    return entry;
}

} // namespace monoinit::log
