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
    const bool notifies = type == ServiceType::Notify || type == ServiceType::NotifyReload || watchdog.count() != 0;
    return notifies ? NotifyAccess::Main : NotifyAccess::None;
}

bool UnitConfig::has_privileged_commands() const {
    return std::ranges::any_of(service->commands, [](const std::vector<Command>& list) {
        return std::ranges::any_of(list, [](const Command& command) {
            return command.full_privileges || command.no_setuid || command.ambient_fallback;
        });
    });
}

} // namespace monoinit::unit
