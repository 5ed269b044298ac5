#pragma once
// What is wrong with unit files, as text for the terminal of whoever wrote them.
// Tested by tests/unit/cli.

#include "unit/loader.hpp"

#include <string>
#include <vector>

namespace monoinit::cli {

/// The problems of one unit in the order of files and lines; many of one kind become one.
struct Findings {
    std::string text;
    std::size_t problems = 0; ///< what is wrong
    std::size_t notes = 0;    ///< what has less effect in a container than it says
};
Findings describe_problems(const unit::UnitConfig& unit);
/// What would differ under systemd itself (--portable).
Findings describe_portability(const unit::UnitConfig& unit, const base::FileSource& files);
/// Programs, interpreters, users, groups and directories that are not there; units that are required and missing.
std::vector<unit::Problem> check_environment(const unit::UnitConfig& unit, const unit::Loader& loader, const std::string& root);
/// Loops of After= and Before= among these units, each as "a.service after b.service after a.service".
std::vector<std::string> ordering_cycles(const std::vector<std::shared_ptr<const unit::UnitConfig>>& units);

} // namespace monoinit::cli
