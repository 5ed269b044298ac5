// The manager's own properties, as `systemctl show` without a unit prints them. Tested by tests/system/systemctl_oracle.py.
#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "exec/build_plan.hpp"
#include "runtime/runtime.hpp"
#include "unit/enums.hpp"

#include <charconv>
#include <sys/resource.h>

namespace monoinit::runtime {

/// What a service gets of ours where its file says nothing.
void Runtime::note_inherited() {
    inherited_.limits.clear();
    for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
        struct rlimit limit {};
        if (::getrlimit(static_cast<decltype(RLIMIT_CPU)>(resource), &limit) != 0)
            continue;
        if (resource == RLIMIT_NOFILE && manager_.own_nofile_hard != 0)
            limit = {manager_.own_nofile_soft, manager_.own_nofile_hard};
        inherited_.limits.push_back({resource, limit.rlim_cur, limit.rlim_max});
    }
    const auto text = sys::RealFiles().read("/proc/self/oom_score_adj", 16);
    if (text)
        std::from_chars(text->data(), text->data() + text->size(), inherited_.oom_score_adjust);
}

control::PropertyList Runtime::properties(bool with_environment, base::TimestampStyle timestamps) {
    const control::ManagerInfo manager = info();
    control::PropertyList list;
    const auto add = [&](std::string_view name, std::string value) { list.emplace_back(name, std::move(value)); };
    const auto time = [&](const std::string& name, base::Moment moment) {
        add(name, format_timestamp(moment, timestamps));
        add(name + "Monotonic", fmt::format("{}", moment.mono.since_boot.count()));
    };
    base::Moment finished;
    if (manager.ready_after)
        finished = {manager.started.mono + *manager.ready_after, manager.started.wall + *manager.ready_after};
    add("Version", "252 (monoinit " + manager.version + ")");
    add("Virtualization", place_.container == "no container" ? "" : place_.container == "a container" ? "container-other" : place_.container);
    add("Architecture", place_.architecture);
    time("UserspaceTimestamp", manager.started);
    time("FinishTimestamp", finished);
    add("LogLevel", std::string(base::name_of(unit::syslog_level_names, settings_.log_level)));
    add("LogTarget", settings_.log_nowhere ? "null" : "console");
    add("NNames", fmt::format("{}", manager.units));
    add("NFailedUnits", fmt::format("{}", manager.failed));
    add("NJobs", fmt::format("{}", manager.jobs));
    add("Progress", manager.ready_after ? "1" : "0");
    if (with_environment)
        add("Environment", unit::quoted_words(exec::inherited_environment(manager_.environment, false)));
    add("ConfirmSpawn", "no");
    add("ShowStatus", "yes");
    add("UnitPath", base::join(manager.unit_path, " "));
    add("ServiceWatchdogs", settings_.service_watchdogs ? "yes" : "no");
    std::vector<std::string> marked; // for reload-or-restart --marked
    for (const auto& [unit, marks] : settings_.marks)
        marked.push_back(((marks & NeedsRestart) != 0 ? "restart:" : "reload:") + unit);
    add("X-Marked", base::join(marked, " "));
    add("SystemState", manager.system_state);
    add("DefaultTarget", manager.boot_target);
    unit::defaults_as_properties(inherited_, config_.default_timeout_start, config_.default_timeout_stop,
                                 [&](std::string_view name, std::string value) { add(name, std::move(value)); });
    return list;
}

control::ManagerInfo Runtime::info() {
    control::ManagerInfo info;
    info.version = MONOINIT_VERSION;
    info.pid = ::getpid();
    constexpr std::string_view states[] = {"initializing", "starting", "running", "degraded", "maintenance", "stopping"};
    info.system_state = states[static_cast<std::size_t>(engine_->system_state())];
    info.uptime = sys::now() - invocation_.started.mono;
    info.ready_after = ready_after_;
    info.started = invocation_.started;
    info.place = fmt::format("{} in {}, {}", manager_.uid == 0 ? "root" : fmt::format("uid {}", manager_.uid), place_.container,
                             place_.cgroup_writable ? "cgroup write" : "no cgroup write");
    info.boot_target = boot_target_ ? engine_->status(boot_target_).config->name : boot_target_name();
    info.unit_path = loader_->environment().unit_path;
    info.masked = masked_;
    info.not_enabled = not_enabled();
    for (const base::UnitId unit : engine_->units()) {
        const auto status = engine_->status(unit);
        info.units += status.config->load_state == unit::LoadState::Loaded ? 1U : 0U;
        info.failed += status.active == supervise::ActiveState::Failed ? 1U : 0U;
    }
    info.jobs = static_cast<std::uint32_t>(engine_->jobs().size());
    info.runtime_directory = dir_.path;
    info.log_source = dir_.logs;
    return info;
}

} // namespace monoinit::runtime
