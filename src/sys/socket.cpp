// Unix sockets with descriptors and credentials. Tested by tests/unit/sys.
#include "sys/socket.hpp"

#include "sys/heap.hpp"
#include "sys/syscalls.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

namespace monoinit::sys {

namespace {

base::Error busy(const char* what) {
    return base::Error{base::Errc::Busy, EAGAIN, what, std::nullopt};
}

struct Address {
    sockaddr_un value{};
    socklen_t size = 0;
    UniqueFd directory; ///< keeps /proc/self/fd/N/… usable
};

/// sun_path holds 107 bytes; a longer path is reached through a descriptor of its directory.
base::Result<Address> address_of(const std::string& path) {
    Address address;
    std::string usable = path;
    if (path.size() >= sizeof address.value.sun_path) {
        const std::size_t slash = path.rfind('/');
        if (slash == path.npos)
            return base::fail(base::Errc::TooLarge, "socket path is too long: " + path);
        address.directory.reset(open_file(path.substr(0, slash).c_str(), O_PATH | O_DIRECTORY));
        if (!address.directory)
            return base::fail_errno(errno, "cannot open " + path.substr(0, slash));
        usable = "/proc/self/fd/" + std::to_string(address.directory.get()) + path.substr(slash);
        if (usable.size() >= sizeof address.value.sun_path)
            return base::fail(base::Errc::TooLarge, "socket path is too long: " + path);
    }
    address.value.sun_family = AF_UNIX;
    std::memcpy(address.value.sun_path, usable.data(), usable.size());
    address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + usable.size() + 1);
    return address;
}

/// Takes descriptors and credentials out of a control buffer.
void take_control(msghdr& message, Received& received) {
    for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr; item = CMSG_NXTHDR(&message, item)) {
        if (item->cmsg_level != SOL_SOCKET)
            continue;
        if (item->cmsg_type == SCM_RIGHTS) {
            const std::size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t i = 0; i < count; i++) {
                int fd;
                std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof fd);
                received.descriptors.emplace_back(fd);
            }
        } else if (item->cmsg_type == SCM_CREDENTIALS) {
            ucred sender;
            std::memcpy(&sender, CMSG_DATA(item), sizeof sender);
            received.sender = sender;
        }
    }
}

} // namespace

base::Result<SocketPair> make_socket_pair(int type, bool nonblocking_first, bool nonblocking_second) {
    int pair[2];
    if (socket_pair(type, pair) != 0)
        return base::fail_errno(errno, "cannot create a socket pair");
    SocketPair result{UniqueFd(pair[0]), UniqueFd(pair[1])};
    if (nonblocking_first)
        TRY(set_nonblocking(result.first.get(), true));
    if (nonblocking_second)
        TRY(set_nonblocking(result.second.get(), true));
    return result;
}

base::Result<Pipe> make_pipe_pair(int flags) {
    int pair[2];
    if (make_pipe(pair, flags) != 0)
        return base::fail_errno(errno, "cannot create a pipe");
    return Pipe{UniqueFd(pair[0]), UniqueFd(pair[1])};
}

base::Result<UniqueFd> bind_unix(const std::string& path, int type, mode_t mode, int backlog) {
    UniqueFd fd(open_socket(AF_UNIX, type));
    if (!fd)
        return base::fail_errno(errno, "cannot create a socket");
    const Address address = TRY(address_of(path));
    struct stat existing;
    if (::lstat(path.c_str(), &existing) == 0 && S_ISSOCK(existing.st_mode))
        ::unlink(path.c_str());
    // The mode is there from the first moment: fchmod on the unbound socket is what bind() gives to the file.
    ::fchmod(fd.get(), mode);
    if (fails(Call::Bind) || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.value), address.size) != 0)
        return base::fail_errno(errno, "cannot bind " + path);
    if (::chmod(path.c_str(), mode) != 0) // bind() applied the umask
        return base::fail_errno(errno, "cannot set the mode of " + path);
    if ((type & 0xf) != SOCK_DGRAM && (fails(Call::Listen) || ::listen(fd.get(), backlog) != 0))
        return base::fail_errno(errno, "cannot listen on " + path);
    return fd;
}

