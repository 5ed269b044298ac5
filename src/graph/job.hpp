#pragma once
// Jobs: what is to be done to a unit (systemd.unit(5), systemctl(1)). Merging rules and names are systemd's.
// Tested by tests/unit/graph/job_test.cpp.

#include "base/ids.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace monoinit::graph {

enum class JobType : std::uint8_t {
    Start, VerifyActive, Stop, Reload, Restart,
    // These collapse to one of the above (or nothing) when the transaction is built:
    ReloadOrStart, TryRestart, TryReload, ReloadOrRestart, TryReloadOrRestart, Nop,
};
enum class JobState : std::uint8_t { Waiting, Running };
enum class JobResult : std::uint8_t { Done, Canceled, Timeout, Failed, Dependency, Skipped, Invalid, Assert, Unsupported, Collected, Once };
/// Why a request was refused before any job was made; maps to systemctl's exit statuses and words.
enum class RefusalReason : std::uint8_t {
    None, NotFound, Masked, BadSetting, LoadError, NotApplicable, Manual, Destructive, Cycle, Isolate, Shutdown, Conflict,
};

std::string_view name(JobType type);     ///< "start"
std::string_view name(JobState state);   ///< "waiting"
std::string_view name(JobResult result); ///< "done"

} // namespace monoinit::graph
