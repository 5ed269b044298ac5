// Claiming and ending the processes of guards that were killed. See lost_trees.hpp.
#include "runtime/lost_trees.hpp"

#include "sys/proc.hpp"
#include "sys/syscalls.hpp"

#include <algorithm>
#include <csignal>
#include <unistd.h>

namespace monoinit::runtime {

LostTrees::LostTrees(std::function<bool(int)> is_ours, std::function<void(base::GuardId, base::UnitId)> empty)
    : is_ours_(std::move(is_ours)), empty_(std::move(empty)) {}

/// The guard has closed its socket and is not reaped yet: its children are not ours so far.
bool LostTrees::is_dying(const Lost& lost) {
    return lost.guard_pid != 0 && sys::parent_of(lost.guard_pid) == ::getpid();
}

bool LostTrees::belongs(const Lost& lost, int pid) const {
    if (pid == lost.main_pid || std::ranges::find(lost.known, pid) != lost.known.end())
        return true;
    const auto stat = sys::stat_of(pid);
    if (stat && lost.main_pid != 0 && (stat->session == lost.main_pid || stat->group == lost.main_pid))
        return true;
    return sys::environment_value(pid, "INVOCATION_ID") == lost.invocation && !lost.invocation.empty();
}

void LostTrees::add(Lost lost) {
    const base::GuardId guard = lost.guard;
    trees_[guard] = Tree{std::move(lost), {}};
    sweep();
}

void LostTrees::child_exited(int pid) {
    strays_.erase(pid);
    for (auto& [guard, tree] : trees_)
        if (tree.lost.guard_pid == pid)
            tree.lost.guard_pid = 0;
    if (!trees_.empty())
        sweep();
}

/// One look at our children: whoever belongs to a lost tree is killed with everything below; a tree of which nothing was
/// seen is over. A process that forks while it is being killed leaves children that fall to us: the SIGCHLD of its own end
/// brings the next look.
void LostTrees::sweep() {
    for (auto& [guard, tree] : trees_)
        tree.pids.clear();
    for (const int child : sys::children_of(::getpid())) {
        const auto stat = sys::stat_of(child);
        if (!stat || stat->state == 'Z' || is_ours_(child))
            continue;
        auto owner = std::ranges::find_if(trees_, [&](const auto& row) { return belongs(row.second.lost, child); });
        if (owner == trees_.end() && trees_.size() == 1 && !strays_.contains(child) &&
            !sys::environment_value(child, "INVOCATION_ID").value_or("").empty())
            owner = trees_.begin(); // by elimination: it was a service's, and only one guard is missing
        if (owner == trees_.end()) {
            if (!sys::environment_value(child, "INVOCATION_ID").value_or("").empty())
                strays_.insert(child);
            continue;
        }
        owner->second.pids.insert(child);
        for (const int below : sys::descendants_of(child))
            owner->second.pids.insert(below);
    }
    std::vector<std::pair<base::GuardId, base::UnitId>> over;
    for (auto& [guard, tree] : trees_) {
        for (const int pid : tree.pids)
            sys::send_signal(pid, SIGKILL);
        if (tree.pids.empty() && !is_dying(tree.lost))
            over.emplace_back(guard, tree.lost.unit);
    }
    for (const auto& [guard, unit] : over)
        trees_.erase(guard);
    for (const auto& [guard, unit] : over)
        empty_(guard, unit);
}

void LostTrees::end_all() {
    for (const int stray : strays_) {
        for (const int below : sys::descendants_of(stray))
            sys::send_signal(below, SIGKILL);
        sys::send_signal(stray, SIGKILL);
    }
    sweep();
}

} // namespace monoinit::runtime
