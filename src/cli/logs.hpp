#pragma once
// The lines that the logger keeps. Tested by tests/unit/cli.

#include "cli/context.hpp"

#include <optional>
#include <string>
#include <vector>

namespace monoinit::cli {

/// -n: a number, "all" (nothing), or `fallback` where it was not given.
std::optional<std::uint32_t> line_count(const Options& options, std::uint32_t fallback);
/// The last lines of a unit, as status prints them: "10:02:12 text". Empty when the logger does not answer.
std::vector<std::string> last_lines(Context& context, const std::string& unit, std::uint32_t count);

} // namespace monoinit::cli
