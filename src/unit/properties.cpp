// See properties.hpp. Names and forms: the interfaces org.freedesktop.systemd1.Unit, .Service, .Socket and .Timer.
// Tested by tests/unit/unit/properties_test.cpp and tests/system/systemctl_oracle.py.
#include "unit/properties.hpp"

#include "base/calendar.hpp"
#include "base/fmt.hpp"
#include "base/signals.hpp"
#include "base/strings.hpp"
#include "unit/directives.hpp"
#include "unit/enums.hpp"
#include "unit/values.hpp"

#include <algorithm>
#include <array>

namespace monoinit::unit {

namespace {

constexpr std::uint64_t unlimited = ~std::uint64_t{0};

std::string number_or_unset(const std::optional<std::uint32_t>& number) { return number ? std::to_string(*number) : "[not set]"; }
std::string bound_or(const std::optional<Bound>& bound, std::string_view otherwise) {
    if (!bound)
        return std::string(otherwise);
    if (bound->relative)
        return fmt::format("{}.{:02}%", bound->number / 100, bound->number % 100);
    return bound->number == Bound::infinity ? "infinity" : std::to_string(bound->number);
}

/// Statuses as numbers, signals without SIG.
std::string exit_statuses(const ExitStatusSet& set) {
    std::vector<std::string> words;
    for (const std::uint8_t status : set.statuses)
        words.push_back(std::to_string(status));
    for (const std::uint8_t signal : set.signals) {
        const std::string name = base::signal_name(signal);
        words.push_back(name.starts_with("SIG") ? name.substr(3) : name);
    }
    return base::join(words, " ");
}

std::string environment_files(const ExecSection& exec) {
    std::vector<std::string> lines;
    for (const EnvironmentFile& file : exec.environment_files)
        lines.push_back(fmt::format("{} (ignore_errors={})", file.path, file.optional ? "yes" : "no"));
    return base::join(lines, "\n");
}

/// So much CPU time each second: 20% is 200 ms.
std::string cpu_quota(const ResourceSection& resources) {
    if (!resources.cpu_quota)
        return "infinity";
    return base::format_time_span(Duration(std::int64_t{*resources.cpu_quota} * 100));
}

constexpr int best_effort = 2, middle_priority = 4; // what ioprio_get(2) makes of "none"
constexpr std::uint64_t kernel_slack_nsec = 50000;

/// A property that looks otherwise than its directive's line, by the directive's name.
struct Form {
    std::string_view directive, property;
    std::string (*value)(const UnitConfig&);
};

// clang-format off
constexpr auto forms = std::to_array<Form>({
    {"Documentation",      "Documentation",      [](const UnitConfig& u) { return quoted_words(u.unit.documentation); }},
    {"TimeoutStartSec",    "TimeoutStartUSec",   [](const UnitConfig& u) { return base::format_time_span(u.service->effective_timeout_start()); }},
    {"TimeoutAbortSec",    "TimeoutAbortUSec",   [](const UnitConfig& u) { return base::format_time_span(u.service->timeout_abort.value_or(u.service->timeout_stop)); }},
    {"NotifyAccess",       "NotifyAccess",       [](const UnitConfig& u) { return std::string(base::name_of(notify_access_names, u.service->effective_notify_access())); }},
    {"ReloadSignal",       "ReloadSignal",       [](const UnitConfig& u) { return std::to_string(u.service->reload_signal); }},
    {"SuccessExitStatus",  "SuccessExitStatus",  [](const UnitConfig& u) { return exit_statuses(u.service->success_exit_status); }},
    {"RestartPreventExitStatus", "RestartPreventExitStatus", [](const UnitConfig& u) { return exit_statuses(u.service->restart_prevent_exit_status); }},
    {"RestartForceExitStatus", "RestartForceExitStatus", [](const UnitConfig& u) { return exit_statuses(u.service->restart_force_exit_status); }},
    {"KillSignal",         "KillSignal",         [](const UnitConfig& u) { return std::to_string(u.kill->kill_signal); }},
    {"RestartKillSignal",  "RestartKillSignal",  [](const UnitConfig& u) { return std::to_string(u.kill->restart_kill_signal != 0 ? u.kill->restart_kill_signal : u.kill->kill_signal); }},
    {"FinalKillSignal",    "FinalKillSignal",    [](const UnitConfig& u) { return std::to_string(u.kill->final_kill_signal); }},
    {"WatchdogSignal",     "WatchdogSignal",     [](const UnitConfig& u) { return std::to_string(u.kill->watchdog_signal); }},
    {"Environment",        "Environment",        [](const UnitConfig& u) { return quoted_words(u.exec->environment); }},
    {"EnvironmentFile",    "EnvironmentFiles",   [](const UnitConfig& u) { return environment_files(*u.exec); }},
    {"WorkingDirectory",   "WorkingDirectory",   [](const UnitConfig& u) { return (u.exec->working_directory_optional ? "!" : "") + u.exec->working_directory; }},
    {"CapabilityBoundingSet", "CapabilityBoundingSet", [](const UnitConfig& u) { return format_capabilities(u.exec->capability_bounding_set.value_or(all_capabilities)); }},
    {"SecureBits",         "SecureBits",         [](const UnitConfig& u) { return std::to_string(u.exec->secure_bits.value_or(0)); }},
    {"SyslogFacility",     "SyslogFacility",     [](const UnitConfig& u) { return std::to_string(u.exec->syslog_facility >> 3); }},
    {"SyslogLevel",        "SyslogLevel",        [](const UnitConfig& u) { return std::to_string(u.exec->syslog_level); }},
    {"LogLevelMax",        "LogLevelMax",        [](const UnitConfig& u) { return std::to_string(u.exec->log->level_max == 7 ? -1 : u.exec->log->level_max); }},
    {"LogRateLimitIntervalSec", "LogRateLimitIntervalUSec", [](const UnitConfig& u) { return base::format_time_span(u.exec->log->rate_limit_interval.value_or(Duration{})); }},
    {"LogRateLimitBurst",  "LogRateLimitBurst",  [](const UnitConfig& u) { return std::to_string(u.exec->log->rate_limit_burst.value_or(0)); }},
    {"Nice",               "Nice",               [](const UnitConfig& u) { return std::to_string(u.exec->scheduling->nice.value_or(0)); }},
    {"IOSchedulingClass",  "IOSchedulingClass",  [](const UnitConfig& u) { return std::to_string(u.exec->scheduling->io_class.value_or(best_effort)); }},
    {"IOSchedulingPriority", "IOSchedulingPriority", [](const UnitConfig& u) { return std::to_string(u.exec->scheduling->io_priority.value_or(middle_priority)); }},
    {"CPUSchedulingPolicy", "CPUSchedulingPolicy", [](const UnitConfig& u) { return std::to_string(u.exec->scheduling->cpu_policy.value_or(0)); }},
    {"CPUSchedulingPriority", "CPUSchedulingPriority", [](const UnitConfig& u) { return std::to_string(u.exec->scheduling->cpu_priority.value_or(0)); }},
    {"TimerSlackNSec",     "TimerSlackNSec",     [](const UnitConfig& u) { return std::to_string(u.exec->scheduling->timer_slack_nsec.value_or(kernel_slack_nsec)); }},
    {"Slice",              "Slice",              [](const UnitConfig& u) { return u.resources->slice.empty() ? "system.slice" : u.resources->slice; }},
    {"CPUWeight",          "CPUWeight",          [](const UnitConfig& u) { return number_or_unset(u.resources->cpu_weight); }},
    {"IOWeight",           "IOWeight",           [](const UnitConfig& u) { return number_or_unset(u.resources->io_weight); }},
    {"CPUQuota",           "CPUQuotaPerSecUSec", [](const UnitConfig& u) { return cpu_quota(*u.resources); }},
    {"CPUQuotaPeriodSec",  "CPUQuotaPeriodUSec", [](const UnitConfig& u) { return u.resources->cpu_quota_period.count() == 0 ? "infinity" : base::format_time_span(u.resources->cpu_quota_period); }},
    {"MemoryMin",          "MemoryMin",          [](const UnitConfig& u) { return bound_or(u.resources->memory_min, "0"); }},
    {"MemoryLow",          "MemoryLow",          [](const UnitConfig& u) { return bound_or(u.resources->memory_low, "0"); }},
    {"MemoryHigh",         "MemoryHigh",         [](const UnitConfig& u) { return bound_or(u.resources->memory_high, "infinity"); }},
    {"MemoryMax",          "MemoryMax",          [](const UnitConfig& u) { return bound_or(u.resources->memory_max, "infinity"); }},
    {"MemorySwapMax",      "MemorySwapMax",      [](const UnitConfig& u) { return bound_or(u.resources->memory_swap_max, "infinity"); }},
    {"MemoryZSwapMax",     "MemoryZSwapMax",     [](const UnitConfig& u) { return bound_or(u.resources->memory_zswap_max, "infinity"); }},
    {"TasksMax",           "TasksMax",           [](const UnitConfig& u) { return bound_or(u.resources->tasks_max, "infinity"); }},
    {"IPTOS",              "IPTOS",              [](const UnitConfig& u) { return std::to_string(u.socket->ip_tos.value_or(-1)); }},
    {"IPTTL",              "IPTTL",              [](const UnitConfig& u) { return std::to_string(u.socket->ip_ttl.value_or(-1)); }},
    {"Priority",           "Priority",           [](const UnitConfig& u) { return std::to_string(u.socket->priority.value_or(-1)); }},
    {"Mark",               "Mark",               [](const UnitConfig& u) { return u.socket->mark ? std::to_string(*u.socket->mark) : "-1"; }},
    {"MaxConnectionsPerSource", "MaxConnectionsPerSource", [](const UnitConfig& u) { return std::to_string(u.socket->max_connections_per_source.value_or(0)); }},
    {"MessageQueueMaxMessages", "MessageQueueMaxMessages", [](const UnitConfig& u) { return std::to_string(u.socket->queue_messages.value_or(0)); }},
    {"MessageQueueMessageSize", "MessageQueueMessageSize", [](const UnitConfig& u) { return std::to_string(u.socket->queue_message_size.value_or(0)); }},
});
// clang-format on

/// Lines that set a property of another kind, or none: conditions, what [Timer] and [Socket] listen for, text for standard input.
bool has_no_property(const Directive& row) {
    const std::string_view name = row.name;
    if (row.group == Group::Timer)
        return name.starts_with("On") && name != "OnClockChange" && name != "OnTimezoneChange";
    if (row.group == Group::Socket)
        return name.starts_with("Listen") || name == "Service";
    return name.starts_with("Condition") || name.starts_with("Assert") || name == "StandardInputText" || name == "Sockets";
}

bool is_secret(const Directive& row) {
    return row.name == "Environment" || row.name == "EnvironmentFile" || row.name == "StandardInputData" || row.name == "SetCredential";
}

struct CommandList {
    ExecList list;
    std::string_view service, socket; ///< property in each; empty: it has none
};
constexpr CommandList command_lists[] = {
    {ExecList::Condition, "ExecCondition", ""},     {ExecList::StartPre, "ExecStartPre", "ExecStartPre"},
    {ExecList::Start, "ExecStart", ""},             {ExecList::StartPost, "ExecStartPost", "ExecStartPost"},
    {ExecList::Reload, "ExecReload", ""},           {ExecList::Stop, "ExecStop", "ExecStopPre"},
    {ExecList::StopPost, "ExecStopPost", "ExecStopPost"},
};

std::string flags_of(const Command& command) {
    std::vector<std::string> flags;
    const auto add = [&](bool is_set, const char* word) {
        if (is_set)
            flags.emplace_back(word);
    };
    add(command.ignore_failure, "ignore-failure");
    add(command.full_privileges, "privileged");
    add(command.no_setuid, "no-setuid");
    add(command.ambient_fallback, "ambient");
    add(command.no_environment, "no-env-expand");
    return base::join(flags, " ");
}

/// "{ path=/bin/sleep ; argv[]=/bin/sleep 10 ; ignore_errors=no ; start_time=[…] ; … ; status=0/0 }"
std::string command_value(const Command& command, const CommandRun& run, bool with_flags) {
    const auto time = [](const std::string& text) { return text.empty() ? std::string("n/a") : text; };
    const std::string how = with_flags ? "flags=" + flags_of(command) : fmt::format("ignore_errors={}", command.ignore_failure ? "yes" : "no");
    std::string signal = run.status == 0 ? "0" : base::signal_name(run.status);
    if (signal.starts_with("SIG"))
        signal = signal.substr(3);
    const std::string status = run.code == "exited" ? fmt::format("{}", run.status) : fmt::format("{}/{}", run.status, signal);
    return fmt::format("{{ path={} ; argv[]={} ; {} ; start_time=[{}] ; stop_time=[{}] ; pid={} ; code={} ; status={} }}", command.path,
                       base::join(command.argv, " "), how, time(run.started), time(run.exited), run.pid, run.code.empty() ? "(null)" : run.code, status);
}

void commands(const UnitConfig& unit, const RunOf& run, const PropertySink& sink) {
    for (const CommandList& row : command_lists) {
        const std::string_view name = unit.type == UnitType::Socket ? row.socket : row.service;
        if (name.empty())
            continue;
        std::vector<std::string> plain, with_flags;
        for (const Command& command : unit.service->list(row.list)) {
            const CommandRun ran = run(row.list, command);
            plain.push_back(command_value(command, ran, false));
            with_flags.push_back(command_value(command, ran, true));
        }
        sink(name, base::join(plain, "\n"));
        if (unit.type == UnitType::Service)
            sink(std::string(name) + "Ex", base::join(with_flags, "\n"));
    }
}

/// Each look-up goes through the whole table: once is enough.
std::string_view limit_name(int resource) {
    static const auto names = [] {
        std::array<std::string_view, 16> found;
        for (std::size_t i = 0; i < found.size(); i++)
            found[i] = limit_directive(static_cast<int>(i));
        return found;
    }();
    return static_cast<std::size_t>(resource) < names.size() ? names[static_cast<std::size_t>(resource)] : std::string_view("a limit");
}

void limits(const std::vector<ResourceLimit>& own, const Inherited& inherited, std::string_view prefix, const PropertySink& sink) {
    const auto text = [](std::uint64_t value) { return value == unlimited ? std::string("infinity") : std::to_string(value); };
    for (const ResourceLimit& fallback : inherited.limits) {
        const auto found = std::ranges::find(own, fallback.resource, &ResourceLimit::resource);
        const ResourceLimit& limit = found == own.end() ? fallback : *found;
        const std::string name = std::string(prefix) + std::string(limit_name(limit.resource));
        sink(name, text(limit.hard));
        sink(name + "Soft", text(limit.soft));
    }
}

std::string_view own_section(UnitType type) {
    const auto sections = sections_of(type);
    return sections.size() > 2 ? sections[2] : "";
}

} // namespace

std::string quoted_words(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) {
        out += out.empty() ? "" : " ";
        if (!word.empty() && word.find_first_of(" \t\n\r\"\\`$*?['()<>|&;!") == std::string::npos) {
            out += word;
            continue;
        }
        out += '"';
        for (const char c : word)
            (out += std::string_view("\"\\`$").find(c) != std::string_view::npos ? "\\" : "") += c;
        out += '"';
    }
    return out;
}

