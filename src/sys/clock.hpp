#pragma once
// Reading clocks and being woken at an Instant. Only the shell does either; the pure modules are told the time.
// Tested by tests/unit/sys.

#include "base/result.hpp"
#include "base/time.hpp"
#include "sys/unique_fd.hpp"

namespace monoinit::sys {

base::Instant now();       ///< CLOCK_BOOTTIME
base::Duration wall_now(); ///< µs since 1970 UTC
base::Moment moment_now();
base::Duration monotonic_now(); ///< CLOCK_MONOTONIC, as in MONOTONIC_USEC= of sd_notify(3)

/// A timerfd on CLOCK_BOOTTIME: becomes readable at the instant it is set to.
class Timer {
  public:
    static base::Result<Timer> create();
    /// Replaces what was set; `base::never` disarms. An instant in the past fires at once. No system call when nothing changes.
    base::Result<void> set(base::Instant when);
    void drain(); ///< after it became readable
    int fd() const { return fd_.get(); }

  private:
    explicit Timer(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
    base::Instant set_to_ = base::never;
};

/// Becomes readable when somebody sets the wall clock.
class ClockWatch {
  public:
    static base::Result<ClockWatch> create();
    void drain(); ///< after it became readable; watches on
    int fd() const { return fd_.get(); }

  private:
    explicit ClockWatch(UniqueFd fd) : fd_(std::move(fd)) {}
    void arm();
    UniqueFd fd_;
};

} // namespace monoinit::sys
