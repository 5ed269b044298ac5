// Processes of a unit, from /proc. Tested by tests/unit/cli.
#include "cli/processes.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "sys/proc.hpp"

#include <unistd.h>

namespace monoinit::cli {

namespace {

/// As a person would type it: words with blanks quoted.
std::string command_of(int pid) {
    std::string text;
    for (const std::string& word : sys::command_line(pid)) {
        const bool plain = !word.empty() && word.find_first_of(" \t\n\"'") == std::string::npos;
        text += (text.empty() ? "" : " ") + (plain ? word : "\"" + word + "\"");
    }
    return text.empty() ? "[" + base::printable(sys::command_name(pid), 64) + "]" : base::printable(text);
}

Process look_at(int pid, int parent, std::size_t depth, bool with_commands) {
    static const long ticks = ::sysconf(_SC_CLK_TCK);
    Process process{.pid = pid, .parent = parent, .depth = depth};
    if (const auto stat = sys::stat_of(pid))
        process.cpu_usec = (stat->user_ticks + stat->system_ticks) * 1'000'000U / static_cast<std::uint64_t>(ticks);
    process.memory = sys::proportional_memory(pid);
    if (with_commands)
        process.command = command_of(pid);
    return process;
}

void collect(int parent, std::size_t depth, bool with_commands, std::vector<Process>& out) {
    if (depth > 256)
        return;
    for (const pid_t pid : sys::children_of(parent)) {
        out.push_back(look_at(pid, parent, depth, with_commands));
        collect(pid, depth + 1, with_commands, out);
    }
}

} // namespace

std::vector<Process> init_process() {
    return {{.pid = 1, .command = command_of(1), .memory = sys::proportional_memory(1)}};
}

std::vector<Process> processes_of(const control::UnitSummary& unit, bool with_commands) {
    std::vector<Process> out;
    for (const int guard : unit.guards)
        collect(guard, 0, with_commands, out);
    for (const int pid : unit.processes) {
        out.push_back(look_at(pid, 0, 0, with_commands));
        collect(pid, 1, with_commands, out);
    }
    return out;
}

std::vector<std::string> process_lines(const std::vector<Process>& processes, bool quote) {
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < processes.size(); i++) {
        // systemctl's tree is flat: every process of the group stands on one level.
        const bool last = i + 1 == processes.size();
        const std::string& command = processes[i].command;
        lines.push_back(fmt::format("{}{} {}", last ? "└─" : "├─", processes[i].pid, quote ? "\"" + command + "\"" : command));
    }
    return lines;
}

} // namespace monoinit::cli
