#pragma once
// Finding the program of a command, and saying for people why it could not be executed.
// Tested by tests/unit/exec.

#include "exec/child.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::exec {

/// Where a command may be: itself when it is a path, else the files of that name in the directories of the paths given,
/// in order, each directory once. Empty: nowhere.
std::vector<std::string> find_program(const std::string& command, const std::vector<std::string_view>& search_paths);

/// The sentence for a failed execve(): the missing "#!" or ELF interpreter by name, or what PATH was tried.
std::string explain_exec_failure(const std::string& command, const std::vector<std::string>& candidates,
                                 const std::vector<std::string_view>& search_paths, int error);

} // namespace monoinit::exec
