#pragma once
// Unix sockets with descriptors and credentials. Received descriptors are never lost: the control buffer holds 253, the
// kernel's maximum, so recvmsg() never closes one on our behalf (that close may block, see ARCHITECTURE.md).
// Tested by tests/unit/sys.

#include "base/result.hpp"
#include "sys/unique_fd.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <vector>

namespace monoinit::sys {

inline constexpr std::size_t max_descriptors = 253; ///< SCM_MAX_FD

struct SocketPair {
    UniqueFd first, second;
};
/// AF_UNIX; SOCK_SEQPACKET or SOCK_STREAM, both ends CLOEXEC.
base::Result<SocketPair> make_socket_pair(int type, bool nonblocking_first = false, bool nonblocking_second = false);

struct Pipe {
    UniqueFd read, write;
};
base::Result<Pipe> make_pipe_pair(int flags = 0);

/// Binds and listens (SOCK_DGRAM: only binds). An existing socket of the name is replaced. Paths over 107 bytes are bound
/// through /proc/self/fd of their directory.
base::Result<UniqueFd> bind_unix(const std::string& path, int type, mode_t mode, int backlog = 128);
/// Connects; nonblocking when `type` holds SOCK_NONBLOCK (EAGAIN when the backlog is full).
base::Result<UniqueFd> connect_unix(const std::string& path, int type);
base::Result<UniqueFd> accept_connection(int listener); ///< nonblocking, CLOEXEC; Busy when there is none
base::Result<void> set_nonblocking(int fd, bool on);
base::Result<void> pass_credentials(int fd); ///< SO_PASSCRED
base::Result<ucred> peer_credentials(int fd); ///< SO_PEERCRED

struct Received {
    std::string_view bytes; ///< inside the caller's buffer; empty = end of file
    std::vector<UniqueFd> descriptors;
    std::optional<ucred> sender; ///< SCM_CREDENTIALS, with SO_PASSCRED
    bool truncated = false;      ///< the message was longer than the buffer
};

/// One recvmsg. Busy when there is nothing to read. With MSG_PEEK the descriptors stay where they are.
base::Result<Received> receive_message(int fd, std::span<char> buffer, int flags = MSG_DONTWAIT);
/// One sendmsg with descriptors, MSG_NOSIGNAL. Busy when it would block (or ETOOMANYREFS: try later). Returns bytes sent.
base::Result<std::size_t> send_message(int fd, std::string_view bytes, std::span<const int> descriptors = {},
                                       int flags = MSG_DONTWAIT);

/// Closes descriptors that came from others in a child that shares our table, since their close() may block for long
/// (SO_LINGER, hung mounts). Falls back to closing here when fork fails. Returns the child's pid (reaped like any), or 0.
pid_t close_elsewhere(std::vector<UniqueFd> descriptors);

} // namespace monoinit::sys
