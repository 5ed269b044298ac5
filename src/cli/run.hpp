#pragma once
// A command becomes a transient service: what `initctl run` and systemd-run have in common. Tested by tests/unit/cli/run_test.cpp
// and tests/system/run.py.

#include "base/result.hpp"
#include "unit/transient.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::cli {

struct Context;

/// What is to be run, and how we stand to it.
struct RunRequest {
    unit::TransientSpec service;               ///< without a command: the trigger is for a unit that is there
    std::optional<unit::TriggerSpec> trigger;  ///< starts the service; else it is started now
    bool wait = false;
    bool pty = false, pipe = false;            ///< it gets a terminal of ours, or our own streams
    bool save = false;                         ///< as files of the machine, not until the container ends
};

/// The program by its absolute path: as it is, below `directory`, or looked up in `path` (colon-separated).
base::Result<std::string> resolve_program(const std::string& word, const std::string& directory, std::string_view path);
/// NAME=VALUE as it is; NAME with the value that this process has.
base::Result<std::vector<std::string>> assignments(const std::vector<std::string>& words);
std::string current_directory();
/// Who is neither root nor the init's user runs services as themselves; else empty.
std::string own_user(Context& context);

/// Makes the units, starts what is to be started, and stays as long as asked for. Says how it goes, in systemd-run's words or ours
/// (context.face). The exit status.
int carry_out(Context& context, RunRequest& request);

} // namespace monoinit::cli
