// Walking and signalling the tree. Reading /proc and signalling are two moments; what makes it exact: a process is pinned
// by a pidfd first, then its parent is read, then the signal goes through the pidfd. If the pid changed hands before the
// parent was read, the pidfd stands for somebody dead and the signal is lost; if after, it stands for the one we read.
// Tested by tests/unit/exec/guard_test.cpp.
#include "exec/guard_tree.hpp"

#include "sys/proc.hpp"
#include "sys/syscalls.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

constexpr std::size_t set_limit = 1 << 17;     ///< processes; what is beyond waits for the next round
constexpr std::size_t linear_limit = 64;       ///< below that a linear search is faster and touches one page
constexpr std::size_t small_limit = 512;       ///< where there is no memory to be had
pid_t small_pids[small_limit];
std::uint32_t small_slots[2 * small_limit];

int deliver_to(pid_t pid, int pidfd, int signal) {
    return pidfd >= 0 ? sys::pidfd_send_signal(pidfd, signal) : sys::send_signal(pid, signal);
}

/// 0 or the errno of the first signal; those that follow it are a courtesy.
int deliver(pid_t pid, int pidfd, const SignalSeries& series) {
    const int failed = series.queued ? sys::queue_signal(pid, pidfd, series.signal, series.value) : deliver_to(pid, pidfd, series.signal);
    if (failed != 0)
        return errno;
    if (series.then_continue)
        deliver_to(pid, pidfd, SIGCONT);
    if (series.then_hangup)
        deliver_to(pid, pidfd, SIGHUP);
    return 0;
}

/// False when the process behind the pidfd has ended; what has no pidfd counts as alive.
bool is_alive(int pidfd) {
    return pidfd < 0 || sys::pidfd_send_signal(pidfd, 0) == 0 || errno == EPERM;
}

/// Pins `pid` and signals it if its parent is `parent`, pinned too (or the guard, to which it may just have fallen).
int deliver_below(pid_t guard, pid_t pid, pid_t parent, int parent_pidfd, const SignalSeries& series) {
    const int pidfd = sys::pidfd_open(pid);
    if (pidfd < 0 && errno == ESRCH)
        return ESRCH;
    // Without pidfds (kernel < 5.3, or no descriptor left) the check right before the signal has to do.
    sys::ProcessStat stat;
    int error = ESRCH;
    if (sys::read_stat(pid, stat) && (stat.parent == guard || (stat.parent == parent && is_alive(parent_pidfd))))
        error = deliver(pid, pidfd, series);
    if (pidfd >= 0)
        ::close(pidfd);
    return error;
}

struct Walk {
    pid_t guard;
    pid_t parent; ///< whose children are being visited
    int parent_pidfd = -1;
    const SignalSeries* series;
    pid_t spared;
    PidSet* done;
    PidSet* seen; ///< in this round
    SweepResult result;
};

void visit_child(pid_t pid, void* context) {
    auto& walk = *static_cast<Walk*>(context);
    if (!walk.seen->add(pid) || pid == walk.spared)
        return;
    if (walk.done->contains(pid))
        return;
    const int error = walk.parent == walk.guard ? deliver(pid, -1, *walk.series)
                                                : deliver_below(walk.guard, pid, walk.parent, walk.parent_pidfd, *walk.series);
    if (error == ESRCH)
        return;
    if (walk.done->add(pid))
        walk.result.fresh++;
    if (error == 0) {
        walk.result.reached++;
    } else {
        walk.result.refused++;
        walk.result.refused_pid = pid;
    }
}

void add_to_set(pid_t pid, void* context) {
    static_cast<PidSet*>(context)->add(pid);
}

} // namespace

PidSet::PidSet() : limit_(set_limit), slot_count_(2 * set_limit) {
    const std::size_t size = set_limit * sizeof(pid_t) + 2 * set_limit * sizeof(std::uint32_t);
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        limit_ = small_limit;
        slot_count_ = 2 * small_limit;
        pids_ = small_pids;
        slots_ = small_slots;
        std::memset(small_slots, 0, sizeof small_slots);
        return;
    }
    pids_ = static_cast<pid_t*>(memory);
    slots_ = reinterpret_cast<std::uint32_t*>(pids_ + set_limit);
}

PidSet::~PidSet() {
    if (limit_ == set_limit)
        ::munmap(pids_, set_limit * sizeof(pid_t) + 2 * set_limit * sizeof(std::uint32_t));
}

