// What the engine asks for socket units and the descriptor store, and which descriptors a service is given. Tested by tests/system/sockets.py.
#include "runtime/runtime.hpp"

#include "base/fmt.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <unistd.h>

namespace monoinit::runtime {

void Runtime::set_up_sockets() {
    sockets_ = std::make_unique<Sockets>(Sockets::Links{
        *loop_, *checkpoint_, *probes_, manager_, [this](engine::Event event) { feed(std::move(event)); },
        [this](base::UnitId unit) { return engine_->status(unit); }, [this](const std::string& name) { return load(name); },
        [this](base::UnitId unit, const std::string& text) {
            const auto config = engine_->status(unit).config;
            log_->say(4, config->name, fmt::format("{}: {}", unit::short_name(config->name), text));
        },
        [this](base::UnitId unit) { forget_unit(unit); }});
    scopes_ = std::make_unique<Scopes>(Scopes::Links{
        *loop_, *checkpoint_, manager_, [this](engine::Event event) { feed(std::move(event)); },
        [this](base::UnitId unit) { return engine_->status(unit); },
        [this](base::UnitId unit, const std::string& text) {
            const auto config = engine_->status(unit).config;
            log_->say(4, config->name, fmt::format("{}: {}", unit::short_name(config->name), text));
        },
        [this](int pid) { return pid == ::getpid() || pid == log_->pid() || guards_->is_guard(pid); }});
    store_ = std::make_unique<FdStore>(*loop_, *checkpoint_, [this](base::UnitId unit, const std::string& text) {
        const auto config = engine_->status(unit).config;
        log_->say(4, config->name, fmt::format("{}: {}", unit::short_name(config->name), text));
    });
}

bool Runtime::perform_socket_action(const engine::UnitAction& action) {
    if (std::holds_alternative<supervise::OpenSockets>(action.action))
        sockets_->open(action.unit);
    else if (std::holds_alternative<supervise::CloseSockets>(action.action))
        sockets_->close(action.unit);
    else if (const auto* watch = std::get_if<supervise::WatchSockets>(&action.action))
        sockets_->watch(action.unit, watch->on);
    else if (std::holds_alternative<supervise::FlushSockets>(action.action))
        sockets_->flush(action.unit);
    else if (const auto* stored = std::get_if<supervise::StoreDescriptors>(&action.action))
        store_->store(action.unit, *stored, engine_->status(action.unit).config->service->file_descriptor_store_max);
    else if (const auto* removed = std::get_if<supervise::RemoveStored>(&action.action))
        store_->remove(action.unit, removed->name);
    else if (std::holds_alternative<supervise::ReleaseStored>(action.action))
        store_->release(action.unit);
    else if (const auto* signal = std::get_if<supervise::SignalProcesses>(&action.action))
        scopes_->signal(action.unit, *signal);
    else if (std::holds_alternative<supervise::ReleaseProcesses>(action.action))
        scopes_->release(action.unit);
    else
        return false;
    return true;
}

/// The connection it is for; else all sockets that start it, then those it names in Sockets=.
PassedSockets Runtime::sockets_for(base::UnitId service) const {
    PassedSockets passed;
    passed.streams = store_->streams(service);
    if (sockets_->add_connection_of(service, passed)) {
        passed.sockets = passed.fds.size();
        return passed;
    }
    const auto config = engine_->status(service).config;
    if (config->type != unit::UnitType::Service)
        return passed;
    std::vector<base::UnitId> sources = engine_->dependencies(service, unit::DependencyKind::Triggers, true);
    for (const std::string& name : config->service->sockets)
        if (const base::UnitId named = engine_->find(name); named && std::ranges::find(sources, named) == sources.end())
            sources.push_back(named);
    for (const base::UnitId source : sources)
        if (const auto other = engine_->status(source).config; other->type == unit::UnitType::Socket && !other->socket->accept)
            sockets_->add_sockets_of(source, passed);
    passed.sockets = passed.fds.size();
    store_->add_stored(service, passed.fds, passed.names);
    return passed;
}

} // namespace monoinit::runtime
