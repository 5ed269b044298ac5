// The control API's operations that change something, and their bookkeeping. Queries: operations_queries.cpp.
#include "runtime/operations.hpp"

#include "base/enum_names.hpp"
#include "base/fmt.hpp"
#include "base/signals.hpp"
#include "base/strings.hpp"
#include "runtime/runtime.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <csignal>
#include <unordered_set>

namespace monoinit::runtime {

namespace {

using control::Ticket;
using graph::JobType;

struct VerbRow {
    control::Verb verb;
    JobType type;
};
constexpr VerbRow verb_jobs[] = {
    {control::Verb::Start, JobType::Start},
    {control::Verb::Stop, JobType::Stop},
    {control::Verb::Restart, JobType::Restart},
    {control::Verb::TryRestart, JobType::TryRestart},
    {control::Verb::Reload, JobType::Reload},
    {control::Verb::ReloadOrRestart, JobType::ReloadOrRestart},
    {control::Verb::TryReloadOrRestart, JobType::TryReloadOrRestart},
    {control::Verb::Isolate, JobType::Start},
};

JobType job_of(control::Verb verb) {
    for (const VerbRow& row : verb_jobs)
        if (row.verb == verb)
            return row.type;
    return JobType::Nop;
}

constexpr auto job_modes = base::enum_names<unit::JobMode>({
    {unit::JobMode::Fail, "fail"}, {unit::JobMode::Replace, "replace"},
    {unit::JobMode::ReplaceIrreversibly, "replace-irreversibly"}, {unit::JobMode::Isolate, "isolate"},
    {unit::JobMode::Flush, "flush"}, {unit::JobMode::IgnoreDependencies, "ignore-dependencies"},
    {unit::JobMode::IgnoreRequirements, "ignore-requirements"}, {unit::JobMode::Triggering, "triggering"},
    {unit::JobMode::RestartDependencies, "restart-dependencies"},
});

constexpr auto refusals = base::enum_names<graph::RefusalReason>({
    {graph::RefusalReason::None, ""}, {graph::RefusalReason::NotFound, "not-found"},
    {graph::RefusalReason::Masked, "masked"}, {graph::RefusalReason::BadSetting, "bad-setting"},
    {graph::RefusalReason::LoadError, "load-error"}, {graph::RefusalReason::NotApplicable, "not-applicable"},
    {graph::RefusalReason::Manual, "manual"}, {graph::RefusalReason::Destructive, "destructive"},
    {graph::RefusalReason::Cycle, "cycle"}, {graph::RefusalReason::Isolate, "isolate"},
    {graph::RefusalReason::Shutdown, "shutdown"}, {graph::RefusalReason::Conflict, "conflict"},
});

} // namespace

/// Completes names, and expands globs over what is loaded.
std::vector<std::string> Operations::expand(const std::vector<std::string>& names) {
    std::vector<std::string> full;
    for (const std::string& name : names) {
        if (name.find_first_of("*?[") == std::string::npos) {
            full.push_back(unit::with_suffix(name));
            continue;
        }
        for (const base::UnitId id : runtime_.engine().units()) {
            const std::string& loaded = runtime_.engine().status(id).config->name;
            if (base::glob_match(name, loaded) || base::glob_match(name, unit::short_name(loaded)))
                full.push_back(loaded);
        }
    }
    return full;
}

void Operations::operate(Ticket ticket, const control::Peer& peer, const control::OperateRequest& request) {
    auto mode = base::value_of(job_modes, request.mode);
    if (!mode)
        return server_->fail(ticket, base::fail(base::Errc::Invalid, fmt::format("unknown job mode {}", base::printable(request.mode))));
    if (request.verb == control::Verb::Isolate)
        mode = unit::JobMode::Isolate;
    const std::vector<std::string> names = expand(request.units);
    base::UnitId caller; // if it could be that the job waits for who asks
    if (!request.no_block && peer.pid > 0)
        caller = runtime_.guards().unit_above(peer.pid);
    if (caller) {
        const auto status = runtime_.engine().status(caller);
        const bool busy = status.job || status.active == supervise::ActiveState::Activating || status.active == supervise::ActiveState::Deactivating ||
                          status.active == supervise::ActiveState::Reloading;
        caller = busy ? caller : base::UnitId{};
    }
    Operation& operation = operations_[ticket];
    operation.open = names.size();
    operation.no_block = request.no_block;
    operation.show_transaction = request.show_transaction;
    operation.reply.outcomes.resize(names.size());
    if (names.empty()) {
        operations_.erase(ticket);
        return server_->reply(ticket, control::OperateReply{});
    }
    for (std::size_t i = 0; i < names.size(); i++) {
        const std::uint64_t number = next_request_++;
        requests_[number] = {ticket, i};
        operation.reply.outcomes[i].unit = names[i];
        const bool incomplete = unit::is_template(names[i]);
        const base::UnitId unit = incomplete ? base::UnitId{} : runtime_.load(names[i]);
        if (!unit) {
            control::JobOutcome outcome;
            outcome.unit = names[i];
            outcome.result = "refused";
            outcome.refusal = incomplete ? "template" : "not-found";
            outcome.text = incomplete ? fmt::format("{} is a template: name an instance of it, as in {}",
                                                    names[i], unit::with_instance(names[i], "NAME"))
                                      : fmt::format("{} is not a valid unit name", base::printable(names[i]));
            settle(number, std::move(outcome));
            continue;
        }
        const auto running = unit == caller ? runtime_.engine().status(unit).job : std::nullopt;
        if (running && *running == job_of(request.verb)) { // "reload" asked for by ExecReload= would come again and again
            control::JobOutcome outcome{.unit = names[i], .result = "queued", .job_id = runtime_.engine().status(unit).job_id.value};
            settle(number, std::move(outcome));
            continue;
        }
        requests_[number].before = runtime_.engine().status(unit).state_change;
        runtime_.feed(engine::JobRequest{number, job_of(request.verb), unit, *mode, true});
    }
    if (!request.no_block)
        spare_caller(ticket, peer, caller);
}

/// A command of a unit, whose job has not ended, may ask for that very job, or for one that waits for it: waiting would be for
/// ever. It is told that the job is queued. `caller`: that unit, if it was busy before it asked.
void Operations::spare_caller(Ticket ticket, const control::Peer& peer, base::UnitId caller) {
    const auto operation = operations_.find(ticket);
    if (!caller || operation == operations_.end() || peer.pid <= 0)
        return;
    const auto jobs = runtime_.engine().jobs();
    const auto job_of_unit = [&](base::UnitId unit) { return runtime_.engine().status(unit).job_id; };
    const auto waits_for_caller = [&](base::UnitId unit) {
        if (unit == caller)
            return true;
        std::vector<base::JobId> ahead{job_of_unit(unit)};
        std::unordered_set<std::uint32_t> seen;
        while (!ahead.empty()) {
            const base::JobId id = ahead.back();
            ahead.pop_back();
            const auto job = std::ranges::find(jobs, id, &engine::JobStatus::id);
            if (job == jobs.end() || !seen.insert(id.value).second)
                continue;
            if (job->unit == caller)
                return true;
            ahead.insert(ahead.end(), job->waits_for.begin(), job->waits_for.end());
        }
        return false;
    };
    std::vector<std::pair<std::uint64_t, control::JobOutcome>> spared;
    for (const auto& [number, waiting] : requests_) {
        if (waiting.ticket != ticket)
            continue;
        control::JobOutcome outcome;
        outcome.unit = operation->second.reply.outcomes[waiting.index].unit;
        const base::UnitId unit = runtime_.engine().find(outcome.unit);
        if (!unit || !job_of_unit(unit) || !waits_for_caller(unit))
            continue;
        outcome.result = "queued";
        outcome.job_id = job_of_unit(unit).value;
        outcome.text = fmt::format("it waits for {}, which asks for it", runtime_.engine().status(caller).config->name);
        spared.emplace_back(number, std::move(outcome));
    }
    for (auto& [number, outcome] : spared)
        settle(number, std::move(outcome));
}

void Operations::replied(const engine::RequestReply& reply) {
    const auto found = requests_.find(reply.request);
    if (found == requests_.end())
        return;
    const auto operation = operations_.find(found->second.ticket);
    control::JobOutcome outcome;
    if (operation != operations_.end())
        outcome.unit = operation->second.reply.outcomes[found->second.index].unit;
    outcome.job_id = reply.job.value;
    outcome.text = reply.text;
    if (reply.refusal != graph::RefusalReason::None) {
        outcome.result = "refused";
        outcome.refusal = base::name_of(refusals, reply.refusal);
        return settle(reply.request, std::move(outcome));
    }
    if (!reply.job) { // nothing to do
        outcome.result = "done";
        outcome.changed = false;
        return settle(reply.request, std::move(outcome));
    }
    if (operation != operations_.end() && operation->second.show_transaction)
        for (const engine::QueuedJob& job : reply.transaction)
            operation->second.reply.outcomes[found->second.index].transaction.push_back(
                fmt::format("{} {}/{}", job.id.value, runtime_.engine().status(job.unit).config->name, graph::name(job.type)));
    if (operation != operations_.end() && operation->second.no_block) {
        outcome.result = "queued";
        settle(reply.request, std::move(outcome));
    }
}

void Operations::finished(const engine::JobFinished& finished) {
    const auto found = requests_.find(finished.request);
    if (found == requests_.end())
        return;
    control::JobOutcome outcome;
    const auto status = runtime_.engine().status(finished.unit);
    outcome.unit = status.config ? status.config->name : "";
    outcome.result = graph::name(finished.result);
    outcome.job_id = finished.job.value;
    outcome.took = finished.took;
    outcome.text = finished.reason;
    explain(outcome, finished, status, found->second.before);
    settle(finished.request, std::move(outcome));
}

/// What the bare result of a job leaves open: why it failed, that a condition kept it from starting, that nothing changed.
void Operations::explain(control::JobOutcome& outcome, const engine::JobFinished& finished, const engine::UnitStatus& status,
                         const base::Moment& before) {
    using graph::JobType;
    const bool starts = finished.type == JobType::Start, stops = finished.type == JobType::Stop;
    const bool down = status.active == supervise::ActiveState::Inactive;
    if (finished.result == graph::JobResult::Failed && outcome.text.empty() && status.service != nullptr) {
        outcome.text = status.service->last_failure;
    } else if (finished.result == graph::JobResult::Done && starts && down && !status.condition_failed.empty()) {
        outcome.result = "skipped";
        outcome.text = status.condition_failed + " was not met";
    } else if (finished.result == graph::JobResult::Done && (starts || stops) && status.state_change.mono == before.mono) {
        outcome.changed = false;
    }
}

void Operations::settle(std::uint64_t request, control::JobOutcome outcome) {
    const auto found = requests_.find(request);
    if (found == requests_.end())
        return;
    const Request waiting = found->second;
    requests_.erase(found);
    const base::UnitId unit = runtime_.engine().find(outcome.unit);
    if (unit)
        runtime_.take_back_streams(unit); // if it did not come up
    const auto operation = operations_.find(waiting.ticket);
    if (operation == operations_.end())
        return; // the client is gone; the job went on without it
    if (unit) {
        const auto status = runtime_.engine().status(unit);
        outcome.active_state = supervise::name(status.active);
        outcome.sub_state = status.sub;
        outcome.pid = status.service != nullptr ? status.service->main_pid : 0;
    }
    control::JobOutcome& place = operation->second.reply.outcomes[waiting.index];
    outcome.transaction = std::move(place.transaction);
    place = std::move(outcome);
    if (--operation->second.open > 0) {
        if (server_->wants_progress(waiting.ticket))
            server_->progress(waiting.ticket, control::OperateReply{{place}});
        return;
    }
    server_->reply(waiting.ticket, operation->second.reply);
    operations_.erase(operation);
}

void Operations::kill(Ticket ticket, const control::KillRequest& request) {
    constexpr std::string_view fail_suffix = "-fail";
    std::string_view who = request.who;
    const bool must_reach = who.ends_with(fail_suffix) || who == "main" || who == "control";
    who.remove_suffix(who.ends_with(fail_suffix) ? fail_suffix.size() : 0);
    if (who != "main" && who != "control" && who != "all")
        return server_->fail(ticket, base::fail(base::Errc::Invalid, "Invalid who argument: " + base::printable(request.who, 80)));
    if (request.value && request.signal < SIGRTMIN)
        return server_->fail(ticket, base::fail(base::Errc::Invalid, "Value parameter only accepted for realtime signals (SIGRTMIN…SIGRTMAX), refusing."));
    for (const std::string& name : expand(request.units)) {
        const base::UnitId unit = known(name);
        const engine::UnitStatus status = unit ? runtime_.engine().status(unit) : engine::UnitStatus{};
        if (!unit || status.config->load_state == unit::LoadState::NotFound)
            return server_->fail(ticket, base::fail(base::Errc::NotFound, fmt::format("Unit {} not loaded.", base::printable(name))));
        const int main = status.service != nullptr ? status.service->main_pid : 0, control = status.service != nullptr ? status.service->control_pid : 0;
        const bool nobody = who == "main" ? main == 0 : who == "control" ? control == 0 : runtime_.guards().pids_of(unit).empty() && runtime_.scopes().pids_of(unit).empty();
        if (nobody && must_reach)
            return server_->fail(ticket, base::fail(base::Errc::Invalid, who == "all" ? "No process to kill" : fmt::format("No {} process to kill", who)));
        runtime_.thaw_for_signal(unit);
        if (!request.value) {
            runtime_.feed(engine::KillUnit{unit, who == "main" ? 0 : who == "control" ? 1 : 2, request.signal});
            continue;
        }
        if (main != 0 && who != "control")
            runtime_.guards().queue_signal(unit, main, request.signal, *request.value);
        if (control != 0 && who != "main")
            runtime_.guards().queue_signal(unit, control, request.signal, *request.value);
    }
    server_->reply(ticket, control::Empty{});
}

void Operations::reset_failed(Ticket ticket, const control::ResetFailedRequest& request) {
    if (request.units.empty())
        runtime_.feed(engine::ResetFailed{});
    for (const std::string& name : expand(request.units)) {
        const base::UnitId unit = known(name);
        if (!unit)
            return server_->fail(ticket, base::fail(base::Errc::NotFound, fmt::format("Unit {} not loaded.", base::printable(name))));
        runtime_.feed(engine::ResetFailed{unit});
    }
    server_->reply(ticket, control::Empty{});
}

void Operations::cancel_jobs(Ticket ticket, const control::CancelRequest& request) {
    std::vector<std::uint32_t> ids = request.jobs;
    if (ids.empty())
        for (const engine::JobStatus& job : runtime_.engine().jobs())
            ids.push_back(job.id.value);
    for (const std::uint32_t id : ids) {
        const auto jobs = runtime_.engine().jobs();
        const bool known = std::ranges::find(jobs, base::JobId{id}, &engine::JobStatus::id) != jobs.end();
        if (!known && !request.jobs.empty())
            return server_->fail(ticket, base::fail(base::Errc::NotFound, fmt::format("Job {} does not exist.", id)));
        runtime_.feed(engine::CancelJob{base::JobId{id}});
    }
    server_->reply(ticket, control::Empty{});
}

void Operations::daemon_reload(Ticket ticket) {
    runtime_.daemon_reload([this, ticket](const base::Result<void>& reloaded) {
        if (reloaded)
            server_->reply(ticket, control::Empty{});
        else
            server_->fail(ticket, reloaded.error());
    });
}

void Operations::daemon_reexec(Ticket ticket) {
    runtime_.daemon_reexec(
        [this, ticket] {
            server_->reply(ticket, control::Empty{});
            server_->flush();
        },
        [this, ticket](const base::Error& error) { server_->fail(ticket, error); });
}

void Operations::exit(Ticket ticket, const control::ExitRequest& request) {
    server_->reply(ticket, control::Empty{});
    server_->flush();
    runtime_.shut_down(engine::Shutdown::Kind::Exit, request.force ? "exit --force" : request.within_budget ? "shutdown" : "exit", request.status,
                       request.force ? base::Duration{} : request.within_budget ? runtime_.shutdown_budget() : base::infinity);
}

control::ShutdownPlanReply Operations::shutdown_plan() {
    control::ShutdownPlanReply reply;
    const base::Duration budget = runtime_.shutdown_budget();
    if (budget != base::infinity)
        reply.budget = budget;
    for (const engine::PlannedStop& stop : runtime_.engine().plan_shutdown(budget)) {
        const engine::UnitStatus status = runtime_.engine().status(stop.unit);
        const unit::ServiceSection& service = *status.config->service;
        control::PlannedStop planned{.unit = status.config->name, .wave = stop.wave};
        if (reply.budget) {
            planned.share = stop.share;
            planned.killed_after = stop.by;
        }
        if (service.timeout_stop != base::infinity)
            planned.timeout = service.timeout_stop;
        std::vector<std::string> notes;
        if (stop.out_of_order)
            notes.emplace_back("its ordering is a cycle: it waits for nothing");
        if (!service.list(unit::ExecList::Stop).empty())
            notes.push_back("runs ExecStop=" + service.list(unit::ExecList::Stop).front().path);
        const unit::KillSection& kill = *status.config->kill;
        if (kill.mode != unit::KillMode::ControlGroup)
            notes.push_back(kill.mode == unit::KillMode::None ? "KillMode=none: nothing is sent, SIGKILL at the end" : kill.mode == unit::KillMode::Mixed
                                ? "KillMode=mixed" : "KillMode=process");
        if (kill.kill_signal != SIGTERM)
            notes.push_back(std::string(base::signal_name(kill.kill_signal)));
        if (!kill.send_sigkill)
            notes.emplace_back("SendSIGKILL=no");
        planned.note = base::join(notes, ", ");
        reply.stops.push_back(std::move(planned));
    }
    return reply;
}

void Operations::mute(Ticket ticket, const control::MuteRequest& request) {
    for (const std::string& name : expand(request.units))
        runtime_.log().mute(name, request.muted);
    if (request.units.empty())
        runtime_.log().mute({}, request.muted);
    server_->reply(ticket, control::Empty{});
}

void Operations::subscribe(Ticket ticket, const control::SubscribeRequest& request) { subscriptions_[ticket] = request; }

void Operations::unit_changed(const engine::UnitChanged& changed) {
    sweep_later(changed.unit);
    if (subscriptions_.empty())
        return;
    const auto status = runtime_.engine().status(changed.unit);
    control::UnitEvent event;
    event.unit = status.config->name;
    event.before = supervise::name(changed.before);
    event.active_state = supervise::name(changed.after);
    event.sub_state = status.sub;
    event.when = status.state_change;
    if (status.service != nullptr)
        event.text = status.service->last_failure;
    for (const auto& [ticket, request] : subscriptions_)
        if (request.units.empty() || std::ranges::any_of(request.units, [&](const std::string& pattern) {
                return base::glob_match(pattern, event.unit) || base::glob_match(pattern, unit::short_name(event.unit));
            }))
            server_->progress(ticket, event);
}

void Operations::health_changed(const engine::HealthChanged& changed) {
    if (subscriptions_.empty())
        return;
    const auto status = runtime_.engine().status(changed.unit);
    control::UnitEvent event;
    event.unit = status.config->name;
    event.before = event.active_state = supervise::name(status.active);
    event.sub_state = status.sub;
    event.when = sys::moment_now();
    event.health = supervise::name(changed.after);
    for (const auto& [ticket, request] : subscriptions_)
        if (request.units.empty() || std::ranges::any_of(request.units, [&](const std::string& pattern) {
                return base::glob_match(pattern, event.unit) || base::glob_match(pattern, unit::short_name(event.unit));
            }))
            server_->progress(ticket, event);
}

void Operations::abandoned(Ticket ticket) {
    operations_.erase(ticket);
    waits_.erase(ticket);
    subscriptions_.erase(ticket);
}

} // namespace monoinit::runtime