void PidSet::clear() {
    if (count_ > linear_limit)
        std::memset(slots_, 0, slot_count_ * sizeof *slots_);
    count_ = 0;
}

std::size_t PidSet::slot_of(pid_t pid) const {
    std::size_t slot = static_cast<std::uint32_t>(pid) * std::size_t{2654435761U} % slot_count_;
    while (slots_[slot] != 0 && pids_[slots_[slot] - 1] != pid)
        slot = (slot + 1) % slot_count_;
    return slot;
}

void PidSet::index(std::size_t position) {
    slots_[slot_of(pids_[position])] = static_cast<std::uint32_t>(position + 1);
}

bool PidSet::contains(pid_t pid) const {
    if (count_ > linear_limit)
        return slots_[slot_of(pid)] != 0;
    for (std::size_t i = 0; i < count_; i++)
        if (pids_[i] == pid)
            return true;
    return false;
}

bool PidSet::add(pid_t pid) {
    if (count_ == limit_ || contains(pid))
        return false;
    pids_[count_] = pid;
    count_++;
    if (count_ == linear_limit + 1) {
        for (std::size_t i = 0; i < count_; i++)
            index(i);
    } else if (count_ > linear_limit + 1) {
        index(count_ - 1);
    }
    return true;
}

SweepResult sweep(pid_t guard, const SignalSeries& series, pid_t spared, PidSet& done) {
    PidSet seen;
    Walk walk{guard, guard, -1, &series, spared, &done, &seen, {}};
    (void)sys::visit_children(guard, visit_child, &walk); // gone ones are gone
    const std::size_t own_children = seen.size();
    for (std::size_t i = 0; i < seen.size(); i++) {
        walk.parent = seen[i];
        walk.parent_pidfd = -1;
        if (i >= own_children) {
            walk.parent_pidfd = sys::pidfd_open(seen[i]);
            if ((walk.parent_pidfd < 0 && errno == ESRCH) || !is_in_tree(guard, seen[i])) {
                if (walk.parent_pidfd >= 0)
                    ::close(walk.parent_pidfd);
                continue; // what it left has fallen to the guard: the next round sees it
            }
        }
        (void)sys::visit_children(seen[i], visit_child, &walk);
        if (walk.parent_pidfd >= 0)
            ::close(walk.parent_pidfd);
    }
    return walk.result;
}

bool is_in_tree(pid_t guard, pid_t pid) {
    // Climb twice: a parent that ended between two readings would have handed its child over, and the second climb
    // would see another parent.
    constexpr std::size_t depth_limit = 1024;
    pid_t chain[depth_limit];
    std::size_t length = 0;
    for (pid_t at = pid; at != guard; at = chain[length++]) {
        if (at <= 1 || length == depth_limit)
            return false;
        chain[length] = sys::parent_of(at);
    }
    pid_t at = pid;
    for (std::size_t i = 0; i < length; at = chain[i++])
        if (sys::parent_of(at) != chain[i])
            return false;
    return length > 0;
}

int signal_one(pid_t guard, pid_t pid, const SignalSeries& series) {
    if (pid <= 1)
        return ESRCH;
    if (sys::parent_of(pid) == guard)
        return deliver(pid, -1, series);
    const int pidfd = sys::pidfd_open(pid);
    if (pidfd < 0 && errno == ESRCH)
        return ESRCH;
    const int error = is_in_tree(guard, pid) ? deliver(pid, pidfd, series) : ESRCH;
    if (pidfd >= 0)
        ::close(pidfd);
    return error;
}

void list_tree(pid_t guard, TreeMessage& message) {
    PidSet found;
    (void)sys::visit_children(guard, add_to_set, &found);
    for (std::size_t i = 0; i < found.size(); i++)
        (void)sys::visit_children(found[i], add_to_set, &found);
    message.total = static_cast<std::uint32_t>(found.size());
    message.count = 0;
    for (std::size_t i = 0; i < found.size() && message.count < tree_limit; i++) {
        sys::ProcessStat stat;
        if (!sys::read_stat(found[i], stat))
            continue;
        TreeEntry& entry = message.entries[message.count++];
        entry = TreeEntry{};
        entry.pid = found[i];
        entry.parent = stat.parent;
        entry.state = static_cast<std::uint8_t>(stat.state);
    }
}

} // namespace monoinit::exec
