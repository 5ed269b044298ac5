// Servers that inherit their socket, clients that ask them, and the barest activator to compare with.
// usage: server one               serves one connection of the socket at descriptor 3 with the time of its accept(), then ends
//        server accepted          answers the connection at descriptor 3, then ends
//        server serve             answers connections of the socket at descriptor 3; SIGTERM ends it after the one in hand
//        server activate PORT PROGRAM ARGS…   waits for a connection, then runs the program with the socket, again and again
//        server inetd PORT PROGRAM ARGS…      accepts connections and runs the program with each
//        server first PORT N      asks N times, each when the server has ended; prints the median of connect() to accept() in seconds
//        server ask PORT N TASKS  asks N times from TASKS processes; prints the seconds all took and how many failed
#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr int inherited = 3;
volatile std::sig_atomic_t ending = 0;

long long now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

sockaddr_in address_of(const char* port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int listen_at(const char* port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0), on = 1;
    const sockaddr_in address = address_of(port);
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(fd, 4096) != 0)
        std::exit(1);
    return fd;
}

/// One request: what was read, and how much; -1 when it failed.
int ask(const sockaddr_in& address, char* text, std::size_t size) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int length = -1;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && ::send(fd, "?", 1, MSG_NOSIGNAL) == 1)
        length = static_cast<int>(::recv(fd, text, size, MSG_WAITALL));
    ::close(fd);
    return length > 0 ? length : -1;
}

void answer(int fd) {
    char request = 0;
    (void)::recv(fd, &request, 1, 0);
    (void)::send(fd, "ok", 2, MSG_NOSIGNAL);
    ::close(fd);
}

int run_one() {
    const int fd = ::accept(inherited, nullptr, nullptr);
    const long long at = now();
    char request = 0;
    (void)::recv(fd, &request, 1, 0);
    (void)::send(fd, &at, sizeof at, MSG_NOSIGNAL);
    return 0;
}

int run_serve() {
    struct sigaction action {};
    action.sa_handler = [](int) { ending = 1; };
    ::sigaction(SIGTERM, &action, nullptr); // without SA_RESTART: a wait ends with it
    sigset_t term, none;
    sigemptyset(&none);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &term, nullptr);
    while (ending == 0) {
        pollfd socket{inherited, POLLIN, 0};
        if (::ppoll(&socket, 1, nullptr, &none) == 1)
            if (const int fd = ::accept4(inherited, nullptr, nullptr, SOCK_CLOEXEC); fd >= 0)
                answer(fd);
    }
    return 0;
}

void run_program(int fd, char** argv) {
    if (::vfork() == 0) {
        ::dup2(fd, inherited);
        ::execv(argv[0], argv);
        ::_exit(127);
    }
}

[[noreturn]] void run_activate(const char* port, char** argv) {
    const int fd = ::fcntl(listen_at(port), F_DUPFD, 10);
    for (;;) {
        pollfd socket{fd, POLLIN, 0};
        ::poll(&socket, 1, -1);
        run_program(fd, argv);
        ::wait(nullptr);
    }
}

[[noreturn]] void run_inetd(const char* port, char** argv) {
    const int fd = ::fcntl(listen_at(port), F_DUPFD_CLOEXEC, 10);
    ::signal(SIGCHLD, SIG_IGN);
    for (;;) {
        const int connection = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
        if (connection >= 0) {
            if (connection == inherited) {
                const int other = ::fcntl(connection, F_DUPFD_CLOEXEC, 10);
                run_program(other, argv);
                ::close(other);
            } else {
                run_program(connection, argv);
            }
            ::close(connection);
        }
    }
}

int run_first(const char* port, int count) {
    const sockaddr_in address = address_of(port);
    std::vector<long long> spans;
    for (int i = 0; i < count; i++) {
        ::usleep(30'000); // the server's end has been seen
        long long at = 0;
        const long long begin = now();
        if (ask(address, reinterpret_cast<char*>(&at), sizeof at) == sizeof at)
            spans.push_back(at - begin);
    }
    std::ranges::sort(spans);
    std::printf("%zu %.6f\n", spans.size(), spans.empty() ? 0.0 : static_cast<double>(spans[spans.size() / 2]) / 1e9);
    return 0;
}

int run_ask(const char* port, int count, int tasks) {
    const sockaddr_in address = address_of(port);
    const long long begin = now();
    int results[2];
    if (::pipe(results) != 0)
        return 1;
    for (int task = 0; task < tasks; task++)
        if (::fork() == 0) {
            int failed = 0;
            for (int i = task; i < count; i += tasks) {
                char text[2];
                failed += ask(address, text, sizeof text) == 2 && std::memcmp(text, "ok", 2) == 0 ? 0 : 1;
            }
            (void)::write(results[1], &failed, sizeof failed);
            ::_exit(0);
        }
    int failed = 0;
    for (int task = 0, each = 0; task < tasks; task++) {
        (void)::read(results[0], &each, sizeof each);
        failed += each;
    }
    std::printf("%.6f %d\n", static_cast<double>(now() - begin) / 1e9, failed);
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc > 1 ? argv[1] : "";
    if (what == "one")
        return run_one();
    if (what == "accepted") {
        answer(inherited);
        return 0;
    }
    if (what == "serve")
        return run_serve();
    if (what == "activate" && argc > 3)
        run_activate(argv[2], argv + 3);
    if (what == "inetd" && argc > 3)
        run_inetd(argv[2], argv + 3);
    if (what == "first" && argc > 3)
        return run_first(argv[2], std::atoi(argv[3]));
    if (what == "ask" && argc > 4)
        return run_ask(argv[2], std::atoi(argv[3]), std::atoi(argv[4]));
    return 2;
}
