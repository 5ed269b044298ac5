// The bare thing to compare with: a vfork+exec loop that starts N programs, and a bare waitpid loop.
// usage: loop start N PROGRAM ARGS…   prints the seconds until all have been executed, then waits for SIGTERM
//        loop respawn PROGRAM ARGS…   kills and starts again 200 times; prints the median seconds from kill to exec
//        loop reap N                  makes N orphans as PID 1 of a namespace; prints CPU seconds of reaping them
//        loop orphans N               makes N orphans for whoever is the reaper above it, and ends
//        loop tick FIFO               a service: writes one byte into the FIFO when it runs, then waits
//        loop notify                  a Type=notify service without libraries: READY=1, then waits
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/resource.h>
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

int run_respawn(char** argv) {
    std::vector<double> spans;
    pid_t pid = start(argv);
    for (int i = 0; i < 200; i++) {
        const auto begin = Clock::now();
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        pid = start(argv);
        spans.push_back(since(begin));
    }
    ::kill(pid, SIGKILL);
    std::ranges::sort(spans);
    std::printf("%.6f\n", spans[spans.size() / 2]);
    return 0;
}

/// A child makes the orphans: each is a double fork whose parent has gone.
int run_reap(int count) {
    const pid_t maker = ::fork();
    if (maker == 0) {
        for (int i = 0; i < count; i++)
            if (::vfork() == 0)
                ::_exit(0);
        ::_exit(0); // its zombies fall to us, all at once
    }
    rusage before{}, after{};
    int reaped = 0;
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(maker), &info, WEXITED | WNOWAIT);
    ::getrusage(RUSAGE_SELF, &before);
    while (::waitpid(-1, nullptr, 0) > 0)
        reaped++;
    ::getrusage(RUSAGE_SELF, &after);
    const auto seconds = [](const rusage& r) {
        return static_cast<double>(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + static_cast<double>(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
    };
    std::printf("%.6f %d\n", seconds(after) - seconds(before), reaped);
    return 0;
}

int run_orphans(int count) {
    // A maker of its own, so that all fall to the reaper at once when it ends.
    if (::fork() == 0) {
        for (int i = 0; i < count; i++)
            if (::vfork() == 0)
                ::_exit(0);
        ::_exit(0);
    }
    ::wait(nullptr);
    return 0;
}

int run_tick(const char* fifo) {
    const int fd = ::open(fifo, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || ::write(fd, "x", 1) != 1)
        return 1;
    ::close(fd);
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
    if (what == "respawn" && argc > 2)
        return run_respawn(argv + 2);
    if (what == "reap" && argc > 2)
        return run_reap(std::atoi(argv[2]));
    if (what == "orphans" && argc > 2)
        return run_orphans(std::atoi(argv[2]));
    if (what == "tick" && argc > 2)
        return run_tick(argv[2]);
    if (what == "notify")
        return run_notify();
    return 2;
}
