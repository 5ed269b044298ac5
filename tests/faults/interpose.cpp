// Stands between monoinit's objects and the C library (ld's --wrap), so that any call by which PID 1, its guards, probes and
// its logger act on the world can be counted, and one of them made to fail, without a line of that in what is released.
// A place is a kind of call together with the stack that led to it. The file that $INTERPOSED_FAULTS names is mapped by every
// image: tests/system/faults.py writes into it which place fails when and how, and reads from it which places there are.
// Neither allocates nor locks: it runs in children that have no heap, and between vfork and exec.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <mqueue.h>
#include <new>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" const char __ehdr_start[]; ///< where this image begins
extern "C" void* __libc_stack_end;

extern "C" long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
extern "C" void* __real_mmap(void* at, size_t size, int protection, int flags, int fd, off_t offset);

namespace {

enum class Mode : std::uint32_t { Off, Record, Fail };
enum class Role : std::uint32_t { None, Init, Child, Logger };

constexpr unsigned depth = 11;
constexpr std::size_t places_offset = 4096, most_places = 1U << 16;

/// Both structures are read and written by tests/system/faults.py.
struct Header {
    std::atomic<Mode> mode;
    std::int32_t error; ///< of the failure; 0: the call's result is cut short instead
    std::uint64_t key;  ///< of the place
    std::uint32_t nth;  ///< of its calls, from 1
    std::atomic<std::uint32_t> seen, fired;
    std::atomic<pid_t> logger; ///< the executed one
};

struct Place {
    std::atomic<std::uint64_t> key; ///< 0: free
    std::atomic<std::uint32_t> count;
    Role role;
    char call[24];
    std::uint64_t stack[depth]; ///< return addresses from the image's beginning, innermost first
};
static_assert(sizeof(Place) == 128);

/// Always mapped there: guards forget what static variables hold.
Header* const header = reinterpret_cast<Header*>(0x600000000000);
Place* const places = reinterpret_cast<Place*>(0x600000000000 + places_offset);
constexpr std::size_t orders_size = places_offset + most_places * sizeof(Place);

Role role() {
    const auto pid = static_cast<pid_t>(__real_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0));
    return pid == 1 ? Role::Init : pid == header->logger ? Role::Logger : Role::Child;
}

constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
    return (hash ^ value) * 1099511628211ULL ^ (hash >> 29);
}

/// Follows frame pointers while they stay inside memory that is certainly there: the main stack, or the rest of a page.
unsigned walk(void** frame, std::uint64_t (&stack)[depth]) {
    const auto here = reinterpret_cast<std::uintptr_t>(frame);
    const auto main_end = reinterpret_cast<std::uintptr_t>(__libc_stack_end);
    const std::uintptr_t end = here < main_end && main_end - here < (1U << 20) ? main_end : (here | 4095) - 15;
    unsigned count = 0;
    while (count < depth) {
        stack[count++] = reinterpret_cast<std::uintptr_t>(frame[1]) - reinterpret_cast<std::uintptr_t>(__ehdr_start);
        void** const next = static_cast<void**>(frame[0]);
        if (next <= frame || reinterpret_cast<std::uintptr_t>(next) >= end - 16 || reinterpret_cast<std::uintptr_t>(next) % 8 != 0)
            break;
        frame = next;
    }
    return count;
}

void record(std::uint64_t key, const char* call, const std::uint64_t (&stack)[depth]) {
    for (std::size_t i = key % most_places, tries = 0; tries < most_places; i = (i + 1) % most_places, tries++) {
        std::uint64_t found = 0;
        if (places[i].key.compare_exchange_strong(found, key)) {
            places[i].role = role();
            std::strncpy(places[i].call, call, sizeof places[i].call - 1);
            std::memcpy(places[i].stack, stack, sizeof stack);
        } else if (found != key) {
            continue;
        }
        places[i].count++;
        return;
    }
}

/// Whether this call is to fail; sets errno. Inlined, so that the frame is the wrapper's.
[[gnu::always_inline]] inline bool fails(const char* call) {
    if (header->mode.load(std::memory_order_relaxed) == Mode::Off || header->fired != 0)
        return false;
    std::uint64_t stack[depth]{};
    const unsigned count = walk(static_cast<void**>(__builtin_frame_address(0)), stack);
    std::uint64_t key = mix(14695981039346656037ULL, static_cast<std::uint64_t>(role()));
    for (const char* at = call; *at != 0; at++)
        key = mix(key, static_cast<unsigned char>(*at));
    for (unsigned i = 0; i < count; i++)
        key = mix(key, stack[i]);
    if (header->mode.load(std::memory_order_relaxed) == Mode::Record) {
        record(key, call, stack);
        return false;
    }
    if (key != header->key || ++header->seen != header->nth)
        return false;
    header->fired = 1;
    errno = header->error;
    return true;
}

