#pragma once
// The logger process: owns all output. PID 1 executes its own binary with logger_argv(); main() sees logger_verb as
// argv[1] and calls logger_main(). It reads the streams PID 1 hands over, cuts them into lines, keeps the recent ones,
// writes "[unit] text" to stdout from a thread of its own, and serves readers (reader.hpp) at the logs socket.
// It may be killed at any time: see flight.hpp. Tested by tests/unit/log/logger_test.cpp.

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::log {

inline constexpr std::string_view logger_verb = "--internal-logger";

/// Descriptor numbers as the logger finds them; -1 = none. Everything else should be closed.
struct LoggerOptions {
    int link = -1;    ///< SOCK_SEQPACKET, the other end of LoggerLink::attach
    int buffers = -1; ///< LoggerFds
    int spool_read = -1, spool_write = -1;
    int listener = -1;
    int output = 1; ///< the container's stdout
    int errors = 2; ///< and its stderr
    int syslog = -1, journal = -1, stream = -1; ///< CollectorFds
};

/// {"monoinit: log", logger_verb, "link=3", …}
std::vector<std::string> logger_argv(const LoggerOptions& options);
base::Result<LoggerOptions> parse_logger_argv(int argc, char** argv);

/// Returns the exit status: 0 after Drain, or when PID 1 is gone and all streams have ended.
int logger_main(const LoggerOptions& options);
int logger_main(int argc, char** argv);

} // namespace monoinit::log
