#pragma once
// [Path], systemd.path(5), and X-Watch= of services, as plain data; see config.hpp. Tested by tests/unit/unit/path_test.cpp.

#include "base/time.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::unit {

enum class PathKind : std::uint8_t { Exists, ExistsGlob, Changed, Modified, DirectoryNotEmpty };
std::string_view name(PathKind kind); ///< "PathExists"

struct WatchedPath {
    PathKind kind = PathKind::Exists;
    std::string path; ///< absolute; a pattern for ExistsGlob
    /// Of Changed and Modified it counts that they change, of the others how they are.
    bool is_state() const { return kind != PathKind::Changed && kind != PathKind::Modified; }
    bool operator==(const WatchedPath&) const = default;
};

struct PathSection {
    std::vector<WatchedPath> paths;
    bool make_directory = false;
    std::uint32_t directory_mode = 0755;
    base::Duration trigger_interval = std::chrono::seconds(2);
    std::uint32_t trigger_burst = 200; ///< 0, like an interval of 0: no limit
    std::string unit;                  ///< what it starts; empty: the service of its own name
};

enum class WatchAction : std::uint8_t { Restart, Reload, Signal };

/// X-Watch=: what a running service is restarted for when it changes.
struct WatchSection {
    std::vector<std::string> patterns; ///< absolute once loaded; * ? [] and ** for any number of directories
    std::vector<std::string> ignored;  ///< X-WatchIgnore=; names, or absolute patterns
    bool default_ignored = true;       ///< default_watch_ignored too
    base::Duration delay = std::chrono::milliseconds(300); ///< so long nothing more must change
    WatchAction action = WatchAction::Restart;
    int signal = 0; ///< of WatchAction::Signal
};

/// What tools for developers leave alone, and what editors and interpreters leave behind.
inline constexpr const char* default_watch_ignored[] = {".git", ".hg", ".svn", ".jj", "node_modules", "bower_components", "__pycache__", "*.pyc",
    ".venv", ".tox", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".cache", ".idea", ".vscode", ".nyc_output", ".DS_Store", "*.log", "*.tmp",
    "*.swp", "*.swx", "*~", ".#*", "#*#", "4913"};

} // namespace monoinit::unit