[[gnu::constructor(101)]] void map_orders() {
    const char* const path = std::getenv("INTERPOSED_FAULTS");
    const long fd = path == nullptr ? -1 : __real_syscall(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path), O_RDWR | O_CLOEXEC, 0, 0, 0);
    const int kind = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED;
    if (__real_mmap(header, orders_size, PROT_READ | PROT_WRITE, kind | MAP_FIXED, static_cast<int>(fd), 0) == MAP_FAILED)
        std::abort();
    if (fd >= 0)
        ::close(static_cast<int>(fd));
    if (::getpid() != 1)
        header->logger = ::getpid();
}

} // namespace

#define WRAP(result, name, parameters, arguments)                                                                                \
    extern "C" result __real_##name parameters;                                                                                  \
    extern "C" result __wrap_##name parameters { return fails(#name) ? result(-1) : __real_##name arguments; }

// clang-format off
WRAP(int, accept4, (int fd, sockaddr* a, socklen_t* n, int flags), (fd, a, n, flags))
WRAP(int, bind, (int fd, const sockaddr* a, socklen_t n), (fd, a, n))
WRAP(int, chdir, (const char* path), (path))
WRAP(int, chmod, (const char* path, mode_t mode), (path, mode))
WRAP(int, chown, (const char* path, uid_t u, gid_t g), (path, u, g))
WRAP(int, connect, (int fd, const sockaddr* a, socklen_t n), (fd, a, n))
WRAP(int, dup2, (int from, int to), (from, to))
WRAP(int, dup3, (int from, int to, int flags), (from, to, flags))
WRAP(int, epoll_create1, (int flags), (flags))
WRAP(int, epoll_wait, (int e, epoll_event* events, int most, int t), (e, events, most, t))
WRAP(int, eventfd, (unsigned start, int flags), (start, flags))
WRAP(int, execve, (const char* path, char* const* a, char* const* e), (path, a, e))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, fchown, (int fd, uid_t u, gid_t g), (fd, u, g))
WRAP(int, fchownat, (int d, const char* p, uid_t u, gid_t g, int f), (d, p, u, g, f))
WRAP(int, fstat, (int fd, struct stat* s), (fd, s))
WRAP(int, fstatat, (int d, const char* p, struct stat* s, int f), (d, p, s, f))
WRAP(int, fstatvfs, (int fd, struct statvfs* s), (fd, s))
WRAP(int, ftruncate, (int fd, off_t size), (fd, size))
WRAP(ssize_t, getrandom, (void* to, size_t size, unsigned flags), (to, size, flags))
WRAP(int, getsockopt, (int fd, int l, int o, void* v, socklen_t* n), (fd, l, o, v, n))
WRAP(int, inotify_add_watch, (int fd, const char* p, uint32_t m), (fd, p, m))
WRAP(int, inotify_init1, (int flags), (flags))
WRAP(int, kill, (pid_t pid, int signal), (pid, signal))
WRAP(int, listen, (int fd, int backlog), (fd, backlog))
WRAP(int, lstat, (const char* p, struct stat* s), (p, s))
WRAP(int, madvise, (void* at, size_t size, int advice), (at, size, advice))
WRAP(int, memfd_create, (const char* name, unsigned flags), (name, flags))
WRAP(int, mkdir, (const char* p, mode_t mode), (p, mode))
WRAP(int, mkdirat, (int d, const char* p, mode_t mode), (d, p, mode))
WRAP(int, mkfifo, (const char* p, mode_t mode), (p, mode))
WRAP(int, pipe2, (int* pair, int flags), (pair, flags))
WRAP(int, poll, (pollfd* fds, nfds_t n, int t), (fds, n, t))
WRAP(int, ppoll, (pollfd* fds, nfds_t n, const timespec* t, const sigset_t* s), (fds, n, t, s))
WRAP(ssize_t, pread, (int fd, void* to, size_t size, off_t at), (fd, to, size, at))
WRAP(ssize_t, read, (int fd, void* to, size_t size), (fd, to, size))
WRAP(ssize_t, readlink, (const char* p, char* to, size_t size), (p, to, size))
WRAP(ssize_t, readlinkat, (int d, const char* p, char* to, size_t size), (d, p, to, size))
WRAP(ssize_t, recv, (int fd, void* to, size_t size, int flags), (fd, to, size, flags))
WRAP(ssize_t, recvmsg, (int fd, msghdr* message, int flags), (fd, message, flags))
WRAP(int, rename, (const char* from, const char* to), (from, to))
WRAP(int, renameat, (int d, const char* from, int e, const char* to), (d, from, e, to))
WRAP(int, rmdir, (const char* p), (p))
WRAP(ssize_t, send, (int fd, const void* from, size_t size, int flags), (fd, from, size, flags))
WRAP(ssize_t, sendmsg, (int fd, const msghdr* message, int flags), (fd, message, flags))
WRAP(int, setsockopt, (int fd, int l, int o, const void* v, socklen_t n), (fd, l, o, v, n))
WRAP(int, signalfd, (int fd, const sigset_t* set, int flags), (fd, set, flags))
WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, socketpair, (int domain, int type, int protocol, int* pair), (domain, type, protocol, pair))
WRAP(ssize_t, splice, (int from, off64_t* a, int to, off64_t* b, size_t size, unsigned flags), (from, a, to, b, size, flags))
WRAP(int, stat, (const char* p, struct stat* s), (p, s))
WRAP(int, statx, (int d, const char* p, int f, unsigned m, struct statx* s), (d, p, f, m, s))
WRAP(int, symlink, (const char* to, const char* p), (to, p))
WRAP(int, symlinkat, (const char* to, int d, const char* p), (to, d, p))
WRAP(int, timerfd_create, (int clock, int flags), (clock, flags))
WRAP(int, timerfd_settime, (int fd, int flags, const itimerspec* value, itimerspec* old), (fd, flags, value, old))
WRAP(int, unlink, (const char* p), (p))
WRAP(int, unlinkat, (int d, const char* p, int f), (d, p, f))
WRAP(pid_t, wait4, (pid_t pid, int* status, int options, rusage* usage), (pid, status, options, usage))
WRAP(pid_t, waitpid, (pid_t pid, int* status, int options), (pid, status, options))
WRAP(ssize_t, write, (int fd, const void* from, size_t size), (fd, from, size))
WRAP(ssize_t, writev, (int fd, const iovec* parts, int count), (fd, parts, count))
// clang-format on

