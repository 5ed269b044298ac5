// Masks, dispositions, signalfd. The reset uses the raw call: glibc refuses its two internal signals, which an image that
// was started by another libc may have left ignored. Tested by tests/unit/sys.
#include "sys/signals.hpp"

#include "sys/syscalls.hpp"

#include <array>
#include <cerrno>
#include <sys/syscall.h>
#include <unistd.h>

namespace monoinit::sys {

namespace {

constexpr std::size_t kernel_set_size = 8;

void set_mask(std::uint64_t mask) {
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, kernel_set_size);
}

} // namespace

SignalsBlocked::SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before_);
}

SignalsBlocked::~SignalsBlocked() {
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

void block_all_signals() {
    set_mask(~std::uint64_t{0});
}

void unblock_all_signals() {
    set_mask(0);
}

void reset_signal_handlers() {
    // The kernel's struct sigaction; all zero is SIG_DFL with no flags on every architecture.
    const std::array<std::uint64_t, 5> default_action{};
    for (int signal = 1; signal <= 64; signal++)
        if (signal != SIGKILL && signal != SIGSTOP)
            ::syscall(SYS_rt_sigaction, signal, default_action.data(), nullptr, kernel_set_size);
}

base::Result<SignalFd> SignalFd::create(const sigset_t& signals) {
    if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0)
        return base::fail_errno(errno, "cannot block signals");
    UniqueFd fd(fails(Call::Signalfd) ? -1 : ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd)
        return base::fail_errno(errno, "cannot create a signalfd");
    return SignalFd(std::move(fd));
}

base::Result<SignalFd> SignalFd::create(std::initializer_list<int> signals) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : signals)
        sigaddset(&set, signal);
    return create(set);
}

void SignalFd::drain(const std::function<void(const signalfd_siginfo&)>& handle) {
    std::array<signalfd_siginfo, 8> batch;
    for (;;) {
        const ssize_t size = ::read(fd_.get(), batch.data(), sizeof batch);
        if (size <= 0)
            return;
        const auto count = static_cast<std::size_t>(size) / sizeof(signalfd_siginfo);
        for (std::size_t i = 0; i < count; i++)
            handle(batch[i]);
        if (count < batch.size())
            return;
    }
}

} // namespace monoinit::sys
