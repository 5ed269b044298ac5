#pragma once
// One datagram as syslog(3) and its kin send it to /dev/log: RFC 3164 as daemons write it, RFC 5424, or neither.
// Nothing is refused: what has no header is text. Tested by tests/unit/log/syslog_test.cpp.

#include <cstdint>
#include <string_view>

namespace monoinit::log {

/// Views into the datagram.
struct SyslogMessage {
    std::uint8_t priority = 5; ///< "user.notice", as syslogd takes what has no header
    std::uint8_t facility = 1;
    std::uint32_t pid = 0;     ///< as the sender says; 0: not said
    std::string_view identifier; ///< the tag; may be empty
    std::string_view text;     ///< without trailing line breaks and NULs; may hold line breaks
};

SyslogMessage parse_syslog(std::string_view datagram);

} // namespace monoinit::log
