// The end: every job that starts something is cancelled, everything that is up gets a stop job, and these run in reverse
// order, in parallel. A budget is shared out along the order, so that a unit that does not stop is killed while there
// is time left for those that must stop after it. Exit the moment nothing is up.
// Tested by tests/unit/engine and tests/sim.

#include "engine/impl.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"

#include <algorithm>
#include <csignal>

namespace monoinit::engine {

using graph::JobResult;
using graph::JobType;
using supervise::Severity;
using namespace std::chrono_literals;

namespace {

/// What of the budget is kept for killing and reaping.
Duration reserve_of(Duration budget) {
    return std::min<Duration>(budget / 8, 250ms);
}

/// "0.04 s", "31 ms"
std::string seconds(Duration span) {
    return base::decimal(static_cast<std::uint64_t>(span.count()), 1'000'000, 2) + " s";
}

std::string plural(std::size_t count, std::string_view word) {
    return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

} // namespace

void Engine::Impl::on(const Shutdown& event) {
    if (!stopping_.on)
        return begin_shutdown(event.kind, event.budget, event.exit_status, event.reason);
    // Under way already: the tighter budget and the explicit status count.
    if (event.exit_status != 0)
        stopping_.exit_status = event.exit_status;
    if (event.budget == base::infinity || now() + event.budget >= stopping_.leave_at)
        return;
    stopping_.budget = event.budget;
    stopping_.leave_at = now() + event.budget;
    stopping_.kill_at = stopping_.leave_at + -reserve_of(event.budget);
    share_out_budget();
}

void Engine::Impl::on(const ShutdownNow&) {
    if (!stopping_.on)
        begin_shutdown(Shutdown::Kind::Emergency, 0us, 0, "killing everything");
    kill_all();
}

void Engine::Impl::begin_shutdown(Shutdown::Kind kind, Duration budget, int exit_status, const std::string& reason) {
    stopping_.on = true;
    stopping_.kind = kind;
    stopping_.began = now();
    stopping_.budget = budget;
    stopping_.exit_status = exit_status;
    stopping_.leave_at = now() + budget;
    stopping_.kill_at = budget == base::infinity ? base::never : stopping_.leave_at + -reserve_of(budget);
    effects_.emplace_back(ShutdownBegan{budget, exit_status});
    install_stops();
    for (const UnitId id : stopping_.up)
        if (Unit& unit = *units_.get(id); unit.service) {
            unit.service->forbid_starts();
            touch(unit);
        }

    std::size_t services = 0;
    for (const UnitId id : stopping_.up)
        services += units_.get(id)->service && !units_.get(id)->config->builtin ? 1 : 0;
    std::string text = reason.empty() ? "stopping " : reason + ": stopping ";
    text += plural(services, "unit");
    if (budget != base::infinity)
        text += ", " + base::human_time_span(budget) + " at most";
    log(Severity::Notice, {}, std::move(text));
    share_out_budget();
}

void Engine::Impl::install_stops() {
    failures_.clear(); // start jobs that would have failed are cancelled now
    std::vector<UnitId> cancelled;
    for (const auto& [id, unit] : jobs_.all())
        if (units_.get(unit)->job->type != JobType::Stop)
            cancelled.push_back(unit);
    for (const UnitId id : cancelled) {
        Unit& unit = *units_.get(id);
        if (unit.job->type == JobType::Restart) // not to become a start
            jobs_.change_type(unit, JobType::Stop);
        else
            finish(unit, JobResult::Canceled, "shutting down", false);
    }
    units_.each([&](Unit& unit) {
        if (!has_to_stop(unit))
            return;
        stopping_.up.insert(unit.id);
        touch(unit);
        unit.killed = false;
        if (!unit.job)
            jobs_.install(unit, JobType::Stop, false, now());
        unit.job->irreversible = true;
        unit.job->deadline = base::never; // the budget rules
    });
}

/// When each unit is to be killed.
void Engine::Impl::share_out_budget() {
    StopOrder order;
    for (const UnitId id : stopping_.up)
        add_to(order, *units_.get(id));
    for (const UnitId id : stopping_.up)
        if (const Unit& unit = *units_.get(id); unit.job)
            jobs_.each_ordered(unit, [&](const Unit& other, bool other_first) {
                if (!other_first && order.contains(other.id))
                    order.link(id, other.id);
            });
    for (const UnitId victim : order.sort()) {
        Unit& unit = *units_.get(victim);
        log(Severity::Warning, victim, brief(unit) + ": stopped out of order: its ordering is a cycle");
        jobs_.ignore_order(unit);
    }
    if (stopping_.kill_at == base::never)
        return;
    order.share_out(std::max<Duration>(stopping_.kill_at - now(), 0us));
    for (const StopOrder::Place& place : order.places())
        if (Unit& unit = *units_.get(place.unit); unit.service) {
            unit.service->set_stop_deadline(now() + place.by);
            touch(unit);
        } else if (unit.mount) {
            unit.mount->set_stop_deadline(now() + place.by);
        } else if (unit.scope) {
            unit.scope->set_stop_deadline(now() + place.by);
        }
}

void Engine::Impl::add_to(StopOrder& order, const Unit& unit) {
    order.add(unit.id, unit.service != nullptr || unit.mount != nullptr || unit.scope != nullptr, unit.config->service->timeout_stop);
}

bool Engine::Impl::has_to_stop(const Unit& unit) {
    if (unit.mount)
        return unit.mount->has_to_stop();
    const ActiveState actual = unit.service ? supervise::active_state(unit.service->data().state) : unit.active;
    return !graph::is_down(static_cast<graph::Activity>(actual)) || !graph::is_down(static_cast<graph::Activity>(unit.active));
}

/// What begin_shutdown() would do, without doing it.
std::vector<PlannedStop> Engine::Impl::plan_shutdown(Duration budget) {
    fresh_graph();
    StopOrder order;
    units_.each([&](const Unit& unit) {
        if (has_to_stop(unit))
            add_to(order, unit);
    });
    units_.each([&](const Unit& unit) {
        if (!order.contains(unit.id))
            return;
        graph_.for_each(unit.id, graph::Atom::After, [&](const graph::Edge& edge) {
            if (order.contains(edge.to) && edge.to != unit.id) // stops are in the reverse order of starts
                order.link(unit.id, edge.to);
        });
    });
    const std::vector<UnitId> cut = order.sort();
    if (budget != base::infinity)
        order.share_out(budget + -reserve_of(budget));
    std::vector<PlannedStop> plan;
    for (const StopOrder::Place& place : order.places())
        if (place.stops)
            plan.push_back({place.unit, place.levels_before + 1, place.share, place.by,
                            std::find(cut.begin(), cut.end(), place.unit) != cut.end()});
    std::stable_sort(plan.begin(), plan.end(), [](const PlannedStop& one, const PlannedStop& other) { return one.wave < other.wave; });
    return plan;
}

void Engine::Impl::kill_all() {
    stopping_.killed = true;
    // The kernel needs a moment to end them; what does not go even so (uninterruptible, another uid's) is left behind.
    stopping_.leave_at = std::clamp(stopping_.leave_at, now() + 100ms, now() + 2s);
    const std::set<UnitId> up = stopping_.up;
    for (const UnitId id : up) {
        Unit& unit = touch(*units_.get(id));
        std::vector<supervise::Action> actions;
        if (unit.socket) {
            unit.socket->kill(SIGKILL, actions);
            apply(unit, std::move(actions));
        }
        if (unit.mount) {
            unit.mount->kill(SIGKILL, actions);
            apply(unit, std::move(actions));
        }
        if (unit.scope) {
            unit.scope->kill(SIGKILL, actions);
            apply(unit, std::move(actions));
        }
        if (!unit.service)
            continue;
        unit.service->set_stop_deadline(now());
        unit.service->force_kill(now_, actions);
        apply(unit, std::move(actions));
    }
}

void Engine::Impl::note_down(Unit& unit) {
    if (stopping_.up.erase(unit.id) == 0 || !unit.service)
        return;
    // KillMode=mixed sends SIGKILL in the ordinary course of things: that is not worth a word.
    if (unit.killed && (stopping_.killed || unit.service->data().result == supervise::ServiceResult::Timeout))
        stopping_.killed_units.push_back(unit.id);
    const Instant since = unit.active_exit.mono > stopping_.began ? unit.active_exit.mono : stopping_.began;
    const Duration took = now() - since;
    if (!stopping_.slowest || took > stopping_.slowest_took) {
        stopping_.slowest = unit.id;
        stopping_.slowest_took = took;
    }
}

void Engine::Impl::check_shutdown() {
    if (!stopping_.on || stopping_.over)
        return;
    if (!stopping_.up.empty()) {
        if (!stopping_.killed && now() >= stopping_.kill_at)
            kill_all();
        if (now() < stopping_.leave_at || !stopping_.killed)
            return;
    }
    stopping_.over = true;
    while (jobs_.size() > 0) // of what is left behind: whoever waits is told
        finish(*units_.get(jobs_.all().begin()->second), JobResult::Canceled, "left behind by the shutdown", false);
    log(Severity::Notice, {}, summary());
    effects_.emplace_back(Exit{stopping_.exit_status});
}

/// "all stopped in 0.04 s (slowest: web 31 ms); exit 0"
std::string Engine::Impl::summary() const {
    const auto names = [&](const auto& ids) {
        std::vector<std::string> list;
        for (const UnitId id : ids)
            if (const Unit* unit = units_.get(id))
                list.push_back(brief(*unit));
        return base::join(list, ", ");
    };
    std::string text = stopping_.up.empty() ? "all stopped in " : "leaving after ";
    text += seconds(now() - stopping_.began);
    std::string details;
    if (const Unit* slowest = units_.get(stopping_.slowest))
        details = "slowest: " + brief(*slowest) + " " + base::human_time_span(stopping_.slowest_took);
    if (!stopping_.killed_units.empty())
        details += (details.empty() ? "killed: " : "; killed: ") + names(stopping_.killed_units);
    if (!stopping_.up.empty())
        details += (details.empty() ? "still there: " : "; still there: ") + names(stopping_.up);
    if (!details.empty())
        text += " (" + details + ")";
    return text + fmt::format("; exit {}", stopping_.exit_status);
}

} // namespace monoinit::engine
