// From a message to the manager's method: introspection, rights, dispatch. Tested by tests/unit/control/server_test.cpp.
#include "control/server_impl.hpp"

namespace monoinit::control {

using base::Errc;

namespace {

template <class... F> struct Overloaded : F... {
    using F::operator()...;
};

/// What a request asks for, in the words of the rule.
struct Needs {
    Action action = Action::Look;
    std::string_view verb;
    const Names* units = nullptr; ///< each is asked about; null: none in particular
};

bool is_ordinary_mode(const std::string& mode) { return mode == "replace" || mode == "fail"; }

Needs needs_of(const OperateRequest& r) {
    // Isolating stops everything else, other job modes touch other units' dependencies: not a single unit's affair.
    const bool single = r.verb != Verb::Isolate && is_ordinary_mode(r.mode);
    return {single ? Action::Operate : Action::Manage, verb_name(r.verb), &r.units};
}

Needs needs_of(const Request& request) {
    return std::visit(
        Overloaded{
            [](const OperateRequest& r) { return needs_of(r); },
            [](const KillRequest& r) { return Needs{Action::Operate, "kill", &r.units}; },
            [](const ResetFailedRequest& r) {
                return r.units.empty() ? Needs{Action::Manage, "reset-failed"}
                                       : Needs{Action::Operate, "reset-failed", &r.units};
            },
            [](const CancelRequest&) { return Needs{Action::Manage, "cancel"}; },
            [](const DaemonReloadRequest&) { return Needs{Action::Manage, "daemon-reload"}; },
            [](const DaemonReexecRequest&) { return Needs{Action::Control, "daemon-reexec"}; },
            [](const ExitRequest&) { return Needs{Action::Control, "exit"}; },
            [](const PutUnitRequest&) { return Needs{Action::Run, "run"}; },
            [](const AdoptRequest&) { return Needs{Action::Run, "run"}; },
            [](const MuteRequest&) { return Needs{Action::Manage, "mute"}; },
            [](const SetEnvironmentRequest&) { return Needs{Action::Control, "set-environment"}; },
            [](const SetPropertiesRequest& r) {
                return r.unit.empty() ? Needs{Action::Control, "set-property"} : Needs{Action::Operate, "set-property"};
            },
            [](const EnvironmentRequest&) { return Needs{Action::Environment, "env"}; },
            [](const auto&) { return Needs{}; },
        },
        request);
}

} // namespace

std::optional<std::string> Server::Impl::refusal(const Peer& peer, const Request& request) {
    Needs needs = needs_of(request);
    if (needs.action == Action::Look || peer.uid == 0 || peer.uid == options.domain.own_uid)
        return std::nullopt;
    Names one;
    if (const auto* environment = std::get_if<EnvironmentRequest>(&request); environment && !environment->unit.empty())
        needs.units = &(one = {environment->unit});
    if (const auto* properties = std::get_if<SetPropertiesRequest>(&request); properties && !properties->unit.empty())
        needs.units = &(one = {properties->unit});
    if (needs.units == nullptr)
        return authorize(peer, needs.action, needs.verb, nullptr, options.domain);
    for (const std::string& unit : *needs.units) {
        const UnitFacts facts = manager.facts(unit);
        if (auto text = authorize(peer, needs.action, needs.verb, &facts, options.domain))
            return text;
    }
    return std::nullopt;
}

void Server::Impl::handle(Connection& client, std::string_view message) {
    const auto decoded = decode_call(message, Limits{.bytes = options.max_request});
    if (const auto* error = std::get_if<WireError>(&decoded)) {
        if (error->name.empty())
            return doom(client);
        return send(client, encode_error(*error));
    }
    const Call& call = std::get<Call>(decoded);
    client.call = OpenCall{Ticket{next_ticket++}, call.more, call.oneway};
    const Ticket ticket = client.call->ticket;
    tickets.emplace(ticket.value, client.id);
    std::visit(Overloaded{
                   [&](const Request& request) {
                       std::vector<sys::UniqueFd> descriptors = std::exchange(client.descriptors, {});
                       perform(client, ticket, request, descriptors);
                       for (sys::UniqueFd& each : descriptors)
                           closing.push_back(std::move(each));
                   },
                   [&](const GetInfoRequest&) {
                       finish(client, encode_service_info({options.vendor, options.product, options.version, options.url}));
                   },
                   [&](const GetInterfaceDescriptionRequest& request) {
                       if (request.interface == interface_name)
                           finish(client, encode_interface_description(interface_description()));
                       else
                           finish(client, encode_error({"org.varlink.service.InterfaceNotFound", "interface", request.interface}));
                   },
               },
               call.request);
}

void Server::Impl::perform(Connection& client, Ticket ticket, const Request& request, std::vector<sys::UniqueFd>& descriptors) {
    if (auto text = refusal(client.peer, request))
        return finish(client, encode_error(wire_error(base::fail(Errc::Denied, std::move(*text)))));
    const auto give = [&](auto&& result, auto wrap) {
        if (!result)
            return finish(client, encode_error(wire_error(result.error())));
        finish(client, encode_reply(wrap(std::move(*result)), false));
    };
    const auto give_now = [&](const Reply& reply) { finish(client, encode_reply(reply, false)); };
    const auto look_at_environment = [&](const std::string& unit) {
        return !refusal(client.peer, EnvironmentRequest{unit});
    };
    std::visit(
        Overloaded{
            [&](const InfoRequest&) { give_now(manager.info()); },
            [&](const ListRequest& r) { give_now(ListReply{manager.list(r)}); },
            [&](const JobsRequest&) { give_now(JobsReply{manager.jobs()}); },
            [&](const HealthRequest& r) {
                give(manager.health(r), [](HealthReply reply) { return reply; });
            },
            [&](const StatusRequest& r) {
                give(manager.status(r), [](UnitDetail unit) { return StatusReply{std::move(unit)}; });
            },
            [&](const PropertiesRequest& r) {
                give(manager.properties(r, look_at_environment(r.unit)),
                     [](PropertyList list) { return PropertiesReply{std::move(list)}; });
            },
            [&](const DependenciesRequest& r) {
                give(manager.dependencies(r), [](std::vector<Dependency> list) { return DependenciesReply{std::move(list)}; });
            },
            [&](const EnvironmentRequest& r) { manager.environment(ticket, r); },
            [&](const OperateRequest& r) {
                // A copy: the client may be gone before the manager has done with its identity.
                const Peer peer = client.peer;
                manager.operate(ticket, peer, r);
            },
            [&](const KillRequest& r) { manager.kill(ticket, r); },
            [&](const ResetFailedRequest& r) { manager.reset_failed(ticket, r); },
            [&](const CancelRequest& r) { manager.cancel_jobs(ticket, r); },
            [&](const DaemonReloadRequest&) { manager.daemon_reload(ticket); },
            [&](const DaemonReexecRequest&) { manager.daemon_reexec(ticket); },
            [&](const ExitRequest& r) { manager.exit(ticket, r); },
            [&](const ShutdownPlanRequest&) { give_now(manager.shutdown_plan()); },
            [&](const PutUnitRequest& r) { manager.put_unit(ticket, client.peer, r, descriptors); },
            [&](const AdoptRequest& r) { manager.adopt(ticket, client.peer, r); },
            [&](const WaitRequest& r) { manager.wait(ticket, r); },
            [&](const MuteRequest& r) { manager.mute(ticket, r); },
            [&](const SetEnvironmentRequest& r) { manager.set_environment(ticket, r); },
            [&](const SetPropertiesRequest& r) { give(manager.set_properties(r), [](Empty empty) { return empty; }); },
            [&](const SubscribeRequest& r) {
                if (!client.call->more)
                    return finish(client, encode_error({"org.varlink.service.ExpectedMore", "", ""}));
                manager.subscribe(ticket, r);
            },
        },
        request);
}

} // namespace monoinit::control
