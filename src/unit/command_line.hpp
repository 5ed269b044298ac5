#pragma once
// Exec…= lines -> Commands, and Commands -> argv once the environment is known. systemd.service(5), "Command lines".
// Tested by tests/unit/unit/command_line_test.cpp.

#include "base/result.hpp"
#include "unit/directives.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::unit {

/// The commands of one line (";" separates several): appended to `commands`. A line that cannot run makes the unit
/// unusable (context.refuse), unless it has the "-" prefix: then only the command is left out.
base::Result<void> parse_command_line(ParseContext& context, std::string_view line, std::vector<Command>& commands);

/// The line again, prefixes and quotes included.
std::string format_command(const Command& command);

using VariableLookup = std::function<std::optional<std::string_view>(std::string_view name)>;

/// argv with variables put in: "$NAME" as a word of its own becomes zero or more words (the value split at blanks, quotes
/// honoured), "${NAME}" anywhere the value as it is, "$$" a dollar. Unset variables are empty. As written when the
/// command has the ":" prefix.
std::vector<std::string> expand_argv(const Command& command, const VariableLookup& lookup);

} // namespace monoinit::unit
