// Crash survival: the signal handler uses raw system calls and memory set up beforehand, nothing else.
#include "runtime/crash.hpp"

#include "base/fmt.hpp"
#include "base/signals.hpp"
#include "base/strings.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <fcntl.h>
#include <new>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>
#include <vector>

extern "C" char __ehdr_start, _end; // the linker's: where we are loaded

namespace monoinit::runtime {

namespace {

constexpr int fault_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
constexpr std::string_view resume_option = "--resume-checkpoint=", again_option = "--resume-again=", bare_option = "--resume-bare=";
constexpr std::size_t handler_stack = 64 * 1024;
constexpr std::uint64_t quick_usec = 10'000'000;      ///< a fault so soon after another one is a sign of a loop
constexpr std::uint64_t forgiven_usec = 600'000'000;  ///< after so long things are taken to go well
constexpr std::uint32_t quick_limit = 2;              ///< faults of ours, each soon after another
constexpr std::uint32_t quick_restoring_limit = 4;    ///< the same where each costs a record, which the next image leaves out
constexpr std::uint32_t hopeless = 6;                 ///< so many: no more without a pause
constexpr timespec hopeless_pause{1, 0};
constexpr std::uint64_t obeyed_apart_usec = 100'000;
constexpr base::Duration first_rest = std::chrono::seconds(10), longest_rest = std::chrono::minutes(10);

// Everything the handler needs, written before it is armed.
struct {
    Checkpoint* checkpoint = nullptr; ///< null: not taken up yet
    int checkpoint_fd = -1, exe_fd = -1, previous_fd = -1;
    Resume resume; ///< what this image was executed for
    pid_t init_pid = 0;
    char** argv = nullptr;
    char** environment = nullptr;
} prepared;
char next_option[48]; ///< argv[1] of the next image

volatile sig_atomic_t in_handler = 0;
volatile sig_atomic_t is_settled = 0;
volatile sig_atomic_t sent_signal = 0, sent_by = 0; ///< one that waits to be obeyed
std::uint64_t obeyed_at = 0;

std::uint64_t now_usec() {
    struct timespec now{};
    ::syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

void clear_cloexec(int fd) { ::syscall(SYS_fcntl, fd, F_SETFD, 0); }

/// The frames above the first one that a signal has interrupted are the handler's.
_Unwind_Reason_Code add_frame(_Unwind_Context* context, void* data) {
    auto& note = *static_cast<CrashNote*>(data);
    int interrupted = 0;
    const std::uint64_t address = _Unwind_GetIPInfo(context, &interrupted);
    if (interrupted != 0)
        note.frame_count = 0;
    if (note.frame_count == note.frames.size())
        return _URC_END_OF_STACK;
    if (address < reinterpret_cast<std::uint64_t>(&__ehdr_start) || address >= reinterpret_cast<std::uint64_t>(&_end))
        return _URC_NO_REASON; // a shared library's, where we are not static: what a signal returns to, for one
    note.frames[note.frame_count] = address - reinterpret_cast<std::uint64_t>(&__ehdr_start);
    note.frame_count++;
    return _URC_NO_REASON;
}

void begin_note(CrashNote& note, int signal) {
    note.signal = static_cast<std::uint32_t>(signal);
    note.generation++;
    note.own = note.has_address = note.went_back = 0;
    note.sender = 0;
    note.frame_count = 0;
}

void note_sent(CrashNote& note, int signal, int sender) {
    begin_note(note, signal);
    note.count++;
    note.sender = sender;
    note.restoring = 0;
}

void note_fault(CrashNote& note, int signal, const siginfo_t& info) {
    begin_note(note, signal);
    const std::uint64_t now = now_usec(), since = now - note.last_usec;
    note.count++;
    note.own = 1;
    note.quick = note.last_usec != 0 && since < quick_usec ? note.quick + 1 : 1;
    if (since > forgiven_usec)
        note.rests = 0;
    note.last_usec = now;
    if (info.si_code > 0 && signal != SIGABRT && signal != SIGSYS) {
        note.has_address = 1;
        note.address = reinterpret_cast<std::uint64_t>(info.si_addr);
    }
}

void set_next_option(std::string_view option) {
    char digits[12];
    int length = 0;
    for (int rest = prepared.checkpoint_fd; length == 0 || rest > 0; rest /= 10)
        digits[length++] = static_cast<char>('0' + rest % 10);
    std::memcpy(next_option, option.data(), option.size());
    char* at = next_option + option.size();
    while (length > 0)
        *at++ = digits[--length];
    *at = 0;
}

/// Comes back when there is no successor to be had, whatever is tried for some seconds.
void exec_successor(int exe) {
    if (prepared.checkpoint != nullptr)
        prepared.checkpoint->for_each_fd(clear_cloexec);
    clear_cloexec(prepared.checkpoint_fd);
    constexpr int tries = 50;
    constexpr timespec pause{0, 100'000'000};
    for (int i = 0; i < tries; i++) { // out of memory, perhaps, for the moment
        ::syscall(SYS_execveat, exe, "", prepared.argv, prepared.environment, AT_EMPTY_PATH);
        ::syscall(SYS_execve, "/proc/self/exe", prepared.argv, prepared.environment);
        if (in_handler == 0)
            return; // on purpose: the one who asks is told
        ::syscall(SYS_nanosleep, &pause, nullptr);
    }
}

/// A guard or probe that faults before it has reset its handlers must not become a second init.
bool is_init(int signal) {
    if (::syscall(SYS_getpid) == prepared.init_pid)
        return true;
    ::signal(signal, SIG_DFL);
    ::raise(signal);
    return false;
}

/// The kernel's own, or our abort(): not somebody's kill(2), which the kernel lets nobody disguise.
bool is_own(const siginfo_t& info) { return info.si_code > 0 || info.si_pid == prepared.init_pid; }

void on_fault(int signal, siginfo_t* info, void*) {
    if (!is_init(signal))
        return;
    CrashNote& note = prepared.checkpoint->crash();
    if (!is_own(*info)) {
        if (is_settled != 0 && now_usec() - obeyed_at >= obeyed_apart_usec) {
            in_handler = 1;
            obeyed_at = now_usec();
            note_sent(note, signal, info->si_pid);
            exec_successor(prepared.exe_fd);
            in_handler = 0; // it was nothing of ours: as if it had not come
            return;
        }
        sent_by = info->si_pid;
        sent_signal = signal;
        ::syscall(SYS_kill, prepared.init_pid, SIGCHLD); // the loop looks
        return;
    }
    // Once more in here: the backtrace met a broken stack, or the note lies on a page that cannot be had.
    const int turn = in_handler;
    in_handler = turn + 1;
    unblock_fault_signals();
    if (turn == 0) {
        note_fault(note, signal, *info);
        _Unwind_Backtrace(add_frame, &note);
    }
    if (note.quick > hopeless)
        ::syscall(SYS_nanosleep, &hopeless_pause, nullptr); // minimal mode itself crashes, or its successor does
    if (turn <= 1) {
        const bool back = is_settled == 0 && prepared.previous_fd >= 0;
        if (back)
            note.went_back = 1;
        exec_successor(back ? prepared.previous_fd : prepared.exe_fd);
    }
    ::_exit(70); // no successor: as good as the fault itself
}

void on_early_fault(int signal, siginfo_t* info, void*) {
    if (!is_init(signal) || !is_own(*info))
        return;
    in_handler = 1;
    if (prepared.resume.bare)
        ::syscall(SYS_nanosleep, &hopeless_pause, nullptr);
    set_next_option(bare_option);
    exec_successor(prepared.exe_fd);
    ::_exit(70);
}

void arm(void (*handler)(int, siginfo_t*, void*)) {
    struct sigaction action{};
    action.sa_sigaction = handler;
    action.sa_flags = SA_ONSTACK | SA_SIGINFO | SA_RESTART;
    // A flood may not pile up on the handler's stack; a fault of our own lets them through again.
    sigemptyset(&action.sa_mask);
    for (int signal : fault_signals)
        sigaddset(&action.sa_mask, signal);
    for (int signal : fault_signals)
        ::sigaction(signal, &action, nullptr);
}

void prepare(int checkpoint_fd, int argc, char** argv, char** environment) {
    // Never freed: the handler reads it at any time. Few need no memory, of which there may be none.
    static std::array<char*, 64> few;
    static std::vector<char*> many;
    const auto count = static_cast<std::size_t>(argc);
    if (count + 2 > few.size())
        many.resize(count + 2);
    char** const arguments = many.empty() ? few.data() : many.data();
    arguments[0] = argv[0];
    arguments[1] = next_option;
    std::copy(argv + 1, argv + argc + 1, arguments + 2);
    prepared.checkpoint_fd = checkpoint_fd;
    prepared.init_pid = ::getpid();
    prepared.argv = arguments;
    prepared.environment = environment;
    static void* stack = ::mmap(nullptr, handler_stack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack != MAP_FAILED) {
        const stack_t alternate{.ss_sp = stack, .ss_flags = 0, .ss_size = handler_stack};
        ::sigaltstack(&alternate, nullptr);
    }
}

} // namespace

void arm_early(const Resume& resume, int argc, char** argv, char** environment) {
    if (resume.checkpoint < 0)
        return;
    prepare(resume.checkpoint, argc, argv, environment);
    prepared.resume = resume;
    prepared.exe_fd = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    arm(on_early_fault);
}

void follow_checkpoint(int checkpoint) {
    prepared.checkpoint_fd = checkpoint;
}

void arm_crash_survival(Checkpoint& checkpoint, int exe_fd, int previous_fd, int argc, char** argv, char** environment) {
    prepare(checkpoint.fd(), argc, argv, environment);
    if (prepared.checkpoint == nullptr && prepared.exe_fd >= 0 && prepared.exe_fd != exe_fd)
        ::close(prepared.exe_fd);
    prepared.exe_fd = exe_fd;
    prepared.previous_fd = previous_fd;
    prepared.checkpoint = &checkpoint;
    set_next_option(resume_option);
    arm(on_fault);
}

void unblock_fault_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (int signal : fault_signals)
        sigaddset(&set, signal);
    ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

void settled() {
    if (std::exchange(prepared.previous_fd, -1) >= 0)
        prepared.checkpoint->crash().went_back = 0;
    obeyed_at = now_usec();
    is_settled = 1;
}

base::Instant obey_sent_at() {
    return sent_signal == 0 ? base::never : base::Instant{base::Duration(static_cast<std::int64_t>(obeyed_at + obeyed_apart_usec))};
}

void obey_sent_signal() {
    note_sent(prepared.checkpoint->crash(), sent_signal, sent_by);
    sent_signal = 0;
    exec_successor(prepared.exe_fd);
}

void reexec(int exe_fd) {
    begin_note(prepared.checkpoint->crash(), 0);
    exec_successor(exe_fd < 0 ? prepared.exe_fd : exe_fd);
}

void reexec_in_the_middle() {
    CrashNote& note = prepared.checkpoint->crash();
    begin_note(note, 0);
    note.own = 1;
    exec_successor(prepared.exe_fd);
}

void end_rest() {
    if (prepared.checkpoint != nullptr) {
        CrashNote& note = prepared.checkpoint->crash();
        note.quick = 1; // the next one is the second
        note.last_usec = now_usec();
    }
    set_next_option(resume_option);
    exec_successor(prepared.exe_fd);
}

base::Duration rest_after(const CrashNote& note) {
    if (note.own == 0 || note.signal == 0 || note.quick < (note.restoring != 0 ? quick_restoring_limit : quick_limit))
        return {};
    return std::min<base::Duration>(first_rest * (1 << std::min(note.rests, 6U)), longest_rest);
}

std::string describe_crash(const CrashNote& note) {
    std::string how = base::signal_name(static_cast<int>(note.signal));
    if (note.own != 0 && note.has_address != 0)
        how += fmt::format(" at address {:#x}", note.address);
    if (note.own == 0)
        how += note.sender == 0 ? ", sent from outside" : fmt::format(", sent by pid {}", note.sender);
    how += fmt::format(", crash {}", note.count);
    std::string said(note.text.data(), ::strnlen(note.text.data(), note.text.size()));
    return fmt::format("PID 1 crashed ({}){} and goes on; services were not touched", how, said.empty() ? "" : ": " + base::printable(said));
}

std::string describe_frames(const CrashNote& note) {
    std::string text;
    for (std::size_t i = 0; note.own != 0 && i < std::min<std::size_t>(note.frame_count, note.frames.size()); i++)
        text += fmt::format(" monoinit+{:#x}", note.frames[i]);
    return text.empty() ? text : "where:" + text;
}

Resume take_resume_argument(int& argc, char** argv) {
    Resume resume;
    if (argc < 2)
        return resume;
    for (const std::string_view option : {resume_option, again_option, bare_option}) {
        if (std::strncmp(argv[1], option.data(), option.size()) != 0)
            continue;
        resume = {std::atoi(argv[1] + option.size()), option == bare_option, option == again_option};
        std::copy(argv + 2, argv + argc + 1, argv + 1); // with the null behind the last
        argc--;
        break;
    }
    return resume;
}

namespace {

/// What an exception has said. PID 1 writes to nobody's pipe: its successor says it.
void note_words(const char* words) {
    if (prepared.checkpoint == nullptr || ::getpid() != prepared.init_pid) {
        std::fprintf(stderr, "monoinit: uncaught: %s\n", words);
        return;
    }
    std::array<char, 160>& text = prepared.checkpoint->crash().text;
    const std::size_t size = std::min(std::strlen(words), text.size() - 1);
    std::memcpy(text.data(), words, size);
    text[size] = 0;
}

} // namespace

void fail_image(const std::string& why) {
    note_words(why.c_str());
    std::abort();
}

namespace {

/// The loop survives a want of memory by itself. Before it turns there is either nothing yet that could be lost, or another image
/// takes up the same once more; where that one fails too, it is a fault like any other. Nothing has been unwound, so that the
/// descriptors are still there for it.
void go_without_memory() {
    note_words("out of memory");
    if (::getpid() != prepared.init_pid || is_settled != 0)
        return;
    if (prepared.resume.checkpoint < 0)
        ::_exit(std::fputs("monoinit: out of memory\n", stderr) < 0 ? 70 : 1);
    if (prepared.resume.again)
        return;
    if (prepared.checkpoint != nullptr)
        prepared.checkpoint->crash().restoring = 0; // no fault of that record
    set_next_option(again_option);
    exec_successor(prepared.exe_fd);
}

} // namespace

void note_uncaught() {
    if (const std::exception_ptr uncaught = std::current_exception()) {
        try {
            std::rethrow_exception(uncaught);
        } catch (const std::bad_alloc&) {
            go_without_memory();
        } catch (const std::exception& error) {
            note_words(error.what());
        } catch (...) {
            note_words("no std::exception");
        }
    }
}

} // namespace monoinit::runtime

/// What an exception that nobody caught comes to: abort(), which is survived like any fault. libstdc++'s own handler also
/// names the exception's type, and links a demangler for it: 50 kB.
void __gnu_cxx::__verbose_terminate_handler() {
    monoinit::runtime::note_uncaught();
    std::abort();
}
