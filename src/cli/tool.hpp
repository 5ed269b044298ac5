#pragma once
// The small programs of systemd's family (systemd-escape, systemd-notify …): their command lines, read as getopt_long(3) does
// and with its words, and what --help and --version of all of them say. Tested by tests/system/tools.py.

#include "base/fmt.hpp"
#include "cli/options.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace monoinit::cli {

struct ToolOption {
    const char* name = nullptr;             ///< "suffix"; null: a letter only
    char letter = 0;                        ///< 'p', or 0
    Argument argument = Argument::None;     ///< Optional: only when joined with "="
    const char* value = "";                 ///< "TEXT", for help
    const char* help = "";                  ///< empty: not listed
};

struct Tool {
    std::string_view name, arguments, purpose;
    std::span<const ToolOption> options; ///< without --help and --version, which all have
    bool stops_at_word = false;          ///< the first word begins a command, whose options are its own
    std::string_view more = {};          ///< behind the options in --help
};

/// What a command line says.
struct ToolLine {
    std::optional<int> status; ///< set: everything is said (--help, --version, a slip); the exit status
    std::vector<std::pair<std::string_view, std::optional<std::string>>> given; ///< options by their long names, in order
    std::vector<std::string> words;

    bool has(std::string_view option) const;
    /// The last value of an option; "" where it was given without one.
    std::optional<std::string> last(std::string_view option) const;
    std::vector<std::string> all(std::string_view option) const;
};

ToolLine read_tool_line(const Tool& tool, int argc, char** argv);

std::string tool_help(const Tool& tool);

void complain_line(std::string text);
/// A line on standard error; 1, the exit status of a slip.
template <class... T> int complain(fmt::format_string<T...> form, T&&... args) {
    complain_line(fmt::format(form, std::forward<T>(args)...));
    return 1;
}
/// To standard output, whole. False when it could not be written.
bool put_out(std::string_view text);

/// "info", "6"; -1: no such level.
int parse_level(std::string_view text);

} // namespace monoinit::cli
