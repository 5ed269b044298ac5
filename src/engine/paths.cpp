// Path units in the engine: what their paths show becomes a start job of the unit, and what becomes of the unit decides
// whether they are looked at. Also what a unit is told of the timer or path unit that started it.
// Tested by tests/unit/engine/paths_test.cpp.

#include "base/fmt.hpp"
#include "engine/codec.hpp"
#include "engine/impl.hpp"

namespace monoinit::engine {

using graph::Atom;
using graph::Edge;
using graph::JobType;
using supervise::Action;
using supervise::Path;
using supervise::PathLook;
using supervise::PathResult;
using supervise::PathState;

namespace {

constexpr Tag path_tag = 105;
constexpr Duration short_pause = std::chrono::seconds(1);

template <class Codec, class D> void path_fields(Codec& io, D& data) {
    io.enumeration(1, data.state, PathState::Failed);
    io.enumeration(2, data.result, PathResult::TriggerLimitHit);
    io.enumeration(3, data.look, PathLook::Missed);
    io(4, data.files);
    io(5, data.contents);
    io(6, data.trigger_window);
    io(7, data.triggers);
    io(8, data.look_again);
    io(9, data.recent_starts);
    io(10, data.last_failure);
    io(11, data.said_blind);
}

bool is_up(const Unit& unit) { return !graph::is_down(static_cast<graph::Activity>(unit.active)); }

} // namespace

Path& Engine::Impl::path(Unit& unit) {
    if (!unit.path)
        unit.path = std::make_unique<Path>(unit.config);
    return *unit.path;
}

void Engine::Impl::follow_path(Unit& unit, std::vector<Action> actions) {
    unit.failure = unit.path->data().last_failure;
    apply(unit, std::move(actions));
}

void Engine::Impl::start_path(Unit& unit) {
    if (unit.active == ActiveState::Activating)
        return;
    std::vector<Action> actions;
    const Unit* other = triggered_by(unit);
    unit.invocation = ++last_invocation_;
    if (other == nullptr || other->config->load_state != unit::LoadState::Loaded) {
        const bool masked = other != nullptr && other->config->load_state == unit::LoadState::Masked;
        path(unit).refuse_start(fmt::format("not started: {} {}", other != nullptr ? other->config->name : "the unit it starts", masked ? "is masked" : "is not there"),
                                now_, actions);
    } else {
        path(unit).start(now_, actions);
    }
    follow_path(unit, std::move(actions));
}

void Engine::Impl::on(const PathsLookedAt& event) {
    Unit* unit = units_.get(event.unit);
    if (unit == nullptr || !unit->path)
        return;
    touch(*unit);
    std::vector<Action> actions;
    const Unit* other = triggered_by(*unit);
    const std::string good = unit->path->looked(event.what, other != nullptr && is_up(*other), now_, actions);
    path_holds(*unit, good, std::move(actions));
}

void Engine::Impl::on(const PathsChanged& event) {
    Unit* unit = units_.get(event.unit);
    if (unit == nullptr || !unit->path)
        return;
    touch(*unit);
    std::vector<Action> actions;
    const std::string changed = unit->path->changed(event.which, now_, actions);
    path_holds(*unit, changed, std::move(actions));
}

/// `which`: the path that starts the unit, empty: none does.
void Engine::Impl::path_holds(Unit& unit, const std::string& which, std::vector<Action> actions) {
    if (which.empty())
        return follow_path(unit, std::move(actions));
    if (!may_elapse(unit)) { // it is about to be stopped; if not, nothing is missed
        unit.path->not_now(short_pause, now_);
        return follow_path(unit, std::move(actions));
    }
    Unit* other = triggered_by(unit);
    if (other == nullptr) { // a new file says so
        unit.path->fail(PathResult::Resources, "the unit it starts is gone", now_, actions);
        return follow_path(unit, std::move(actions));
    }
    const bool up = is_up(*other);
    const Outcome outcome = carry_out({JobType::Start, other->id, unit::JobMode::Replace}, nullptr);
    if (outcome.refusal != graph::RefusalReason::None) {
        unit.path->fail(PathResult::Resources, other->config->name + " not started: " + outcome.text, now_, actions);
    } else {
        note_activation(*other, {unit.config->name, which, {}});
        unit.path->unit_queued(now_, actions);
        if (!up && !outcome.job)
            unit.path->unit_down(now_, actions);
    }
    follow_path(unit, std::move(actions));
}

void Engine::Impl::tell_paths(const Unit& unit) {
    std::vector<UnitId> paths;
    graph_.for_each(unit.id, Atom::TriggeredBy, [&](const Edge& edge) { paths.push_back(edge.to); });
    for (const UnitId id : paths) {
        Unit* other = units_.get(id);
        if (other == nullptr || !other->path)
            continue;
        std::vector<Action> actions;
        if (unit.active == ActiveState::Failed && unit.service && unit.service->data().result == supervise::ServiceResult::StartLimitHit)
            other->path->fail(PathResult::UnitStartLimitHit, unit.config->name + " was started too often", now_, actions);
        else if (is_up(unit))
            other->path->unit_running(now_, actions);
        else if (!unit.job && !will_restart(unit))
            other->path->unit_down(now_, actions);
        if (!actions.empty())
            follow_path(*other, std::move(actions));
    }
}

void Engine::Impl::refresh_path(Unit& unit) {
    if (!unit.path || !unit.path->is_outdated())
        return;
    std::vector<Action> actions;
    unit.path->resume(actions);
    follow_path(unit, std::move(actions));
}

/// Of a unit that is down; what runs already was started by something else.
void Engine::Impl::note_activation(Unit& unit, Activation by) {
    if (!is_up(unit))
        touch(unit).activation = std::move(by);
}

void Engine::Impl::save_path(const Unit& unit, Writer& io) const {
    if (unit.path)
        io.nested(path_tag, [&](Writer& inner) { path_fields(inner, unit.path->data()); });
}

std::optional<Path::Data> Engine::Impl::read_path(Reader& io) {
    std::optional<Path::Data> data;
    io.nested(path_tag, [&](Reader& inner) { path_fields(inner, data.emplace()); });
    return data;
}

} // namespace monoinit::engine
