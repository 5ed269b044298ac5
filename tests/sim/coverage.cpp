#include "coverage.hpp"

#include "base/fmt.hpp"

namespace monoinit::sim {

using graph::JobResult;
using graph::JobType;
using graph::RefusalReason;
using supervise::ActiveState;
using supervise::ServiceState;

namespace {

/// Words of the engine's lines, each the sign of a path through it.
constexpr auto lines = std::to_array<std::string_view>({
    "restarting too quickly", "OnFailure= of", "OnSuccess= of", "upheld by", "not needed any more", "is not running", "has gone",
    "conflicts with", "JobTimeoutSec=", "was not met", "skipped:", "did not end within", "could not be ended", "reached RuntimeMaxSec=",
    "no WATCHDOG=1", "WATCHDOG=trigger", "start timed out", "reload timed out", "reload failed", "its restart is cancelled",
    "no process could be made", "its guard was killed", "left alone for a while", "stopped out of order",
    "all stopped in", "leaving after", "; killed:", "FailureAction=", "JobTimeoutAction=", "start limit of", "not started:", "not restarted:",
});

constexpr std::size_t rare_edges = 5;

/// Results that no job of this type can have.
bool impossible(JobType type, JobResult result) {
    switch (result) {
    case JobResult::Done:
        return type == JobType::Restart; // it becomes a start
    case JobResult::Canceled:
    case JobResult::Timeout:
        return false;
    case JobResult::Failed:
        return type == JobType::VerifyActive || type == JobType::Restart || type == JobType::Stop; // these went down, or on
    case JobResult::Dependency:
        return type != JobType::Start && type != JobType::VerifyActive;
    case JobResult::Skipped:
        return type != JobType::VerifyActive;
    case JobResult::Invalid:
        return type != JobType::Reload;
    case JobResult::Assert:
    case JobResult::Unsupported:
        return type != JobType::Start;
    case JobResult::Collected:
    case JobResult::Once:
        return true;
    }
    return true;
}

} // namespace

void Coverage::step(ServiceState from, ServiceState to, const std::set<ActiveState>& through) {
    if (from == to)
        return;
    if (supervise::is_legal(from, to))
        edges.insert({from, to});
    for (const ServiceState between : {ServiceState::Dead, ServiceState::Failed})
        if (through.contains(supervise::active_state(between)) && supervise::is_legal(from, between) && supervise::is_legal(between, to)) {
            edges.insert({from, between});
            edges.insert({between, to});
        }
}

void Coverage::said(const std::string& text) {
    for (const std::string_view line : lines)
        if (text.find(line) != std::string::npos)
            marks[std::string(line)]++;
}

std::vector<std::string> Coverage::missing() const {
    std::vector<std::string> all;
    // Some few edges need three rare things at once; the walk of tests/unit/supervise takes each of them on purpose.
    if (edges.size() + rare_edges < supervise::service_edges().size())
        for (const supervise::Edge& edge : supervise::service_edges())
            if (!edges.contains({edge.from, edge.to}))
                all.push_back(fmt::format("edge {} -> {}", supervise::name(edge.from), supervise::name(edge.to)));
    for (std::size_t type = 0; type < job_ends.size(); type++)
        for (std::size_t result = 0; result < job_ends[type].size(); result++) {
            const auto job = static_cast<JobType>(type);
            const auto end = static_cast<JobResult>(result);
            if (job_ends[type][result] == 0 && !impossible(job, end))
                all.push_back(fmt::format("{} job that ends {}", graph::name(job), graph::name(end)));
        }
    for (std::size_t reason = 0; reason < refusals.size(); reason++)
        if (refusals[reason] == 0)
            all.push_back(fmt::format("refusal: {}", graph::name(static_cast<RefusalReason>(reason))));
    for (std::size_t mode = 0; mode < modes.size(); mode++)
        if (modes[mode] == 0)
            all.push_back(fmt::format("a job in mode {}", mode));
    for (const std::string_view line : lines)
        if (!marks.contains(std::string(line)))
            all.push_back(fmt::format("\"{}\"", line));
    return all;
}

} // namespace monoinit::sim
