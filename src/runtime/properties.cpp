// Properties as `systemctl show` names and prints them: what runs, and the settings (unit/properties.hpp). In what order they
// are shown is the client's business. Ansible, Puppet and invoke-rc.d read these.
#include "base/calendar.hpp"
#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "runtime/views.hpp"
#include "sys/cgroup.hpp"
#include "unit/cgroup_settings.hpp"
#include "unit/enums.hpp"
#include "unit/properties.hpp"
#include "unit/transient.hpp"

#include <algorithm>
#include <unordered_set>

namespace monoinit::runtime {

namespace {

class List {
  public:
    List(const std::vector<std::string>& only, base::TimestampStyle timestamps) : only_(only), timestamps_(timestamps) {}
    /// Whether it is worth while to find the value out.
    bool wants(std::string_view name) const { return only_.empty() || std::ranges::find(only_, name) != only_.end(); }
    void add(std::string_view name, std::string value) {
        if (wants(name) && seen_.insert(std::string(name)).second)
            items_.emplace_back(name, std::move(value));
    }
    void flag(std::string_view name, bool value) { add(name, value ? "yes" : "no"); }
    void time(std::string_view name, base::Moment moment) {
        add(name, format_timestamp(moment, timestamps_));
        add(fmt::format("{}Monotonic", name), fmt::format("{}", moment.mono.since_boot.count()));
    }
    /// False where nothing in particular was asked for.
    bool has_all() const {
        return !only_.empty() && std::ranges::all_of(only_, [&](const std::string& name) { return seen_.contains(name); });
    }
    control::PropertyList take() { return std::move(items_); }

