// Socket units in the engine: what comes in becomes a start job of the service, and what becomes of the service decides
// whether the socket is listened on. With Accept=yes the shell has taken the connection and named an instance for it; here
// it is counted, started, or refused. Tested by tests/unit/engine/sockets_test.cpp.

#include "engine/codec.hpp"
#include "engine/impl.hpp"

#include "base/fmt.hpp"

namespace monoinit::engine {

using graph::Atom;
using graph::Edge;
using graph::JobType;
using supervise::Action;
using supervise::Severity;
using supervise::Socket;
using supervise::SocketResult;
using supervise::SocketState;

namespace {

constexpr Tag socket_tag = 104;
/// While a stop is on its way, or something is short, what comes in waits in the kernel.
constexpr Duration short_pause = std::chrono::seconds(1);

template <class Codec, class D> void socket_fields(Codec& io, D& data) {
    io.enumeration(1, data.state, SocketState::Failed);
    io.enumeration(2, data.result, SocketResult::ServiceStartLimitHit);
    io(3, data.control_guard);
    io(4, data.control_pid);
    io.enumeration(5, data.control_list, unit::ExecList::StopPost);
    io(6, data.control_index);
    io(7, data.guards);
    io(8, data.state_deadline);
    io(9, data.trigger_window);
    io(10, data.poll_window);
    io(11, data.triggers);
    io(12, data.polls);
    io(13, data.paused_until);
    io(14, data.accepted);
    io(15, data.refused);
    io(16, data.last_failure);
}

bool is_loaded(const Unit* unit) { return unit != nullptr && unit->config->load_state == unit::LoadState::Loaded; }

bool auto_restarts(const Unit& unit) { return unit.service && unit.service->data().state == supervise::ServiceState::AutoRestart; }

} // namespace

Socket& Engine::Impl::socket(Unit& unit) {
    if (!unit.socket)
        unit.socket = std::make_unique<Socket>(unit.config, [this] { return next_guard(); });
    return *unit.socket;
}

void Engine::Impl::follow_socket(Unit& unit, std::vector<Action> actions) {
    if (unit.socket->data().state == SocketState::Listening && !unit.config->socket->accept) // somebody may have started it meanwhile
        if (const Unit* const other = triggered_by(unit); other != nullptr && graph::is_up(static_cast<graph::Activity>(other->active)))
            unit.socket->service_running(now_, actions);
    unit.failure = unit.socket->data().last_failure;
    apply(unit, std::move(actions));
}

void Engine::Impl::start_socket(Unit& unit) {
    if (unit.active == ActiveState::Activating)
        return;
    std::vector<Action> actions;
    const Unit* other = triggered_by(unit);
    unit.invocation = ++last_invocation_;
    if (!unit.config->socket->accept && !is_loaded(other)) {
        const bool masked = other != nullptr && other->config->load_state == unit::LoadState::Masked;
        socket(unit).refuse_start(fmt::format("not started: {} {}", other != nullptr ? other->config->name : "its service", masked ? "is masked" : "is not there"),
                                  now_, actions);
    } else if (other != nullptr && !unit.config->socket->accept && !graph::is_down(static_cast<graph::Activity>(other->active)) && !auto_restarts(*other)) {
        socket(unit).refuse_start(fmt::format("not started: {} runs already, without it", other->config->name), now_, actions);
    } else {
        socket(unit).start(now_, actions);
    }
    follow_socket(unit, std::move(actions));
}

void Engine::Impl::on(const SocketsOpened& event) {
    Unit* unit = units_.get(event.unit);
    if (unit == nullptr || !unit->socket)
        return;
    std::vector<Action> actions;
    unit->socket->opened(event.error, now_, actions);
    follow_socket(*unit, std::move(actions));
}

void Engine::Impl::on(const SocketReady& event) {
    Unit* unit = units_.get(event.unit);
    if (unit == nullptr || !unit->socket)
        return;
    std::vector<Action> actions;
    if (!may_elapse(*unit) || event.shortage)
        unit->socket->pause(short_pause, now_, actions);
    else if (unit->socket->incoming(now_, actions) == supervise::Incoming::Start)
        return trigger_service(*unit, std::move(actions));
    follow_socket(*unit, std::move(actions));
}

void Engine::Impl::trigger_service(Unit& unit, std::vector<Action> actions) {
    const Unit* other = triggered_by(unit);
    if (!is_loaded(other)) {
        unit.socket->fail(SocketResult::Resources, "its service is gone", now_, actions);
        return follow_socket(unit, std::move(actions));
    }
    const bool starts = other->job && other->job->type == JobType::Start;
    const bool runs = graph::is_up(static_cast<graph::Activity>(other->active));
    if (!starts && !runs) {
        const Outcome outcome = carry_out({JobType::Start, other->id, unit::JobMode::Replace}, nullptr);
        if (outcome.refusal != graph::RefusalReason::None)
            unit.socket->fail(SocketResult::Resources, other->config->name + " not started: " + outcome.text, now_, actions);
    }
    unit.socket->service_queued(now_, actions);
    follow_socket(unit, std::move(actions));
}

/// MaxConnections= and MaxConnectionsPerSource=. Each unit that has a connection counts; there are never more than that.
bool Engine::Impl::has_room_for(Unit& unit, const std::string& peer) {
    const unit::SocketSection& limits = *unit.config->socket;
    std::uint32_t all = 0, same = 0;
    units_.each([&](const Unit& other) {
        if (other.accepted_by != unit.id)
            return;
        all++;
        same += other.peer == peer ? 1 : 0;
    });
    const std::uint32_t each = limits.max_connections_per_source.value_or(limits.max_connections);
    if (all < limits.max_connections && (same < each || peer.empty()))
        return true;
    unit.socket->count_refused();
    log(Severity::Warning, unit.id,
        all >= limits.max_connections ? fmt::format("{}: too many connections ({}), one more was closed", brief(unit), all)
                                      : fmt::format("{}: too many connections from {} ({}), one more was closed", brief(unit), peer, same));
    return false;
}

void Engine::Impl::on(const ConnectionAccepted& event) {
    Unit *unit = units_.get(event.socket), *service = units_.get(event.service);
    const auto refuse = [&] { effects_.emplace_back(CloseConnection{event.service}); };
    if (unit == nullptr || !unit->socket || service == nullptr)
        return refuse();
    touch(*unit);
    unit->socket->count_accepted();
    std::vector<Action> actions;
    const bool wanted = may_elapse(*unit) && unit->socket->incoming(now_, actions) == supervise::Incoming::Start;
    follow_socket(*unit, std::move(actions));
    if (!wanted || !has_room_for(*unit, event.peer))
        return refuse();
    touch(*service).accepted_by = unit->id;
    service->peer = event.peer;
    const Outcome outcome = carry_out({JobType::Start, service->id, unit::JobMode::Replace}, nullptr);
    if (outcome.refusal == graph::RefusalReason::None)
        return;
    log(Severity::Error, unit->id, fmt::format("{}: {} not started: {}", brief(*unit), service->config->name, outcome.text));
    service->accepted_by = {};
    refuse();
}

void Engine::Impl::tell_sockets(Unit& unit) {
    const bool down = graph::is_down(static_cast<graph::Activity>(unit.active));
    if (unit.accepted_by && down && !unit.job && !will_restart(unit)) {
        unit.accepted_by = {};
        touch(unit).peer.clear();
        // A failed one has been said; it must not pile up, since each connection brings a new name.
        std::vector<Action> actions;
        if (unit.service)
            unit.service->reset_failed(now_, actions);
        apply(unit, std::move(actions));
        effects_.emplace_back(CloseConnection{unit.id});
    }
    std::vector<UnitId> sockets;
    graph_.for_each(unit.id, Atom::TriggeredBy, [&](const Edge& edge) { sockets.push_back(edge.to); });
    for (const UnitId id : sockets) {
        Unit* socket = units_.get(id);
        if (socket == nullptr || !socket->socket || socket->config->socket->accept)
            continue;
        std::vector<Action> actions;
        if (unit.active == ActiveState::Failed && unit.service && unit.service->data().result == supervise::ServiceResult::StartLimitHit)
            socket->socket->fail(SocketResult::ServiceStartLimitHit, unit.config->name + " was started too often", now_, actions);
        else if (!unit.job && (down || auto_restarts(unit)))
            socket->socket->service_down(now_, actions);
        else if (graph::is_up(static_cast<graph::Activity>(unit.active)))
            socket->socket->service_running(now_, actions);
        if (!actions.empty())
            follow_socket(*socket, std::move(actions));
    }
}

void Engine::Impl::save_socket(const Unit& unit, Writer& io) const {
    if (unit.socket)
        io.nested(socket_tag, [&](Writer& inner) { socket_fields(inner, unit.socket->data()); });
}

std::optional<Socket::Data> Engine::Impl::read_socket(Reader& io) {
    std::optional<Socket::Data> data;
    io.nested(socket_tag, [&](Reader& inner) { socket_fields(inner, data.emplace()); });
    return data;
}

} // namespace monoinit::engine
