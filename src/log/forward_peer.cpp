// Tested by tests/unit/log/forward_test.cpp and tests/system/forward.py.

#include "log/forward_peer.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "log/format.hpp"
#include "log/stored_record.hpp"
#include "sys/clock.hpp"
#include "sys/socket.hpp"
#include "sys/thread.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace monoinit::log {
namespace {

constexpr std::size_t queue_limit = 512 << 10; ///< twice: what wake() has handed over, and what it will
constexpr std::size_t stack_size = 128 * 1024;
constexpr std::int64_t retry_us = 1'000'000;
constexpr std::int64_t syslog_retry_us = 5'000; ///< at boot its socket is made while the first services speak
constexpr int patience_ms = 5000; ///< with a peer that takes nothing
constexpr std::size_t longest_datagram = 8192; ///< what receivers of RFC 5424 should take is 2,048

bool write_whole(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t size = ::write(fd, bytes.data(), bytes.size());
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN) {
            pollfd waiting{fd, POLLOUT, 0};
            if (::poll(&waiting, 1, patience_ms) <= 0)
                return false;
            continue;
        }
        if (size <= 0)
            return false;
        bytes.remove_prefix(static_cast<std::size_t>(size));
    }
    return true;
}

} // namespace

bool ForwardPeer::start() { return sys::start_thread<&ForwardPeer::run>(*this, stack_size); }

bool ForwardPeer::wants(const Record& record) const {
    const std::string& unit = target_.unit;
    return record.mono_us >= nobody_until_us_.load(std::memory_order_relaxed) && (unit.empty() || unit == record.unit || base::glob_match(unit, record.unit));
}

void ForwardPeer::take(std::string_view stored) {
    if (pending_.size() + stored.size() > queue_limit)
        lost_++;
    else
        pending_.append(stored);
}

void ForwardPeer::wake() {
    if (pending_.empty())
        return;
    {
        const std::lock_guard lock(mutex_);
        if (queue_.size() + pending_.size() > queue_limit)
            return; // handed over later, and counted when there is too much of it
        queue_.append(pending_);
        busy_ = true;
    }
    pending_.clear();
    wake_.notify_one();
}

void ForwardPeer::end() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_one();
}

// ---- the thread ------------------------------------------------------------------------------------------------------

void ForwardPeer::run() {
    char name[256] = {};
    host_name_ = ::gethostname(name, sizeof name - 1) == 0 ? name : "";
    for (std::string batch;;) {
        {
            std::unique_lock lock(mutex_);
            if (queue_.empty())
                busy_ = false;
            wake_.wait(lock, [this] { return ending_ || !queue_.empty(); });
            if (ending_)
                break;
            batch.swap(queue_);
            queue_.clear();
        }
        pass_on(batch);
        batch.clear();
        // Lines for which there is nobody are not even copied; a listener is found soon.
        const bool nobody = target_.kind == ForwardTarget::Kind::Syslog && !fd_;
        nobody_until_us_ = nobody ? static_cast<std::uint64_t>(sys::monotonic_now().count() + syslog_retry_us) : 0;
    }
    fd_.reset();
    ended_ = true; // nothing of this object is touched any more
}

void ForwardPeer::pass_on(std::string_view batch) {
    while (const auto record = take_stored(batch))
        if (!send(*record))
            dropped_++;
}

bool ForwardPeer::open() {
    const std::int64_t now = sys::monotonic_now().count();
    if (fd_)
        return true;
    if (now < retry_at_us_)
        return false;
    retry_at_us_ = now + (target_.kind == ForwardTarget::Kind::Syslog ? syslog_retry_us : retry_us);
    const ForwardTarget& target = target_;
    switch (target.kind) {
    case ForwardTarget::Kind::File:
        fd_.reset(::open(target.path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0640));
        break;
    case ForwardTarget::Kind::Syslog:
    case ForwardTarget::Kind::Unix:
        if (auto socket = sys::connect_unix(target.path, SOCK_DGRAM))
            fd_ = std::move(*socket);
        break;
    case ForwardTarget::Kind::Udp:
    case ForwardTarget::Kind::Tcp: {
        const auto address = address_of(target);
        const bool stream = target.kind == ForwardTarget::Kind::Tcp;
        sys::UniqueFd fd(address ? ::socket(address->storage.ss_family, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1);
        if (!fd)
            break;
        int error = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address->storage), address->size) == 0 ? 0 : errno;
        if (error == EINPROGRESS) {
            pollfd waiting{fd.get(), POLLOUT, 0};
            socklen_t size = sizeof error;
            if (::poll(&waiting, 1, patience_ms) <= 0 || ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0)
                error = ETIMEDOUT;
        }
        if (error == 0)
            fd_ = std::move(fd);
        break;
    }
    }
    return static_cast<bool>(fd_);
}

/// False: the line is lost to this target.
bool ForwardPeer::send(const Record& record) {
    for (int tries = 0; tries < 2 && open(); tries++) {
        bool sent = false;
        switch (target_.kind) {
        case ForwardTarget::Kind::File: {
            std::string line;
            append_line(line, record, {.format = Format::Json});
            sent = write_whole(fd_.get(), line);
            break;
        }
        case ForwardTarget::Kind::Syslog:
        case ForwardTarget::Kind::Unix:
        case ForwardTarget::Kind::Udp: {
            std::string line = target_.kind == ForwardTarget::Kind::Syslog ? as_syslog(record) : as_rfc5424(record, host_name_);
            line.resize(std::min(line.size(), longest_datagram));
            ssize_t size = 0;
            while ((size = ::send(fd_.get(), line.data(), line.size(), MSG_NOSIGNAL)) < 0 && errno == EINTR) {
            }
            if (size < 0 && errno == ECONNREFUSED && target_.kind == ForwardTarget::Kind::Udp)
                size = ::send(fd_.get(), line.data(), line.size(), MSG_NOSIGNAL); // that was the answer to an earlier one
            sent = size >= 0;
            break;
        }
        case ForwardTarget::Kind::Tcp: {
            const std::string line = as_rfc5424(record, host_name_);
            sent = write_whole(fd_.get(), fmt::format("{} {}", line.size(), line));
            break;
        }
        }
        if (sent)
            return true;
        fd_.reset(); // a receiver that was started anew has another socket
        retry_at_us_ = 0;
    }
    return target_.kind == ForwardTarget::Kind::Syslog;
}

} // namespace monoinit::log
