#pragma once
// What comes in besides the units' own pipes: datagrams at /dev/log and at the journal's socket, and connections of the
// journal's stream protocol (systemd-cat). PID 1 holds the sockets, so that nothing in them is lost with a logger.
// Datagrams are always taken, whatever stdout does, since syslog(3) would make their senders wait: sshd, cron, sudo.
// Of a connection only the header is read here; then PID 1 holds it, and it is one of the streams (streams.hpp). Tested by tests/unit/log/logger_test.cpp and tests/system/log_sockets.py.

#include "log/attribution.hpp"
#include "log/multiplexer.hpp"
#include "log/unit_policies.hpp"
#include "sys/epoll_loop.hpp"
#include "sys/socket.hpp"
#include "sys/unique_fd.hpp"

#include <functional>
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
    /// A connection whose header was read.
    using Connected = std::function<void(StreamInfo, sys::UniqueFd)>;
    /// How many connections are streams already: in all, and of one uid.
    using Connections = std::function<std::pair<std::size_t, std::size_t>(std::uint32_t uid)>;

    Collector(sys::EpollLoop& loop, Multiplexer& multiplexer, UnitPolicies& policies, CollectorSockets sockets, Attribution attribution, Connected connected,
              Connections connections);

    void start(); ///< from now on lines may be taken
    /// What is in the sockets now, for a last time.
    void drain();

  private:
    struct Sender {
        std::string_view unit, identifier;
        std::uint32_t pid = 0;
        std::uint8_t priority = 6;
        Transport transport = Transport::Syslog;
        std::uint8_t facility = 3;
        std::string_view fields; ///< a list as stored_record.hpp has it
    };

    void watch(int fd, void (Collector::*read)());
    base::Result<sys::Received> receive(int socket, std::string& large);
    void read_syslog();
    void read_journal();
    void take_journal(std::string_view bytes, const ucred& sender);
    void take_message(const Sender& sender, std::string_view text);
    void accept_connections();
    bool may_connect(std::uint32_t uid) const;
    void read_header(int fd, std::uint32_t events);
    void drop(int fd);
    std::string unit_of(pid_t pid);

    sys::EpollLoop& loop_;
    Multiplexer& multiplexer_;
    UnitPolicies& policies_;
    CollectorSockets sockets_;
    Attribution attribution_;
    Connected connected_;
    Connections connections_;
    std::unique_ptr<char[]> buffer_; ///< not cleared: what is not used is not touched
    struct Waiting {
        sys::UniqueFd fd;
        ucred peer{};
    };
    std::map<int, Waiting> waiting_; ///< connections whose header is not whole yet
};

} // namespace monoinit::log
