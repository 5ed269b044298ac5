// The bare thing to compare with: a vfork+exec loop that starts N programs, and a bare waitpid loop.
// usage: loop start N PROGRAM ARGS…   prints the seconds until all have been executed, then waits for SIGTERM
//        loop chain N PATH PROGRAM ARGS…  starts N programs, each when the one before has said READY=1 to the socket at PATH;
//                                     prints the seconds of one link
//        loop keep PROGRAM ARGS…      the barest supervisor: starts the program again whenever it has ended
//        loop reap N                  makes N orphans as PID 1 of a namespace; prints CPU seconds of reaping them
//        loop orphans N GO FIFO       waits for a byte from GO, makes N orphans for whoever is the reaper above it, ticks
//        loop time N PROGRAM ARGS…    runs the program N times (0: until end of file on stdin); prints the number of runs,
//                                     the median and the longest in seconds
//        loop tick FIFO               a service: writes one byte into the FIFO when it runs, then waits
//        loop idle                    a service that does nothing
//        loop notify                  a Type=notify service without libraries: READY=1, then waits
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

pid_t start(char** argv) {
    const pid_t pid = ::vfork();
    if (pid == 0) {
        ::execv(argv[0], argv);
        ::_exit(127);
    }
    return pid;
}

int run_start(int count, char** argv) {
    const auto begin = Clock::now();
    std::vector<pid_t> pids;
    for (int i = 0; i < count; i++)
        pids.push_back(start(argv));
    std::printf("%.6f\n", since(begin));
    std::fflush(stdout);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    int signal = 0;
    ::sigwait(&set, &signal);
    for (const pid_t pid : pids)
        ::kill(pid, SIGKILL);
    return 0;
}

int run_chain(int count, const char* path, char** argv) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::setenv("NOTIFY_SOCKET", path, 1) != 0)
        return 1;
    std::vector<pid_t> pids;
    const auto begin = Clock::now();
    for (int i = 0; i < count; i++) {
        char text[64];
        pids.push_back(start(argv));
        if (::recv(fd, text, sizeof text, 0) < 0)
            return 1;
    }
    std::printf("%.6f\n", since(begin) / count);
    for (const pid_t pid : pids)
        ::kill(pid, SIGKILL);
    return 0;
}

[[noreturn]] void run_keep(char** argv) {
    for (;;) {
        start(argv);
        ::waitpid(-1, nullptr, 0);
    }
}

/// A function of its own, so that no variable of the caller is live across vfork().
[[gnu::noinline]] void make_zombie() {
    if (::vfork() == 0)
        ::_exit(0);
}

/// They are zombies when their parent ends, and fall to the reaper all at once.
void make_orphans(int count) {
    for (int i = 0; i < count; i++)
        make_zombie();
}

double cpu_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// Waits as any init does: blocked until the first one falls to it, while others still do.
int run_reap(int count) {
    if (::fork() == 0) {
        make_orphans(count);
        ::_exit(0);
    }
    const double before = cpu_seconds();
    int reaped = 0;
    while (::waitpid(-1, nullptr, 0) > 0)
        reaped++;
    std::printf("%.6f %d\n", cpu_seconds() - before, reaped);
    return 0;
}

int run_time(int count, char** argv) {
    std::vector<double> spans;
    const auto more = [&] {
        pollfd input{STDIN_FILENO, POLLIN, 0};
        return count > 0 ? static_cast<int>(spans.size()) < count : ::poll(&input, 1, 0) == 0;
    };
    const int null = ::open("/dev/null", O_WRONLY);
    const int out = ::dup(STDOUT_FILENO);
    ::dup2(null, STDOUT_FILENO);
    do {
        const auto begin = Clock::now();
        ::waitpid(start(argv), nullptr, 0);
        spans.push_back(since(begin));
    } while (more());
    ::dup2(out, STDOUT_FILENO);
    std::ranges::sort(spans);
    std::printf("%zu %.6f %.6f\n", spans.size(), spans[spans.size() / 2], spans.back());
    return 0;
}

int tick(const char* fifo) {
    const int fd = ::open(fifo, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || ::write(fd, "x", 1) != 1)
        return 1;
    return ::close(fd);
}

int run_orphans(int count, const char* go, const char* fifo) {
    char byte;
    const int fd = ::open(go, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ::read(fd, &byte, 1) != 1)
        return 1;
    if (::fork() == 0) {
        make_orphans(count);
        ::_exit(0);
    }
    ::wait(nullptr);
    tick(fifo);
    ::pause();
    return 0;
}

int run_tick(const char* fifo) {
    if (tick(fifo) != 0)
        return 1;
    ::pause();
    return 0;
}

int run_notify() {
    const char* path = ::getenv("NOTIFY_SOCKET");
    if (path == nullptr)
        return 1;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (::sendto(fd, "READY=1", 7, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
        return 1;
    ::pause();
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc > 1 ? argv[1] : "";
    if (what == "start" && argc > 3)
        return run_start(std::atoi(argv[2]), argv + 3);
    if (what == "chain" && argc > 4)
        return run_chain(std::atoi(argv[2]), argv[3], argv + 4);
    if (what == "keep" && argc > 2)
        run_keep(argv + 2);
    if (what == "time" && argc > 3)
        return run_time(std::atoi(argv[2]), argv + 3);
    if (what == "reap" && argc > 2)
        return run_reap(std::atoi(argv[2]));
    if (what == "orphans" && argc > 4)
        return run_orphans(std::atoi(argv[2]), argv[3], argv[4]);
    if (what == "tick" && argc > 2)
        return run_tick(argv[2]);
    if (what == "idle")
        return ::pause();
    if (what == "notify")
        return run_notify();
    return 2;
}
