// Which units' bus names are watched, and when the bus may be asked. Tested by tests/system/bus_names.py.
#include "base/fmt.hpp"
#include "runtime/runtime.hpp"

#include <cstdlib>

namespace monoinit::runtime {

namespace {

constexpr const char* bus_service = "dbus.service";
constexpr const char* bus_socket_unit = "dbus.socket";

} // namespace

void Runtime::set_up_bus() {
    const char* address = ::getenv("DBUS_SYSTEM_BUS_ADDRESS");
    bus_ = std::make_unique<BusNames>(BusNames::Links{*loop_, [this](base::UnitId unit, bool owned) { feed(engine::BusNameEvent{unit, {owned}}); },
                                                      [this] { return may_ask_bus(); }, [this](const std::string& text) { log_->say(4, {}, text); }},
                                      control::bus_socket(address == nullptr ? "" : address));
}

/// Not while that would start it: whoever needs the bus starts it. A bus that is no unit of ours is simply there.
bool Runtime::may_ask_bus() const {
    const auto is = [&](const char* name, supervise::ActiveState state) {
        const base::UnitId unit = engine_->find(name);
        return unit && engine_->status(unit).active == state;
    };
    return is(bus_service, supervise::ActiveState::Active) || !is(bus_socket_unit, supervise::ActiveState::Active);
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
