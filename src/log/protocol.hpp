#pragma once
// PID 1 <-> logger, over a SOCK_SEQPACKET pair: one message a packet, a fixed header and a payload. The logger outlives
// PID 1's re-exec and PID 1 outlives every logger, so the two may be of different versions: types and fields are only
// ever appended, unknown types are skipped, missing appended fields keep their defaults.
//
//   PID 1  Config, Mute, AddStream(+fd), EofAck, Message, Shutdown, Drain, Sync
//   logger Ready, Ack, Refused, StreamEof, Output, Configured, Drained, Adopt(+fd)
//
// A stream's life: AddStream -> Ack (or Refused, tried again) -> StreamEof -> EofAck. PID 1 keeps a duplicate of the read
// end from before AddStream until StreamEof. AddStream of a known id is answered by Ack again; Sync (PID 1 has
// re-executed) makes the logger repeat every StreamEof that has not been acknowledged.
// Tested by tests/unit/log/protocol_test.cpp.

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "log/record.hpp"
#include "log/store_settings.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace monoinit::log {

using StreamId = base::Id<struct StreamTag, std::uint64_t>; ///< never used twice in the life of a container

inline constexpr std::uint16_t protocol_version = 1;
inline constexpr std::size_t max_packet = 16 * 1024;
inline constexpr std::size_t max_name = 256;         ///< unit, identifier: longer ones are cut
inline constexpr std::size_t max_filter_patterns = 1000; ///< StreamInfo::filter_patterns, all of them
inline constexpr std::size_t max_extra_fields = 400; ///< StreamInfo::extra_fields, all of them
inline constexpr std::size_t max_message_text = 12 * 1024;

/// Connection: one of the journal's stream protocol (systemd-cat), which a logger accepted and PID 1 holds as it holds the pipes.
enum class StreamKind : std::uint8_t { Output, Error, Both, Connection };
enum class Format : std::uint8_t { Short, Json, Plain, Export };
enum class ColorMode : std::uint8_t { Auto, Never, Always }; ///< Auto: on a terminal, unless NO_COLOR or TERM=dumb
/// The time in front of lines.
enum class TimeForm : std::uint8_t {
    None,
    Clock,     ///< 10:02:12
    Short,     ///< Nov 22 10:02:12
    Iso,       ///< 2026-11-22T10:02:12.123456+0900
    Unix,      ///< 1795312932.123456
    Monotonic, ///< [   12.345678]
};
enum class Console : std::uint8_t { Output, Nowhere };       ///< where whole lines go: PID 1's stdout, or only the store

struct StreamInfo {
    std::string unit;       ///< full name, "code-server.service"
    std::string identifier; ///< SyslogIdentifier=, else the command's name; empty: the unit's short name
    std::uint8_t default_priority = 6; ///< SyslogLevel=
    bool level_prefix = true;          ///< SyslogLevelPrefix=: "<3>text" sets the priority
    std::uint8_t level_max = 7;        ///< LogLevelMax=: less important lines are dropped
    StreamKind kind = StreamKind::Both;
    bool to_console = true;
    bool to_store = true;
    std::uint8_t facility = 3; ///< SyslogFacility=
    std::uint32_t rate_burst = 0; ///< LogRateLimitBurst=; 0: no limit
    std::uint64_t rate_interval_us = 0; ///< LogRateLimitIntervalSec=
    std::string filter_patterns; ///< LogFilterPatterns=, each with a NUL behind it
    std::string extra_fields; ///< LogExtraFields=: "KEY=VALUE", each with a NUL behind it
    std::uint8_t stdout_level = 7; ///< X-LogStdout=: less important lines do not go to stdout (`to_console` off: none do)
    bool waits = true;        ///< X-LogWhenFull=: for stdout to have room; else what it cannot take is counted
    std::uint32_t pid = 0, uid = 0; ///< of a connection's peer

    bool operator==(const StreamInfo&) const = default;
};

struct Config {
    std::uint32_t sequence = 0; ///< set by the link; echoed by Configured
    Format format = Format::Short;
    ColorMode color = ColorMode::Auto;
    Console console = Console::Output;
    /// CMD has the terminal: lines go to the store only, after one line that says so.
    bool command_has_terminal = false;
    StoreSettings store;
    std::vector<std::string> forward; ///< forward.hpp's targets
    TimeForm time = TimeForm::None;   ///< on stdout
    std::uint32_t line_max = default_line_max;
    bool errors_apart = false;        ///< what services write to stderr goes to our stderr, if that is another file than stdout
    // Of units that say nothing else, and of senders that belong to none:
    std::uint8_t stdout_level = 7;
    bool to_stdout = true;
    bool waits = true;
    std::uint32_t rate_burst = 0;
    std::uint64_t rate_interval_us = 0;

    bool operator==(const Config&) const = default;
};

namespace to_logger {
struct Configure { Config config; };
struct AddStream { StreamId stream; StreamInfo info; }; ///< with one descriptor
struct EofAck { StreamId stream; };
/// A line of monoinit's own; `unit` empty = about no unit. `dropped`: messages lost before this one (queue full).
struct Message { std::uint8_t priority = 6; std::string unit, text; std::uint64_t dropped = 0; };
struct Mute { std::string unit; bool muted = true; }; ///< unit empty = all
/// The ordered stop has begun: pipes are read whatever stdout does.
struct Shutdown {};
/// Everything has ended: write what is there, at most until `deadline`, answer Drained and leave.
struct Drain { base::Instant deadline; };
struct Sync {};
} // namespace to_logger

namespace from_logger {
struct Ready { std::uint32_t pid = 0; };
struct Ack { StreamId stream; };
struct Refused { StreamId stream; int errnum = 0; }; ///< out of descriptors: try later
struct StreamEof { StreamId stream; };
/// Sent when `stalled` changes, and when lines could not be written: for `status`.
struct Output { bool stalled = false; std::uint64_t lines_lost = 0; int errnum = 0; };
/// The configuration is in force, and what was to be written before it is written (or one second has passed).
struct Configured { std::uint32_t sequence = 0; };
struct Drained { std::uint64_t lines_not_written = 0; };
/// A connection that was accepted, its header read: PID 1 makes a stream of it, so that it outlives the logger.
struct Adopt { StreamInfo info; }; ///< with one descriptor
} // namespace from_logger

using ToLogger = std::variant<to_logger::Configure, to_logger::AddStream, to_logger::EofAck, to_logger::Message,
                              to_logger::Mute, to_logger::Shutdown, to_logger::Drain, to_logger::Sync>;
using FromLogger = std::variant<from_logger::Ready, from_logger::Ack, from_logger::Refused, from_logger::StreamEof,
                                from_logger::Output, from_logger::Configured, from_logger::Drained, from_logger::Adopt>;

std::string encode(const ToLogger& message);
std::string encode(const FromLogger& message);

/// Unsupported: a type of a later version, to be skipped. Protocol: garbage.
base::Result<ToLogger> decode_to_logger(std::string_view packet);
base::Result<FromLogger> decode_from_logger(std::string_view packet);

/// A StreamInfo by itself: in checkpoints too.
std::string encode_stream_info(const StreamInfo& info);
base::Result<StreamInfo> decode_stream_info(std::string_view bytes);

} // namespace monoinit::log
