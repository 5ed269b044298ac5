// Scope units in the engine: the shell says when they get processes and when those are gone, a stop has them signalled.
// Tested by tests/unit/engine/scopes_test.cpp.

#include "engine/codec.hpp"
#include "engine/impl.hpp"

namespace monoinit::engine {

using supervise::Action;
using supervise::Scope;
using supervise::ScopeResult;
using supervise::ScopeState;

namespace {

constexpr Tag scope_tag = 107;

template <class Codec, class D> void scope_fields(Codec& io, D& data) {
    io.enumeration(1, data.state, ScopeState::Failed);
    io.enumeration(2, data.result, ScopeResult::Timeout);
    io(3, data.state_deadline);
    io(4, data.runtime_deadline);
    io(5, data.last_failure);
}

} // namespace

void Engine::Impl::follow_scope(Unit& unit, std::vector<Action> actions) {
    unit.failure = unit.scope->data().last_failure;
    apply(unit, std::move(actions));
}

void Engine::Impl::on(const ScopeAdopted& event) {
    Unit* unit = units_.get(event.unit);
    if (unit == nullptr || unit->config->type != unit::UnitType::Scope)
        return;
    if (!unit->scope)
        unit->scope = std::make_unique<Scope>(unit->config);
    std::vector<Action> actions;
    unit->invocation = ++last_invocation_;
    unit->scope->adopted(now_, actions);
    follow_scope(*unit, std::move(actions));
    if (!stopping_.on)
        return;
    std::vector<Action> ending; // it came too late
    unit->scope->stop(now_, ending);
    follow_scope(*unit, std::move(ending));
}

void Engine::Impl::on(const ScopeEmptied& event) {
    Unit* unit = units_.get(event.unit);
    if (unit == nullptr || !unit->scope)
        return;
    std::vector<Action> actions;
    unit->scope->emptied(now_, actions);
    follow_scope(*unit, std::move(actions));
}

void Engine::Impl::save_scope(const Unit& unit, Writer& io) const {
    if (unit.scope)
        io.nested(scope_tag, [&](Writer& inner) { scope_fields(inner, unit.scope->data()); });
}

std::optional<Scope::Data> Engine::Impl::read_scope(Reader& io) {
    std::optional<Scope::Data> data;
    io.nested(scope_tag, [&](Reader& inner) { scope_fields(inner, data.emplace()); });
    return data;
}

} // namespace monoinit::engine
