#pragma once
// What `initctl run` makes of a command line. Tested by tests/unit/cli/run_test.cpp.

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::cli {

/// The program by its absolute path: as it is, below `directory`, or looked up in `path` (colon-separated).
base::Result<std::string> resolve_program(const std::string& word, const std::string& directory, std::string_view path);
/// NAME=VALUE as it is; NAME with the value that this process has.
base::Result<std::vector<std::string>> assignments(const std::vector<std::string>& words);

} // namespace monoinit::cli
