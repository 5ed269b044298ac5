#pragma once
// Shortages pass: of descriptors, memory, processes. What can wait is asked for again by the loop; this is for the few things
// without which PID 1 cannot be, at moments when nothing else can be done anyway (boot, taking over).
// Tested by tests/unit/sys and tests/system/faults.py.

#include "base/result.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

#include <cerrno>
#include <ctime>

namespace monoinit::sys {

/// open(2), close-on-exec.
inline base::Result<UniqueFd> open_path(const char* path, int flags) {
    UniqueFd fd(open_file(path, flags));
    return fd ? base::Result<UniqueFd>(std::move(fd)) : base::fail_errno(errno, path);
}

/// Calls `make`, which returns a Result, until it succeeds or fails for another reason than a shortage; for two seconds at most.
template <class Make> auto insist(Make make) {
    constexpr timespec pause{0, 50'000'000};
    constexpr int most = 40;
    for (int tries = 0;; tries++) {
        auto made = make();
        if (made || !base::is_shortage(made.error().errnum) || tries == most)
            return made;
        ::nanosleep(&pause, nullptr);
    }
}

} // namespace monoinit::sys
