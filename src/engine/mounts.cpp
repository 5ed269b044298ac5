// Mount units in the engine: they follow the mount table, whoever changes it; commands of ours are only one way to. Device units
// follow what is there, and automount units count as active where their place is mounted.
// Tested by tests/unit/engine/mounts_test.cpp.

#include "engine/codec.hpp"
#include "engine/impl.hpp"
#include "unit/name.hpp"

namespace monoinit::engine {

using graph::JobResult;
using graph::JobType;
using supervise::Action;
using supervise::Mount;
using supervise::MountResult;
using supervise::MountState;
using supervise::Severity;
using unit::UnitType;

namespace {

constexpr Tag mount_tag = 106;

template <class Codec, class D> void mount_fields(Codec& io, D& data) {
    io.enumeration(1, data.state, MountState::Failed);
    io.enumeration(2, data.result, MountResult::Protocol);
    io.enumeration(3, data.reload_result, MountResult::Protocol);
    io(4, data.control_guard);
    io(5, data.control_pid);
    io.enumeration(6, data.control_list, unit::ExecList::StopPost);
    io(7, data.guards);
    io(8, data.state_deadline);
    io(9, data.present);
    io(10, data.given);
    io(11, data.ours);
    io(12, data.unmounts);
    io(13, data.recent_starts);
    io(14, data.last_failure);
}
constexpr Tag ended_tag = 15; ///< 0: the command has not; else how, plus one

} // namespace

Mount& Engine::Impl::mount(Unit& unit) {
    if (unit.mount)
        return *unit.mount;
    unit.mount = std::make_unique<Mount>(unit.config, [this] { return next_guard(); });
    if (unit.active == ActiveState::Active) { // a built-in one that was started before the table was known
        Mount::Data data;
        data.state = MountState::Mounted;
        unit.mount->restore(std::move(data));
    }
    return *unit.mount;
}

void Engine::Impl::follow_mount(Unit& unit, std::vector<Action> actions) {
    unit.failure = unit.mount->data().last_failure;
    apply(unit, std::move(actions));
}

bool Engine::Impl::is_mounted(const Unit& unit) const {
    if (unit.config->type == UnitType::Mount)
        return mounted_.contains(unit.config->name);
    const std::string& name = unit.config->name;
    return mounted_.contains(name.substr(0, name.rfind('.')) + ".mount");
}

void Engine::Impl::look_at_table(Unit& unit) {
    if (unit.config->type != UnitType::Mount || (!unit.mount && !is_mounted(unit)))
        return;
    std::vector<Action> actions;
    mount(unit).table(is_mounted(unit), given_.contains(unit.config->name), now_, actions);
    if (!actions.empty())
        follow_mount(touch(unit), std::move(actions));
}

void Engine::Impl::on(const MountsRead& event) {
    mounted_ = event.mounted;
    if (event.given)
        given_ = event.mounted;
    else
        std::erase_if(given_, [this](const std::string& name) { return !mounted_.contains(name); });
    units_.each([this](Unit& unit) { look_at_table(unit); });
}

void Engine::Impl::start_mount(Unit& unit) {
    if (unit.active == ActiveState::Activating)
        return;
    unit.invocation = ++last_invocation_;
    std::vector<Action> actions;
    mount(unit).start(now_, actions);
    follow_mount(unit, std::move(actions));
}

/// What a person must not stop, since it is not ours.
bool Engine::Impl::may_not_stop(const Unit& unit, std::string& why) const {
    if (unit.mount && unit.mount->data().given)
        why = unit.config->name + " was mounted by whoever started the container (a volume), so it is not unmounted here";
    else if (unit.config->type == UnitType::Device)
        why = unit.config->name + " is a device: it is there or not, and cannot be stopped";
    else if (unit.config->name == "-.slice" || unit.config->name == "system.slice")
        why = unit.config->name + " holds everything that has no slice of its own, and cannot be stopped";
    return !why.empty();
}

void Engine::Impl::on(const DeviceSeen& event) {
    Unit* unit = units_.get(event.unit);
    if (unit == nullptr || unit->config->type != UnitType::Device)
        return;
    const bool up = graph::is_up(static_cast<graph::Activity>(unit->active));
    if (event.present != up)
        return change(*unit, event.present ? ActiveState::Active : ActiveState::Inactive);
    if (event.present || !unit->job || unit->job->type != JobType::Start || unit->job->state != graph::JobState::Running)
        return;
    touch(*unit);
    unit->failure = unit::device_path(unit->config->name) + " is not there; a container gets a device by its run command (--device)";
    log(Severity::Error, unit->id, brief(*unit) + ": " + unit->failure);
    finish(*unit, JobResult::Failed, unit->failure);
}

void Engine::Impl::save_mount(const Unit& unit, Writer& io) const {
    if (!unit.mount)
        return;
    io.nested(mount_tag, [&](Writer& inner) {
        const Mount::Data& data = unit.mount->data();
        mount_fields(inner, data);
        inner(ended_tag, data.ended ? static_cast<std::uint32_t>(*data.ended) + 1 : 0U);
    });
}

std::optional<Mount::Data> Engine::Impl::read_mount(Reader& io) {
    std::optional<Mount::Data> data;
    io.nested(mount_tag, [&](Reader& inner) {
        mount_fields(inner, data.emplace());
        std::uint32_t ended = 0;
        inner(ended_tag, ended);
        if (ended > 0 && ended <= static_cast<std::uint32_t>(MountResult::Protocol) + 1)
            data->ended = static_cast<MountResult>(ended - 1);
    });
    return data;
}

} // namespace monoinit::engine
