// The seam to the kernel: each call first asks whether a test wants it to fail, then is made; newer calls have fall-backs.
// No allocation, no locks: the guard and children of fork use it. Tested by tests/unit/sys.
#include "sys/syscalls.hpp"

#include "sys/crash_point.hpp"
#include "sys/heap.hpp"
#include "sys/reserve.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <csignal>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace monoinit::sys {

namespace {

std::array<Fault, call_count> faults{};
bool any_fault = false; // the one thing looked at when nothing is injected

/// A call the kernel or a seccomp filter does not know.
bool is_missing(int error) {
    return error == ENOSYS || error == EPERM;
}

struct LinuxDirent {
    std::uint64_t inode;
    std::int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

/// Closes what /proc/self/fd lists in the range; false when there is no /proc.
bool close_listed(unsigned first, unsigned last) {
    const int directory = ::open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return false;
    alignas(8) char buffer[4096];
    long size;
    while ((size = ::syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0)
        for (long at = 0; at < size;) {
            const auto* entry = reinterpret_cast<const LinuxDirent*>(buffer + at);
            at += entry->length;
            unsigned fd = 0;
            const char* end = entry->name + std::strlen(entry->name);
            if (std::from_chars(entry->name, end, fd).ec == std::errc{} && fd >= first && fd <= last &&
                fd != static_cast<unsigned>(directory))
                ::close(static_cast<int>(fd));
        }
    ::close(directory);
    return size == 0;
}

} // namespace

void inject(Call call, Fault fault) {
    faults[static_cast<std::size_t>(call)] = fault;
    any_fault = false;
    for (const Fault& each : faults)
        any_fault = any_fault || (each.error != 0 && each.times != 0);
}

void clear_faults() {
    faults = {};
    any_fault = false;
}

bool faults_active() {
    return any_fault;
}

bool fails(Call call) {
    crash_point();
    if (!any_fault) [[likely]]
        return false;
    Fault& fault = faults[static_cast<std::size_t>(call)];
    if (fault.error == 0 || fault.times == 0)
        return false;
    if (fault.skip > 0) {
        fault.skip--;
        return false;
    }
    if (fault.times != ~0U)
        fault.times--;
    errno = fault.error;
    return true;
}

pid_t fork_process() {
    heap::include_in_fork();
    return fork_lean();
}

pid_t fork_lean() {
    if (fails(Call::Fork))
        return -1;
    const auto pid = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    if (pid == 0)
        forget_descriptor();
    return pid;
}

pid_t fork_sharing_descriptors(int& pidfd) {
    if (fails(Call::Fork))
        return -1;
    const auto pid = static_cast<pid_t>(::syscall(SYS_clone, CLONE_FILES | CLONE_PIDFD | SIGCHLD, 0, &pidfd, 0, 0));
    if (pid == 0)
        forget_descriptor();
    return pid;
}

void unshare_descriptors(unsigned end) {
    constexpr unsigned close_range_unshare = 1U << 1;
    if (::syscall(SYS_close_range, end, UINT_MAX, close_range_unshare) == 0)
        return;
    ::unshare(CLONE_FILES); // dear, but never refused
    close_from(end);
}

bool can_unshare_descriptors() {
    return !fails(Call::CloseRange) && !fails(Call::PidfdOpen) &&
           ::syscall(SYS_close_range, UINT_MAX, UINT_MAX, 0) == 0;
}

pid_t vfork_process(int (*entry)(void*), void* stack_top, void* argument) {
    return fails(Call::Vfork) ? -1 : ::clone(entry, stack_top, CLONE_VM | CLONE_VFORK | SIGCHLD, argument);
}

int socket_pair(int type, int pair[2]) {
    return fails(Call::SocketPair) ? -1 : ::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair);
}

int open_socket(int domain, int type) {
    return fails(Call::Socket) ? -1 : ::socket(domain, type | SOCK_CLOEXEC, 0);
}

int make_pipe(int pair[2], int flags) {
    return fails(Call::Pipe) ? -1 : ::pipe2(pair, flags | O_CLOEXEC);
}

int open_file(const char* path, int flags, mode_t mode) {
    return open_file_at(AT_FDCWD, path, flags, mode);
}

int open_file_at(int dir, const char* path, int flags, mode_t mode) {
    return fails(Call::Open) ? -1 : ::openat(dir, path, flags | O_CLOEXEC | O_NOCTTY, mode);
}

int open_at2(int dir, const char* path, int flags, std::uint64_t resolve) {
    struct {
        std::uint64_t flags, mode, resolve;
    } how{static_cast<std::uint64_t>(flags | O_CLOEXEC | O_NOCTTY), 0, resolve};
    if ((flags & O_PATH) != 0)
        how.flags &= ~static_cast<std::uint64_t>(O_NOCTTY); // refused together
    if (fails(Call::OpenAt2))
        return -1;
    return static_cast<int>(::syscall(SYS_openat2, dir, path, &how, sizeof how));
}

int memory_file(const char* name, unsigned flags) {
    constexpr unsigned noexec_seal = 8; // what vm.memfd_noexec=2 asks for, and kernels before 6.3 do not know
    const int fd = fails(Call::Memfd) ? -1 : ::memfd_create(name, flags | MFD_CLOEXEC);
    return fd >= 0 || errno != EACCES ? fd : ::memfd_create(name, flags | MFD_CLOEXEC | noexec_seal);
}

int duplicate(int fd, int at_least) {
    return fails(Call::Dup) ? -1 : ::fcntl(fd, F_DUPFD_CLOEXEC, at_least);
}

int pidfd_open(pid_t pid) {
    if (!fails(Call::PidfdOpen)) {
        const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
        if (fd >= 0 || !is_missing(errno))
            return fd;
    }
    if (is_missing(errno))
        errno = ENOSYS;
    return -1;
}

int pidfd_send_signal(int pidfd, int signal) {
    if (fails(Call::PidfdSendSignal))
        return -1;
    return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

int send_signal(pid_t pid, int signal) {
    return fails(Call::Kill) ? -1 : ::kill(pid, signal);
}

int queue_signal(pid_t pid, int pidfd, int signal, int value) {
    if (fails(Call::Kill))
        return -1;
    siginfo_t info{};
    info.si_signo = signal;
    info.si_code = SI_QUEUE;
    info.si_pid = ::getpid();
    info.si_uid = ::getuid();
    info.si_value.sival_int = value;
    return static_cast<int>(pidfd >= 0 ? ::syscall(SYS_pidfd_send_signal, pidfd, signal, &info, 0)
                                       : ::syscall(SYS_rt_sigqueueinfo, pid, signal, &info));
}

void close_from(unsigned first) {
    close_between(first, UINT_MAX);
}

void close_between(unsigned first, unsigned last) {
    if (first > last) // nothing between two neighbours
        return;
    if (!fails(Call::CloseRange) && ::syscall(SYS_close_range, first, last, 0) == 0)
        return;
    if (close_listed(first, last))
        return;
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const auto open_max = static_cast<unsigned>(limit.rlim_cur < (1U << 20) ? limit.rlim_cur : (1U << 20));
    for (unsigned fd = first; fd <= last && fd < open_max; fd++)
        ::close(static_cast<int>(fd));
}

void close_all_but(std::span<int> kept) {
    std::sort(kept.begin(), kept.end());
    unsigned first = 3;
    for (const int fd : kept) {
        if (fd < static_cast<int>(first))
            continue;
        close_between(first, static_cast<unsigned>(fd) - 1);
        first = static_cast<unsigned>(fd) + 1;
    }
    close_from(first);
}

pid_t wait_for(pid_t pid, int* status, int flags, rusage* usage) {
    return fails(Call::Wait) ? -1 : ::wait4(pid, status, flags, usage);
}

ssize_t send_bytes(int fd, const void* data, std::size_t size, int flags) {
    return fails(Call::Send) ? -1 : ::send(fd, data, size, flags | MSG_NOSIGNAL);
}

ssize_t receive_bytes(int fd, void* data, std::size_t size, int flags) {
    return fails(Call::Receive) ? -1 : ::recv(fd, data, size, flags);
}

ssize_t write_bytes(int fd, const void* data, std::size_t size) {
    return fails(Call::Write) ? -1 : ::write(fd, data, size);
}

} // namespace monoinit::sys
