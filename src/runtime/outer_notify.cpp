// The outward half of sd_notify(3). A full or vanished socket is the supervisor's problem: nothing here waits.
#include "runtime/outer_notify.hpp"

#include "sys/unique_fd.hpp"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifdef MONOINIT_LIBSYSTEMD
#include <systemd/sd-daemon.h>
#endif

namespace monoinit::runtime {

OuterNotify::OuterNotify() {
    if (const char* socket = ::getenv("NOTIFY_SOCKET"); socket != nullptr && (socket[0] == '/' || socket[0] == '@'))
        socket_ = socket;
    const char* usec = ::getenv("WATCHDOG_USEC");
    const char* pid = ::getenv("WATCHDOG_PID");
    const bool for_us = pid == nullptr || std::string_view(pid) == std::to_string(::getpid());
    if (usec != nullptr && for_us) {
        long long value = 0;
        const std::string_view text(usec);
        if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{} && value > 1)
            interval_ = base::Duration(value / 2);
    }
}

namespace {

/// A nonblocking socket connected to the manager's, which is writable while the manager's queue has room; -1: not to be had.
sys::UniqueFd connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return {};
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    sys::UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0)
        return {};
    return fd;
}

} // namespace

void OuterNotify::send(const std::string& message) {
    if (!active())
        return;
    const sys::UniqueFd fd = connect_to(socket_);
    if (!fd)
        return;
#ifdef MONOINIT_LIBSYSTEMD
    pollfd room{fd.get(), POLLOUT, 0};
    if (::poll(&room, 1, 0) == 1 && (room.revents & POLLOUT) != 0)
        ::sd_notify(0, message.c_str()); // its socket blocks
#else
    (void)::send(fd.get(), message.data(), message.size(), MSG_NOSIGNAL);
#endif
}

void OuterNotify::ready(const std::string& status) { send("READY=1\nSTATUS=" + status); }
void OuterNotify::status(const std::string& text) { send("STATUS=" + text); }
void OuterNotify::stopping() { send("STOPPING=1"); }
void OuterNotify::watchdog() { send("WATCHDOG=1"); }

} // namespace monoinit::runtime
