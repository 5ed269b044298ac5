// The engine's public face; everything happens in Impl. Tested by tests/unit/engine and tests/sim.

#include "engine/engine.hpp"

#include "engine/impl.hpp"
#include "supervise/service.hpp"

#include <algorithm>

namespace monoinit::engine {

namespace {

std::string_view sub_state(const Unit& unit) {
    using unit::UnitType;
    const bool up = unit.active == ActiveState::Active;
    if (unit.active == ActiveState::Failed)
        return "failed";
    switch (unit.config->type) {
    case UnitType::Service:
        return supervise::name(unit.service ? unit.service->data().state : supervise::ServiceState::Dead);
    case UnitType::Mount:
        return unit.mount ? supervise::name(unit.mount->data().state) : up ? "mounted" : "dead";
    case UnitType::Socket:
        if (unit.socket)
            return supervise::name(unit.socket->data().state);
        return up ? "listening" : "dead";
    case UnitType::Device:
        return up ? "plugged" : "dead";
    case UnitType::Timer:
        if (unit.timer)
            return supervise::name(unit.timer->data().state);
        return up ? "waiting" : "dead";
    case UnitType::Path:
        if (unit.path)
            return supervise::name(unit.path->data().state);
        return up ? "waiting" : "dead";
    case UnitType::Automount:
        return up ? "waiting" : "dead";
    case UnitType::Scope:
        return unit.scope ? supervise::name(unit.scope->data().state) : up ? "running" : "dead";
    case UnitType::Target:
    case UnitType::Slice:
    case UnitType::Swap:
        return up ? "active" : "dead";
    }
    return "dead";
}

const supervise::Service::Data* service_data(const Unit& unit) {
    static const supervise::Service::Data never_started;
    if (unit.config->type != unit::UnitType::Service)
        return nullptr;
    return unit.service ? &unit.service->data() : &never_started;
}

} // namespace

Engine::Engine(EngineOptions options) : impl_(std::make_unique<Impl>(options)) {}

Engine::~Engine() = default;

void Engine::sync(const std::vector<ConfigPtr>& units, bool complete, base::Moment now) {
    impl_->sync(units, complete, now);
}

void Engine::forget_unknown(UnitId unit) {
    impl_->forget_unknown(unit);
}

void Engine::unlist(UnitId unit) {
    impl_->unlist(unit);
}

std::vector<PlannedStop> Engine::plan_shutdown(base::Duration budget) const {
    return impl_->plan_shutdown(budget);
}

void Engine::set_boot_target(UnitId unit) {
    impl_->boot_target_ = unit;
}

void Engine::repeat_boot_end() {
    impl_->boot_over_ = false;
}

void Engine::set_origin(base::Moment started, base::TimeZonePtr zone, std::uint64_t random_seed, std::uint64_t machine_seed) {
    impl_->options_.started = started;
    impl_->options_.zone = std::move(zone);
    impl_->options_.random_seed = random_seed;
    impl_->options_.machine_seed = machine_seed;
}

void Engine::set_service_watchdogs(bool on) {
    impl_->options_.policy.watchdogs = on;
    impl_->units_.each([on](const Unit& unit) {
        if (unit.service)
            unit.service->set_watchdogs(on);
    });
}

std::vector<Effect> Engine::handle(const Event& event, base::Moment now) {
    return impl_->handle(event, now);
}

base::Instant Engine::next_deadline() const {
    return impl_->next_deadline();
}

UnitId Engine::find(std::string_view name) const {
    return impl_->units_.find(name);
}

UnitStatus Engine::status(UnitId id) const {
    UnitStatus status;
    const Unit* unit = impl_->units_.get(id);
    if (unit == nullptr)
        return status;
    status.id = id;
    status.config = unit->config;
    status.active = unit->active;
    status.sub = sub_state(*unit);
    status.service = service_data(*unit);
    status.active_enter = unit->active_enter;
    status.active_exit = unit->active_exit;
    status.inactive_enter = unit->inactive_enter;
    status.inactive_exit = unit->inactive_exit;
    status.state_change = unit->state_change;
    status.condition_time = unit->condition_time;
    status.loaded = unit->loaded;
    status.condition_result = unit->condition_result;
    status.assert_result = unit->assert_result;
    status.condition_failed = unit->condition_failed;
    status.invocation = unit->invocation;
    if (unit->job) {
        status.job = unit->job->type;
        status.job_id = unit->job->id;
        status.job_running = unit->job->state == graph::JobState::Running;
    }
    status.why = impl_->why(*unit);
    if (unit->timer) {
        status.timer = &unit->timer->data();
        if (impl_->may_elapse(*unit))
            status.next_elapse = unit->timer->next(impl_->now_);
    }
    status.socket = unit->socket ? &unit->socket->data() : nullptr;
    status.mount = unit->mount ? &unit->mount->data() : nullptr;
    status.path = unit->path ? &unit->path->data() : nullptr;
    status.activation = unit->activation.unit.empty() ? nullptr : &unit->activation;
    status.watched = unit->watched;
    status.scope = unit->scope ? &unit->scope->data() : nullptr;
    status.accepted_by = unit->accepted_by;
    status.monitor = unit->health.get();
    status.health = impl_->health_state(*unit);
    if (status.service != nullptr && status.service->state == supervise::ServiceState::AutoRestart)
        status.next_attempt = status.service->state_deadline;
    return status;
}

std::vector<UnitId> Engine::units() const {
    std::vector<const Unit*> all;
    all.reserve(impl_->units_.size());
    impl_->units_.each([&](const Unit& unit) { all.push_back(&unit); });
    std::sort(all.begin(), all.end(), [](const Unit* a, const Unit* b) { return a->config->name < b->config->name; });
    std::vector<UnitId> ids;
    ids.reserve(all.size());
    for (const Unit* unit : all)
        ids.push_back(unit->id);
    return ids;
}

std::vector<JobStatus> Engine::jobs() const {
    impl_->fresh_graph();
    std::vector<JobStatus> all;
    for (const auto& [id, unit_id] : impl_->jobs_.all()) {
        const Unit& unit = *impl_->units_.get(unit_id);
        const Job& job = *unit.job;
        JobStatus status{id, unit_id, job.type, job.state, job.installed, {}};
        impl_->jobs_.each_ordered(unit, [&](const Unit& other, bool other_first) {
            if (other_first)
                status.waits_for.push_back(other.job->id);
        });
        all.push_back(std::move(status));
    }
    return all;
}

Engine::SystemState Engine::system_state() const {
    if (impl_->stopping_.on)
        return SystemState::Stopping;
    if (!impl_->boot_asked_)
        return SystemState::Initializing;
    if (!impl_->boot_over_)
        return SystemState::Starting;
    return impl_->failed_ > 0 ? SystemState::Degraded : SystemState::Running;
}

std::vector<UnitId> Engine::dependencies(UnitId unit, unit::DependencyKind kind, bool reverse) const {
    impl_->fresh_graph();
    std::vector<UnitId> others;
    const auto relation = graph::relation_of(kind);
    if (!relation)
        return others;
    for (const graph::Edge& edge : impl_->graph_.edges(unit, reverse ? graph::inverse(*relation) : *relation))
        others.push_back(edge.to);
    return others;
}

std::vector<UnitId> Engine::take_dirty() {
    std::vector<UnitId> dirty = std::exchange(impl_->dirty_, {});
    for (const UnitId id : dirty)
        if (Unit* unit = impl_->units_.get(id))
            unit->dirty = false;
    return dirty;
}

std::string Engine::save(UnitId id) const {
    const Unit* unit = impl_->units_.get(id);
    return unit != nullptr ? impl_->save(*unit) : std::string();
}

std::string Engine::save_globals() const {
    return impl_->save_globals();
}

base::Result<void> Engine::restore(std::string_view unit_bytes, base::Moment now) {
    impl_->now_ = now;
    return impl_->restore(unit_bytes);
}

base::Result<void> Engine::restore_globals(std::string_view bytes, base::Moment now) {
    impl_->now_ = now;
    return impl_->restore_globals(bytes);
}

} // namespace monoinit::engine
