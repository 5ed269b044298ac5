// Which units' bus names are watched, when the bus may be asked, and what it asks for. Tested by tests/system/bus_names.py.
#include "base/fmt.hpp"
#include "runtime/runtime.hpp"
#include "unit/name.hpp"

#include <cstdlib>

namespace monoinit::runtime {

namespace {

constexpr const char* bus_service = "dbus.service";
constexpr const char* bus_socket_unit = "dbus.socket";

} // namespace

void Runtime::set_up_bus() {
    const char* address = ::getenv("DBUS_SYSTEM_BUS_ADDRESS");
    const auto is = [this](const char* name, supervise::ActiveState state) {
        const base::UnitId unit = engine_->find(name);
        return unit && engine_->status(unit).active == state;
    };
    // Whoever needs the bus starts it; a bus that is no unit of ours is simply there.
    bus_ = std::make_unique<BusNames>(BusNames::Links{*loop_, [this](base::UnitId unit, bool owned) { feed(engine::BusNameEvent{unit, {owned}}); },
                                                      [this](const std::string& unit) { activate_for_bus(unit); },
                                                      [is] { return is(bus_service, supervise::ActiveState::Active); },
                                                      [is] { return !is(bus_socket_unit, supervise::ActiveState::Active); },
                                                      [this](const std::string& text) { log_->say(4, {}, text); }},
                                      control::bus_socket(address == nullptr ? "" : address));
}

/// A message came for a name that a unit has to take first. The bus keeps it until then, or until it hears that this fails.
void Runtime::activate_for_bus(const std::string& name) {
    const base::UnitId unit = stopping_ || unit::is_template(name) ? base::UnitId{} : load(name);
    if (!unit)
        return bus_->activation_failed(name, "no such unit, or monoinit is going down");
    const std::uint64_t request = bus_request_mark | next_bus_request_++;
    bus_requests_[request] = name;
    feed(engine::JobRequest{request, graph::JobType::Start, unit, unit::JobMode::Replace, true});
}

/// `failed`: the job was refused, or did not go well; else it is on its way.
void Runtime::bus_request_over(std::uint64_t request, bool failed, const std::string& why) {
    const auto known = bus_requests_.extract(request);
    if (!known.empty() && failed)
        bus_->activation_failed(known.mapped(), why.empty() ? "it could not be started" : why);
}

/// Where no bus is installed such a service counts as up when it runs; if it cannot do without, it says so itself.
void Runtime::watch_bus_name(base::UnitId unit, bool on) {
    if (!on)
        return bus_->unwatch(unit);
    const auto config = engine_->status(unit).config;
    if (!loader_->knows(bus_service) && !loader_->knows(bus_socket_unit) && ::getenv("DBUS_SYSTEM_BUS_ADDRESS") == nullptr)
        return feed(engine::BusNameEvent{unit, {true}});
    bus_->watch(unit, config->service->bus_name);
}

void Runtime::resume_bus_names() {
    for (const base::UnitId unit : engine_->units()) {
        const engine::UnitStatus status = engine_->status(unit);
        const bool down = status.active == supervise::ActiveState::Inactive || status.active == supervise::ActiveState::Failed;
        if (status.config->type == unit::UnitType::Service && status.config->service->type == unit::ServiceType::Dbus && !down)
            watch_bus_name(unit, true);
    }
}

} // namespace monoinit::runtime
