#pragma once
// Runs a program and waits for it: for the tools, never for PID 1. Tested by tests/system/systemctl_files.py.

#include "base/result.hpp"

#include <string>
#include <vector>

namespace monoinit::sys {

/// Runs argv[0] (looked for in PATH) with our own streams and environment, and waits. Its exit status, 128 + n if signal n
/// killed it; an error where it could not be executed.
base::Result<int> run_program(const std::vector<std::string>& argv);

} // namespace monoinit::sys
