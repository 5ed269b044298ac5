#pragma once
// Lines on their way to others: JSON lines to a file, syslog to a socket of this machine or to a peer in the network. A thread
// does it, which may wait for any of them as long as it likes; what finds no room before it is counted and said, and nobody
// waits. Targets, as the setting log_forward has them, each perhaps with a unit (name or glob) in front, "web=…":
//
//   file:/path        JSON lines (format.hpp), appended
//   syslog:/path      datagrams as syslog(3) sends them, as journald's ForwardToSyslog= does; that nobody listens there is no loss
//   unix:/path        the same in RFC 5424's form
//   udp:HOST:PORT     RFC 5424, a datagram a line (RFC 5426); HOST is an address, [::1] for IPv6
//   tcp:HOST:PORT     RFC 5424, with octet counts (RFC 6587)
// Tested by tests/unit/log/forward_test.cpp and tests/system/forward.py.

#include "log/record.hpp"
#include "base/result.hpp"
#include "sys/unique_fd.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

namespace monoinit::log {

struct ForwardTarget {
    enum class Kind : std::uint8_t { File, Syslog, Unix, Udp, Tcp } kind = Kind::File;
    std::string unit;          ///< name or glob; empty: all
    std::string path;          ///< of a file or socket
    std::string host, port;
};
base::Result<ForwardTarget> parse_forward_target(std::string_view text);

/// "<30>Nov 26 10:02:11 web[57]: text", and RFC 5424's "<30>1 2026-11-26T10:02:11.123456Z host web 57 - - text".
std::string as_syslog(const Record& record);
std::string as_rfc5424(const Record& record, std::string_view host_name);

class Forwarder {
  public:
    /// Starts the thread with the first target. Targets that cannot be understood are named in problems().
    void configure(const std::vector<std::string>& targets);
    bool on() const { return !targets_.empty(); }
    const std::vector<std::string>& problems() const { return problems_; }

    /// Never waits. What has no room is counted.
    void take(const Record& record);
    /// After lines were taken.
    void wake();
    std::uint64_t lines_lost() const { return lost_ + dropped_.load(std::memory_order_relaxed); }
    /// Nothing is left to be passed on.
    bool idle() const { return pending_.empty() && !busy_.load(); }

  private:
    struct Output {
        ForwardTarget target;
        sys::UniqueFd fd;
        std::int64_t retry_at_us = 0; ///< CLOCK_MONOTONIC
    };

    void run();
    void pass_on(std::string_view batch);
    bool send(Output& output, const Record& record);
    bool open(Output& output);
    void look_for_listeners();

    std::vector<std::string> targets_, problems_;
    std::string pending_; ///< records that wake() hands over
    std::uint64_t lost_ = 0;
    bool started_ = false;

    std::mutex mutex_; ///< of what follows
    std::condition_variable wake_;
    std::string queue_;
    std::vector<ForwardTarget> fresh_;
    bool reconfigured_ = false;
    std::atomic<bool> busy_{false};
    std::atomic<std::uint64_t> nobody_until_us_{0}; ///< CLOCK_MONOTONIC: until then all targets are syslog sockets without a listener
    std::atomic<std::uint64_t> dropped_{0};

    std::vector<Output> outputs_; ///< the thread's own
    std::string host_name_;
};

} // namespace monoinit::log
