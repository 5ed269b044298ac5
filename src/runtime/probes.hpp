#pragma once
// Work on paths that units name, in children with a deadline (exec/probe.hpp): conditions, PIDFile=, removal of
// RuntimeDirectory=. A hung mount costs that unit a timeout, never PID 1. Tested by tests/system/bad_paths.py.

#include "engine/event.hpp"
#include "exec/probe.hpp"
#include "sys/epoll_loop.hpp"

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

namespace monoinit::runtime {

class Probes {
  public:
    explicit Probes(sys::EpollLoop& loop) : loop_(loop) {}
    ~Probes();

    /// `done` gets the answer's bytes, or nothing when the child died, could not be made or took over `limit`. Returns a number
    /// for cancel(), 0 when `done` has been called already.
    std::uint64_t start(base::Result<exec::Probe> probe, base::Instant now, base::Duration limit,
                        std::function<void(std::optional<std::string>)> done);
    void cancel(std::uint64_t probe); ///< kills it; `done` gets nothing
    base::Instant next_deadline() const;
    void expire(base::Instant now);
    bool idle() const { return running_.empty(); }

  private:
    struct Running {
        std::unique_ptr<exec::Probe> probe;
        base::Instant deadline;
        std::function<void(std::optional<std::string>)> done;
    };
    void finish(std::uint64_t id, std::optional<std::string> answer);

    sys::EpollLoop& loop_;
    std::unordered_map<std::uint64_t, Running> running_;
    std::uint64_t next_ = 1;
};

} // namespace monoinit::runtime
