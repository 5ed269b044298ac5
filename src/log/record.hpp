#pragma once
// One log line as data, and which lines a reader wants. Text holds line breaks only where one message had them, as a syslog or journal
// message may: pipes and streams are cut at them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::log {

inline constexpr std::string_view own_unit = "monoinit"; ///< where monoinit's lines about no unit are filed
inline constexpr std::string_view stray_unit = "-"; ///< where lines are filed whose sender belongs to no unit, or is gone
inline constexpr std::size_t default_line_max = 48 * 1024; ///< journald's LineMax=
inline constexpr std::size_t largest_line = 112 * 1024;    ///< what log_line_max may ask for

/// Beyond this much, further fields of a line are left out.
inline constexpr std::size_t max_fields = 256 * 1024;

/// How a line came in, as the journal's field _TRANSPORT= has it.
enum class Transport : std::uint8_t { Stdout, Syslog, Journal };

struct Record {
    std::uint64_t cursor = 0;   ///< counts up by one a line over all units, also across loggers; given by the store
    std::uint64_t wall_us = 0;  ///< CLOCK_REALTIME
    std::uint64_t mono_us = 0;  ///< CLOCK_MONOTONIC
    std::uint8_t priority = 6;
    Transport transport = Transport::Stdout; ///< the store of recent lines does not keep it
    bool own = false;           ///< said by monoinit, about `unit`
    bool continues = false;     ///< the line was too long: a further part follows
    bool continued = false;     ///< ... and this is such a part
    std::uint32_t pid = 0;      ///< 0 = not known
    std::uint8_t facility = 3;  ///< of syslog(3); not kept by the store of recent lines either
    std::string_view unit;      ///< full name
    std::string_view identifier;
    std::string_view text;
    std::string_view fields; ///< further ones, a list as stored_record.hpp has it; likewise
};

/// A Record that owns its text.
struct OwnedRecord {
    Record record;
    std::string unit, identifier, text;
};

struct Filter {
    std::vector<std::string> units; ///< full names or globs; empty: all
    std::uint8_t max_priority = 7;
    bool own = true;                ///< monoinit's own lines too
    std::uint64_t since_wall_us = 0;

    bool operator==(const Filter&) const = default;
};

} // namespace monoinit::log
