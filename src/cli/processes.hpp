#pragma once
// The processes of a unit as /proc shows them to the client. PID 1 names the guards only: reading a stranger's /proc
// entries can block, so it is done here. Tested by tests/unit/cli.

#include "control/api.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace monoinit::cli {

struct Process {
    int pid = 0, parent = 0;
    std::string command;       ///< arguments joined, made printable
    std::size_t depth = 0;
    std::optional<std::uint64_t> memory; ///< PSS, else RSS
    std::uint64_t cpu_usec = 0;
};

/// PID 1 itself, which init.scope stands for.
std::vector<Process> init_process();
/// Everything of a unit's, parents before children.
std::vector<Process> processes_of(const control::UnitSummary& unit, bool with_commands);
/// The tree as lines: "├─41 node …"; `quote` as systemctl does.
std::vector<std::string> process_lines(const std::vector<Process>& processes, bool quote);

} // namespace monoinit::cli
