#include "random_units.hpp"

#include "base/calendar.hpp"

#include <array>

namespace monoinit::sim {

namespace {

using namespace std::chrono_literals;
using test::Build;
using unit::DependencyKind;
using unit::ServiceType;
using unit::UnitType;

UnitType type_at(std::size_t index) {
    switch (index % 12) {
    case 0:
        return UnitType::Target;
    case 3:
        return UnitType::Path;
    case 5:
        return UnitType::Mount;
    case 7:
        return UnitType::Timer;
    case 9:
        return UnitType::Socket;
    case 10:
        return UnitType::Automount; // not started by this version
    default:
        return UnitType::Service;
    }
}

constexpr auto unusable = std::to_array<unit::LoadState>(
    {unit::LoadState::Masked, unit::LoadState::NotFound, unit::LoadState::BadSetting, unit::LoadState::Error});

constexpr auto kinds = std::to_array<DependencyKind>({
    DependencyKind::Requires, DependencyKind::Requires, DependencyKind::Requisite, DependencyKind::Wants,
    DependencyKind::Wants, DependencyKind::Wants, DependencyKind::BindsTo, DependencyKind::PartOf,
    DependencyKind::Upholds, DependencyKind::Conflicts, DependencyKind::Before, DependencyKind::After,
    DependencyKind::After, DependencyKind::After, DependencyKind::After, DependencyKind::OnFailure,
    DependencyKind::OnSuccess, DependencyKind::PropagatesReloadTo, DependencyKind::ReloadPropagatedFrom,
    DependencyKind::PropagatesStopTo, DependencyKind::StopPropagatedFrom, DependencyKind::Triggers,
});

void random_service(Random& random, unit::UnitConfig& config) {
    constexpr auto types =
        std::to_array<ServiceType>({ServiceType::Simple, ServiceType::Exec, ServiceType::Forking, ServiceType::Oneshot,
                                    ServiceType::Oneshot, ServiceType::Notify, ServiceType::NotifyReload, ServiceType::NotifyReload, ServiceType::Idle});
    constexpr auto policies = std::to_array<unit::RestartPolicy>(
        {unit::RestartPolicy::No, unit::RestartPolicy::No, unit::RestartPolicy::OnSuccess, unit::RestartPolicy::OnFailure,
         unit::RestartPolicy::OnAbnormal, unit::RestartPolicy::OnWatchdog, unit::RestartPolicy::OnAbort, unit::RestartPolicy::Always});
    unit::ServiceSection& service = config.service.edit();
    service.type = types[random.below(types.size())];
    service.restart = policies[random.below(policies.size())];
    if (service.type == ServiceType::Oneshot && (service.restart == unit::RestartPolicy::Always || service.restart == unit::RestartPolicy::OnSuccess))
        service.restart = unit::RestartPolicy::OnFailure; // the loader refuses the others
    service.restart_mode = random.chance(30) ? unit::RestartMode::Direct : unit::RestartMode::Normal;
    service.restart_delay = random.chance(30) ? 0ms : 500ms;
    service.restart_timing_set = random.chance(60);
    service.remain_after_exit = random.chance(30);
    service.timeout_start = std::chrono::seconds(1 + random.below(5));
    service.timeout_stop = std::chrono::seconds(1 + random.below(5));
    if (random.chance(15))
        service.timeout_abort = 2s;
    constexpr auto failure_modes = std::to_array<unit::TimeoutFailureMode>(
        {unit::TimeoutFailureMode::Terminate, unit::TimeoutFailureMode::Abort, unit::TimeoutFailureMode::Kill});
    if (random.chance(30))
        service.timeout_start_failure_mode = failure_modes[random.below(3)];
    if (random.chance(30))
        service.timeout_stop_failure_mode = failure_modes[random.below(3)];
    if (random.chance(10)) {
        service.restart_steps = 3;
        service.restart_max_delay = 4s;
    }
    if (random.chance(10))
        service.success_exit_status.statuses = {1, 7, 42};
    if (random.chance(10))
        service.restart_prevent_exit_status.statuses = {1, 2, 3};
    if (random.chance(10))
        service.restart_force_exit_status.statuses = {0, 1};
    if (random.chance(20))
        service.notify_access = static_cast<unit::NotifyAccess>(random.below(4));
    if (random.chance(15))
        service.watchdog = 3s;
    if (random.chance(10))
        service.runtime_max = 10s;
    if (service.type == ServiceType::Forking && random.chance(50))
        service.pid_file = "/run/x.pid";
    service.exit_type = random.chance(15) ? unit::ExitType::Cgroup : unit::ExitType::Main;
    const auto command = [&](unit::ExecList list, unsigned percent) {
        while (random.chance(percent) && service.list(list).size() < 2) {
            unit::Command each;
            each.path = "/bin/x";
            each.ignore_failure = random.chance(20);
            service.commands[static_cast<std::size_t>(list)].push_back(each);
        }
    };
    command(unit::ExecList::Start, service.type == ServiceType::Oneshot ? 60 : 0);
    if (service.list(unit::ExecList::Start).empty())
        service.commands[static_cast<std::size_t>(unit::ExecList::Start)].push_back({});
    command(unit::ExecList::Condition, 8);
    command(unit::ExecList::StartPre, 15);
    command(unit::ExecList::StartPost, 15);
    command(unit::ExecList::Reload, 45);
    command(unit::ExecList::Stop, 15);
    command(unit::ExecList::StopPost, 15);
    constexpr auto modes = std::to_array<unit::KillMode>({unit::KillMode::ControlGroup, unit::KillMode::ControlGroup,
                                                         unit::KillMode::Process, unit::KillMode::Mixed, unit::KillMode::None});
    if (random.chance(40))
        config.kill.edit().mode = modes[random.below(modes.size())];
    if (random.chance(8))
        config.kill.edit().send_sigkill = false;
    if (random.chance(8))
        config.kill.edit().send_sighup = true;
}

void random_timer(Random& random, unit::UnitConfig& config) {
    static const auto calendar = [] {
        base::TimeZones zones(nullptr, "");
        return std::make_shared<const base::Calendar>(*base::Calendar::parse("*:*:0/7", zones));
    }();
    unit::TimerSection& timer = config.timer.edit();
    for (auto& spans : timer.spans)
        if (random.chance(30))
            spans.push_back(std::chrono::milliseconds(random.below(5000)));
    if (random.chance(40))
        timer.calendars.push_back(calendar);
    timer.persistent = random.chance(30);
    timer.on_clock_change = random.chance(10);
    timer.on_timezone_change = random.chance(10);
    timer.remain_after_elapse = random.chance(70);
    timer.defer_reactivation = random.chance(20);
    if (random.chance(20))
        timer.randomized_delay = 1s;
    if (random.chance(20))
        timer.randomized_offset = 3s;
}

void random_socket(Random& random, unit::UnitConfig& config) {
    unit::SocketSection& socket = config.socket.edit();
    socket.listen.push_back({unit::ListenKind::Stream});
    socket.flush_pending = random.chance(20);
    socket.timeout = std::chrono::seconds(1 + random.below(5));
    if (random.chance(30)) {
        socket.trigger_interval = 2s;
        socket.trigger_burst = static_cast<std::uint32_t>(1 + random.below(20));
    }
    if (random.chance(30)) {
        socket.poll_interval = 2s;
        socket.poll_burst = static_cast<std::uint32_t>(1 + random.below(5));
    }
    for (const unit::ExecList list : {unit::ExecList::StartPre, unit::ExecList::StartPost, unit::ExecList::Stop, unit::ExecList::StopPost})
        if (random.chance(15)) {
            unit::Command command;
            command.path = "/bin/x";
            command.ignore_failure = random.chance(20);
            config.service.edit().commands[static_cast<std::size_t>(list)].push_back(command);
        }
}

void random_mount(Random& random, unit::UnitConfig& config) {
    config.mount.edit().where = "/mnt";
    config.mount.edit().timeout = 2s;
    for (const auto list : {unit::ExecList::Start, unit::ExecList::Reload, unit::ExecList::Stop})
        config.service.edit().commands[static_cast<std::size_t>(list)] = {unit::Command{.path = "mount", .argv = {"mount"}}};
    config.kill.edit().send_sigkill = random.chance(95);
}

void random_paths(Random& random, unit::UnitConfig& config) {
    unit::PathSection& section = config.path.edit();
    for (std::size_t i = 1 + random.below(3); i > 0; i--)
        section.paths.push_back({static_cast<unit::PathKind>(random.below(5)), "/x" + std::to_string(i)});
    if (random.chance(30))
        section.trigger_burst = static_cast<std::uint32_t>(1 + random.below(4));
}

} // namespace

std::string unit_name(std::size_t index) {
    return "u" + std::to_string(index) + "." + std::string(unit::suffix(type_at(index)));
}

std::vector<Config> random_units(Random& random, std::size_t count) {
    std::vector<Config> all;
    const std::size_t density = 1 + random.below(4);
    for (std::size_t i = 0; i < count; i++) {
        Build build(unit_name(i), type_at(i));
        for (std::size_t n = random.below(density * 2 + 1); n > 0; n--)
            build.dep(kinds[random.below(kinds.size())], unit_name(random.below(count + (random.chance(5) ? 2 : 0))));
        if (type_at(i) == UnitType::Timer || type_at(i) == UnitType::Path)
            build.dep(DependencyKind::Triggers, unit_name(random.below(count)));
        if (type_at(i) == UnitType::Socket) {
            const std::size_t service = random.below(count);
            if (type_at(service) == UnitType::Service)
                build.dep(DependencyKind::Triggers, unit_name(service));
        }
        build.with([&](unit::UnitConfig& config) {
            if (config.type == UnitType::Socket)
                random_socket(random, config);
            if (config.type == UnitType::Service)
                random_service(random, config);
            if (config.type == UnitType::Service && random.chance(15)) {
                config.watch.edit().patterns = {"/src"};
                config.watch.edit().action = static_cast<unit::WatchAction>(random.below(3));
                config.watch.edit().signal = 12;
            }
            if (config.type == UnitType::Timer)
                random_timer(random, config);
            if (config.type == UnitType::Path)
                random_paths(random, config);
            if (config.type == UnitType::Mount)
                random_mount(random, config);
            unit::UnitSection& section = config.unit;
            section.stop_when_unneeded = random.chance(10);
            section.allow_isolate = config.type == UnitType::Target;
            section.ignore_on_isolate = random.chance(10);
            section.refuse_manual_start = random.chance(4);
            section.refuse_manual_stop = random.chance(2);
            if (random.chance(20))
                section.on_failure_job_mode = static_cast<unit::JobMode>(random.below(5));
            if (random.chance(2))
                section.job_timeout_action = unit::EmergencyAction::Exit;
            if (random.chance(1))
                section.start_limit.action = unit::EmergencyAction::RebootForce;
            if (random.chance(1))
                section.success_action = unit::EmergencyAction::ExitForce;
            if (random.chance(10))
                section.job_timeout = std::chrono::seconds(1 + random.below(8));
            if (random.chance(10))
                section.job_running_timeout = std::chrono::seconds(1 + random.below(8));
            section.start_limit.burst = static_cast<std::uint32_t>(1 + random.below(5));
            section.start_limit.set = random.chance(40);
            if (random.chance(1))
                section.failure_action = unit::EmergencyAction::Exit;
            config.builtin = config.type != UnitType::Socket && random.chance(10); // such a socket has no machine
        });
        if (random.chance(12))
            build.condition("/x", random.chance(30));
        if (random.chance(3))
            build.state(unusable[random.below(unusable.size())]);
        all.push_back(build);
    }
    return all;
}

} // namespace monoinit::sim
