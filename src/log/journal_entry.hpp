#pragma once
// Entries of the native journal protocol (systemd: "Native Journal Protocol"), as sd_journal_send(3) writes them: lines
// KEY=VALUE, or KEY, a little-endian 64-bit size and that many bytes; an empty line ends an entry. Pure and bounded.
// Tested by tests/unit/log/journal_entry_test.cpp.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace monoinit::log {

/// What we use of an entry. Views into the datagram. Fields that begin with "_" are the journal's own to set: ignored.
struct JournalEntry {
    std::optional<std::string_view> message; ///< without it the entry says nothing to people
    std::uint8_t priority = 6;
    std::uint8_t facility = 3;
    std::uint32_t pid = 0; ///< SYSLOG_PID=
    std::string_view identifier; ///< SYSLOG_IDENTIFIER=
    std::size_t fields = 0;
    std::string others; ///< all further ones, a list as stored_record.hpp has it; what would make it longer than max_fields is left out
    bool malformed = false; ///< it ends in something that is no field; what came before holds
};

/// The entry at the front of `rest`, which loses it. Nothing at the end.
std::optional<JournalEntry> take_journal_entry(std::string_view& rest);

} // namespace monoinit::log
