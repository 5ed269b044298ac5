#pragma once
// Does a service that ended come back? systemd.service(5), table "Exit causes and the effect of the
// Restart= settings", with RestartPreventExitStatus= and RestartForceExitStatus=; and which exits
// count as clean. Tested by tests/unit/supervise/restart_policy_test.cpp.

#include "supervise/types.hpp"

#include <optional>

namespace monoinit::supervise {

/// The table: one column per Restart= setting, one row per result.
bool table_says_restart(unit::RestartPolicy policy, ServiceResult result);

/// The whole rule. `main_exit` is how the main process of this run ended, nothing if it did not.
bool should_restart(const unit::ServiceSection& service,
                    ServiceResult result,
                    const std::optional<base::ExitInfo>& main_exit);

enum class ProcessKind : std::uint8_t { Daemon, Command };
/// Exit status 0, what SuccessExitStatus= lists, and for daemons SIGHUP, SIGINT, SIGTERM and
/// SIGPIPE.
bool is_clean_exit(const base::ExitInfo& exit,
                   ProcessKind kind,
                   const unit::ExitStatusSet& success);

/// success, exit-code, signal or core-dump.
ServiceResult
result_of(const base::ExitInfo& exit, ProcessKind kind, const unit::ExitStatusSet& success);

} // namespace monoinit::supervise
