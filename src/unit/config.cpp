// The few questions a unit's configuration answers itself. Defaults as systemd.service(5).
#include "unit/config.hpp"

#include <algorithm>

namespace monoinit::unit {

bool ExitStatusSet::contains(const base::ExitInfo& exit) const {
    const auto& listed = exit.is_signal() ? signals : statuses;
    return std::ranges::find(listed, exit.status) != listed.end();
}

Duration ServiceSection::effective_timeout_start() const {
    if (timeout_start)
        return *timeout_start;
    return type == ServiceType::Oneshot ? infinity : Duration(std::chrono::seconds(90));
}

NotifyAccess ServiceSection::effective_notify_access() const {
    // "If NotifyAccess= is missing or set to none, it will be forcibly set to main" (systemd.service(5), Type=notify).
    if (notify_access && *notify_access != NotifyAccess::None)
        return *notify_access;
    const bool notifies = type == ServiceType::Notify || type == ServiceType::NotifyReload || watchdog.count() != 0 ||
                          file_descriptor_store_max > 0;
    return notifies ? NotifyAccess::Main : NotifyAccess::None;
}

namespace {

struct Targets {
    HealthStepKind kind;
    std::vector<std::string> HealthCheck::* list;
};
constexpr Targets target_lists[] = {
    {HealthStepKind::FileExists, &HealthCheck::file_exists}, {HealthStepKind::UnixConnect, &HealthCheck::unix_connect},
    {HealthStepKind::TcpConnect, &HealthCheck::tcp_connect}, {HealthStepKind::HttpGet, &HealthCheck::http_get},
    {HealthStepKind::LogLine, &HealthCheck::log_line}};

} // namespace

std::size_t HealthCheck::steps() const {
    std::size_t sum = exec.size();
    for (const Targets& row : target_lists)
        sum += (this->*row.list).size();
    return sum;
}

std::optional<HealthStep> HealthCheck::step(std::size_t number) const {
    for (const Targets& row : target_lists) {
        const std::size_t size = (this->*row.list).size();
        if (number < size)
            return HealthStep{row.kind, number};
        number -= size;
    }
    return number < exec.size() ? std::optional(HealthStep{HealthStepKind::Exec, number}) : std::nullopt;
}

const std::string& HealthCheck::target(HealthStep step) const {
    for (const Targets& row : target_lists)
        if (row.kind == step.kind)
            return (this->*row.list)[step.index];
    return exec[step.index].path;
}

OnUnhealthy HealthSection::consequence(HealthKind kind) const {
    return check(kind).on_unhealthy.value_or(kind == HealthKind::Ready ? OnUnhealthy::None : OnUnhealthy::Restart);
}

bool HealthSection::empty() const {
    return std::ranges::all_of(checks, [](const HealthCheck& check) { return check.steps() == 0; });
}

bool TimerSection::empty() const {
    return calendars.empty() && !on_clock_change && !on_timezone_change &&
           std::ranges::all_of(spans, [](const std::vector<Duration>& list) { return list.empty(); });
}

bool UnitConfig::has_privileged_commands() const {
    const auto any = [](const std::vector<Command>& list) {
        return std::ranges::any_of(list, [](const Command& command) {
            return command.full_privileges || command.no_setuid || command.ambient_fallback;
        });
    };
    return std::ranges::any_of(service->commands, any) ||
           std::ranges::any_of(health->checks, [&](const HealthCheck& check) { return any(check.exec); });
}

} // namespace monoinit::unit