void settings_as_properties(const UnitConfig& unit, const Inherited& inherited, bool secrets, const RunOf& run, const PropertySink& sink) {
    const std::string_view section = own_section(unit.type);
    const bool executes = unit.type == UnitType::Service || unit.type == UnitType::Socket || unit.type == UnitType::Mount;
    if (unit.type == UnitType::Service || unit.type == UnitType::Socket)
        commands(unit, run, sink);
    for (const Directive& row : directives()) {
        if (row.show == nullptr || row.group == Group::Install || has_no_property(row) || (is_secret(row) && !secrets))
            continue;
        const std::string_view name = row.name;
        if (find_directive(unit.type, row.group == Group::Unit ? "Unit" : section, name) != &row)
            continue;
        if (row.group == Group::Exec && name.starts_with("Limit"))
            continue; // below, with what is inherited
        if (name == "OOMScoreAdjust")
            continue;
        if (name.starts_with("Exec") && (row.group == Group::Service || row.group == Group::Socket))
            continue;
        const auto form = std::ranges::find(forms, name, &Form::directive);
        if (form != forms.end())
            sink(form->property, form->value(unit));
        else
            sink(property_name(row), row.show(unit));
    }
    if (!executes)
        return;
    limits(unit.exec->limits, inherited, "", sink);
    sink("SyslogPriority", std::to_string(unit.exec->syslog_facility | unit.exec->syslog_level));
    sink("OOMScoreAdjust", std::to_string(unit.exec->scheduling->oom_score_adjust.value_or(inherited.oom_score_adjust)));
}

