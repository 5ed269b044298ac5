#pragma once
// READY=1, STATUS=, STOPPING=1, WATCHDOG=1 to whoever supervises us (podman --sdnotify=container, nspawn, an outer
// systemd), when we were given NOTIFY_SOCKET. Never MAINPID=: pids mean something else outside. libsystemd does it where
// it is linked; else a sender of the same documented protocol, sd_notify(3). Tested by tests/system/outer_notify.py.

#include "base/time.hpp"

#include <string>

namespace monoinit::runtime {

class OuterNotify {
  public:
    /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; no service inherits these (plan_builder.cpp).
    OuterNotify();
    bool active() const { return !socket_.empty(); }
    void ready(const std::string& status);
    void status(const std::string& text);
    void stopping();
    void watchdog();
    /// How often watchdog() must be called: half of what was asked for; infinity if not at all.
    base::Duration watchdog_interval() const { return interval_; }

  private:
    void send(const std::string& message);

    std::string socket_;
    base::Duration interval_ = base::infinity;
};

} // namespace monoinit::runtime
