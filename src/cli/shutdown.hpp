#pragma once
// The order in which everything would stop, for people. Tested by tests/unit/cli/shutdown_test.cpp.

#include "control/api.hpp"

#include <string>

namespace monoinit::cli {

std::string render_plan(const control::ShutdownPlanReply& plan, bool color);

} // namespace monoinit::cli