void defaults_as_properties(const Inherited& inherited, Duration timeout_start, Duration timeout_stop, const PropertySink& sink) {
    const UnitConfig none;
    const auto default_of = [&](std::string_view directive, UnitType type, std::string_view section) {
        const Directive* row = find_directive(type, section, directive);
        return row == nullptr || row->show == nullptr ? std::string() : row->show(none);
    };
    sink("DefaultStandardOutput", default_of("StandardOutput", UnitType::Service, "Service"));
    sink("DefaultStandardError", default_of("StandardError", UnitType::Service, "Service"));
    sink("DefaultTimerAccuracyUSec", default_of("AccuracySec", UnitType::Timer, "Timer"));
    sink("DefaultTimeoutStartUSec", base::format_time_span(timeout_start));
    sink("DefaultTimeoutStopUSec", base::format_time_span(timeout_stop));
    sink("DefaultTimeoutAbortUSec", base::format_time_span(timeout_stop));
    sink("DefaultRestartUSec", default_of("RestartSec", UnitType::Service, "Service"));
    sink("DefaultStartLimitIntervalUSec", default_of("StartLimitIntervalSec", UnitType::Service, "Unit"));
    sink("DefaultStartLimitBurst", default_of("StartLimitBurst", UnitType::Service, "Unit"));
    limits({}, inherited, "Default", sink);
    sink("TimerSlackNSec", std::to_string(kernel_slack_nsec));
    sink("DefaultOOMPolicy", default_of("OOMPolicy", UnitType::Service, "Service"));
    sink("DefaultOOMScoreAdjust", std::to_string(inherited.oom_score_adjust));
}

} // namespace monoinit::unit
