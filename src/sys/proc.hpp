#pragma once
// What /proc says about processes. The functions of the first half neither allocate nor lock: the guard and children of
// fork use them. Everything tolerates that a process ends meanwhile. Tested by tests/unit/sys.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace monoinit::sys {

struct ProcessStat {
    pid_t pid = 0, parent = 0, group = 0, session = 0;
    char state = '?';               ///< R S D Z T …
    std::uint64_t start_ticks = 0;  ///< since boot; with the pid it names a process for ever
    std::uint64_t user_ticks = 0, system_ticks = 0;
    std::uint64_t resident_pages = 0;
    char name[32] = {};             ///< comm
};

/// /proc/PID/stat; false when there is no such process.
bool read_stat(pid_t pid, ProcessStat& stat);
pid_t parent_of(pid_t pid); ///< 0 = none, or gone
/// Calls visit(pid, context) for every child of any thread of `parent`: /proc/PID/task/TID/children, else a scan of all
/// processes' parents. Returns false when neither could be read.
bool visit_children(pid_t parent, void (*visit)(pid_t child, void* context), void* context);
/// All processes of the pid namespace.
bool visit_processes(void (*visit)(pid_t pid, void* context), void* context);
/// Reads a small file of /proc into the caller's buffer; bytes read, -1 on failure.
ssize_t read_proc_file(pid_t pid, const char* name, char* buffer, std::size_t size);

// ---- with allocation ------------------------------------------------------------------------------------------------

std::optional<ProcessStat> stat_of(pid_t pid);
std::vector<pid_t> children_of(pid_t parent);
/// Everything below `root`, parents before children, without `root`.
std::vector<pid_t> descendants_of(pid_t root);
/// Whether `ancestor` is on the chain of parents of `pid` (or is `pid`).
bool is_below(pid_t pid, pid_t ancestor);
std::vector<pid_t> all_processes();
std::string command_name(pid_t pid);               ///< comm; empty when gone
std::vector<std::string> command_line(pid_t pid);  ///< empty for kernel threads and zombies
std::optional<std::string> environment_value(pid_t pid, std::string_view name); ///< needs the right to look
std::optional<uid_t> user_of(pid_t pid);           ///< owner of /proc/PID
std::optional<std::uint64_t> proportional_memory(pid_t pid); ///< PSS in bytes (smaps_rollup), else RSS

} // namespace monoinit::sys
