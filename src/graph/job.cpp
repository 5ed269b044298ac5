// The rules of jobs as tables: names, merging, and which of two ordered jobs goes first.
// Tested by tests/unit/graph.

#include "graph/job.hpp"

#include "base/enum_names.hpp"

#include <array>

namespace monoinit::graph {

namespace {

using base::enum_names;

constexpr auto type_names = enum_names<JobType>({
    {JobType::Start, "start"},
    {JobType::VerifyActive, "verify-active"},
    {JobType::Stop, "stop"},
    {JobType::Reload, "reload"},
    {JobType::Restart, "restart"},
    {JobType::ReloadOrStart, "reload-or-start"},
    {JobType::TryRestart, "try-restart"},
    {JobType::TryReload, "try-reload"},
    {JobType::ReloadOrRestart, "reload-or-restart"},
    {JobType::TryReloadOrRestart, "try-reload-or-restart"},
    {JobType::Nop, "nop"},
});

constexpr auto state_names = enum_names<JobState>({
    {JobState::Waiting, "waiting"},
    {JobState::Running, "running"},
});

constexpr auto result_names = enum_names<JobResult>({
    {JobResult::Done, "done"},
    {JobResult::Canceled, "canceled"},
    {JobResult::Timeout, "timeout"},
    {JobResult::Failed, "failed"},
    {JobResult::Dependency, "dependency"},
    {JobResult::Skipped, "skipped"},
    {JobResult::Invalid, "invalid"},
    {JobResult::Assert, "assert"},
    {JobResult::Unsupported, "unsupported"},
    {JobResult::Collected, "collected"},
    {JobResult::Once, "once"},
});

constexpr auto refusal_names = enum_names<RefusalReason>({
    {RefusalReason::None, "none"},
    {RefusalReason::NotFound, "not-found"},
    {RefusalReason::Masked, "masked"},
    {RefusalReason::BadSetting, "bad-setting"},
    {RefusalReason::LoadError, "load-error"},
    {RefusalReason::NotApplicable, "not-applicable"},
    {RefusalReason::Manual, "manual"},
    {RefusalReason::Destructive, "destructive"},
    {RefusalReason::Cycle, "cycle"},
    {RefusalReason::Isolate, "isolate"},
    {RefusalReason::Shutdown, "shutdown"},
    {RefusalReason::Conflict, "conflict"},
});

constexpr std::size_t basic_types = 5;

// clang-format off
constexpr std::array<std::array<std::optional<JobType>, basic_types>, basic_types> merged = [] {
    constexpr auto start = JobType::Start, verify = JobType::VerifyActive, stop = JobType::Stop,
                   reload = JobType::Reload, restart = JobType::Restart, both = JobType::ReloadOrStart;
    constexpr std::nullopt_t no = std::nullopt;
    using Row = std::array<std::optional<JobType>, basic_types>;
    //             with: start    verify-active  stop  reload   restart
    return std::array<Row, basic_types>{
        /* start   */ Row{start,   start,         no,   both,    restart},
        /* verify  */ Row{start,   verify,        no,   reload,  restart},
        /* stop    */ Row{no,      no,            stop, no,      no},
        /* reload  */ Row{both,    reload,        no,   reload,  restart},
        /* restart */ Row{restart, restart,       no,   restart, restart},
    };
}();
// clang-format on

} // namespace

std::string_view name(JobType type) {
    return base::name_of(type_names, type);
}

std::string_view name(JobState state) {
    return base::name_of(state_names, state);
}

std::string_view name(JobResult result) {
    return base::name_of(result_names, result);
}

std::string_view name(RefusalReason reason) {
    return base::name_of(refusal_names, reason);
}

std::optional<JobType> merge(JobType a, JobType b) {
    const auto row = static_cast<std::size_t>(a), column = static_cast<std::size_t>(b);
    if (row >= basic_types || column >= basic_types)
        return a == b ? std::optional(a) : std::nullopt;
    return merged[row][column];
}

bool is_superset(JobType a, JobType b) {
    return merge(a, b) == a;
}

bool is_conflicting(JobType a, JobType b) {
    return a != JobType::Nop && b != JobType::Nop && !merge(a, b);
}

JobType collapse(JobType type, Activity activity, bool can_reload) {
    const bool up = is_up(activity);
    switch (type) {
    case JobType::Start:
    case JobType::VerifyActive:
    case JobType::Stop:
    case JobType::Reload:
    case JobType::Restart:
    case JobType::Nop:
        return type;
    case JobType::ReloadOrStart:
        return up ? JobType::Reload : JobType::Start;
    case JobType::TryRestart:
        return up ? JobType::Restart : JobType::Nop;
    case JobType::TryReload:
        return up ? JobType::Reload : JobType::Nop;
    case JobType::ReloadOrRestart:
        return !can_reload ? JobType::Restart : up ? JobType::Reload : JobType::Start;
    case JobType::TryReloadOrRestart:
        return !up ? JobType::Nop : can_reload ? JobType::Reload : JobType::Restart;
    }
    return JobType::Nop;
}

bool is_redundant(JobType type, Activity activity) {
    switch (type) {
    case JobType::Start:
    case JobType::VerifyActive:
        return is_up(activity);
    case JobType::Stop:
        return is_down(activity);
    case JobType::Reload:
        return activity == Activity::Reloading;
    case JobType::Nop:
        return true;
    case JobType::Restart:
    case JobType::ReloadOrStart:
    case JobType::TryRestart:
    case JobType::TryReload:
    case JobType::ReloadOrRestart:
    case JobType::TryReloadOrRestart:
        return false;
    }
    return false;
}

Order order_of(JobType first, JobType second) {
    if (first == JobType::Nop || second == JobType::Nop)
        return Order::Any;
    // A restart is a stop until that is done; then it becomes a start.
    return second == JobType::Stop || second == JobType::Restart ? Order::SecondUnit : Order::FirstUnit;
}

} // namespace monoinit::graph
