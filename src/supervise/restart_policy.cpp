// The restart table as data. Tested by tests/unit/supervise/restart_policy_test.cpp.

#include "supervise/restart_policy.hpp"

#include <array>
#include <csignal>

namespace monoinit::supervise {

namespace {

struct ResultRow {
    ServiceResult result;
    bool always, on_success, on_failure, on_abnormal, on_abort, on_watchdog;
};

// clang-format off
constexpr auto rows = std::to_array<ResultRow>({
    //result                       always success failure abnormal abort watchdog
    {ServiceResult::Success,       true,  true,   false,  false,   false, false},
    {ServiceResult::Resources,     true,  false,  true,   true,    false, false},
    {ServiceResult::Protocol,      true,  false,  true,   true,    false, false},
    {ServiceResult::Timeout,       true,  false,  true,   true,    false, false},
    {ServiceResult::ExitCode,      true,  false,  true,   false,   false, false},
    {ServiceResult::Signal,        true,  false,  true,   true,    true,  false},
    {ServiceResult::CoreDump,      true,  false,  true,   true,    true,  false},
    {ServiceResult::Watchdog,      true,  false,  true,   true,    false, true},
    {ServiceResult::StartLimitHit, false, false,  false,  false,   false, false},
    {ServiceResult::OomKill,       true,  false,  true,   true,    false, false},
    {ServiceResult::ExecCondition, false, false,  false,  false,   false, false},
    {ServiceResult::GuardLost,     true,  false,  true,   true,    false, false},
});

// clang-format on

constexpr bool rows_in_order() {
    for (std::size_t i = 0; i < rows.size(); i++)
        if (static_cast<std::size_t>(rows[i].result) != i)
            return false;
    return rows.size() == static_cast<std::size_t>(ServiceResult::GuardLost) + 1;
}

static_assert(rows_in_order(), "one row per result, in the order of the enum");

} // namespace

bool table_says_restart(unit::RestartPolicy policy, ServiceResult result) {
    const ResultRow& row = rows[static_cast<std::size_t>(result)];
    switch (policy) {
    case unit::RestartPolicy::No:
        return false;
    case unit::RestartPolicy::OnSuccess:
        return row.on_success;
    case unit::RestartPolicy::OnFailure:
        return row.on_failure;
    case unit::RestartPolicy::OnAbnormal:
        return row.on_abnormal;
    case unit::RestartPolicy::OnWatchdog:
        return row.on_watchdog;
    case unit::RestartPolicy::OnAbort:
        return row.on_abort;
    case unit::RestartPolicy::Always:
        return row.always;
    }
    return false;
}

bool should_restart(const unit::ServiceSection& service,
                    ServiceResult result,
                    const std::optional<base::ExitInfo>& main_exit) {
    if (main_exit && service.restart_prevent_exit_status.contains(*main_exit))
        return false;
    // A oneshot that did its work is done, whatever the settings say.
    if (service.type == unit::ServiceType::Oneshot && result == ServiceResult::Success)
        return false;
    if (main_exit && service.restart_force_exit_status.contains(*main_exit))
        return true;
    return table_says_restart(service.restart, result);
}

bool is_clean_exit(const base::ExitInfo& exit,
                   ProcessKind kind,
                   const unit::ExitStatusSet& success) {
    if (success.contains(exit))
        return true;
    switch (exit.code) {
    case base::ExitInfo::Code::Exited:
        return exit.status == 0;
    case base::ExitInfo::Code::Killed:
        return kind == ProcessKind::Daemon && (exit.status == SIGHUP || exit.status == SIGINT ||
                                               exit.status == SIGTERM || exit.status == SIGPIPE);
    case base::ExitInfo::Code::Dumped:
        return false;
    }
    return false;
}

ServiceResult
result_of(const base::ExitInfo& exit, ProcessKind kind, const unit::ExitStatusSet& success) {
    if (is_clean_exit(exit, kind, success))
        return ServiceResult::Success;
    switch (exit.code) {
    case base::ExitInfo::Code::Exited:
        return ServiceResult::ExitCode;
    case base::ExitInfo::Code::Killed:
        return ServiceResult::Signal;
    case base::ExitInfo::Code::Dumped:
        return ServiceResult::CoreDump;
    }
    return ServiceResult::Protocol;
}

} // namespace monoinit::supervise
