// Crash survival: the signal handler uses raw system calls and memory set up beforehand, nothing else.
#include "runtime/crash.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace monoinit::runtime {

namespace {

constexpr int fault_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
constexpr std::string_view resume_option = "--resume-checkpoint=";
constexpr std::size_t handler_stack = 64 * 1024;

// Everything the handler needs, written before it is armed.
struct {
    Checkpoint* checkpoint = nullptr;
    int exe_fd = -1;
    pid_t init_pid = 0;
    char** argv = nullptr;
    char** environment = nullptr;
} prepared;

void clear_cloexec(int fd) { ::syscall(SYS_fcntl, fd, F_SETFD, 0); }

void note_crash(int signal) {
    Checkpoint::Crash& crash = prepared.checkpoint->crash();
    struct timespec now{};
    ::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    crash.last_usec = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
    crash.signal = static_cast<std::uint32_t>(signal);
    crash.generation++;
    if (signal != 0)
        crash.count++;
}

void exec_successor() {
    prepared.checkpoint->for_each_fd(clear_cloexec);
    clear_cloexec(prepared.checkpoint->fd());
    ::syscall(SYS_execveat, prepared.exe_fd, "", prepared.argv, prepared.environment, AT_EMPTY_PATH);
}

void on_fault(int signal) {
    // A guard or probe that faults before it has reset its handlers must not become a second init.
    if (::syscall(SYS_getpid) != prepared.init_pid) {
        ::signal(signal, SIG_DFL);
        ::raise(signal);
        return;
    }
    note_crash(signal);
    exec_successor();
    ::_exit(70); // no successor: as good as the fault itself
}

} // namespace

void arm_crash_survival(Checkpoint& checkpoint, int exe_fd, int argc, char** argv, char** environment) {
    // Allocated once and never freed: the handler reads it at any time.
    static std::vector<char*> arguments;
    static std::string resume;
    resume = std::string(resume_option) + std::to_string(checkpoint.fd());
    arguments.assign(argv, argv + argc);
    arguments.insert(arguments.begin() + 1, resume.data());
    arguments.push_back(nullptr);
    prepared = {&checkpoint, exe_fd, ::getpid(), arguments.data(), environment};

    static void* stack = ::mmap(nullptr, handler_stack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack != MAP_FAILED) {
        const stack_t alternate{.ss_sp = stack, .ss_flags = 0, .ss_size = handler_stack};
        ::sigaltstack(&alternate, nullptr);
    }
    struct sigaction action{};
    action.sa_handler = on_fault;
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    for (int signal : fault_signals)
        ::sigaction(signal, &action, nullptr);
}

void unblock_fault_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (int signal : fault_signals)
        sigaddset(&set, signal);
    ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

void reexec(int signal) {
    note_crash(signal);
    exec_successor();
}

int take_resume_argument(int& argc, char** argv) {
    if (argc < 2 || std::strncmp(argv[1], resume_option.data(), resume_option.size()) != 0)
        return -1;
    const int fd = std::atoi(argv[1] + resume_option.size());
    std::memmove(argv + 1, argv + 2, static_cast<std::size_t>(argc - 1) * sizeof(char*));
    argc--;
    return fd;
}

} // namespace monoinit::runtime

/// What an exception that nobody caught comes to: abort(), which is survived like any fault. libstdc++'s own handler also
/// names the exception's type, and links a demangler for it: 50 kB.
void __gnu_cxx::__verbose_terminate_handler() {
    if (const std::exception_ptr uncaught = std::current_exception()) {
        try {
            std::rethrow_exception(uncaught);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "monoinit: uncaught: %s\n", error.what());
        } catch (...) {
            std::fputs("monoinit: uncaught exception\n", stderr);
        }
    }
    std::abort();
}
