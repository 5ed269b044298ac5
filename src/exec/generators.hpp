#pragma once
// Runs generators (systemd.generator(7)) and makes units of init scripts, in one probe: programs of packages may hang, fork
// and write what they like. Output goes to new directories, which take the place of the old ones when all is done, so that
// nobody ever sees half of it. Tested by tests/system/generators.py.

#include "base/time.hpp"
#include "exec/probe.hpp"
#include "unit/generators.hpp"

#include <string>
#include <vector>

namespace monoinit::exec {

struct GeneratorsPlan {
    std::vector<unit::Generator> programs;
    unit::GeneratorDirectories directories;
    std::vector<std::string> environment;
    base::Duration limit = std::chrono::seconds(30); ///< for all of them, which run side by side
    unit::Environment place;                         ///< its unit path decides which init scripts need no unit
    unit::InitScriptPlaces scripts;
};

/// A line for the log.
struct GeneratorLine {
    int severity = 6;
    std::string text;

    bool operator==(const GeneratorLine&) const = default;
};

base::Result<Probe> probe_generators(const GeneratorsPlan& plan);
std::vector<GeneratorLine> generators_answer(const std::string& bytes);

/// What the probe does, in the calling process, which becomes a subreaper.
std::vector<GeneratorLine> run_generators(const GeneratorsPlan& plan);

} // namespace monoinit::exec
