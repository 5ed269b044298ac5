#pragma once
// One unit's status as text, in our form and in systemctl's. Tested by tests/unit/cli/status_test.cpp.

#include "base/timestamp.hpp"
#include "cli/processes.hpp"
#include "control/api.hpp"

#include <string>
#include <vector>

namespace monoinit::cli {

struct StatusView {
    const control::UnitDetail& unit;
    std::vector<Process> processes;
    std::string file_state, preset;  ///< "enabled"
    std::vector<std::string> lines;  ///< last lines of its log, ready to print
    base::Duration now{};            ///< µs since 1970
    bool color = false;
    base::TimestampStyle timestamp = base::TimestampStyle::Pretty;
};

std::string render_status(const StatusView& view);
std::string render_status_block(const StatusView& view); ///< systemctl 252's
/// 0 active, 3 inactive or failed or masked (systemctl's rule).
int status_exit(const control::UnitDetail& unit);

} // namespace monoinit::cli
