// What people read: why a unit does not run, and lines about jobs. The words are those of the guide to the screen.
// Tested by tests/unit/engine and tests/sim.

#include "engine/impl.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "unit/name.hpp"

namespace monoinit::engine {

using supervise::Severity;

namespace {

constexpr int chain_limit = 16; ///< links of a chain of causes that are printed
constexpr std::size_t named_waiters = 5;

} // namespace

std::string Engine::Impl::brief(const Unit& unit) const {
    return std::string(unit::short_name(unit.config->name));
}

void Engine::Impl::log(Severity severity, UnitId unit, std::string text) {
    effects_.emplace_back(Log{severity, unit, std::move(text)});
}

/// "failed (exit 3)", "not found", "was skipped": what is wrong with a unit, without its name.
std::string Engine::Impl::failure_words(const Unit& unit) const {
    if (unit.config->load_state != unit::LoadState::Loaded)
        return graph::describe_unloadable(facts(unit.id)).substr(unit.config->name.size() + 1);
    if (!unit.health_failure.empty())
        return "was stopped (" + unit.health_failure + ")";
    if (unit.service && unit.service->data().result != supervise::ServiceResult::Success) {
        const supervise::Service::Data& data = unit.service->data();
        const bool own_exit = data.main_exit && (data.result == supervise::ServiceResult::ExitCode ||
                                                 data.result == supervise::ServiceResult::Signal ||
                                                 data.result == supervise::ServiceResult::CoreDump);
        if (own_exit && data.last_failure.find("Exec") == std::string::npos)
            return "failed (" + base::describe(*data.main_exit) + ")";
        return data.last_failure.empty() ? "failed (" + std::string(supervise::name(data.result)) + ")"
                                         : "failed (" + data.last_failure + ")";
    }
    if (unit.active == ActiveState::Failed)
        return unit.failure.empty() ? "failed" : "failed (" + unit.failure + ")";
    if (!unit.condition_failed.empty())
        return "was skipped (" + unit.condition_failed + ")";
    switch (unit.start_result) {
    case graph::JobResult::Timeout:
        return "took too long to start";
    case graph::JobResult::Unsupported:
        return "is of an unsupported type";
    case graph::JobResult::Done:
    case graph::JobResult::Canceled:
    case graph::JobResult::Failed:
    case graph::JobResult::Dependency:
    case graph::JobResult::Skipped:
    case graph::JobResult::Invalid:
    case graph::JobResult::Assert:
    case graph::JobResult::Collected:
    case graph::JobResult::Once:
        break;
    }
    return unit.cause.empty() ? "is not running" : "was not started";
}

/// "docker-entrypoint.service failed (exit 3) <- Requires= (code-server.service:5)"
std::string Engine::Impl::why(const Unit& unit) const {
    if (graph::is_up_or_coming(static_cast<graph::Activity>(unit.active)))
        return {};
    if (unit.cause.empty()) {
        if (!unit.condition_failed.empty())
            return unit.condition_failed + " was not met";
        if (unit.config->load_state != unit::LoadState::Loaded)
            return graph::describe_unloadable(facts(unit.id));
        return {};
    }
    if (unit.cause.unit.empty())
        return unit.cause.text;
    std::string links;
    const Unit* at = &unit;
    for (int i = 0; i < chain_limit; i++) {
        links = " <- " + at->cause.text + links;
        const Unit* next = units_.get(units_.find(at->cause.unit));
        if (next == nullptr)
            return at->cause.unit + " is gone" + links;
        if (next->cause.unit.empty())
            return next->config->name + " " + failure_words(*next) + links;
        at = next;
    }
    return "…" + links;
}

/// "code-server not started: docker-entrypoint failed (exit 3); it is in Requires="
std::string Engine::Impl::not_started(const Unit& unit) const {
    std::string text = brief(unit) + " not started: ";
    const Unit* other = units_.get(units_.find(unit.cause.unit));
    if (other == nullptr || !other->cause.unit.empty())
        return text + why(unit);
    text += brief(*other) + " " + failure_words(*other);
    if (!unit.cause.text.empty())
        text += "; it is in " + unit.cause.text.substr(0, unit.cause.text.find(' '));
    return text;
}

void Engine::Impl::report_slow(Unit& unit) {
    Job& job = *unit.job;
    job.next_report = now() + options_.report_slow_job_again;
    std::vector<std::string> waiters;
    std::size_t more = 0;
    jobs_.each_ordered(unit, [&](const Unit& other, bool other_first) {
        if (other_first || other.config->builtin)
            return;
        if (waiters.size() < named_waiters)
            waiters.push_back(brief(other));
        else
            more++;
    });
    std::string text = fmt::format("{}: {} takes {} so far", brief(unit), graph::name(job.type), base::human_time_span(now() - job.began));
    if (job.checks == Job::Checks::Asked)
        text += ", its conditions are still being looked at";
    if (!waiters.empty())
        text += "; waiting for it: " + base::join(waiters, ", ");
    if (more > 0)
        text += fmt::format(" and {} more", more);
    log(Severity::Notice, unit.id, std::move(text));
}

} // namespace monoinit::engine
