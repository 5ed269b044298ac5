// After vfork: this code shares all memory with the guard, which stands still until execve(). So: system calls and plain
// stores only; no allocation, no formatting, no locks, no libc function that keeps state (setuid() and kin are called raw).
// The order of the steps is systemd's: what needs privilege before the user is changed, chdir after it, since only that
// user may be allowed to enter the directory. Tested by tests/unit/exec.
#include "exec/child.hpp"

#include "sys/syscalls.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

ChildFailure* failure_slot; // one child at a time: the guard waits for it

[[noreturn]] void fail(Stage stage, int error = errno) {
    failure_slot->stage = stage;
    failure_slot->error = error;
    ::_exit(exit_status_of(stage));
}

/// A step below may hang on a path of the unit, and PID 1 then kills the guard that waits for it: when the path answers after all, the
/// command must not come up on its own. A change of user makes the kernel forget it.
void die_with_guard(const ChildSpec& spec) {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || ::syscall(SYS_getppid) != spec.guard)
        ::_exit(exit_status_of(Stage::Fork));
}

/// Sockets are made nonblocking; a service expects what NonBlocking= says.
void set_blocking(const ChildSpec& spec, int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    const int wanted = spec.non_blocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (flags < 0 || (wanted != flags && ::fcntl(fd, F_SETFL, wanted) < 0))
        fail(Stage::Descriptors);
}

void place_descriptors(const ChildSpec& spec) {
    constexpr Stage stages[3] = {Stage::Stdin, Stage::Stdout, Stage::Stderr};
    for (int target = 0; target < 3; target++)
        if (spec.streams[target] >= 0 && ::dup2(spec.streams[target], target) < 0)
            fail(stages[target]);
    for (std::size_t i = 0; i < spec.listen_count; i++) {
        const int target = 3 + static_cast<int>(i);
        if (::dup2(spec.listen_fds[i], target) < 0)
            fail(Stage::Descriptors);
        if (i < spec.socket_count)
            set_blocking(spec, target);
    }
    sys::close_from(3 + static_cast<unsigned>(spec.listen_count));
}

/// Before its descriptor is closed and while we may. Where the kernel refuses, the command runs without its limits,
/// which its guard says.
void enter_group(const ChildSpec& spec) {
    if (spec.group_procs >= 0 && ::write(spec.group_procs, "0", 1) != 1)
        failure_slot->group_error = errno;
}

void take_terminal(const ChildSpec& spec) {
    if (spec.take_terminal && ::ioctl(STDIN_FILENO, TIOCSCTTY, spec.force_terminal ? 1 : 0) != 0)
        fail(Stage::Terminal);
}

/// Where more than RLIMIT_NICE allows is asked for, as near as that lets us, as under systemd.
void set_nearest_priority(int nice) {
    if (::setpriority(PRIO_PROCESS, 0, nice) == 0)
        return;
    const int error = errno;
    rlimit limit{};
    if ((error != EACCES && error != EPERM) || ::syscall(SYS_prlimit64, 0, RLIMIT_NICE, nullptr, &limit) != 0)
        fail(Stage::Nice, error);
    const int highest = 20 - static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 40)); // 20: none is granted
    if (highest < ::getpriority(PRIO_PROCESS, 0))
        (void)::setpriority(PRIO_PROCESS, 0, std::max(highest, nice));
}

void set_scheduling(const ChildSpec& spec) {
    if (spec.oom_score_adjust != nullptr) {
        const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
        std::size_t size = 0;
        while (spec.oom_score_adjust[size] != 0)
            size++;
        // Only CAP_SYS_RESOURCE may lower it, which a container rarely has: as under systemd, the command runs with what there is.
        if ((fd < 0 || ::write(fd, spec.oom_score_adjust, size) < 0) && errno != EACCES && errno != EPERM)
            fail(Stage::OomAdjust);
        ::close(fd);
    }
    if (spec.set_nice)
        set_nearest_priority(spec.nice);
    if (spec.set_policy) {
        const sched_param param{spec.cpu_priority};
        if (::sched_setscheduler(0, spec.policy | (spec.reset_on_fork ? SCHED_RESET_ON_FORK : 0), &param) != 0)
            fail(Stage::Scheduler);
    }
    if (spec.set_affinity && ::sched_setaffinity(0, sizeof spec.affinity, &spec.affinity) != 0)
        fail(Stage::CpuAffinity);
    constexpr int who_process = 1, class_shift = 13;
    if (spec.set_io && ::syscall(SYS_ioprio_set, who_process, 0, spec.io_class << class_shift | spec.io_priority) != 0)
        fail(Stage::IoPriority);
    if (spec.set_slack && ::prctl(PR_SET_TIMERSLACK, spec.timer_slack) != 0)
        fail(Stage::TimerSlack);
}

void set_limits(const ChildSpec& spec) {
    for (std::size_t i = 0; i < spec.limit_count; i++) {
        const ChildLimit& limit = spec.limits[i];
        rlimit now{};
        if (::syscall(SYS_prlimit64, 0, limit.resource, &limit.value, nullptr) == 0)
            continue;
        const int error = errno;
        // Root of a container has no CAP_SYS_RESOURCE either, and fs.nr_open bounds even those who have it.
        if (error == EPERM && ::syscall(SYS_prlimit64, 0, limit.resource, nullptr, &now) == 0 && now.rlim_max != RLIM_INFINITY) {
            const rlimit nearest = within(limit.value, now);
            if (::syscall(SYS_prlimit64, 0, limit.resource, &nearest, nullptr) == 0)
                continue;
        }
        failure_slot->resource = limit.resource;
        fail(Stage::Limits, error);
    }
}

