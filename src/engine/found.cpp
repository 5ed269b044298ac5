// Going on where records are lost, from what the guards say runs. Tested by tests/system/crashes.py and
// tests/system/crash_points.py.

#include "engine/impl.hpp"

#include <algorithm>
#include <unordered_set>

namespace monoinit::engine {

bool Engine::knows_guard(UnitId id, GuardId guard) const {
    const Unit* unit = impl_->units_.get(id);
    if (unit == nullptr || unit->config->type != unit::UnitType::Service) // commands of others are over in a moment
        return true;
    if (impl_->restored_units_.contains(id)) // one that it does not know is about to leave
        return true;
    return unit->service && std::ranges::find(unit->service->data().guards, guard) != unit->service->data().guards.end();
}

void Engine::resume_guards(const std::function<bool(GuardId)>& exists) {
    const auto note = [&](const Unit& unit, const std::vector<GuardId>& guards) {
        for (const GuardId guard : guards)
            if (!exists(guard))
                impl_->never_made_.emplace_back(unit.id, guard);
    };
    impl_->units_.each([&](const Unit& unit) {
        // One that had begun, or whose loss is recorded, was killed: its processes are taken back, and nothing runs a second time.
        if (unit.service) {
            const supervise::Service::Data& data = unit.service->data();
            const bool stopping = supervise::active_state(data.state) == ActiveState::Deactivating && data.state != supervise::ServiceState::Stop &&
                                  data.state != supervise::ServiceState::StopPost;
            if (data.main_guard && !data.main_lost && data.main_pid == 0 && !stopping)
                note(unit, {data.main_guard});
            if (data.control_guard && data.control_pid == 0 && !stopping)
                note(unit, {data.control_guard});
        }
        if (unit.socket)
            note(unit, unit.socket->data().guards);
        if (unit.mount)
            note(unit, unit.mount->data().guards);
    });
}

/// A service's command is run now. Those of sockets and mounts fail, which their machines and the mount table take care of.
void Engine::Impl::make_guards_again() {
    for (const auto& [id, guard] : std::exchange(never_made_, {})) {
        Unit* unit = units_.get(id);
        if (unit == nullptr)
            continue;
        if (!unit->service) {
            on(GuardEvent{id, supervise::SpawnResult{.guard = guard, .ok = false, .text = "PID 1 crashed before it was run", .resources = true}});
            on(GuardEvent{id, supervise::TreeEmpty{guard}});
            continue;
        }
        std::vector<supervise::Action> actions;
        unit->service->make_guard_again(guard, now_, actions);
        apply(*unit, std::move(actions));
    }
}

void Engine::take_up(UnitId id, const supervise::FoundCommand& found, base::Moment now) {
    Impl& impl = *impl_;
    impl.now_ = now;
    Unit* unit = impl.units_.get(id);
    if (unit == nullptr || unit->config->type != unit::UnitType::Service)
        return;
    impl.last_guard_ = std::max(impl.last_guard_, found.guard.value);
    impl.failed_ -= unit->active == ActiveState::Failed ? 1 : 0;
    impl.service(*unit).take_up(found, now);
    unit->active = supervise::active_state(unit->service->data().state);
    unit->active_enter = unit->inactive_exit = unit->state_change = found.started ? found.started : now;
    if (unit->invocation == 0)
        unit->invocation = ++impl.last_invocation_;
    impl.restored_ = true;
    impl.touch(*unit);
}

std::vector<UnitId> Engine::assume_booted(UnitId boot_target, base::Moment now) {
    Impl& impl = *impl_;
    impl.now_ = now;
    impl.boot_asked_ = impl.boot_over_ = true;
    impl.restored_ = true;
    if (const Unit* boot = impl.units_.get(boot_target))
        impl.restored_boot_target_ = boot->config->name;
    std::vector<UnitId> belong{boot_target}, missing;
    std::unordered_set<std::uint32_t> seen{boot_target.value};
    for (std::size_t i = 0; i < belong.size(); i++) {
        for (const auto kind : {unit::DependencyKind::Requires, unit::DependencyKind::Wants, unit::DependencyKind::BindsTo, unit::DependencyKind::Upholds})
            for (const UnitId other : dependencies(belong[i], kind, false))
                if (seen.insert(other.value).second)
                    belong.push_back(other);
        Unit* unit = impl.units_.get(belong[i]);
        if (unit == nullptr || unit->active != ActiveState::Inactive || unit->config->load_state != unit::LoadState::Loaded)
            continue;
        const bool once = unit->config->type == unit::UnitType::Service && unit->config->service->type == unit::ServiceType::Oneshot;
        if (!once) {
            missing.push_back(belong[i]);
        } else if (unit->config->service->remain_after_exit) {
            impl.service(*unit).take_as_done(now);
            unit->active = ActiveState::Active;
            unit->active_enter = unit->inactive_exit = unit->state_change = now;
            unit->invocation = ++impl.last_invocation_;
            impl.touch(*unit);
        }
    }
    return missing;
}

} // namespace monoinit::engine