extern "C" DIR* __real_opendir(const char* path);
extern "C" DIR* __wrap_opendir(const char* path) {
    return fails("opendir") ? nullptr : __real_opendir(path);
}

extern "C" void* __wrap_mmap(void* at, size_t size, int protection, int flags, int fd, off_t offset) {
    return fails("mmap") ? MAP_FAILED : __real_mmap(at, size, protection, flags, fd, offset);
}

extern "C" int __real_pthread_create(pthread_t* thread, const pthread_attr_t* settings, void* (*entry)(void*), void* argument);
extern "C" int __wrap_pthread_create(pthread_t* thread, const pthread_attr_t* settings, void* (*entry)(void*), void* argument) {
    return fails("pthread_create") ? errno : __real_pthread_create(thread, settings, entry, argument);
}

extern "C" int __real_open(const char* path, int flags, mode_t mode);
extern "C" int __wrap_open(const char* path, int flags, mode_t mode) {
    return fails("open") ? -1 : __real_open(path, flags, mode);
}

extern "C" int __real_openat(int directory, const char* path, int flags, mode_t mode);
extern "C" int __wrap_openat(int directory, const char* path, int flags, mode_t mode) {
    return fails("openat") ? -1 : __real_openat(directory, path, flags, mode);
}

/// Only what is added needs memory.
extern "C" int __real_epoll_ctl(int epoll, int operation, int fd, epoll_event* event);
extern "C" int __wrap_epoll_ctl(int epoll, int operation, int fd, epoll_event* event) {
    return operation == EPOLL_CTL_ADD && fails("epoll_ctl") ? -1 : __real_epoll_ctl(epoll, operation, fd, event);
}

/// Only what makes a descriptor can be short of something.
extern "C" int __real_fcntl(int fd, int command, long argument);
extern "C" int __wrap_fcntl(int fd, int command, long argument) {
    return command == F_DUPFD_CLOEXEC && fails("dup") ? -1 : __real_fcntl(fd, command, argument);
}

extern "C" int __real_clone(int (*entry)(void*), void* stack, int flags, void* argument);
extern "C" int __wrap_clone(int (*entry)(void*), void* stack, int flags, void* argument) {
    return fails("vfork") ? -1 : __real_clone(entry, stack, flags, argument);
}

extern "C" long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f) {
    const char* call = nullptr;
    switch (number) {
    case SYS_clone: call = "fork"; break;
    case SYS_pidfd_open: call = "pidfd_open"; break;
    case SYS_pidfd_send_signal: call = "pidfd_send_signal"; break;
    case SYS_openat2: call = "openat2"; break;
    case SYS_execveat: call = "execveat"; break;
    case SYS_getdents64: call = "getdents64"; break;
    default: break;
    }
    if (call != nullptr && fails(call))
        return -1;
    return __real_syscall(number, a, b, c, d, e, f);
}

/// What an allocation that fails comes to. Ordinary forks' children are not looked at: they end, and are said to have.
extern "C" void* __real__Znwm(std::size_t size);
extern "C" void* __wrap__Znwm(std::size_t size) {
    if (role() == Role::Init && fails("new"))
        throw std::bad_alloc();
    return __real__Znwm(size);
}
