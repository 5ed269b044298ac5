// What signals mean to PID 1. Tested by tests/system/promise_01_survival.py and promise_09_sigterm.py.
#include "base/signals.hpp"
#include "runtime/runtime.hpp"
#include "sys/crash_point.hpp"

#include <csignal>

namespace monoinit::runtime {

void Runtime::on_signal(const signalfd_siginfo& info) {
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGCHLD)
        return reap();
    obey(signal);
}

/// What is read from the signalfd is nowhere else: noted until it has come to a record.
void Runtime::obey(int signal) {
    checkpoint_->crash().heard = static_cast<std::uint32_t>(signal);
    sys::crash_point();
    act_on(signal);
    checkpoint_->crash().heard = 0;
}

void Runtime::act_on(int signal) {
    if (signal == SIGHUP)
        return daemon_reload([](const base::Result<void>&) {});
    if (signal == SIGINT && !command_.empty() && !command_started_ && !stopping_) {
        log_->say(5, {}, "SIGINT: not waiting for the boot, starting the command");
        return start_command();
    }
    if (signal == SIGTERM || signal == SIGINT || signal == SIGPWR || signal == SIGRTMIN + 3 || signal == SIGRTMIN + 4)
        shut_down(engine::Shutdown::Kind::Signal, base::signal_name(signal), std::nullopt, config_.shutdown_timeout);
}

} // namespace monoinit::runtime
