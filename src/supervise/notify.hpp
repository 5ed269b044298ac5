#pragma once
// sd_notify(3) messages as data. The text comes from the service, so it is hostile: bounded,
// checked, never trusted. Tested by tests/unit/supervise/notify_test.cpp and tests/fuzz.

#include "base/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace monoinit::supervise {

inline constexpr std::size_t notify_message_max = 4096; ///< bytes of one datagram that count
inline constexpr std::size_t notify_status_max = 1024;  ///< bytes of STATUS= kept

struct NotifyMessage {
    enum class Watchdog : std::uint8_t { None, Ping, Trigger };

    bool ready = false, reloading = false, stopping = false;
    bool fd_store = false, fd_store_remove = false, fd_poll = true, barrier = false;
    bool fd_named = false;       ///< FDNAME= was given, and may be one
    Watchdog watchdog = Watchdog::None;
    std::optional<std::string> status; ///< valid UTF-8 without control bytes; empty clears
    std::optional<int> errnum, main_pid;
    std::optional<base::Duration> watchdog_usec, extend_timeout_usec, monotonic_usec;
    std::string fd_name;         ///< "stored" when not given or not allowed
    std::uint32_t malformed = 0; ///< assignments we know, with values that mean nothing

    bool operator==(const NotifyMessage&) const = default;
};

/// Unknown variables are skipped; of one given twice the first counts. A message that holds a NUL
/// byte or is too long gives nothing at all. BARRIER=1 does not mix with others: then only that
/// flag is set.
std::optional<NotifyMessage> parse_notify(std::string_view text);

} // namespace monoinit::supervise
