// Clocks and the timerfd. Tested by tests/unit/sys.
#include "sys/clock.hpp"

#include "sys/syscalls.hpp"

#include <cerrno>
#include <ctime>
#include <sys/timerfd.h>

namespace monoinit::sys {

namespace {

base::Duration read_clock(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return std::chrono::seconds(time.tv_sec) + base::Duration(time.tv_nsec / 1000);
}

} // namespace

base::Instant now() {
    return base::Instant{read_clock(CLOCK_BOOTTIME)};
}

base::Duration wall_now() {
    return read_clock(CLOCK_REALTIME);
}

base::Duration monotonic_now() {
    return read_clock(CLOCK_MONOTONIC);
}

base::Moment moment_now() {
    return base::Moment{now(), wall_now()};
}

base::Result<Timer> Timer::create() {
    UniqueFd fd(fails(Call::Timerfd) ? -1 : ::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!fd)
        return base::fail_errno(errno, "cannot create a timer");
    return Timer(std::move(fd));
}

base::Result<void> Timer::set(base::Instant when) {
    if (when == set_to_)
        return {};
    itimerspec spec{}; // all zero disarms
    if (when != base::never) {
        const auto usec = std::max<std::int64_t>(when.since_boot.count(), 1);
        spec.it_value.tv_sec = usec / 1'000'000;
        spec.it_value.tv_nsec = usec % 1'000'000 * 1000;
    }
    if (::timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &spec, nullptr) != 0)
        return base::fail_errno(errno, "cannot set the timer");
    set_to_ = when;
    return {};
}

void Timer::drain() {
    std::uint64_t expirations;
    (void)!::read(fd_.get(), &expirations, sizeof expirations); // EAGAIN: it was set anew meanwhile
    set_to_ = base::never;
}

} // namespace monoinit::sys
