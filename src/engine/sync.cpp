// What is loaded: taking over configurations at boot, for units loaded later, and on daemon-reload. Runtime state is
// never touched; a unit that runs keeps its settings when its file is gone or unusable, so that it can still be stopped
// the way it asked to be. Tested by tests/unit/engine and tests/sim.

#include "engine/impl.hpp"

#include <unordered_set>

namespace monoinit::engine {

using unit::LoadState;

static_assert(static_cast<int>(graph::Activity::Failed) == static_cast<int>(ActiveState::Failed) &&
                  static_cast<int>(graph::Activity::Deactivating) == static_cast<int>(ActiveState::Deactivating) &&
                  static_cast<int>(graph::Activity::Reloading) == static_cast<int>(ActiveState::Reloading) &&
                  static_cast<int>(graph::Activity::Active) == static_cast<int>(ActiveState::Active) &&
                  static_cast<int>(graph::Activity::Activating) == static_cast<int>(ActiveState::Activating),
              "graph and supervise are siblings: each has its own enum of the same states");

namespace {

bool is_busy(const Unit& unit) {
    return unit.active != ActiveState::Inactive || unit.job != nullptr ||
           (unit.service && !unit.service->data().guards.empty());
}

/// The settings of before, for as long as the unit is busy, with what is to be said of it now.
ConfigPtr keep_settings(const Unit& unit, LoadState state, std::string error) {
    auto kept = std::make_shared<unit::UnitConfig>(*unit.config);
    kept->load_state = state;
    kept->load_error = std::move(error);
    return kept;
}

} // namespace

void Engine::Impl::sync(const std::vector<ConfigPtr>& units, bool complete, Moment now) {
    now_ = now;
    graph_stale_ = true;
    std::unordered_set<std::string_view> main_names;
    for (const ConfigPtr& config : units)
        main_names.insert(config->name);

    const auto find_unit = [&](const unit::UnitConfig& config) -> Unit* {
        const auto by_main_name = [&](std::string_view name) -> Unit* {
            Unit* unit = units_.get(units_.find(name));
            return unit != nullptr && unit->config->name == name ? unit : nullptr;
        };
        if (Unit* unit = by_main_name(config.name))
            return unit;
        for (const std::string& alias : config.names) // the unit's main name may have become an alias
            if (Unit* unit = main_names.contains(alias) ? nullptr : by_main_name(alias))
                return unit;
        return nullptr;
    };

    std::unordered_set<UnitId> seen;
    for (const ConfigPtr& config : units) {
        Unit* unit = find_unit(*config);
        if (unit == nullptr) {
            Unit& added = units_.add(config);
            added.loaded = now;
            seen.insert(added.id);
            continue;
        }
        if (unit->config != config)
            unit->loaded = now;
        seen.insert(unit->id);
        const bool usable = config->load_state == LoadState::Loaded;
        unit->listed = config->load_state != LoadState::NotFound || !is_busy(*unit);
        units_.replace(*unit, usable || !is_busy(*unit) ? config : keep_settings(*unit, config->load_state, config->load_error));
        if (unit->service)
            unit->service->replace_config(unit->config);
        if (unit->timer)
            unit->timer->replace_config(unit->config);
        if (unit->socket)
            unit->socket->replace_config(unit->config);
        refresh_health(*unit);
    }
    if (complete)
        drop_unlisted(seen);
    timers_stale_ = true;
}

/// Units that no file describes any more: forgotten, or kept as they are until nothing of them runs.
void Engine::Impl::drop_unlisted(const std::unordered_set<UnitId>& seen) {
    std::vector<UnitId> gone;
    units_.each([&](Unit& unit) {
        if (seen.contains(unit.id))
            return;
        unit.listed = false;
        if (!is_busy(unit))
            gone.push_back(unit.id);
        else
            units_.replace(unit, keep_settings(unit, LoadState::NotFound, "its file is gone"));
    });
    for (const UnitId id : gone)
        forget_if_gone(*units_.get(id));
}

void Engine::Impl::forget_if_gone(Unit& unit) {
    if (unit.listed || is_busy(unit))
        return;
    if (unit.armed != base::never)
        timers_.erase({unit.armed, unit.id});
    units_.remove(unit.id);
    graph_stale_ = true;
}

void Engine::Impl::unlist(UnitId id) {
    if (Unit* unit = units_.get(id)) {
        unit->listed = false;
        forget_if_gone(*unit);
    }
}

void Engine::Impl::forget_unknown(UnitId id) {
    const Unit* unit = units_.get(id);
    if (unit == nullptr || unit->config->load_state != LoadState::NotFound || is_busy(*unit) || unit->armed != base::never)
        return;
    fresh_graph();
    if (!graph_.edges(id).empty())
        return;
    units_.forget_newest(id);
    graph_stale_ = true;
}

void Engine::Impl::fresh_graph() {
    if (!std::exchange(graph_stale_, false))
        return;
    std::vector<const unit::UnitConfig*> by_id(units_.slots(), nullptr);
    units_.each([&](const Unit& unit) { by_id[unit.id.value - 1] = unit.config.get(); });
    graph_.build(std::move(by_id), [this](std::string_view name) { return units_.find(name); });
    jobs_.reorder();
}

graph::UnitFacts Engine::Impl::facts(UnitId id) const {
    graph::UnitFacts facts;
    const Unit* unit = units_.get(id);
    if (unit == nullptr) {
        facts.load = LoadState::NotFound;
        return facts;
    }
    const unit::UnitConfig& config = *unit->config;
    facts.name = config.name;
    facts.load = config.load_state;
    facts.load_error = config.load_error;
    facts.activity = static_cast<graph::Activity>(unit->active);
    facts.can_reload = config.type == unit::UnitType::Service &&
                       (!config.service->list(unit::ExecList::Reload).empty() ||
                        config.service->type == unit::ServiceType::NotifyReload);
    facts.allow_isolate = config.unit.allow_isolate;
    facts.ignore_on_isolate = config.unit.ignore_on_isolate || config.type == unit::UnitType::Slice ||
                              config.type == unit::UnitType::Mount || config.type == unit::UnitType::Scope ||
                              config.type == unit::UnitType::Device;
    if (unit->job) {
        facts.job = unit->job->type;
        facts.job_irreversible = unit->job->irreversible;
        facts.job_ignores_order = unit->job->ignore_order;
    }
    return facts;
}

std::vector<UnitId> Engine::Impl::occupied() const {
    std::vector<UnitId> found;
    units_.each([&](const Unit& unit) {
        if (unit.active != ActiveState::Inactive || unit.job)
            found.push_back(unit.id);
    });
    return found;
}

} // namespace monoinit::engine
