#pragma once
// Which unit a process belongs to: the guard above it, a child of PID 1 with PID 1's uid, carries the unit's name as its
// title ("guard: web.service"), which nobody below it can change. Best effort: of a sender that is gone nothing is known, and
// nothing is guessed. Tested by tests/unit/log/attribution_test.cpp and tests/system/log_sockets.py.

#include "base/time.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <sys/types.h>

namespace monoinit::log {

class Attribution {
  public:
    /// What /proc says of a process; nothing known: parent 0.
    struct Facts {
        pid_t parent = 0;
        uid_t uid = 0;
        std::string title;
    };
    using Look = std::function<Facts(pid_t)>;

    /// `init`: PID 1 as we see it, and its uid.
    Attribution(pid_t init, uid_t init_uid, Look look) : init_(init), init_uid_(init_uid), look_(std::move(look)) {}

    /// Full name of the unit; empty: none, or not known. `now`: CLOCK_MONOTONIC; answers are kept for a moment, since who
    /// logs does so in bursts.
    std::string unit_of(pid_t pid, base::Duration now);

  private:
    struct Known {
        std::string unit;
        base::Duration until{};
    };
    std::string find(pid_t pid) const;

    pid_t init_;
    uid_t init_uid_;
    Look look_;
    std::map<pid_t, Known> known_;
};

/// Looks into /proc.
Attribution::Facts look_at_process(pid_t pid);

} // namespace monoinit::log
