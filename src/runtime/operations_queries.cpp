// The control API's queries, and wait.
#include "base/enum_names.hpp"
#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "exec/explain_environment.hpp"
#include "runtime/operations.hpp"
#include "runtime/runtime.hpp"
#include "sys/proc.hpp"
#include "unit/name.hpp"

#include <algorithm>

namespace monoinit::runtime {

namespace {

using control::Ticket;
using supervise::ActiveState;

constexpr base::Duration environment_limit = std::chrono::seconds(3); ///< for files that units name

constexpr auto health_questions = base::enum_names<supervise::HealthQuestion>({{supervise::HealthQuestion::Startup, "startup"},
                                                                              {supervise::HealthQuestion::Ready, "ready"},
                                                                              {supervise::HealthQuestion::Live, "live"}});

/// Waits for "ready" and "healthy": what a check says counts as well, where there is one.
bool is_held_by_health(const engine::UnitStatus& status, const std::string& condition) {
    if (condition == "active" || status.health == supervise::Health::None)
        return false;
    const supervise::Health answer = status.monitor->answer(supervise::HealthQuestion::Ready);
    return answer != supervise::Health::Healthy && answer != supervise::Health::None;
}

base::Error unknown_unit(const std::string& name) {
    return base::fail(base::Errc::NotFound, fmt::format("Unit {} could not be found.", base::printable(name)));
}

} // namespace

/// Loads on demand, as systemctl show and status do.
base::UnitId Operations::known(const std::string& name) { return runtime_.load(unit::with_suffix(name)); }

control::UnitFacts Operations::facts(const std::string& unit) {
    control::UnitFacts facts;
    facts.name = unit::with_suffix(unit);
    const base::UnitId id = known(unit);
    if (!id)
        return facts;
    const auto config = runtime_.engine().status(id).config;
    facts.name = config->name;
    facts.exists = config->load_state != unit::LoadState::NotFound && config->load_state != unit::LoadState::Stub;
    facts.user = config->exec->user;
    if (!facts.user.empty())
        if (const auto account = runtime_.manager_context().accounts.user(facts.user))
            facts.user_uid = account->uid;
    facts.privileged_commands = config->has_privileged_commands();
    return facts;
}

control::ManagerInfo Operations::info() { return runtime_.info(); }

std::vector<control::UnitSummary> Operations::list(const control::ListRequest& request) {
    const ViewContext view = runtime_.view();
    std::vector<control::UnitSummary> summaries;
    for (const base::UnitId id : runtime_.engine().units()) {
        const auto status = runtime_.engine().status(id);
        const bool idle = status.active == ActiveState::Inactive && !status.job;
        if (!request.all && idle && status.config->load_state != unit::LoadState::Loaded)
            continue;
        summaries.push_back(summarise(view, status));
    }
    return summaries;
}

base::Result<control::UnitDetail> Operations::status(const control::StatusRequest& request) {
    base::UnitId id;
    if (!request.unit.empty()) {
        id = known(request.unit);
    } else {
        id = runtime_.guards().unit_above(request.pid);
        if (!id)
            id = runtime_.scopes().unit_above(request.pid);
        if (request.pid == ::getpid() || request.pid == runtime_.log().pid())
            id = runtime_.load("init.scope");
        if (!id)
            return base::fail(base::Errc::NotFound, fmt::format("PID {} does not belong to any loaded unit.", request.pid));
    }
    if (!id)
        return unknown_unit(request.unit);
    const auto status = runtime_.engine().status(id);
    if (status.config->load_state == unit::LoadState::NotFound && status.active == ActiveState::Inactive)
        return unknown_unit(status.config->name);
    return describe(runtime_.view(), status);
}

base::Result<control::PropertyList> Operations::properties(const control::PropertiesRequest& request, bool with_environment) {
    control::PropertyList all;
    const auto style = base::value_of(base::timestamp_styles, request.timestamp);
    if (!style)
        return base::fail(base::Errc::Invalid, "there is no timestamp style " + base::printable(request.timestamp, 80));
    if (request.unit.empty()) {
        all = runtime_.properties(with_environment, *style);
    } else if (const base::UnitId id = known(request.unit)) {
        ViewContext view = runtime_.view();
        view.timestamps = *style;
        all = properties_of(view, runtime_.engine().status(id), with_environment, request.only);
    } else {
        all = {{"Id", request.unit}, {"LoadState", "not-found"}, {"ActiveState", "inactive"}, {"SubState", "dead"}};
    }
    if (!request.only.empty())
        std::erase_if(all, [&](const auto& row) { return std::ranges::find(request.only, row.first) == request.only.end(); });
    return all;
}

base::Result<std::vector<control::Dependency>> Operations::dependencies(const control::DependenciesRequest& request) {
    const base::UnitId id = known(request.unit);
    if (!id)
        return unknown_unit(request.unit);
    return dependencies_of(runtime_.view(), id, request.kinds);
}

std::vector<control::JobInfo> Operations::jobs() {
    std::vector<control::JobInfo> jobs;
    const base::Instant now = sys::now();
    const auto name_of = [&](base::UnitId unit) { return runtime_.engine().status(unit).config->name; };
    const auto all = runtime_.engine().jobs();
    for (const engine::JobStatus& job : all) {
        control::JobInfo info{job.id.value, name_of(job.unit), std::string(graph::name(job.type)), std::string(graph::name(job.state)),
                              now - job.since, {}};
        for (const base::JobId other : job.waits_for)
            for (const engine::JobStatus& candidate : all)
                if (candidate.id == other)
                    info.waits_for.push_back(name_of(candidate.unit));
        jobs.push_back(std::move(info));
    }
    return jobs;
}

base::Result<control::HealthReply> Operations::health(const control::HealthRequest& request) {
    const auto question = base::value_of(health_questions, request.kind);
    if (!question)
        return base::fail(base::Errc::Invalid, fmt::format("unknown kind {}: startup, ready or live", base::printable(request.kind)));
    std::vector<base::UnitId> units;
    for (const std::string& name : request.units) {
        const base::UnitId id = known(name);
        if (!id || runtime_.engine().status(id).config->load_state == unit::LoadState::NotFound)
            return unknown_unit(unit::with_suffix(name));
        units.push_back(id);
    }
    return runtime_.health(*question, units);
}

void Operations::environment(Ticket ticket, const control::EnvironmentRequest& request) {
    if (request.unit.empty())
        return server_->reply(ticket, control::EnvironmentReply{exec::inherited_environment(runtime_.manager_context().environment, false), {}});
    const base::UnitId id = known(request.unit);
    if (!id)
        return server_->fail(ticket, unknown_unit(request.unit));
    const auto config = runtime_.engine().status(id).config;
    const auto& commands = config->service->list(unit::ExecList::Start);
    const unit::Command none;
    exec::CommandContext context;
    context.invocation = runtime_.invocation_id(id);
    context.explain = true;
    auto built = std::make_shared<const exec::BuiltPlan>(exec::build_plan(*config, commands.empty() ? none : commands.front(), runtime_.manager_context(), context));
    // What lies in files is read by a probe: those are paths that a unit names.
    runtime_.probes().start([config, built] { return exec::probe_explain_environment(*config, *built); }, sys::now(), environment_limit, [this, ticket](const base::Result<std::string>& bytes) {
        if (!bytes)
            return server_->fail(ticket, bytes.error());
        auto entries = exec::explained_answer(*bytes);
        if (!entries)
            return server_->fail(ticket, base::fail(base::Errc::TooLarge, "the environment is " + entries.error().what));
        control::EnvironmentReply reply;
        const std::vector<std::string>& assigned = runtime_.settings().assigned;
        for (exec::Explained& entry : *entries) {
            if (entry.kind == "variable")
                reply.variables.push_back(entry.name + "=" + entry.value);
            if (entry.source == "container" && std::ranges::any_of(assigned, [&](const std::string& each) { return each.starts_with(entry.name + "="); }))
                entry.source = "set-environment";
            reply.entries.push_back({std::move(entry.kind), std::move(entry.name), std::move(entry.value), std::move(entry.source)});
        }
        server_->reply(ticket, reply);
    });
}

void Operations::wait(Ticket ticket, const control::WaitRequest& request) {
    Wait wait;
    wait.request = request;
    wait.since = sys::now();
    if (request.timeout)
        wait.deadline = wait.since + *request.timeout;
    std::vector<std::string> names = request.units;
    if (names.empty())
        names.push_back(runtime_.info().boot_target);
    for (const std::string& name : names) {
        const base::UnitId id = known(name);
        if (!id || runtime_.engine().status(id).config->load_state == unit::LoadState::NotFound) {
            control::WaitReply reply{"unknown", {}, {}};
            reply.units.push_back({unit::with_suffix(name), false, "not-found", fmt::format("Unit {} could not be found.", base::printable(name))});
            return server_->reply(ticket, reply);
        }
        wait.units.push_back(id);
    }
    if (!answer_wait(ticket, wait))
        waits_[ticket] = std::move(wait);
}

/// Whether the unit is where the wait wants it; `hopeless` when it cannot get there by itself any more.
control::WaitState Operations::judge(base::UnitId unit, const control::WaitRequest& request, bool& hopeless) const {
    const auto status = runtime_.engine().status(unit);
    control::WaitState state;
    state.unit = status.config->name;
    state.state = status.active == ActiveState::Active ? std::string(status.sub) : std::string(supervise::name(status.active));
    const bool moves = status.job.has_value() || status.next_attempt != base::never || status.active == ActiveState::Activating ||
                       status.active == ActiveState::Deactivating;
    const bool is_up = status.active == ActiveState::Active || status.active == ActiveState::Reloading;
    const bool done = status.active == ActiveState::Inactive && status.inactive_enter && status.service != nullptr &&
                      status.service->result == supervise::ServiceResult::Success && status.condition_failed.empty();
    if (request.condition == "inactive")
        state.reached = !moves && (status.active == ActiveState::Inactive || status.active == ActiveState::Failed);
    else if (request.condition == "failed")
        state.reached = status.active == ActiveState::Failed;
    else // active; ready and healthy are the same where no check is declared. A oneshot that is done was ready.
        state.reached = (is_up && !is_held_by_health(status, request.condition)) || (done && !moves && status.config->service->type == unit::ServiceType::Oneshot);
    hopeless = false;
    if (state.reached)
        return state;
    if (is_up && is_held_by_health(status, request.condition)) {
        state.state = supervise::name(status.health);
        for (const auto& check : status.monitor->data())
            if (!check.last_ok && !check.last_text.empty())
                state.text = fmt::format("{}: {}", supervise::name(status.health), check.last_text);
        return state; // its check may yet succeed
    }
    if (request.condition == "ready" || request.condition == "active" || request.condition == "healthy") {
        hopeless = !moves && runtime_.booted();
        if (hopeless) {
            state.text = !status.why.empty() ? status.why
                         : status.service != nullptr && !status.service->last_failure.empty() ? status.service->last_failure
                         : !status.condition_failed.empty() ? "skipped: " + status.condition_failed
                         : !status.config->load_error.empty() ? status.config->load_error
                                                              : "it is not started, and nothing starts it";
        } else if (status.job) {
            state.text = fmt::format("its {} job waits or runs", graph::name(*status.job));
        }
    }
    return state;
}

/// Answers when the wait is over: all reached (or one, with `any`), one hopeless (all, with `any`), or its time is up.
bool Operations::answer_wait(Ticket ticket, const Wait& wait) {
    control::WaitReply reply;
    std::size_t reached = 0, lost = 0;
    for (const base::UnitId unit : wait.units) {
        bool hopeless = false;
        reply.units.push_back(judge(unit, wait.request, hopeless));
        reached += reply.units.back().reached ? 1U : 0U;
        lost += hopeless ? 1U : 0U;
    }
    reply.took = sys::now() - wait.since;
    if (wait.request.any ? reached > 0 : reached == wait.units.size())
        reply.result = "reached";
    else if (wait.request.any ? lost == wait.units.size() : lost > 0)
        reply.result = "failed";
    else if (wait.deadline <= sys::now())
        reply.result = "timeout";
    else
        return false;
    server_->reply(ticket, reply);
    return true;
}

void Operations::check_waits() {
    for (auto at = waits_.begin(); at != waits_.end();) {
        const Ticket ticket = at->first;
        const Wait wait = at->second;
        ++at;
        if (answer_wait(ticket, wait))
            waits_.erase(ticket);
    }
}

base::Instant Operations::next_deadline() const {
    base::Instant next = sweep_at_;
    for (const auto& [ticket, wait] : waits_)
        next = std::min(next, wait.deadline);
    return next;
}

void Operations::expire(base::Instant now) {
    check_waits();
    if (sweep_at_ <= now)
        sweep_transient_units();
}

} // namespace monoinit::runtime
