#pragma once
// monoinit's own settings: command line, then MONOINIT_… in the environment, then monoinit.toml, then defaults. What
// cannot be used is reported and costs that setting only: PID 1 never refuses to start over its configuration.
// Tested by tests/unit/config/config_test.cpp.

#include "base/files.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::config {

enum class LogFormat : std::uint8_t { Text, Json, Plain, Export };
/// journald's Storage=. Auto: where log_dir or /var/log/monoinit is there, on disk; else in the runtime directory.
enum class Storage : std::uint8_t { Auto, Persistent, Volatile, None };
/// Where services' lines go while CMD has the terminal. Auto: to the store then, to stdout otherwise.
enum class LogsTo : std::uint8_t { Auto, Stdout, Store };
/// Auto: where cgroup v2 is ours to divide, units get groups of their own.
enum class Cgroups : std::uint8_t { Auto, No };
enum class Color : std::uint8_t { Auto, Always, Never };
/// The time in front of lines on stdout.
enum class LogTime : std::uint8_t { None, Clock, Short, Iso, Unix, Monotonic };
/// What becomes of units' lines that stdout has no room for.
enum class LogWhenFull : std::uint8_t { Wait, Drop };
/// Where the lines go that services write to stderr.
enum class LogErrors : std::uint8_t { Stdout, Stderr };

inline constexpr std::string_view default_config_path = "/etc/monoinit/monoinit.toml", default_log_dir = "/var/log/monoinit";

struct InitConfig {
    std::string unit;      ///< boot target; empty: default.target
    std::string unit_path; ///< empty: systemd's search path
    std::string config{default_config_path};
    std::string log_dir;   ///< empty: default_log_dir, or volatile
    Storage log_storage = Storage::Auto;
    std::optional<std::uint64_t> log_max, log_keep_free, log_max_file; ///< bytes; unset: by the place
    std::uint32_t log_max_files = 100;
    base::Duration log_max_age{}, log_max_file_age{}; ///< 0: any
    bool log_compress = true;
    bool forward_to_syslog = true;
    std::vector<std::string> log_forward;
    std::string socket;    ///< empty: "control" in the runtime directory
    LogFormat log_format = LogFormat::Text;
    LogTime log_time = LogTime::None;
    int log_stdout = 7; ///< least important syslog level that goes to stdout; -1: none
    LogErrors log_stderr = LogErrors::Stdout;
    LogWhenFull log_when_full = LogWhenFull::Wait;
    std::uint64_t log_line_max = 48 << 10; ///< bytes; longer lines are split
    base::Duration log_rate_limit_interval = std::chrono::seconds(30);
    std::uint32_t log_rate_limit_burst = 0; ///< 0: none
    LogsTo logs = LogsTo::Auto;
    Color log_color = Color::Auto;
    bool default_backoff = true;
    bool inherit_environment = true;
    bool strict_credentials = false;
    bool syslog_sockets = true;
    bool exit_when_done = false;
    bool orchestrated = false; ///< no restarts, the first failure ends the container, and so does the end of all units
    base::Duration shutdown_timeout = std::chrono::seconds(8);
    base::Duration default_timeout_start = std::chrono::seconds(90), default_timeout_stop = std::chrono::seconds(90);
    Cgroups cgroups = Cgroups::Auto;
    std::string comm = "monoinit";
    std::vector<std::string> masked_units; ///< globs added to the list of machine units; "!name" takes one off it
};

struct Problem {
    base::SourcePos at; ///< file and line; or the variable or flag as `file`, with line 0
    std::string text;   ///< "unknown key log_dri; did you mean log_dir?"
    bool usage = false; ///< on the command line: a person typed it
};

/// `monoinit [options] [[--] CMD ARGS…]`, or one of its three verbs.
struct CommandLine {
    enum class Mode : std::uint8_t { Run, Help, Version, Install } mode = Mode::Run;
    std::vector<std::pair<std::string, std::string>> settings; ///< key, value
    std::vector<std::string> arguments; ///< CMD and its arguments; for Install what follows the verb
    std::vector<Problem> problems;
};

/// `arguments` without argv[0]. The first one that is no option begins CMD.
CommandLine parse_command_line(std::span<const std::string> arguments);

struct Loaded {
    InitConfig config;
    std::vector<Problem> problems;
};

/// Puts all sources together. `environment` holds "NAME=value" strings. Never fails.
Loaded load(const base::FileSource& files, const CommandLine& command_line, std::span<const std::string> environment);

/// "file:line: text".
std::string to_string(const Problem& problem);

/// One setting of a configuration file, flattened; `values` has one element unless it is an array.
struct FileSetting {
    std::string key;
    std::vector<std::string> values;
    bool is_array = false;
    std::uint32_t line = 0;
};
/// Reads TOML (toml.cpp is the only file that knows the library); settings in the order of their lines.
base::Result<std::vector<FileSetting>> parse_toml(std::string_view text, std::string_view file);

} // namespace monoinit::config
