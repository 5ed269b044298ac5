// Health checks in the engine: they begin and end with their unit, what OnUnhealthy= says becomes a job or the machine's own
// failure (so that restarts are counted and slowed down like others), and X-AfterHealthy= holds start jobs back.
// Tested by tests/unit/engine/health_test.cpp.

#include "engine/codec.hpp"
#include "engine/impl.hpp"

#include <algorithm>

namespace monoinit::engine {

using graph::Atom;
using graph::JobType;
using supervise::Health;
using supervise::HealthMonitor;
using supervise::HealthQuestion;
using unit::JobMode;
using unit::OnUnhealthy;

namespace {

constexpr Tag health_tag = 102, failure_tag = 1, first_check_tag = 2; // + HealthKind

template <class Codec, class C> void check_fields(Codec& io, C& check) {
    io.enumeration(1, check.phase, supervise::CheckPhase::Over);
    io.enumeration(2, check.verdict, Health::Unhealthy);
    io(3, check.guard);
    io(4, check.step);
    io(5, check.streak);
    io(6, check.due);
    io(7, check.run_ends);
    io(8, check.began);
    io(9, check.last_run);
    io(10, check.last_ok);
    io(11, check.last_text);
    io(12, check.last_output);
}

bool is_up(ActiveState state) { return graph::is_up(static_cast<graph::Activity>(state)); }

} // namespace

HealthMonitor* Engine::Impl::health_of(Unit& unit) {
    if (!unit.health && unit.config->type == unit::UnitType::Service && !unit.config->health->empty())
        unit.health = std::make_unique<HealthMonitor>(unit.config, [this] { return next_guard(); });
    return unit.health.get();
}

Health Engine::Impl::health_state(const Unit& unit) {
    return unit.health && is_up(unit.active) ? unit.health->overall() : Health::None;
}

// ---- with the unit --------------------------------------------------------------------------------------------------

void Engine::Impl::health_follows(Unit& unit, ActiveState before, ActiveState after) {
    if (is_up(before) != is_up(after))
        if (HealthMonitor* monitor = health_of(unit)) {
            std::vector<supervise::HealthAction> actions;
            if (is_up(after)) {
                unit.health_failure.clear();
                monitor->unit_up(now_, actions);
            } else {
                monitor->unit_down(actions);
            }
            apply_health(unit, std::move(actions));
        }
    wake_dependents(unit);
}

void Engine::Impl::refresh_health(Unit& unit) {
    HealthMonitor* monitor = health_of(unit);
    if (monitor == nullptr)
        return;
    std::vector<supervise::HealthAction> actions;
    monitor->replace_config(unit.config, is_up(unit.active) && !stopping_.on, now_, actions);
    apply_health(unit, std::move(actions));
}

void Engine::Impl::on(const HealthEvent& event) {
    Unit* unit = units_.get(event.unit);
    if (unit == nullptr || !unit->health)
        return; // of a unit that is long forgotten
    std::vector<supervise::HealthAction> actions;
    std::visit([&](const auto& each) { unit->health->on(each, now_, actions); }, event.what);
    apply_health(*unit, std::move(actions));
}

void Engine::Impl::health_tick(Unit& unit) {
    std::vector<supervise::HealthAction> actions;
    if (stopping_.on) // whatever they would say, it ends
        unit.health->unit_down(actions);
    else
        unit.health->on_deadline(now_, actions);
    apply_health(unit, std::move(actions));
}

void Engine::Impl::apply_health(Unit& unit, std::vector<supervise::HealthAction> actions) {
    touch(unit);
    for (supervise::HealthAction& action : actions) {
        if (auto* run = std::get_if<supervise::RunCheck>(&action)) {
            run->main_pid = unit.service ? unit.service->data().main_pid : 0;
            effects_.emplace_back(HealthAction{unit.id, *run});
        } else if (const auto* end = std::get_if<supervise::EndCheck>(&action)) {
            effects_.emplace_back(HealthAction{unit.id, *end});
        } else if (const auto* change = std::get_if<supervise::HealthChange>(&action)) {
            effects_.emplace_back(HealthChanged{unit.id, change->before, change->after});
            wake_dependents(unit);
        } else if (const auto* due = std::get_if<supervise::Consequence>(&action)) {
            consequence(unit, *due);
        } else if (const auto* say = std::get_if<supervise::Say>(&action)) {
            log(say->severity, unit.id, brief(unit) + ": " + say->text);
        }
    }
}

void Engine::Impl::consequence(Unit& unit, const supervise::Consequence& due) {
    if (stopping_.on || !is_up(unit.active))
        return;
    OnUnhealthy what = due.what;
    if (what == OnUnhealthy::Reload && (!unit.service || !unit.service->can_reload()))
        what = OnUnhealthy::Restart;
    switch (what) {
    case OnUnhealthy::None:
        return;
    case OnUnhealthy::Restart: {
        std::vector<supervise::Action> actions;
        if (unit.service)
            unit.service->fail_health(due.reason, now_, actions);
        return apply(unit, std::move(actions));
    }
    case OnUnhealthy::Reload:
        return enqueue(JobType::Reload, unit.id, JobMode::Replace, unit.config->name + " is " + due.reason);
    case OnUnhealthy::Stop:
        unit.health_failure = due.reason;
        return enqueue(JobType::Stop, unit.id, JobMode::Replace, unit.config->name + " is " + due.reason);
    case OnUnhealthy::FailContainer:
        return begin_shutdown(Shutdown::Kind::Emergency, base::infinity, 1, brief(unit) + " is unhealthy");
    }
}

// ---- X-AfterHealthy= ------------------------------------------------------------------------------------------------

bool Engine::Impl::waits_for_health(Unit& unit) {
    Job& job = *unit.job;
    if (unit.config->unit.after_healthy.empty() || job.ignore_order || unit.active == ActiveState::Activating)
        return false;
    for (const std::string& name : unit.config->unit.after_healthy) {
        const Unit* other = units_.get(units_.find(name));
        if (other == nullptr || other->config->type != unit::UnitType::Service || other->config->health->empty())
            continue; // nothing to wait for but the order
        if (other->active == ActiveState::Inactive || other->active == ActiveState::Failed) {
            const bool lost = other->active == ActiveState::Failed || !other->health_failure.empty() ||
                              other->start_result == graph::JobResult::Dependency;
            if (!lost || other->job)
                continue; // never started: After= would not wait either. A job of its own goes first anyway
            unit.cause = {other->config->name, "X-AfterHealthy="};
            finish(unit, graph::JobResult::Dependency);
            return true;
        }
        const Health answer = other->health ? other->health->answer(HealthQuestion::Ready) : Health::Starting;
        if (is_up(other->active) && (answer == Health::Healthy || answer == Health::None))
            continue;
        if (!std::exchange(job.said_unhealthy, true))
            log(supervise::Severity::Info, unit.id, brief(unit) + ": waits until " + brief(*other) + " is healthy");
        jobs_.set_state(unit, graph::JobState::Waiting); // wake_dependents() runs it again
        return true;
    }
    return false;
}

void Engine::Impl::wake_dependents(const Unit& unit) {
    if (unit.config->health->empty())
        return;
    graph_.for_each(unit.id, Atom::Before, [&](const graph::Edge& edge) {
        Unit* other = units_.get(edge.to);
        if (other != nullptr && other->job && !other->config->unit.after_healthy.empty())
            jobs_.enqueue(*other);
    });
}

// ---- checkpoint -----------------------------------------------------------------------------------------------------

void Engine::Impl::save_health(const Unit& unit, Writer& io) const {
    if (!unit.health)
        return;
    io.nested(health_tag, [&](Writer& inner) {
        inner(failure_tag, unit.health_failure);
        for (std::size_t kind = 0; kind < unit::health_kinds; kind++)
            inner.nested(static_cast<Tag>(first_check_tag + kind), [&](Writer& fields) { check_fields(fields, unit.health->data()[kind]); });
    });
}

std::optional<HealthMonitor::Data> Engine::Impl::read_health(Reader& io, std::string& failure) {
    std::optional<HealthMonitor::Data> data;
    io.nested(health_tag, [&](Reader& inner) {
        data.emplace();
        inner(failure_tag, failure);
        for (std::size_t kind = 0; kind < unit::health_kinds; kind++)
            inner.nested(static_cast<Tag>(first_check_tag + kind), [&](Reader& fields) { check_fields(fields, (*data)[kind]); });
    });
    return data;
}

} // namespace monoinit::engine
