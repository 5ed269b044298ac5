#pragma once
// The health checks that need no program of the unit's: files, sockets, ports, HTTP. Runs in the guard's child, as the unit's
// user and in its root, with a deadline of its own beside PID 1's. Tested by tests/unit/exec/health_probe_test.cpp.

#include "base/time.hpp"
#include "unit/config.hpp"

#include <string>

namespace monoinit::exec {

struct HealthProbe {
    unit::HealthStepKind kind = unit::HealthStepKind::FileExists;
    std::string target;
    base::Duration timeout = std::chrono::seconds(5);
};

struct ProbeOutcome {
    bool ok = false;
    std::string text;   ///< what is wrong: "HTTP 500 from http://…"
    std::string answer; ///< what the server sent, its first 4 kB
};
ProbeOutcome run_probe(const HealthProbe& probe);

/// The same as a command: says what is wrong and what was answered on standard output; the exit status.
int probe_command(const HealthProbe& probe);

} // namespace monoinit::exec
