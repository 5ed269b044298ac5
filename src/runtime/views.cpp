// Summaries and details. The words of states are systemd's; the sentences are EXPERIENCE's.
#include "runtime/views.hpp"

#include "base/enum_names.hpp"
#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "base/time_text.hpp"
#include "sys/cgroup.hpp"
#include "sys/local_zone.hpp"
#include "unit/cgroup_settings.hpp"
#include "unit/directives.hpp"
#include "unit/enums.hpp"
#include "unit/name.hpp"
#include "unit/verify.hpp"

#include <algorithm>

namespace monoinit::runtime {

namespace {

using unit::DependencyKind;

struct KindName {
    DependencyKind kind;
    std::string_view forward, reverse;
};

constexpr KindName kind_names[] = {
    {DependencyKind::Requires, "Requires", "RequiredBy"},
    {DependencyKind::Requisite, "Requisite", "RequisiteOf"},
    {DependencyKind::Wants, "Wants", "WantedBy"},
    {DependencyKind::BindsTo, "BindsTo", "BoundBy"},
    {DependencyKind::PartOf, "PartOf", "ConsistsOf"},
    {DependencyKind::Upholds, "Upholds", "UpheldBy"},
    {DependencyKind::Conflicts, "Conflicts", "ConflictedBy"},
    {DependencyKind::Before, "Before", ""}, // After= of the other side is its own row
    {DependencyKind::After, "After", ""},
    {DependencyKind::OnFailure, "OnFailure", "OnFailureOf"},
    {DependencyKind::OnSuccess, "OnSuccess", "OnSuccessOf"},
    {DependencyKind::PropagatesReloadTo, "PropagatesReloadTo", "ReloadPropagatedFrom"},
    {DependencyKind::PropagatesStopTo, "PropagatesStopTo", "StopPropagatedFrom"},
    {DependencyKind::Triggers, "Triggers", "TriggeredBy"},
};

/// A oneshot that ran to its end and stays down, as oneshots do.
bool has_finished(const engine::UnitStatus& status) {
    return status.service != nullptr && status.config->service->type == unit::ServiceType::Oneshot &&
           status.active == supervise::ActiveState::Inactive && status.service->result == supervise::ServiceResult::Success &&
           status.service->main_exit && status.service->main_started && status.condition_failed.empty() && !status.job;
}

/// Why the last run ended, or how long a finished job took: the NOTE column.
std::string note_for(const engine::UnitStatus& status) {
    const auto* service = status.service;
    if (status.config->load_state != unit::LoadState::Loaded)
        return status.config->load_error;
    if (!status.condition_failed.empty() && status.active == supervise::ActiveState::Inactive)
        return "skipped: " + status.condition_failed;
    if (service == nullptr && status.active == supervise::ActiveState::Failed && status.socket != nullptr)
        return status.socket->last_failure;
    if (status.mount != nullptr && status.active == supervise::ActiveState::Failed)
        return status.mount->last_failure;
    if (status.path != nullptr && status.active == supervise::ActiveState::Failed)
        return status.path->last_failure;
    if (service == nullptr)
        return status.why;
    if (!service->last_failure.empty() &&
        (status.active == supervise::ActiveState::Failed || status.next_attempt != base::never))
        return service->last_failure;
    if (status.sub == "exited" && status.active_enter && status.inactive_exit)
        return base::human_time_span(status.active_enter.mono - status.inactive_exit.mono);
    if (has_finished(status))
        return base::human_time_span(service->main_exited.mono - service->main_started.mono);
    if (!service->status_text.empty())
        return service->status_text;
    if (status.active == supervise::ActiveState::Inactive && !status.why.empty())
        return status.why.substr(0, status.why.find('\n'));
    return {};
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const auto end = std::min(text.find('\n', begin), text.size());
        lines.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return lines;
}

bool goes_elsewhere(const unit::Output& output) {
    using unit::StdoutKind;
    switch (output.kind) {
    case StdoutKind::Null:
    case StdoutKind::File:
    case StdoutKind::Append:
    case StdoutKind::Truncate:
    case StdoutKind::Socket:
    case StdoutKind::Fd:
    case StdoutKind::Tty:
        return true;
    case StdoutKind::Inherit:
    case StdoutKind::Journal:
    case StdoutKind::JournalConsole:
    case StdoutKind::Kmsg:
    case StdoutKind::KmsgConsole:
        return false;
    }
    return false;
}

std::vector<std::string> notices_for(const ViewContext& context, const engine::UnitStatus& status) {
    const unit::UnitConfig& config = *status.config;
    std::vector<std::string> notices;
    for (const unit::Degraded& used : config.degraded) {
        const unit::Directive& row = unit::directives()[used.row];
        if (unit::acts_here(row, context.allowed))
            continue;
        notices.push_back(fmt::format("{}= is {}: {}", row.name.view(),
                                      row.support == unit::Support::Ignored ? "ignored" : "degraded", row.note.view()));
    }
    for (const unit::Problem& problem : config.problems)
        notices.push_back(fmt::format("{}:{}: {}", problem.file, problem.line, problem.text));
    if (config.type == unit::UnitType::Service && goes_elsewhere(config.exec->standard_output))
        notices.push_back(fmt::format("output does not come here: StandardOutput= is {}",
                                      unit::find_directive(config.type, "Service", "StandardOutput")->show(config)));
    std::ranges::move(context.notices(status.id), std::back_inserter(notices));
    return notices;
}

std::string_view listen_word(unit::ListenKind kind) {
    using unit::ListenKind;
    switch (kind) {
    case ListenKind::Stream: return "Stream";
    case ListenKind::Datagram: return "Datagram";
    case ListenKind::SequentialPacket: return "SequentialPacket";
    case ListenKind::Fifo: return "FIFO";
    case ListenKind::Special: return "Special";
    case ListenKind::MessageQueue: return "MessageQueue";
    case ListenKind::Netlink: return "Netlink";
    }
    return "?";
}

/// By HealthKind.
constexpr std::string_view check_names[unit::health_kinds] = {"health", "startup", "ready", "live"};

std::vector<control::CheckInfo> checks_of(const engine::UnitStatus& status) {
    std::vector<control::CheckInfo> checks;
    for (std::size_t kind = 0; status.monitor != nullptr && kind < unit::health_kinds; kind++) {
        const unit::HealthCheck& settings = status.config->health->checks[kind];
        if (settings.steps() == 0)
            continue;
        const auto& check = status.monitor->data()[kind];
        control::CheckInfo info;
        info.kind = check_names[kind];
        info.state = status.health == supervise::Health::None ? "off" : std::string(supervise::name(check.verdict));
        info.streak = check.streak;
        info.retries = settings.retries;
        info.last_run = check.last_run;
        info.ok = check.last_ok;
        info.text = check.last_text;
        info.output = check.last_output;
        checks.push_back(std::move(info));
    }
    return checks;
}

} // namespace

std::string_view name(unit::LoadState state) { return base::name_of(unit::load_state_names, state); }

std::string format_timestamp(base::Moment moment, base::TimestampStyle style) {
    return moment ? base::format_timestamp(moment.wall, sys::local_zone(), style) : std::string();
}

control::UnitSummary summarise(const ViewContext& context, const engine::UnitStatus& status) {
    control::UnitSummary summary;
    summary.name = status.config->name;
    summary.description = status.config->unit.description.empty() ? status.config->name : status.config->unit.description;
    summary.load_state = name(status.config->load_state);
    summary.active_state = supervise::name(status.active);
    summary.sub_state = status.sub;
    if (status.job) {
        summary.job = graph::name(*status.job);
        summary.job_id = status.job_id.value;
    }
    if (status.service != nullptr) {
        summary.result = supervise::name(status.service->result);
        summary.main_pid = status.service->main_pid;
        summary.restarts = status.service->restarts;
        summary.finished = status.active == supervise::ActiveState::Inactive &&
                           status.config->service->type == unit::ServiceType::Oneshot && !status.config->service->remain_after_exit &&
                           status.service->start_succeeded && status.service->result == supervise::ServiceResult::Success;
    }
    if (status.socket != nullptr)
        summary.result = supervise::name(status.socket->result);
    if (status.path != nullptr)
        summary.result = supervise::name(status.path->result);
    summary.health = supervise::name(status.health);
    summary.guards = context.guard_pids(status.id);
    summary.processes = context.scope_pids(status.id);
    summary.state_changed = status.state_change;
    if (status.next_attempt != base::never)
        summary.next_attempt = std::max(status.next_attempt - context.now.mono, base::Duration{});
    summary.note = note_for(status);
    summary.finished = has_finished(status);
    if (status.config->type == unit::UnitType::Timer) {
        for (const base::UnitId other : context.engine.dependencies(status.id, DependencyKind::Triggers, false))
            summary.triggers = context.engine.status(other).config->name;
        summary.next_elapse = status.next_elapse;
        if (status.timer != nullptr)
            summary.last_trigger = status.timer->last_trigger;
    }
    if (status.config->type == unit::UnitType::Socket && !status.config->builtin) {
        for (const base::UnitId other : context.engine.dependencies(status.id, DependencyKind::Triggers, false))
            summary.triggers = context.engine.status(other).config->name;
        for (const unit::ListenAddress& address : status.config->socket->listen)
            summary.listens.push_back(fmt::format("{} ({})", address.text(), listen_word(address.kind)));
    }
    if (status.config->type == unit::UnitType::Path && !status.config->builtin) {
        for (const base::UnitId other : context.engine.dependencies(status.id, DependencyKind::Triggers, false))
            summary.triggers = context.engine.status(other).config->name;
        for (const unit::WatchedPath& each : status.config->path->paths)
            summary.watches.push_back(fmt::format("{}={}", unit::name(each.kind), each.path));
    }
    if (status.watched)
        summary.watches = status.config->watch->patterns;
    summary.machine_masked = status.config->machine_masked;
    summary.builtin = status.config->builtin;
    return summary;
}

GroupUsage group_usage(const ViewContext& context, const engine::UnitStatus& status) {
    GroupUsage usage;
    const bool is_group = (status.config->type == unit::UnitType::Slice || status.scope != nullptr) && status.active == supervise::ActiveState::Active;
    if (context.group_root.empty() || (!is_group && (status.service == nullptr || status.service->guards.empty())))
        return usage;
    usage.path = context.group_root + "/" + base::join(unit::cgroup_path(*status.config), "/");
    const auto read = [&usage](const char* file, std::string_view key) -> std::optional<std::uint64_t> {
        std::uint64_t number = 0;
        return sys::read_cgroup_number((usage.path + file).c_str(), key, number) ? std::optional(number) : std::nullopt;
    };
    usage.memory = read("/memory.current", {});
    usage.cpu_usec = read("/cpu.stat", "usage_usec");
    usage.tasks = read("/pids.current", {});
    return usage;
}

bool can_freeze(const ViewContext& context, const engine::UnitStatus& status) {
    const unit::UnitType type = status.config->type;
    return type == unit::UnitType::Service || ((type == unit::UnitType::Scope || type == unit::UnitType::Slice) && !context.group_root.empty());
}

std::string_view freezer_state(const ViewContext& context, const engine::UnitStatus& status) {
    if (!context.settings.frozen.contains(status.config->name))
        return "running";
    std::uint64_t frozen = 1;
    if (const std::string group = group_usage(context, status).path; !group.empty())
        (void)sys::read_cgroup_number((group + "/cgroup.events").c_str(), "frozen", frozen);
    return frozen != 0 ? "frozen" : "freezing";
}

namespace {

/// What is in a slice, and in those below it: their processes are its own.
void add_members(const ViewContext& context, const engine::UnitStatus& slice, control::UnitDetail& detail) {
    for (const base::UnitId id : context.engine.units()) {
        const engine::UnitStatus other = context.engine.status(id);
        const std::string home = unit::slice_of(*other.config);
        const auto above = unit::slices_down_to(home);
        const bool below = slice.config->name == "-.slice" ? !home.empty() : std::ranges::find(above, slice.config->name) != above.end();
        const bool up = other.active != supervise::ActiveState::Inactive && other.active != supervise::ActiveState::Failed;
        if (!below || !up || (other.config->builtin && other.config->type != unit::UnitType::Slice))
            continue;
        if (home == slice.config->name || (home.empty() && slice.config->name == "-.slice"))
            detail.dependencies.push_back({"Contains", other.config->name, std::string(supervise::name(other.active)), std::string(other.sub),
                                           std::string(name(other.config->load_state))});
        const std::vector<int> guards = context.guard_pids(id);
        detail.summary.guards.insert(detail.summary.guards.end(), guards.begin(), guards.end());
        const std::vector<int> processes = context.scope_pids(id);
        detail.summary.processes.insert(detail.summary.processes.end(), processes.begin(), processes.end());
    }
}

} // namespace

control::UnitDetail describe(const ViewContext& context, const engine::UnitStatus& status) {
    const unit::UnitConfig& config = *status.config;
    control::UnitDetail detail;
    detail.summary = summarise(context, status);
    detail.names = config.names;
    detail.documentation = config.unit.documentation;
    detail.source_path = config.unit.source_path;
    if (!config.files.empty()) {
        detail.fragment_path = config.files.front();
        detail.drop_in_paths.assign(config.files.begin() + 1, config.files.end());
    }
    detail.load_error = config.load_error;
    detail.file_state = context.file_state(config.name);
    if (config.type == unit::UnitType::Service) {
        detail.type = base::name_of(unit::service_type_names, config.service->type);
        detail.restart = base::name_of(unit::restart_policy_names, config.service->restart);
        detail.can_reload = can_reload(config);
        detail.user = config.exec->user;
        detail.group = config.exec->group;
    }
    const GroupUsage usage = group_usage(context, status);
    detail.memory = usage.memory;
    detail.cpu_usec = usage.cpu_usec;
    detail.tasks = usage.tasks;
    if (status.service != nullptr) {
        detail.control_pid = status.service->control_pid;
        detail.status_text = status.service->status_text;
        detail.last_failure = status.service->last_failure;
    }
    detail.active_enter = status.active_enter;
    detail.active_exit = status.active_exit;
    detail.inactive_enter = status.inactive_enter;
    detail.inactive_exit = status.inactive_exit;
    detail.invocation_id = context.invocation_id(status.id);
    if (const std::string_view state = freezer_state(context, status); state != "running")
        detail.freezer_state = state;
    detail.history = context.history(status.id);
    detail.checks = checks_of(status);
    detail.dependencies = dependencies_of(context, status.id, {"Requires", "Wants", "BindsTo", "Requisite", "RequiredBy",
                                                               "WantedBy", "BoundBy", "TriggeredBy", "Triggers"});
    if (config.type == unit::UnitType::Slice)
        add_members(context, status, detail);
    detail.notices = notices_for(context, status);
    detail.condition_failed = status.condition_failed;
    detail.condition_time = status.condition_time;
    detail.loaded = status.loaded;
    detail.why = lines_of(status.why);
    return detail;
}

std::vector<control::Dependency> dependencies_of(const ViewContext& context, base::UnitId unit,
                                                 const std::vector<std::string>& kinds) {
    const auto wanted = [&](std::string_view kind) { return !kind.empty() && (kinds.empty() || std::ranges::find(kinds, kind) != kinds.end()); };
    std::vector<control::Dependency> found;
    const auto collect = [&](const KindName& row, bool reverse) {
        const std::string_view label = reverse ? row.reverse : row.forward;
        if (!wanted(label))
            return;
        for (const base::UnitId other : context.engine.dependencies(unit, row.kind, reverse)) {
            const engine::UnitStatus status = context.engine.status(other);
            if (!status.config)
                continue;
            found.push_back({std::string(label), status.config->name, std::string(supervise::name(status.active)),
                             std::string(status.sub), std::string(name(status.config->load_state))});
        }
    };
    for (const KindName& row : kind_names) {
        collect(row, false);
        collect(row, true);
    }
    return found;
}

} // namespace monoinit::runtime
