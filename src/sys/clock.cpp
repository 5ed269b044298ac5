// Clocks and the timerfd. Tested by tests/unit/sys.
#include "sys/clock.hpp"

#include "sys/syscalls.hpp"

#include <cerrno>
#include <ctime>
#include <limits>
#include <sys/timerfd.h>
#include <unistd.h>

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

base::Result<ClockWatch> ClockWatch::create() {
    UniqueFd fd(::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!fd)
        return base::fail_errno(errno, "timerfd_create");
    ClockWatch watch(std::move(fd));
    watch.arm();
    return watch;
}

/// It never fires by itself: its time is as late as the kernel takes.
void ClockWatch::arm() {
    itimerspec far{};
    far.it_value.tv_sec = std::numeric_limits<std::int32_t>::max() * std::time_t{4};
    ::timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, nullptr);
}

void ClockWatch::drain() {
    std::uint64_t count = 0;
    (void)!::read(fd_.get(), &count, sizeof count); // ECANCELED: it was set
    arm();
}

} // namespace monoinit::sys
