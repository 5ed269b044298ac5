// systemd.service(5), table "Exit causes and the effect of the Restart= settings", cell by cell.

#include "sim.hpp"
#include "supervise/restart_policy.hpp"

using namespace monoinit;
using namespace monoinit::supervise;
using R = unit::RestartPolicy;

TEST_CASE("the restart table") {
    struct Cause {
        ServiceResult result;
        std::vector<R> restarts;
    };

    const std::vector<Cause> causes{
        {ServiceResult::Success, {R::Always, R::OnSuccess}},  // clean exit code or signal
        {ServiceResult::ExitCode, {R::Always, R::OnFailure}}, // unclean exit code
        {ServiceResult::Signal,
         {R::Always, R::OnFailure, R::OnAbnormal, R::OnAbort}}, // unclean signal
        {ServiceResult::CoreDump, {R::Always, R::OnFailure, R::OnAbnormal, R::OnAbort}},
        {ServiceResult::Timeout, {R::Always, R::OnFailure, R::OnAbnormal}},
        {ServiceResult::Watchdog, {R::Always, R::OnFailure, R::OnAbnormal, R::OnWatchdog}},
        {ServiceResult::ExecCondition, {}},
        {ServiceResult::StartLimitHit, {}},
    };
    for (const auto& [result, restarts] : causes)
        for (const R policy : {R::No,
                               R::OnSuccess,
                               R::OnFailure,
                               R::OnAbnormal,
                               R::OnWatchdog,
                               R::OnAbort,
                               R::Always}) {
            INFO(name(result) << " " << static_cast<int>(policy));
            CHECK(table_says_restart(policy, result) ==
                  (std::ranges::count(restarts, policy) != 0));
        }
}

TEST_CASE("exit statuses that prevent or force a restart") {
    unit::ServiceSection service;
    service.restart = R::OnFailure;
    service.restart_prevent_exit_status.statuses = {1};
    service.restart_prevent_exit_status.signals = {SIGABRT};
    service.restart_force_exit_status.statuses = {0, 1, 133};
    CHECK(should_restart(service, ServiceResult::ExitCode, exited(2)));
    CHECK_FALSE(should_restart(
        service, ServiceResult::ExitCode, exited(1))); // prevented, though forced too
    CHECK_FALSE(should_restart(service, ServiceResult::Signal, killed(SIGABRT)));
    CHECK(should_restart(service, ServiceResult::Success, exited(0)));
    CHECK_FALSE(should_restart(service, ServiceResult::Success, std::nullopt));
    service.restart = R::No;
    CHECK(should_restart(service, ServiceResult::ExitCode, exited(133)));
    service.type = ServiceType::Oneshot;
    CHECK_FALSE(should_restart(service, ServiceResult::Success, exited(0))); // done is done
}

TEST_CASE("clean exits") {
    const unit::ExitStatusSet none;
    for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) {
        CHECK(is_clean_exit(killed(signal), ProcessKind::Daemon, none));
        CHECK_FALSE(is_clean_exit(killed(signal), ProcessKind::Command, none));
    }
    CHECK_FALSE(is_clean_exit(killed(SIGKILL), ProcessKind::Daemon, none));
    CHECK(is_clean_exit(exited(0), ProcessKind::Command, none));
    unit::ExitStatusSet success;
    success.statuses = {75};
    success.signals = {SIGKILL};
    CHECK(is_clean_exit(exited(75), ProcessKind::Command, success));
    CHECK(is_clean_exit(killed(SIGKILL), ProcessKind::Command, success));
    CHECK(result_of(exited(1), ProcessKind::Daemon, success) == ServiceResult::ExitCode);
    CHECK(result_of({base::ExitInfo::Code::Dumped, SIGSEGV}, ProcessKind::Daemon, none) ==
          ServiceResult::CoreDump);
}
