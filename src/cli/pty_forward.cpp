// See pty_forward.hpp. We keep the slave open ourselves, so that the master never reports an end that is none: the end is the
// service's, and is told by the init. Tested by tests/system/run.py.
#include "cli/pty_forward.hpp"

#include "sys/clock.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace monoinit::cli {

namespace {

constexpr char escape_key = 0x1d; ///< ^]
constexpr int escapes_that_leave = 3;
constexpr std::int64_t escape_time = 1'000'000;

/// Raw mode while it lives, where standard input is a terminal.
class RawTerminal {
  public:
    RawTerminal() {
        is_terminal_ = ::tcgetattr(0, &before_) == 0;
        if (!is_terminal_)
            return;
        termios raw = before_;
        ::cfmakeraw(&raw);
        (void)::tcsetattr(0, TCSADRAIN, &raw);
    }
    ~RawTerminal() {
        if (is_terminal_)
            (void)::tcsetattr(0, TCSADRAIN, &before_);
    }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

  private:
    termios before_{};
    bool is_terminal_ = false;
};

void write_all(int fd, const char* bytes, std::size_t size) {
    while (size > 0) {
        const ssize_t count = ::write(fd, bytes, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN) { // who gave us our output has made it so
            pollfd room{fd, POLLOUT, 0};
            (void)::poll(&room, 1, -1);
            continue;
        }
        if (count <= 0)
            return; // nobody reads what is printed; the service goes on
        bytes += count;
        size -= static_cast<std::size_t>(count);
    }
}

} // namespace

base::Result<PtyForward> PtyForward::open(std::optional<uid_t> owner) {
    sys::UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!master)
        return base::fail_errno(errno, "no pseudo terminal to be had (/dev/ptmx)");
    char name[128];
    if (::unlockpt(master.get()) != 0 || ::ptsname_r(master.get(), name, sizeof name) != 0)
        return base::fail_errno(errno, "cannot unlock the pseudo terminal");
    sys::UniqueFd slave(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!slave)
        return base::fail_errno(errno, name);
    if (owner)
        (void)!::fchown(slave.get(), *owner, static_cast<gid_t>(-1)); // it works without; only opening it by name would not
    PtyForward forward(std::move(master), std::move(slave));
    forward.copy_size();
    return forward;
}

void PtyForward::copy_size() const {
    winsize size{};
    if (::ioctl(1, TIOCGWINSZ, &size) == 0 || ::ioctl(0, TIOCGWINSZ, &size) == 0)
        (void)::ioctl(master_.get(), TIOCSWINSZ, &size);
}

/// False: the person wants to leave.
bool PtyForward::type(const char* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; i++) {
        const std::int64_t now = sys::monotonic_now().count();
        if (bytes[i] != escape_key || now - first_escape_ > escape_time)
            escapes_ = 0;
        if (bytes[i] != escape_key)
            continue;
        if (escapes_++ == 0)
            first_escape_ = now;
        if (escapes_ == escapes_that_leave)
            return false;
    }
    write_all(master_.get(), bytes, size);
    return true;
}

bool PtyForward::take_input() {
    char buffer[4096];
    const ssize_t count = ::read(0, buffer, sizeof buffer);
    if (count > 0)
        return type(buffer, static_cast<std::size_t>(count));
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    input_open_ = false;
    termios settings{};
    const bool known = ::tcgetattr(slave_.get(), &settings) == 0;
    const char end = known ? static_cast<char>(settings.c_cc[VEOF]) : '\x04';
    write_all(master_.get(), &end, 1);
    return true;
}

void PtyForward::drain() {
    char buffer[16384];
    pollfd more{master_.get(), POLLIN, 0};
    while (::poll(&more, 1, 0) == 1 && (more.revents & POLLIN) != 0) {
        const ssize_t count = ::read(master_.get(), buffer, sizeof buffer);
        if (count <= 0)
            return;
        write_all(1, buffer, static_cast<std::size_t>(count));
    }
}

bool PtyForward::run(const std::function<int()>& wake, const std::function<bool()>& done) {
    sigset_t signals, before;
    ::sigemptyset(&signals);
    for (const int signal : {SIGWINCH, SIGTERM, SIGINT, SIGHUP})
        ::sigaddset(&signals, signal);
    ::sigprocmask(SIG_BLOCK, &signals, &before);
    const sys::UniqueFd signalled(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    bool ended = false, leave = false;
    {
        const RawTerminal raw;
        copy_size();
        while (!ended && !leave) {
            pollfd fds[] = {{wake(), POLLIN, 0}, {signalled.get(), POLLIN, 0}, {master_.get(), POLLIN, 0}, {input_open_ ? 0 : -1, POLLIN, 0}};
            if (::poll(fds, std::size(fds), -1) < 0 && errno != EINTR)
                break;
            if (fds[2].revents != 0)
                drain();
            if (fds[3].revents != 0)
                leave = !take_input();
            signalfd_siginfo info{};
            while (fds[1].revents != 0 && ::read(signalled.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
                copy_size();
                leave = leave || info.ssi_signo != SIGWINCH;
            }
            if (fds[0].revents != 0)
                ended = done();
        }
        drain();
    }
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return ended;
}

} // namespace monoinit::cli
