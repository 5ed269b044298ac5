#pragma once
// The system-call seam: thin functions for calls that have fall-backs, and which a unit test can make fail (fork: EAGAIN, pipe:
// EMFILE …) or switch off, as an old kernel or a seccomp filter does. That any call may fail, in any place, is tested from
// outside (tests/faults/interpose.cpp). They behave like the calls they stand for: -1 and errno. Newer calls carry a fall-back each (kernel >= 4.18);
// EPERM counts as ENOSYS there, since container engines answer so for calls they do not know.
// Usable between fork and exec: no allocation, no locks. Tested by tests/unit/sys.

#include <cstdint>
#include <span>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>

namespace monoinit::sys {

enum class Call : std::uint8_t {
    Fork, Vfork, SocketPair, Socket, Pipe, Open, OpenAt2, PidfdOpen, PidfdSendSignal, CloseRange, Clone3, Children, Kill,
    Memfd, EpollCreate, EpollCtl, Timerfd, Signalfd, Inotify, Bind, Listen, Accept, Send, Receive, Write, Dup, Stat, Wait,
};
inline constexpr std::size_t call_count = static_cast<std::size_t>(Call::Wait) + 1;

/// After `skip` good calls, the next `times` fail with `error`.
struct Fault {
    int error = 0;
    std::uint32_t skip = 0;
    std::uint32_t times = ~0U;
};

/// Makes a call fail from now on (tests only). Inherited by fork, as everything is.
void inject(Call call, Fault fault);
void clear_faults();
bool faults_active();

class ScopedFault {
  public:
    ScopedFault(Call call, Fault fault) : call_(call) { inject(call, fault); }
    ~ScopedFault() { inject(call_, Fault{0, 0, 0}); }
    ScopedFault(const ScopedFault&) = delete;
    ScopedFault& operator=(const ScopedFault&) = delete;

  private:
    Call call_;
};

/// fork() without atfork handlers: PID 1 has a single thread. The caller blocks signals. Takes the whole heap along.
pid_t fork_process();
/// The same as the heap stands (sys/heap.hpp).
pid_t fork_lean();
/// fork_lean() with a descriptor table that both share until the child calls unshare_descriptors(); also a pidfd of the child
/// (close-on-exec). ENOSYS on kernels < 5.2.
pid_t fork_sharing_descriptors(int& pidfd);
/// A private table with the numbers below `end` only; the others are neither copied nor closed.
void unshare_descriptors(unsigned end);
/// Whether the kernel does that cheaply (close_range with UNSHARE, pidfds from clone).
bool can_unshare_descriptors();
/// vfork() on a stack of its own: shares all memory, and the caller stands still until `entry` has executed or exited.
pid_t vfork_process(int (*entry)(void*), void* stack_top, void* argument);
int socket_pair(int type, int pair[2]); ///< AF_UNIX, CLOEXEC; `type` may hold SOCK_NONBLOCK
int open_socket(int domain, int type);  ///< CLOEXEC
int make_pipe(int pair[2], int flags);  ///< CLOEXEC
int open_file(const char* path, int flags, mode_t mode = 0); ///< CLOEXEC and NOCTTY always
int open_file_at(int dir, const char* path, int flags, mode_t mode = 0);
/// openat2(2); `resolve` as there. ENOSYS where the kernel has none: the caller walks by hand.
int open_at2(int dir, const char* path, int flags, std::uint64_t resolve);
int memory_file(const char* name, unsigned flags = 0); ///< CLOEXEC
int duplicate(int fd, int at_least); ///< CLOEXEC

/// A pidfd, or -1 (ENOSYS: not supported; ESRCH: no such process).
int pidfd_open(pid_t pid);
int pidfd_send_signal(int pidfd, int signal);
int send_signal(pid_t pid, int signal); ///< kill(2)
int queue_signal(pid_t pid, int pidfd, int signal, int value); ///< sigqueue(3); through the pidfd, if it is one

/// Closes every descriptor >= `first`: close_range, else /proc/self/fd, else one by one.
void close_from(unsigned first);
void close_between(unsigned first, unsigned last); ///< both inclusive
/// In a forked child: keeps 0, 1, 2 and these, whose order it changes. A call for each gap between the kept ones.
void close_all_but(std::span<int> kept);

/// wait4(-1, …, WNOHANG) and its kin.
pid_t wait_for(pid_t pid, int* status, int flags, rusage* usage);

ssize_t send_bytes(int fd, const void* data, std::size_t size, int flags);
ssize_t receive_bytes(int fd, void* data, std::size_t size, int flags);
ssize_t write_bytes(int fd, const void* data, std::size_t size);

/// True when the test has made this call fail now; sets errno. For wrappers elsewhere in sys/.
bool fails(Call call);

} // namespace monoinit::sys
