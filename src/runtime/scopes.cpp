// See scopes.hpp.
#include "runtime/scopes.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "exec/command_group.hpp"
#include "sys/cgroup.hpp"
#include "sys/proc.hpp"
#include "sys/syscalls.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sys/stat.h>
#include <utility>

namespace monoinit::runtime {

namespace {

constexpr std::size_t pids_at_most = 1000;

/// A process that is certainly the one meant: the descriptor is opened first, and what has to hold is looked at after that.
template <class Holds> sys::UniqueFd open_process(int pid, Holds&& holds) {
    sys::UniqueFd pidfd(sys::pidfd_open(pid));
    return pidfd && holds() ? std::move(pidfd) : sys::UniqueFd();
}

void send(int pidfd, const supervise::SignalProcesses& signal) {
    sys::pidfd_send_signal(pidfd, signal.signal);
    if (signal.signal != SIGKILL && signal.signal != SIGCONT && signal.signal != SIGSTOP)
        sys::pidfd_send_signal(pidfd, SIGCONT); // a stopped process cannot handle it
    if (signal.then_sighup)
        sys::pidfd_send_signal(pidfd, SIGHUP);
}

} // namespace

Scopes::~Scopes() {
    for (const auto& [unit, processes] : processes_)
        for (const Process& each : processes)
            links_.loop.remove(each.pidfd.get());
}

base::Result<void> Scopes::adopt(base::UnitId unit, const std::vector<int>& pids, uid_t owner) {
    if (pids.empty() || pids.size() > pids_at_most)
        return base::fail(base::Errc::Invalid, fmt::format("a scope needs 1 to {} processes", pids_at_most));
    std::vector<Process> found;
    for (const int pid : pids) {
        if (pid <= 1 || links_.is_ours(pid))
            return base::fail(base::Errc::Denied, fmt::format("pid {} is monoinit's own", pid));
        const auto is_owners = [&] { return owner == 0 || sys::user_of(pid) == owner; };
        sys::UniqueFd pidfd = open_process(pid, is_owners);
        if (!pidfd) {
            const int error = errno; // looking whose it is has one of its own
            return is_owners() ? base::fail_errno(error, fmt::format("pid {} cannot be followed", pid))
                               : base::fail(base::Errc::Denied, fmt::format("pid {} is not a process of uid {}", pid, owner));
        }
        found.push_back({pid, std::move(pidfd)});
    }
    const std::string group = make_group(unit);
    for (Process& each : found) {
        if (!group.empty() && !sys::write_cgroup_file(group + "/cgroup.procs", std::to_string(each.pid)))
            links_.warn(unit, fmt::format("pid {} cannot enter its cgroup: {}", each.pid, ::strerrordesc_np(errno)));
        add(unit, std::move(each));
    }
    links_.feed(engine::ScopeAdopted{unit});
    return {};
}

void Scopes::add(base::UnitId unit, Process process) {
    const int fd = process.pidfd.get();
    links_.checkpoint.keep({FdKind::ScopeProcess, fd, static_cast<std::uint64_t>(process.pid), unit.value, 0});
    processes_[unit].push_back(std::move(process));
    if (auto added = links_.loop.add(fd, EPOLLIN, [this, unit, fd](std::uint32_t) { on_exit(unit, fd); }); !added)
        links_.warn(unit, fmt::format("the end of a process cannot be waited for: {}", base::to_string(added.error())));
}

void Scopes::on_exit(base::UnitId unit, int pidfd) {
    links_.loop.remove(pidfd);
    links_.checkpoint.forget(pidfd);
    std::vector<Process>& own = processes_[unit];
    std::erase_if(own, [pidfd](const Process& each) { return each.pidfd.get() == pidfd; });
    if (own.empty() && !adopt_rest(unit))
        links_.feed(engine::ScopeEmptied{unit});
}

/// Those that the others have left in the cgroup.
bool Scopes::adopt_rest(base::UnitId unit) {
    const std::string group = group_of(unit);
    if (group.empty())
        return false;
    for (const int pid : sys::cgroup_members(group)) {
        const auto is_member = [&] { return std::ranges::count(sys::cgroup_members(group), pid) > 0; };
        if (sys::UniqueFd pidfd = open_process(pid, is_member))
            add(unit, {pid, std::move(pidfd)});
    }
    return !processes_[unit].empty();
}

std::string Scopes::group_of(base::UnitId unit) const {
    const auto config = links_.status(unit).config;
    if (links_.manager.group_root.empty() || config == nullptr)
        return {};
    return links_.manager.group_root + "/" + base::join(unit::cgroup_path(*config), "/");
}

std::string Scopes::make_group(base::UnitId unit) const {
    if (links_.manager.group_root.empty())
        return {};
    std::string group = links_.manager.group_root;
    const auto config = links_.status(unit).config;
    std::string complaint;
    const auto enter = [&](const std::string& name, const unit::UnitConfig* settings) {
        group += "/" + unit::cgroup_name(name);
        const bool made = ::mkdir(group.c_str(), 0755) == 0;
        if (made && settings != nullptr)
            if (std::string wrong = exec::apply_settings(group, unit::cgroup_settings(*settings, links_.manager.capacity, links_.manager.phase)); !wrong.empty())
                complaint = std::move(wrong);
    };
    for (const std::string& slice : unit::slices_down_to(unit::slice_of(*config))) {
        enter(slice, links_.manager.unit_named(slice).get());
        if (!links_.manager.group_controllers.empty())
            (void)sys::write_cgroup_file(group + "/cgroup.subtree_control", links_.manager.group_controllers); // else limits do not act, as named at boot
    }
    enter(config->name, config.get());
    if (!complaint.empty())
        links_.warn(unit, complaint);
    return group;
}

void Scopes::signal(base::UnitId unit, const supervise::SignalProcesses& signal) {
    const auto found = processes_.find(unit);
    if (found == processes_.end())
        return;
    const std::string group = group_of(unit);
    if (signal.signal == SIGKILL && !group.empty() && sys::write_cgroup_file(group + "/cgroup.kill", "1"))
        return;
    for (const Process& each : found->second) {
        for (const int below : sys::descendants_of(each.pid))
            if (const sys::UniqueFd pidfd = open_process(below, [&] { return sys::is_below(below, each.pid) && !links_.is_ours(below); }))
                send(pidfd.get(), signal);
        send(each.pidfd.get(), signal);
    }
    if (group.empty())
        return;
    for (const int pid : sys::cgroup_members(group))
        if (const sys::UniqueFd pidfd = open_process(pid, [&] { return std::ranges::count(sys::cgroup_members(group), pid) > 0; });
            pidfd && std::ranges::find(found->second, pid, &Process::pid) == found->second.end())
            send(pidfd.get(), signal);
}

void Scopes::release(base::UnitId unit) {
    const auto found = processes_.find(unit);
    if (found != processes_.end())
        for (const Process& each : found->second) {
            links_.loop.remove(each.pidfd.get());
            links_.checkpoint.forget(each.pidfd.get());
        }
    processes_.erase(unit);
    if (std::string group = group_of(unit); !group.empty())
        sys::remove_cgroup(group.data(), links_.manager.group_root.size());
    ended_.push_back(unit);
}

std::vector<int> Scopes::pids_of(base::UnitId unit) const {
    std::vector<int> pids;
    if (const auto found = processes_.find(unit); found != processes_.end())
        for (const Process& each : found->second)
            pids.push_back(each.pid);
    return pids;
}

base::UnitId Scopes::unit_above(int pid) const {
    for (const auto& [unit, processes] : processes_)
        if (std::ranges::any_of(processes, [pid](const Process& each) { return sys::is_below(pid, each.pid); }))
            return unit;
    return {};
}

void Scopes::resume(const FdEntry& entry, sys::UniqueFd fd) {
    add(base::UnitId{entry.unit}, {static_cast<int>(entry.id), std::move(fd)});
}

void Scopes::release_unclaimed() {
    std::vector<base::UnitId> unclaimed;
    for (const auto& [unit, processes] : processes_)
        if (const auto status = links_.status(unit); status.scope == nullptr || status.active == supervise::ActiveState::Inactive)
            unclaimed.push_back(unit);
    std::ranges::for_each(unclaimed, [this](base::UnitId unit) { release(unit); });
}

} // namespace monoinit::runtime
