// Names of the shared words, as systemctl show prints them.
// Tested by tests/unit/supervise/states_test.cpp.

#include "supervise/types.hpp"

#include "base/enum_names.hpp"

namespace monoinit::supervise {

namespace {

constexpr auto result_names = base::enum_names<ServiceResult>({
    {ServiceResult::Success, "success"},
    {ServiceResult::Resources, "resources"},
    {ServiceResult::Protocol, "protocol"},
    {ServiceResult::Timeout, "timeout"},
    {ServiceResult::ExitCode, "exit-code"},
    {ServiceResult::Signal, "signal"},
    {ServiceResult::CoreDump, "core-dump"},
    {ServiceResult::Watchdog, "watchdog"},
    {ServiceResult::StartLimitHit, "start-limit-hit"},
    {ServiceResult::OomKill, "oom-kill"},
    {ServiceResult::ExecCondition, "exec-condition"},
    {ServiceResult::GuardLost, "guard-lost"},
});

} // namespace

std::string_view name(ServiceResult result) {
    return base::name_of(result_names, result);
}

} // namespace monoinit::supervise
