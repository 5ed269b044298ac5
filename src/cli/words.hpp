#pragma once
// How a unit is, in words for people: one place for the overview, list and status. Tested by tests/unit/cli.

#include "cli/terminal.hpp"
#include "control/api.hpp"

#include <string>
#include <string_view>

namespace monoinit::cli {

struct StateWords {
    std::string_view symbol; ///< ● ↻ ✓ × ○
    Color color = Color::None;
    std::string text;        ///< "running, healthy", "restarting in 1.4 s", "done", "failed", "masked" …
};
StateWords state_words(const control::UnitSummary& unit);

/// Shown in the overview and by `list` without --all: what is or was doing something, and what should but cannot.
bool is_notable(const control::UnitSummary& unit);

} // namespace monoinit::cli
