// See crash_point.hpp.
#include "sys/crash_point.hpp"

#ifndef NDEBUG

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <unistd.h>

namespace monoinit::sys {

namespace {

std::uint64_t points_left = 0;
pid_t crashing = 0;

} // namespace

void crash_as_asked() {
    const char* const point = std::getenv("MONOINIT_TEST_CRASH");
    points_left = point == nullptr ? 0 : std::strtoull(point, nullptr, 10);
    crashing = ::getpid();
}

void crash_point() {
    if (points_left == 0)
        return;
    points_left--;
    if (points_left == 0 && ::getpid() == crashing)
        ::raise(SIGSEGV);
}

} // namespace monoinit::sys

#endif
