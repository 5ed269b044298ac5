#pragma once
// glob(3) without malloc(): the guard has none (sys/heap.hpp). Tested by tests/unit/exec.

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::exec {

bool has_glob(std::string_view path); ///< any of * ? [
/// Paths that exist and match an absolute pattern, sorted. Names that begin with a dot only match a pattern that does.
std::vector<std::string> glob_paths(std::string_view pattern);

} // namespace monoinit::exec
