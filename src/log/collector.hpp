#pragma once
// What comes in besides the units' own pipes: datagrams at /dev/log and at the journal's socket, and connections of the
// journal's stream protocol (systemd-cat). PID 1 holds the sockets, so that nothing in them is lost with a logger.
// Datagrams are always taken, whatever stdout does, since syslog(3) would make their senders wait: sshd, cron, sudo.
// Streams wait as pipes do. Tested by tests/unit/log/logger_test.cpp and tests/system/log_sockets.py.

#include "log/attribution.hpp"
#include "log/multiplexer.hpp"
#include "sys/epoll_loop.hpp"
#include "sys/socket.hpp"
#include "sys/unique_fd.hpp"

#include <map>
#include <memory>
#include <string>

namespace monoinit::log {

/// Not owned; -1: not there.
struct CollectorSockets {
    int syslog = -1;  ///< datagrams as parse_syslog() takes them
    int journal = -1; ///< datagrams of the native journal protocol
    int stream = -1;  ///< a listener
};

class Collector {
  public:
    Collector(sys::EpollLoop& loop, Multiplexer& multiplexer, CollectorSockets sockets, Attribution attribution);

    void start(); ///< from now on lines may be taken
    /// After stdout got room: streams that waited go on.
    void resume();
    /// What is in the sockets now, for a last time.
    void drain();

  private:
    struct Stream {
        sys::UniqueFd fd;
        uid_t uid = 0;
        std::uint32_t pid = 0;
        std::string unit, identifier;
        std::string in;         ///< what has not become lines yet
        int header_lines = 0;   ///< of seven
        std::uint8_t priority = 6;
        bool level_prefix = false;
        bool waiting = false;   ///< for room on stdout
        bool ended = false;
    };
    struct Sender {
        std::string_view unit, identifier;
        std::uint32_t pid = 0;
        std::uint8_t priority = 6;
        Transport transport = Transport::Stdout;
        std::uint8_t facility = 3;
        std::string_view fields; ///< a list as stored_record.hpp has it
    };

    void watch(int fd, void (Collector::*read)());
    base::Result<sys::Received> receive(int socket, std::string& large);
    void read_syslog();
    void read_journal();
    void take_journal(std::string_view bytes, const ucred& sender);
    void take_message(const Sender& sender, std::string_view text);
    bool take_line(const Sender& sender, std::string_view line, Urgency urgency);
    void accept_streams();
    bool may_connect(uid_t uid) const;
    void on_stream(int fd);
    bool take_stream_lines(Stream& stream);
    void take_header(Stream& stream, std::string_view line);
    void drop(int fd);
    std::string unit_of(pid_t pid);

    sys::EpollLoop& loop_;
    Multiplexer& multiplexer_;
    CollectorSockets sockets_;
    Attribution attribution_;
    std::unique_ptr<char[]> buffer_; ///< not cleared: what is not used is not touched
    std::map<int, Stream> streams_;
};

} // namespace monoinit::log
