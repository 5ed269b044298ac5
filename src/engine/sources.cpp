// X-Watch=: a service is restarted when its sources change. They are watched from its start until a stop is asked for, over
// failures too: what is repaired starts again. Tested by tests/unit/engine/sources_test.cpp.

#include "base/fmt.hpp"
#include "base/signals.hpp"
#include "engine/impl.hpp"

namespace monoinit::engine {

using graph::JobType;
using supervise::Action;
using supervise::Severity;
using unit::WatchAction;

namespace {

/// A service that changes its own sources is restarted for ever: said once, when so many have come within the interval.
constexpr std::uint32_t suspicious_burst = 20;
constexpr Duration suspicious_interval = std::chrono::minutes(1);

bool is_up(const Unit& unit) { return graph::is_up(static_cast<graph::Activity>(unit.active)); }

} // namespace

/// After a change of state, a new configuration or a restore.
void Engine::Impl::refresh_sources(Unit& unit) {
    const bool wanted = !unit.config->watch->patterns.empty() && !stopping_.on &&
                        (unit.watched || !graph::is_down(static_cast<graph::Activity>(unit.active)));
    if (!wanted && !unit.watched)
        return;
    touch(unit).watched = wanted;
    effects_.emplace_back(UnitAction{unit.id, supervise::WatchSources{wanted}});
}

void Engine::Impl::forget_sources(Unit& unit) {
    if (!unit.watched)
        return;
    touch(unit).watched = false;
    effects_.emplace_back(UnitAction{unit.id, supervise::WatchSources{false}});
}

void Engine::Impl::on(const SourcesChanged& event) {
    Unit* unit = units_.get(event.unit);
    if (unit == nullptr || !unit->watched || !unit->service || stopping_.on || (unit->job && unit->job->type == JobType::Stop))
        return;
    touch(*unit);
    const unit::WatchSection& watch = *unit->config->watch;
    const bool up = is_up(*unit);
    const std::string base = unit->config->exec->working_directory + "/";
    const std::string path = base.size() > 1 && event.path.starts_with(base) ? event.path.substr(base.size()) : event.path;
    const std::string what = path + (event.more == 0 ? " has changed" : fmt::format(" and {} more have changed", event.more));
    if (up && watch.action == WatchAction::Signal) {
        log(Severity::Info, unit->id, fmt::format("{}: {}; {}", brief(*unit), what, base::signal_name(watch.signal)));
        std::vector<Action> actions;
        unit->service->kill(supervise::Service::KillWho::Main, watch.signal, actions);
        return apply(*unit, std::move(actions));
    }
    const bool reloads = up && watch.action == WatchAction::Reload && facts(unit->id).can_reload;
    log(Severity::Info, unit->id, fmt::format("{}: {}; {}", brief(*unit), what, reloads ? "reloading" : up ? "restarting" : "starting"));
    if (unit->source_changes == 0 || now() - unit->source_window > suspicious_interval) {
        unit->source_window = now();
        unit->source_changes = 0;
    }
    if (++unit->source_changes == suspicious_burst)
        log(Severity::Warning, unit->id,
            fmt::format("{}: X-Watch= has seen {} changes in {}; what the service writes itself belongs in X-WatchIgnore=", brief(*unit),
                        suspicious_burst, base::human_time_span(suspicious_interval)));
    // An edit is a person's doing: the start limit begins anew.
    const JobRequest request{0, reloads ? JobType::Reload : JobType::Restart, unit->id, unit::JobMode::Replace, true};
    const Outcome outcome = carry_out({request.type, request.unit, request.mode}, &request);
    if (outcome.refusal != graph::RefusalReason::None)
        log(Severity::Error, unit->id, fmt::format("{}: not restarted: {}", brief(*unit), outcome.text));
}

} // namespace monoinit::engine
