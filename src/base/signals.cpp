// The tables of signals and exit statuses. Real-time signals count from 34, where glibc's SIGRTMIN is: the kernel's 32
// and 33 belong to its threads. Tested by tests/unit/base/signals_test.cpp.
#include "base/signals.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>

namespace monoinit::base {

namespace {

constexpr int rt_min = 34, rt_max = 64;

struct Row {
    int number;
    std::string_view name;
};

// clang-format off
/// Printing takes the first row of a number, so other names of a signal follow the usual one.
constexpr auto signals = std::to_array<Row>({
    {SIGHUP, "HUP"}, {SIGINT, "INT"}, {SIGQUIT, "QUIT"}, {SIGILL, "ILL"}, {SIGTRAP, "TRAP"}, {SIGABRT, "ABRT"}, {SIGBUS, "BUS"},
    {SIGFPE, "FPE"}, {SIGKILL, "KILL"}, {SIGUSR1, "USR1"}, {SIGSEGV, "SEGV"}, {SIGUSR2, "USR2"}, {SIGPIPE, "PIPE"},
    {SIGALRM, "ALRM"}, {SIGTERM, "TERM"}, {SIGSTKFLT, "STKFLT"}, {SIGCHLD, "CHLD"}, {SIGCONT, "CONT"}, {SIGSTOP, "STOP"},
    {SIGTSTP, "TSTP"}, {SIGTTIN, "TTIN"}, {SIGTTOU, "TTOU"}, {SIGURG, "URG"}, {SIGXCPU, "XCPU"}, {SIGXFSZ, "XFSZ"},
    {SIGVTALRM, "VTALRM"}, {SIGPROF, "PROF"}, {SIGWINCH, "WINCH"}, {SIGIO, "IO"}, {SIGPWR, "PWR"}, {SIGSYS, "SYS"},
    {SIGIO, "POLL"}, {SIGABRT, "IOT"}, {SIGCHLD, "CLD"},
});

/// 0-1 C library, 2-7 LSB, 64-78 BSD sysexits, 200-255 systemd.exec(5).
constexpr auto statuses = std::to_array<Row>({
    {0, "SUCCESS"}, {1, "FAILURE"},
    {2, "INVALIDARGUMENT"}, {3, "NOTIMPLEMENTED"}, {4, "NOPERMISSION"}, {5, "NOTINSTALLED"}, {6, "NOTCONFIGURED"}, {7, "NOTRUNNING"},
    {64, "USAGE"}, {65, "DATAERR"}, {66, "NOINPUT"}, {67, "NOUSER"}, {68, "NOHOST"}, {69, "UNAVAILABLE"}, {70, "SOFTWARE"},
    {71, "OSERR"}, {72, "OSFILE"}, {73, "CANTCREAT"}, {74, "IOERR"}, {75, "TEMPFAIL"}, {76, "PROTOCOL"}, {77, "NOPERM"}, {78, "CONFIG"},
    {200, "CHDIR"}, {201, "NICE"}, {202, "FDS"}, {203, "EXEC"}, {204, "MEMORY"}, {205, "LIMITS"}, {206, "OOM_ADJUST"},
    {207, "SIGNAL_MASK"}, {208, "STDIN"}, {209, "STDOUT"}, {210, "CHROOT"}, {211, "IOPRIO"}, {212, "TIMERSLACK"},
    {213, "SECUREBITS"}, {214, "SETSCHEDULER"}, {215, "CPUAFFINITY"}, {216, "GROUP"}, {217, "USER"}, {218, "CAPABILITIES"},
    {219, "CGROUP"}, {220, "SETSID"}, {221, "CONFIRM"}, {222, "STDERR"}, {224, "PAM"}, {225, "NETWORK"}, {226, "NAMESPACE"},
    {227, "NO_NEW_PRIVILEGES"}, {228, "SECCOMP"}, {229, "SELINUX_CONTEXT"}, {230, "PERSONALITY"}, {231, "APPARMOR"},
    {232, "ADDRESS_FAMILIES"}, {233, "RUNTIME_DIRECTORY"}, {235, "CHOWN"}, {236, "SMACK_PROCESS_LABEL"}, {237, "KEYRING"},
    {238, "STATE_DIRECTORY"}, {239, "CACHE_DIRECTORY"}, {240, "LOGS_DIRECTORY"}, {241, "CONFIGURATION_DIRECTORY"},
    {242, "NUMA_POLICY"}, {243, "CREDENTIALS"}, {244, "BPF"}, {245, "KSM"}, {255, "EXCEPTION"},
});
// clang-format on

std::optional<int> whole_number(std::string_view text) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return number;
}

template <std::size_t N> const Row* row_of(const std::array<Row, N>& table, std::string_view name) {
    const auto row = std::find_if(table.begin(), table.end(), [&](const Row& r) { return r.name == name; });
    return row == table.end() ? nullptr : row;
}

/// "RTMIN+3", "RTMAX-1", "RTMIN", "RTMAX".
std::optional<int> real_time_signal(std::string_view name) {
    const bool from_min = name.starts_with("RTMIN");
    if (!from_min && !name.starts_with("RTMAX"))
        return std::nullopt;
    name.remove_prefix(5);
    int offset = 0;
    if (!name.empty()) {
        if (name.front() != (from_min ? '+' : '-'))
            return std::nullopt;
        const auto number = whole_number(name.substr(1));
        if (!number || *number < 0 || *number > rt_max - rt_min)
            return std::nullopt;
        offset = *number;
    }
    return from_min ? rt_min + offset : rt_max - offset;
}

} // namespace

std::optional<int> signal_from_name(std::string_view name) {
    if (const auto number = whole_number(name))
        return *number >= 1 && *number <= rt_max ? number : std::nullopt;
    if (name.starts_with("SIG"))
        name.remove_prefix(3);
    if (const Row* row = row_of(signals, name))
        return row->number;
    return real_time_signal(name);
}

std::string signal_name(int signal) {
    for (const auto& [number, name] : signals)
        if (number == signal)
            return "SIG" + std::string(name);
    if (signal == rt_min || signal == rt_max)
        return signal == rt_min ? "SIGRTMIN" : "SIGRTMAX";
    if (signal > rt_min && signal < rt_max)
        return "SIGRTMIN+" + std::to_string(signal - rt_min);
    return "SIG" + std::to_string(signal);
}

std::string_view exit_status_name(int status) {
    for (const auto& [number, name] : statuses)
        if (number == status)
            return name;
    return {};
}

std::optional<int> exit_status_from_name(std::string_view name) {
    const Row* row = row_of(statuses, name);
    return row == nullptr ? std::nullopt : std::optional(row->number);
}

std::string describe(const ExitInfo& exit) {
    switch (exit.code) {
    case ExitInfo::Code::Exited:
        // Below 200, and at 255, the number is the program's own; systemd's names would mislead.
        if (exit.status >= 200 && exit.status < 255 && !exit_status_name(exit.status).empty())
            return std::to_string(exit.status) + "/" + std::string(exit_status_name(exit.status));
        return "exit " + std::to_string(exit.status);
    case ExitInfo::Code::Killed:
        return signal_name(exit.status);
    case ExitInfo::Code::Dumped:
        return signal_name(exit.status) + ", core dumped";
    }
    return {};
}

} // namespace monoinit::base
