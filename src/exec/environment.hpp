#pragma once
// Lists of NAME=value, and files of them. Tested by tests/unit/exec.

#include "base/result.hpp"
#include "unit/config.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::exec {

bool is_variable_name(std::string_view name);
std::optional<std::string_view> find_variable(const std::vector<std::string>& environment, std::string_view name);
/// Later wins; the order of first appearance stays.
void set_variable(std::vector<std::string>& environment, std::string assignment);
void merge_environment(std::vector<std::string>& environment, const std::vector<std::string>& later);
/// Entries are a name, or NAME=value (removed only when it has that value).
void unset_variables(std::vector<std::string>& environment, const std::vector<std::string>& names);

/// EnvironmentFile= of systemd.exec(5): comments, quotes, escapes, continuation lines as a POSIX shell reads them (no
/// substitution). What is no assignment is skipped, as systemd does.
std::vector<std::string> parse_environment_text(std::string_view text);

/// The assignments of one file. The error names it.
base::Result<std::vector<std::string>> environment_of_file(const std::string& path);

/// Reads all files in order, globs expanded, and merges them on top. The error names the file.
base::Result<void> add_environment_files(std::vector<std::string>& environment,
                                         const std::vector<unit::EnvironmentFile>& files);

} // namespace monoinit::exec
