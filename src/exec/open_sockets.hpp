#pragma once
// Makes what the Listen…= lines of a socket unit say. All of it in a probe: paths may hang, and the descriptors come back in
// one message. listen(2) is left to the caller, so that peers see PID 1 as who listens (SO_PEERCRED).
// Tested by tests/unit/exec/open_sockets_test.cpp and tests/system/sockets.py.

#include "exec/probe.hpp"
#include "unit/socket_section.hpp"

#include <optional>
#include <string>
#include <vector>

namespace monoinit::exec {

struct SocketsPlan {
    unit::SocketSection section;
    std::optional<uid_t> uid; ///< SocketUser=, SocketGroup=, resolved
    std::optional<gid_t> gid;
};

/// `channel`: the probe's end of a SOCK_SEQPACKET pair; the descriptors come over it in the order of the section, with a
/// text that has a 1 for each address there is one for, and a 0 for those that were left out.
base::Result<Probe> probe_open_sockets(const SocketsPlan& plan, int channel);

struct SocketsAnswer {
    std::string error;                 ///< empty: all are there
    std::vector<std::string> warnings; ///< options that the kernel refused; systemd goes on too
};
SocketsAnswer sockets_answer(const std::string& bytes);

/// Removes sockets, FIFOs, links and message queues (RemoveOnStop=).
base::Result<Probe> probe_remove_sockets(const std::vector<unit::ListenAddress>& addresses, const std::vector<std::string>& symlinks);

bool wants_listen(const unit::ListenAddress& address); ///< it is a stream or sequential packets

/// The two ends of an accepted connection.
struct ConnectionNames {
    std::string instance;     ///< "3-127.0.0.1:80-127.0.0.1:54321", "3-1234-1000", as systemd names them
    std::string source;       ///< whose it is, for MaxConnectionsPerSource=: the address, or "uid 1000"
    std::string address;      ///< REMOTE_ADDR=, empty where there is none
    std::string port;         ///< REMOTE_PORT=
};
ConnectionNames name_connection(int fd, std::uint32_t number);

} // namespace monoinit::exec
