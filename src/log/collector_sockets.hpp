#pragma once
// The sockets that a machine's log daemon has: /dev/log, and the journal's below /run/systemd/journal. PID 1 makes them, if
// it may and nobody answers there yet; each that cannot be made costs only what it is for.
// Tested by tests/unit/log/collector_sockets_test.cpp and tests/system/log_sockets.py.

#include "sys/unique_fd.hpp"

#include <string>

namespace monoinit::log {

struct CollectorFds {
    sys::UniqueFd syslog, journal, stream;
};
/// `root`: prefix of /run and /dev, for tests.
CollectorFds make_collector_fds(const std::string& root = "");

} // namespace monoinit::log