void set_group(const ChildSpec& spec) {
    if (spec.set_groups && ::syscall(SYS_setgroups, spec.group_count, spec.groups) != 0 &&
        !(errno == EPERM && spec.optional_groups))
        fail(Stage::Group);
    if (spec.set_gid && ::syscall(SYS_setresgid, spec.gid, spec.gid, spec.gid) != 0)
        fail(Stage::Group);
}

struct Capabilities {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};

    std::uint64_t permitted() const { return data[0].permitted | static_cast<std::uint64_t>(data[1].permitted) << 32; }
    bool get() { return ::syscall(SYS_capget, &header, data) == 0; }
    bool set() { return ::syscall(SYS_capset, &header, data) == 0; }
    void add(std::uint64_t mask) {
        for (int half = 0; half < 2; half++) {
            const auto bits = static_cast<std::uint32_t>(mask >> (32 * half));
            data[half].effective |= bits;
            data[half].permitted |= bits;
            data[half].inheritable |= bits;
        }
    }
};

/// Without CAP_SETPCAP the bounding set cannot be changed; that is no failure where we hold none of what it would drop
/// (a container that was started without capabilities).
void limit_bounding_set(const ChildSpec& spec) {
    if (!spec.limit_bounding)
        return;
    Capabilities own;
    const bool known = own.get();
    for (int capability = 0; capability < 64; capability++) {
        const std::uint64_t bit = std::uint64_t{1} << capability;
        if ((spec.bounding & bit) != 0)
            continue;
        const int present = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
        if (present < 0)
            return; // beyond the last one the kernel knows
        if (present == 0 || ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
            continue;
        if (errno != EPERM || !known || (own.permitted() & bit) != 0)
            fail(Stage::Capabilities);
    }
}

void set_user(const ChildSpec& spec) {
    // Ambient capabilities have to survive the change of user.
    if (spec.ambient != 0 && spec.set_uid && ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        fail(Stage::Capabilities);
    if (spec.set_uid && ::syscall(SYS_setresuid, spec.uid, spec.uid, spec.uid) != 0)
        fail(Stage::User);
    if (spec.ambient == 0)
        return;
    Capabilities capabilities;
    if (!capabilities.get())
        fail(Stage::Capabilities);
    capabilities.add(spec.ambient);
    if (!capabilities.set())
        fail(Stage::Capabilities);
    for (int capability = 0; capability < 64; capability++)
        if ((spec.ambient >> capability & 1) != 0 && ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0)
            fail(Stage::Capabilities);
}

void restrict_privileges(const ChildSpec& spec) {
    if (spec.set_secure_bits && ::prctl(PR_SET_SECUREBITS, spec.secure_bits, 0, 0, 0) != 0)
        fail(Stage::SecureBits);
    if (spec.no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        fail(Stage::NoNewPrivileges);
}

void enter_directories(const ChildSpec& spec) {
    if (spec.working_directory == nullptr || ::chdir(spec.working_directory) == 0)
        return;
    if (!spec.working_directory_optional)
        fail(Stage::WorkingDirectory);
    (void)!::chdir("/"); // "-": any directory will do
}

void write_pid(const ChildSpec& spec) {
    for (char* at : spec.pid_digits) {
        if (at == nullptr)
            continue;
        char reversed[10];
        int count = 0;
        for (auto rest = static_cast<unsigned>(::syscall(SYS_getpid)); rest != 0; rest /= 10)
            reversed[count++] = static_cast<char>('0' + rest % 10);
        while (count > 0)
            *at++ = reversed[--count];
        *at = 0;
    }
}

void set_signals(const ChildSpec& spec) {
    // The guard has reset every handler. Unblocked last: nothing may interrupt the steps.
    if (spec.ignore_sigpipe) {
        struct sigaction ignore {};
        ignore.sa_handler = SIG_IGN;
        if (::sigaction(SIGPIPE, &ignore, nullptr) != 0)
            fail(Stage::SignalMask);
    }
    const std::uint64_t none = 0;
    if (::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none) != 0)
        fail(Stage::SignalMask);
}

/// A candidate of the path that is not there, or not for us, gives way to the next; the most telling error counts.
[[noreturn]] void execute(const ChildSpec& spec) {
    int error = ENOENT;
    for (const char* const* path = spec.candidates; *path != nullptr; path++) {
        ::execve(*path, spec.argv, spec.envp);
        if (errno != ENOENT && errno != ENOTDIR)
            error = errno;
        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
            break;
    }
    fail(Stage::Exec, error);
}

} // namespace

int run_child(void* arguments) {
    const auto* const call = static_cast<const ChildArguments*>(arguments);
    const ChildSpec& spec = *call->spec;
    failure_slot = call->failure;
    die_with_guard(spec);
    // A session of its own: job control signals stay out, and the kernel's autogroups keep a fork bomb from starving us.
    if (::setsid() < 0)
        fail(Stage::Session);
    enter_group(spec);
    place_descriptors(spec);
    take_terminal(spec);
    set_scheduling(spec);
    set_limits(spec);
    if (spec.root_directory != nullptr && (::chroot(spec.root_directory) != 0 || ::chdir("/") != 0))
        fail(Stage::Root);
    set_group(spec);
    limit_bounding_set(spec);
    set_user(spec);
    restrict_privileges(spec);
    die_with_guard(spec);
    enter_directories(spec);
    write_pid(spec);
    set_signals(spec);
    if (spec.instead != nullptr)
        ::_exit(spec.instead(spec.instead_argument));
    execute(spec);
}

} // namespace monoinit::exec
