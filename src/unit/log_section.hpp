#pragma once
// What a unit says of its log lines (systemd.exec(5), "Logging and standard input/output"), as plain data; see config.hpp.
// Tested by tests/unit/unit/directives_test.cpp and tests/system/log_limits.py.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace monoinit::unit {

/// X-LogWhenFull=: what becomes of lines that stdout has no room for.
enum class LogWhenFull : std::uint8_t { Wait, Drop };

struct LogSection {
    static constexpr int no_level = -1;

    int level_max = 7;                      ///< LogLevelMax=
    std::optional<int> stdout_level;        ///< X-LogStdout=: least important level that goes to stdout; no_level: none does
    std::optional<LogWhenFull> when_full;   ///< X-LogWhenFull=
    std::vector<std::string> extra_fields, filter_patterns;
    std::optional<std::chrono::microseconds> rate_limit_interval;
    std::optional<std::uint32_t> rate_limit_burst;
};

} // namespace monoinit::unit
