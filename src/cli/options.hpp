#pragma once
// Options of initctl and systemctl: one table, read before and after the verb. What systemctl knows and we need not act
// on is a row too, so that scripts do not fail over it. Tested by tests/unit/cli/options_test.cpp.

#include "base/result.hpp"
#include "base/timestamp.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::cli {

enum class Face : unsigned char { Initctl, Systemctl, Journalctl };

/// What journalctl and `initctl logs` ask of the log.
struct JournalOptions {
    std::vector<std::string> identifiers, not_identifiers, facilities, output_fields;
    std::string priority, grep, case_sensitive, since, until, cursor, after_cursor, cursor_file, field, directory, around;
    std::optional<std::string> boot; ///< "" = this one
    std::optional<std::string> vacuum_size, vacuum_time, vacuum_files;
    bool list_boots = false, list_fields = false, disk_usage = false, rotate = false, sync = false, update_catalog = false, header = false, utc = false, kernel = false,
         show_cursor = false, no_hostname = false, no_tail = false, this_run = false, user_unit = false, verify = false;
};

struct Options {
    std::string root, socket, output, signal, whom, job_mode, preset_mode, wait_for = "ready", health_kind = "ready", format, machine, host, user_manager;
    std::string iterations, base_time; ///< calendar
    std::string timestamp_word = "pretty", kill_value; ///< as written
    base::TimestampStyle timestamp = base::TimestampStyle::Pretty;
    std::string drop_in, when;         ///< edit; reboot and kin
    std::vector<std::string> what;     ///< clean
    std::vector<std::string> types, states, properties, units;
    // run
    std::string name, description, restart, run_as, directory, health, every;
    std::vector<std::string> assignments, environment; ///< -p as written, --env
    bool save = false, wait_for_end = false, pty = false, pipe = false;
    bool plan = false, devcontainer = false; ///< shutdown, ports
    std::optional<std::string> timeout, lines, exit_code;
    JournalOptions journal;
    unsigned force = 0;
    bool json = false, quiet = false, no_block = false, full = false, legend = true, plain = false, all = false, failed = false;
    bool value = false, now = false, runtime = false, reload = true, portable = false, any = false, follow = false,
         masked = false, reverse = false, after = false, before = false, global = false, help = false, version = false,
         systemctl = false, dry_run = false, no_warn = false, from_stdin = false, show_types = false, until_over = false, pager = true, show_transaction = false, marked = false, with_dependencies = false;
};

/// Optional: joined with the option, or the next word where it can be nothing else (a number, a boot).
enum class Argument : unsigned char { None, Required, Optional };

struct OptionRow {
    std::string_view name; ///< "no-block"
    char letter = 0;       ///< 'q', or 0
    Argument argument = Argument::None;
    unsigned faces = 0;    ///< bit (1 << Face)
    void (*set)(Options&, std::string_view value) = nullptr; ///< null: understood, needs nothing done
    std::string_view help; ///< empty: not listed in help
};

std::span<const OptionRow> option_rows();

struct ParsedLine {
    Options options;
    std::vector<std::string> words; ///< verb and its arguments
};
/// getopt_long's rules as systemctl uses them: options anywhere, "--" ends them, unambiguous abbreviations, -pNAME.
base::Result<ParsedLine> parse_options(Face face, std::string_view program, const std::vector<std::string>& arguments);

} // namespace monoinit::cli
