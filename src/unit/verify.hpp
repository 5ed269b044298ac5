#pragma once
// What is wrong with a unit's files, in words: at length for `initctl verify` on the user's own terminal (with excerpts,
// what was meant, what follows), and as short lines for the log, which never hold a file's contents.
// Tested by tests/unit/unit/verify_test.cpp.

#include "unit/config.hpp"
#include "unit/directives.hpp"
#include "unit/source.hpp"

#include <string>
#include <vector>

namespace monoinit::unit {

struct Report {
    std::string text;         ///< lines, each ended; empty = nothing to say
    std::size_t problems = 0; ///< lines of files that are wrong
    std::size_t notes = 0;    ///< settings that are right, and do less or something else here
};

/// What is wrong, in the order of files and lines; trailing remarks become one line a file.
Report problem_report(const UnitConfig& unit);
/// What a container cannot give: the settings that are not, or not wholly, in force, by reason.
Report degraded_report(const UnitConfig& unit);
/// What would differ under systemd itself.
Report portable_report(const UnitConfig& unit, const FileSource& files);

/// What this place allows beyond an ordinary container.
struct Allowed {
    bool limits = false;   ///< units have cgroups with controllers
    bool mounting = false; ///< CAP_SYS_ADMIN
};

/// One line each, for the boot log.
std::vector<std::string> log_lines(const UnitConfig& unit, Allowed allowed = {});
/// Whether what the table calls degraded acts here after all.
bool acts_here(const Directive& row, Allowed allowed);

} // namespace monoinit::unit
