#pragma once
// Signal masks, dispositions, and signals as readable events. Tested by tests/unit/sys.

#include "base/result.hpp"
#include "sys/unique_fd.hpp"

#include <functional>
#include <initializer_list>
#include <signal.h>
#include <sys/signalfd.h>

namespace monoinit::sys {

/// Blocks all signals while it lives. Needed around fork: the child resets handlers before it unblocks.
class SignalsBlocked {
  public:
    SignalsBlocked();
    ~SignalsBlocked();
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;
    const sigset_t& before() const { return before_; }

  private:
    sigset_t before_;
};

void block_all_signals();
void unblock_all_signals();
/// Every signal to SIG_DFL. Async-signal-safe; also in a vfork child (dispositions are not shared).
void reset_signal_handlers();

/// A blocked set of signals, read as events.
class SignalFd {
  public:
    /// Blocks `signals` in this thread and makes them readable.
    static base::Result<SignalFd> create(const sigset_t& signals);
    static base::Result<SignalFd> create(std::initializer_list<int> signals);
    /// Calls `handle` for each pending signal; signals of one number that came together arrive once.
    void drain(const std::function<void(const signalfd_siginfo&)>& handle);
    int fd() const { return fd_.get(); }

  private:
    explicit SignalFd(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

} // namespace monoinit::sys
