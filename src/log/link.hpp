#pragma once
// PID 1's end of the logger. It never blocks and never grows without bound: messages queue up to a limit, then are
// dropped and counted, and the count is said later. It keeps a duplicate of every stream's read end until the logger has
// seen end of file, so that neither a logger's death nor PID 1's re-exec loses a line.
//
// Order of use: make LoggerFds once (PID 1 holds them for the life of the container); start a logger (logger.hpp) with
// one end of a SEQPACKET pair; attach() the other. When on_readable() answers false, or the logger's pid was reaped:
// detach(), start another, attach(). After a re-exec: import_state() instead of attach(); the same logger goes on.
// Tested by tests/unit/log/link_test.cpp and logger_test.cpp.

#include "log/collector_sockets.hpp"
#include "log/protocol.hpp"
#include "sys/unique_fd.hpp"

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace monoinit::log {

/// What must outlive any one logger; inherited by each.
struct LoggerFds {
    sys::UniqueFd buffers; ///< memfd: lines in flight, recent lines
    sys::UniqueFd spool_read, spool_write; ///< a pipe: what is on its way to stdout, so that none is written twice
    sys::UniqueFd listener; ///< <runtime dir>/logs, where readers connect; may be none
    CollectorFds collector; ///< made by make_collector_fds(), where that is wanted
    std::vector<base::Error> problems; ///< what could not be made: each costs what it is for, nothing else
};
/// `logs_socket` empty: no readers. Without memfd the logger works, but its crash costs what it had in memory.
/// Succeeds always; say the problems once there is a logger.
base::Result<LoggerFds> make_logger_fds(const std::string& logs_socket);

/// What the logger last said of stdout.
struct OutputState {
    bool stalled = false;
    std::uint64_t lines_lost = 0;
    int errnum = 0;
};

/// A stream whose read end PID 1 still holds: what a checkpoint needs. `fd` stays owned by the link.
struct HeldStream {
    StreamId stream;
    StreamInfo info;
    int fd = -1;
    bool acknowledged = false;
};

struct LinkState {
    int socket = -1; ///< -1: no logger was attached
    std::uint64_t next_stream = 1;
    Config config;
    std::vector<std::string> muted; ///< "" = all
    bool shutdown = false;
    std::vector<HeldStream> streams;
};
std::string encode_state(const LinkState& state);
base::Result<LinkState> decode_state(std::string_view bytes);

class LoggerLink {
  public:
    struct Events {
        std::function<void(StreamId, const std::string& unit)> stream_closed; ///< end of file; the duplicate is closed
        std::function<void(std::uint64_t lines_not_written)> drained;         ///< the logger leaves now
        std::function<void(const OutputState&)> output_changed;
        /// A connection that a logger accepted: to be given to add_stream(), or refused.
        std::function<void(StreamInfo, sys::UniqueFd)> connected;
        std::function<void()> configured; ///< the last configure() is in force: CMD may take the terminal
    };

    explicit LoggerLink(Events events = {}) : events_(std::move(events)) {}
    /// After a re-exec: takes over the descriptors that `state` names (those that are not open pipes are forgotten).
    static LoggerLink import_state(LinkState state, Events events = {});
    /// Descriptors remain the link's own; clear FD_CLOEXEC on held_fds() before exec.
    LinkState export_state() const;
    std::vector<int> held_fds() const;

    /// A (new) logger: everything it must know is sent, every stream handed over. The socket is made nonblocking.
    void attach(sys::UniqueFd socket);
    void detach();
    bool attached() const { return static_cast<bool>(socket_); }
    int fd() const { return socket_.get(); }

    /// Reads what the logger said. False: it is gone; detach() and start another.
    bool on_readable();
    void on_writable() { flush(); }
    /// Poll for EPOLLOUT as well as EPOLLIN.
    bool wants_write() const { return attached() && want_write_; }
    /// Descriptors ran short on either side: call retry() after a while (50 ms).
    bool wants_retry() const { return attached() && want_retry_; }
    void retry();

    /// Never fails: the stream is handed over as soon as there is a logger that can take it.
    StreamId add_stream(StreamInfo info, sys::UniqueFd read_end);
    std::size_t streams_open(std::string_view unit) const;
    std::size_t streams_open() const { return streams_.size(); }

    /// "[monoinit] text" on stdout and in the store, filed under `unit` too where one is given.
    void message(int priority, std::string_view unit, std::string_view text);

    void configure(Config config);
    const Config& config() const { return config_; }
    void mute(std::string_view unit, bool muted); ///< unit empty = all

    void begin_shutdown();                      ///< pipes are read whatever stdout does
    void begin_drain(base::Instant deadline);   ///< all processes are gone; Events::drained follows

    const OutputState& output() const { return output_; }
    std::uint64_t messages_dropped() const { return dropped_total_; }

  private:
    enum class Stage : std::uint8_t { Unsent, Sent, Acknowledged };
    struct Stream {
        StreamInfo info;
        sys::UniqueFd read_end;
        Stage stage = Stage::Unsent;
        bool was_sent = false; ///< to some logger, which may have taken something out of it
    };
    enum class Sent : std::uint8_t { Yes, Later, Dead };

    void flush();
    bool flush_state();
    bool flush_streams();
    bool flush_messages();
    Sent send(const ToLogger& message, int descriptor = -1);
    void resend_everything();
    void receive(const FromLogger& message, sys::UniqueFd fd);
    void refused(StreamId stream);
    void end_of_file(StreamId stream);
    void forget_empty();

    Events events_;
    sys::UniqueFd socket_;
    bool want_write_ = false;
    bool want_retry_ = false;
    bool refused_ = false; ///< the logger has no descriptors left for some stream

    Config config_;
    bool config_unsent_ = false;
    std::set<std::string, std::less<>> muted_;
    std::deque<to_logger::Mute> mutes_unsent_;
    bool shutdown_ = false;
    bool shutdown_unsent_ = false;
    std::optional<base::Instant> drain_;
    bool drain_unsent_ = false;
    bool sync_unsent_ = false;

    std::uint64_t next_stream_ = 1;
    std::map<StreamId, Stream> streams_;
    std::map<std::string, std::size_t, std::less<>> open_by_unit_;
    std::deque<StreamId> unsent_; ///< streams to hand over, in order
    static constexpr std::size_t held_at_ease = 64; ///< streams that wait for a logger
    std::size_t look_again_at_ = held_at_ease;      ///< that many unsent: are there some without anything to read?
    std::size_t in_flight_ = 0;   ///< handed over, not acknowledged
    std::deque<StreamId> eof_acks_;

    std::deque<to_logger::Message> messages_;
    std::size_t messages_bytes_ = 0;
    std::uint64_t dropped_since_ = 0;
    std::uint64_t dropped_total_ = 0;
    OutputState output_;
};

} // namespace monoinit::log