  private:
    const std::vector<std::string>& only_;
    base::TimestampStyle timestamps_;
    control::PropertyList items_;
    std::unordered_set<std::string> seen_;
};

/// Of what runs under User= and Group=; of what is down they are not looked up.
void add_ids(List& list, const ViewContext& context, const unit::ExecSection& exec, bool runs) {
    const auto account = runs && !exec.user.empty() ? context.accounts.user(exec.user) : std::nullopt;
    const auto group = runs && !exec.group.empty() ? context.accounts.group(exec.group) : std::nullopt;
    list.add("UID", account ? fmt::format("{}", account->uid) : "[not set]");
    list.add("GID", group ? fmt::format("{}", *group) : account ? fmt::format("{}", account->gid) : "[not set]");
}

void add_service(List& list, const ViewContext& context, const engine::UnitStatus& status) {
    if (status.service == nullptr)
        return;
    const auto& data = *status.service;
    list.add("MainPID", fmt::format("{}", data.main_pid));
    list.add("ControlPID", fmt::format("{}", data.control_pid));
    list.add("Result", std::string(supervise::name(data.result)));
    list.add("ReloadResult", std::string(supervise::name(data.reload_result)));
    list.add("NFileDescriptorStore", fmt::format("{}", context.stored(status.id)));
    if (list.wants("UID") || list.wants("GID"))
        add_ids(list, context, *status.config->exec, !context.guard_pids(status.id).empty());
    list.add("NRestarts", fmt::format("{}", data.restarts));
    list.add("StatusText", data.status_text);
    list.add("StatusErrno", fmt::format("{}", data.notify_errno));
    list.add("CleanResult", "success");
    list.time("ExecMainStartTimestamp", data.main_started);
    list.time("ExecMainExitTimestamp", data.main_exited);
    const bool ended = data.main_exit.has_value();
    // waitid()'s CLD_* numbers, as systemd prints them.
    const int code = !ended ? 0 : data.main_exit->code == base::ExitInfo::Code::Exited ? 1
                              : data.main_exit->code == base::ExitInfo::Code::Killed ? 2
                                                                                     : 3;
    list.add("ExecMainPID", fmt::format("{}", data.main_pid != 0 ? data.main_pid : data.last_main_pid));
    list.add("ExecMainCode", fmt::format("{}", code));
    list.add("ExecMainStatus", fmt::format("{}", ended ? data.main_exit->status : 0));
}

/// systemd's TimersMonotonic= and TimersCalendar=: "{ OnBootUSec=15min ; next_elapse=… }", one a value.
void add_timer(List& list, const ViewContext& context, const engine::UnitStatus& status) {
    if (status.config->type != unit::UnitType::Timer)
        return;
    static const supervise::Timer::Data never_started;
    const auto& data = status.timer != nullptr ? *status.timer : never_started;
    const bool waits = data.state == supervise::TimerState::Waiting;
    list.add("Result", data.state == supervise::TimerState::Failed ? "resources" : "success");
    const base::Duration wall = waits ? data.next_wall : base::Duration{};
    list.add("NextElapseUSecRealtime", format_timestamp({{}, wall == base::infinity ? base::Duration{} : wall}, context.timestamps));
    const bool spans = waits && data.next_mono != base::never;
    list.add("NextElapseUSecMonotonic", spans ? base::format_time_span(data.next_mono.since_boot) : "infinity");
    list.add("LastTriggerUSec", format_timestamp(data.last_trigger, context.timestamps));
    list.add("LastTriggerUSecMonotonic", base::format_time_span(data.last_trigger.mono.since_boot));
    std::string calendars;
    for (const auto& calendar : status.config->timer->calendars)
        calendars += (calendars.empty() ? "" : "\n") +
                     fmt::format("{{ OnCalendar={} ; next_elapse={} }}", calendar->normalized(), format_timestamp({{}, wall == base::infinity ? base::Duration{} : wall}, context.timestamps));
    list.add("TimersCalendar", std::move(calendars));
    constexpr std::string_view bases[unit::timer_bases] = {"OnActiveUSec", "OnBootUSec", "OnStartupUSec", "OnUnitActiveUSec", "OnUnitInactiveUSec"};
    std::string monotonic;
    for (std::size_t base = 0; base < unit::timer_bases; base++)
        for (const base::Duration span : status.config->timer->spans[base])
            monotonic += fmt::format("{}{{ {}={} ; next_elapse={} }}", monotonic.empty() ? "" : "\n", bases[base], base::format_time_span(span),
                                     spans ? base::format_time_span(data.next_mono.since_boot) : "0");
    list.add("TimersMonotonic", std::move(monotonic));
    for (const base::UnitId other : context.engine.dependencies(status.id, unit::DependencyKind::Triggers, false))
        list.add("Unit", context.engine.status(other).config->name);
}

void add_socket(List& list, const ViewContext& context, const engine::UnitStatus& status) {
    if (status.config->type != unit::UnitType::Socket)
        return;
    static const supervise::Socket::Data never_started;
    const auto& data = status.socket != nullptr ? *status.socket : never_started;
    list.add("Result", std::string(supervise::name(data.result)));
    list.add("ControlPID", fmt::format("{}", data.control_pid));
    list.add("Listen", base::join(summarise(context, status).listens, "\n"));
    unsigned connections = 0;
    for (const base::UnitId other : context.engine.units())
        connections += context.engine.status(other).accepted_by == status.id ? 1U : 0U;
    list.add("NConnections", fmt::format("{}", connections));
    list.add("NAccepted", fmt::format("{}", data.accepted));
    list.add("NRefused", fmt::format("{}", data.refused));
    const unit::SocketSection& section = *status.config->socket;
    list.add("FileDescriptorName", section.descriptor_name.empty() ? status.config->name : section.descriptor_name);
    list.add("TriggerLimitBurst", fmt::format("{}", section.effective_trigger_burst()));
    list.add("TriggerLimitIntervalUSec", base::format_time_span(section.effective_trigger_interval()));
    list.add("PollLimitBurst", fmt::format("{}", section.effective_poll_burst()));
    list.add("PollLimitIntervalUSec", base::format_time_span(section.effective_poll_interval()));
}

/// What is mounted counts, where something is: the file says what is wanted.
void add_mount(List& list, const ViewContext& context, const engine::UnitStatus& status) {
    if (status.config->type != unit::UnitType::Mount)
        return;
    static const supervise::Mount::Data never_looked_at;
    const auto& data = status.mount != nullptr ? *status.mount : never_looked_at;
    list.add("Result", std::string(supervise::name(data.result)));
    list.add("ReloadResult", std::string(supervise::name(data.reload_result)));
    list.add("ControlPID", fmt::format("{}", data.control_pid));
    if (const unit::MountPoint* const point = data.present ? context.mounted(status.config->name) : nullptr) {
        list.add("What", point->what);
        list.add("Type", point->type);
        list.add("Options", point->options);
    }
}

void add_path(List& list, const ViewContext& context, const engine::UnitStatus& status) {
    if (status.config->type != unit::UnitType::Path)
        return;
    static const supervise::Path::Data never_started;
    list.add("Result", std::string(supervise::name((status.path != nullptr ? *status.path : never_started).result)));
    std::string paths;
    for (const unit::WatchedPath& each : status.config->path->paths)
        paths += fmt::format("{}{} ({})", paths.empty() ? "" : "\n", each.path, unit::name(each.kind));
    list.add("Paths", std::move(paths));
    for (const base::UnitId other : context.engine.dependencies(status.id, unit::DependencyKind::Triggers, false))
        list.add("Unit", context.engine.status(other).config->name);
}

void add_usage(List& list, const ViewContext& context, const engine::UnitStatus& status) {
    if (status.config->type != unit::UnitType::Service)
        return;
    const GroupUsage usage = group_usage(context, status);
    const auto words = [](const std::optional<std::uint64_t>& number) { return number ? fmt::format("{}", *number) : "[not set]"; };
    list.add("ControlGroup", usage.path.empty() ? std::string() : usage.path.substr(context.group_root.size()));
    list.add("MemoryCurrent", words(usage.memory));
    list.add("CPUUsageNSec", words(usage.cpu_usec ? std::optional(*usage.cpu_usec * 1000) : std::nullopt));
    list.add("TasksCurrent", words(usage.tasks));
}

/// Why a unit cannot be used, as an error of the bus.
std::string load_error(const unit::UnitConfig& config) {
    switch (config.load_state) {
    case unit::LoadState::Loaded:
    case unit::LoadState::Stub:
        return {};
    case unit::LoadState::NotFound:
        return fmt::format("org.freedesktop.systemd1.NoSuchUnit \"Unit {} not found.\"", config.name);
    case unit::LoadState::BadSetting:
        return fmt::format("org.freedesktop.systemd1.BadUnitSetting \"Unit {} has a bad unit file setting.\"", config.name);
    case unit::LoadState::Masked:
        return fmt::format("org.freedesktop.systemd1.UnitMasked \"Unit {} is masked.\"", config.name);
    case unit::LoadState::Error:
        return fmt::format("org.freedesktop.systemd1.LoadFailed \"{}\"", config.load_error);
    }
    return {};
}

void add_state(List& list, const ViewContext& context, const engine::UnitStatus& status) {
    const unit::UnitConfig& config = *status.config;
    list.add("Id", config.name);
    list.add("Names", base::join(config.names, " "));
    list.add("Following", "");
    list.add("Description", config.unit.description.empty() ? config.name : config.unit.description);
    list.add("LoadState", std::string(name(config.load_state)));
    list.add("LoadError", load_error(config));
    list.add("ActiveState", std::string(supervise::name(status.active)));
    list.flag("CanFreeze", can_freeze(context, status));
    list.add("FreezerState", std::string(freezer_state(context, status)));
    list.add("Markers", context.settings.marks_of(config.name));
    list.add("SubState", std::string(status.sub));
    list.add("FragmentPath", config.files.empty() ? std::string() : config.files.front());
    list.add("DropInPaths", config.files.size() < 2 ? std::string() : unit::quoted_words({config.files.begin() + 1, config.files.end()}));
    if (list.wants("UnitFileState"))
        list.add("UnitFileState", context.file_state(config.name));
    list.add("UnitFilePreset", ""); // the client asks the preset files
    list.time("StateChangeTimestamp", status.state_change);
    list.time("InactiveExitTimestamp", status.inactive_exit);
    list.time("ActiveEnterTimestamp", status.active_enter);
    list.time("ActiveExitTimestamp", status.active_exit);
    list.time("InactiveEnterTimestamp", status.inactive_enter);
    list.time("ConditionTimestamp", status.condition_time);
    list.time("AssertTimestamp", status.condition_time); // looked at together
    list.flag("ConditionResult", status.condition_result);
    list.flag("AssertResult", status.assert_result);
    const bool usable = config.load_state == unit::LoadState::Loaded;
    list.flag("CanStart", usable && !config.unit.refuse_manual_start);
    const bool stays = config.type == unit::UnitType::Device || (status.mount != nullptr && status.mount->given);
    list.flag("CanStop", usable && !config.unit.refuse_manual_stop && !stays);
    list.flag("CanIsolate", usable && config.unit.allow_isolate);
    list.flag("CanReload", can_reload(config));
    list.flag("NeedDaemonReload", false); // the client looks at the files; for that:
    list.add("X-Loaded", fmt::format("{}", status.loaded.wall.count()));
    list.flag("Transient", unit::is_transient_path(config.files.empty() ? std::string_view() : config.files.front()));
    list.flag("Perpetual", config.builtin && config.load_state == unit::LoadState::Loaded && config.unit.refuse_manual_stop);
    list.add("InvocationID", context.invocation_id(status.id));
    list.add("Job", status.job ? fmt::format("{}", status.job_id.value) : std::string());
}

/// How each command went last: found again by its list and its words.
unit::RunOf runs_of(const ViewContext& context, const engine::UnitStatus& status) {
    return [history = context.history(status.id), style = context.timestamps](unit::ExecList which, const unit::Command& command) {
        unit::CommandRun run;
        const std::string words = base::join(command.argv, " ");
        for (const control::ExecRecord& record : history) {
            if (record.directive != base::name_of(unit::exec_list_names, which) || record.command != words)
                continue;
            run.started = format_timestamp(record.started, style);
            run.exited = format_timestamp(record.exited, style);
            run.pid = record.pid;
            run.code = record.code == "exited" ? "exited" : record.code == "killed" ? "killed" : record.code.empty() ? "" : "dumped";
            run.status = record.status;
        }
        return run;
    };
}

} // namespace

bool can_reload(const unit::UnitConfig& config) {
    const auto& service = *config.service;
    if (config.type == unit::UnitType::Mount)
        return config.load_state == unit::LoadState::Loaded;
    return config.type == unit::UnitType::Service && config.load_state == unit::LoadState::Loaded &&
           (!service.list(unit::ExecList::Reload).empty() || service.type == unit::ServiceType::NotifyReload);
}

control::PropertyList properties_of(const ViewContext& context, const engine::UnitStatus& status, bool with_environment,
                                    const std::vector<std::string>& only) {
    List list(only, context.timestamps);
    add_state(list, context, status);
    if (list.has_all())
        return list.take();
    add_service(list, context, status);
    add_timer(list, context, status);
    add_socket(list, context, status);
    add_mount(list, context, status);
    if (const std::string slice = unit::slice_of(*status.config); !slice.empty())
        list.add("Slice", slice);
    add_path(list, context, status);
    add_usage(list, context, status);
    if (list.has_all())
        return list.take();
    std::string last_kind;
    std::string units;
    for (const control::Dependency& dependency : dependencies_of(context, status.id, {})) {
        if (dependency.kind != last_kind) {
            if (!last_kind.empty())
                list.add(last_kind, std::move(units));
            last_kind = dependency.kind;
            units.clear();
        }
        units += (units.empty() ? "" : " ") + dependency.unit;
    }
    if (!last_kind.empty())
        list.add(last_kind, std::move(units));
    if (list.has_all())
        return list.take();
    unit::settings_as_properties(*status.config, context.inherited, with_environment, runs_of(context, status),
                                 [&](std::string_view name, std::string value) { list.add(name, std::move(value)); });
    return list.take();
}

} // namespace monoinit::runtime