base::Result<UniqueFd> connect_unix(const std::string& path, int type) {
    UniqueFd fd(open_socket(AF_UNIX, type));
    if (!fd)
        return base::fail_errno(errno, "cannot create a socket");
    const Address address = TRY(address_of(path));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.value), address.size) != 0)
        return base::fail_errno(errno, "cannot connect to " + path);
    return fd;
}

base::Result<UniqueFd> accept_connection(int listener) {
    UniqueFd fd(fails(Call::Accept) ? -1 : ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd)
        return fd;
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return busy("no connection waits");
    return base::fail_errno(errno, "cannot accept a connection");
}

base::Result<void> set_nonblocking(int fd, bool on) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) != 0)
        return base::fail_errno(errno, "cannot change the blocking mode");
    return {};
}

base::Result<void> pass_credentials(int fd) {
    const int on = 1;
    if (::setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
        return base::fail_errno(errno, "cannot ask for senders' credentials");
    return {};
}

base::Result<ucred> peer_credentials(int fd) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return base::fail_errno(errno, "cannot see who is connected");
    return peer;
}

base::Result<Received> receive_message(int fd, std::span<char> buffer, int flags) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(max_descriptors * sizeof(int)) + CMSG_SPACE(sizeof(ucred))> control;
    iovec data{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = (flags & MSG_PEEK) != 0 ? CMSG_SPACE(sizeof(ucred)) : control.size(); // the kernel puts the sender first
    const ssize_t size = fails(Call::Receive) ? -1 : ::recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC);
    if (size < 0) {
        if (errno == EAGAIN || errno == EINTR)
            return busy("nothing to read");
        return base::fail_errno(errno, "cannot read from a socket");
    }
    Received received;
    received.bytes = std::string_view(buffer.data(), static_cast<std::size_t>(size));
    received.truncated = (message.msg_flags & MSG_TRUNC) != 0;
    take_control(message, received);
    return received;
}

base::Result<std::size_t> send_message(int fd, std::string_view bytes, std::span<const int> descriptors, int flags) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(max_descriptors * sizeof(int))> control;
    iovec data{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        if (descriptors.size() > max_descriptors)
            return base::fail(base::Errc::TooLarge, "too many descriptors for one message");
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* item = CMSG_FIRSTHDR(&message);
        item->cmsg_level = SOL_SOCKET;
        item->cmsg_type = SCM_RIGHTS;
        item->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(item), descriptors.data(), descriptors.size_bytes());
    }
    const ssize_t size = fails(Call::Send) ? -1 : ::sendmsg(fd, &message, flags | MSG_NOSIGNAL);
    if (size >= 0)
        return static_cast<std::size_t>(size);
    if (errno == EAGAIN || errno == EINTR || errno == ETOOMANYREFS || errno == ENOBUFS)
        return base::Error{base::Errc::Busy, errno, "the socket is full", std::nullopt};
    return base::fail_errno(errno, "cannot write to a socket");
}

pid_t close_elsewhere(std::vector<UniqueFd> descriptors) {
    if (descriptors.empty())
        return 0;
    // The child shares our table: its close() frees the numbers here, and what blocks is the child. SIGCHLD comes as for
    // any child; signals stay blocked in it, its memory is a copy, so that it cannot disturb us.
    heap::include_in_fork(); // the list is on it
    sigset_t all, before;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    const pid_t child =
        fails(Call::Fork) ? -1 : static_cast<pid_t>(::syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
    if (child == 0) {
        for (const UniqueFd& fd : descriptors)
            ::syscall(SYS_close, fd.get());
        ::_exit(0);
    }
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    if (child < 0)
        return 0; // no process to be had: the destructors close here, at the risk of waiting
    for (UniqueFd& fd : descriptors)
        (void)fd.release(); // the child's now
    return child;
}

} // namespace monoinit::sys
