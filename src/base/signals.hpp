#pragma once
// The one table of signals and of process exit statuses. Names and numbers as signal(7), systemd.exec(5)
// "Process Exit Codes". Tested by tests/unit/base/signals_test.cpp.

#include <optional>
#include <string>
#include <string_view>

namespace monoinit::base {

/// "SIGTERM", "TERM", "15", "SIGRTMIN+3", "RTMIN+3" -> number; nothing if there is no such signal.
std::optional<int> signal_from_name(std::string_view name);
/// 15 -> "SIGTERM", 37 -> "SIGRTMIN+3"; "SIG<n>" when unknown.
std::string signal_name(int signal);

/// The statuses of systemd.exec(5): 200 -> "CHDIR", 203 -> "EXEC", 217 -> "USER", 64 -> "USAGE" ...; empty when unnamed.
std::string_view exit_status_name(int status);
/// "EXEC" -> 203; nothing when unknown. Used by SuccessExitStatus= and kin.
std::optional<int> exit_status_from_name(std::string_view name);

/// What a shell gives for a command that signal N ended: this + N.
inline constexpr int signal_exit_base = 128;

/// How a process ended: waitid()'s si_code/si_status as data.
struct ExitInfo {
    enum class Code : unsigned char { Exited, Killed, Dumped } code = Code::Exited;
    int status = 0; ///< exit status, or the signal

    bool operator==(const ExitInfo&) const = default;
    bool is_signal() const { return code != Code::Exited; }
};

/// "exit 3", "203/EXEC", "SIGKILL", "SIGSEGV, core dumped": for messages to people.
std::string describe(const ExitInfo& exit);

} // namespace monoinit::base
