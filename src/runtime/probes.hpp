#pragma once
// Work on paths that units name, in children with a deadline (exec/probe.hpp): conditions, PIDFile=, removal of
// RuntimeDirectory=. A hung mount costs that unit a timeout, never PID 1. While there are no processes or descriptors for one,
// it waits and is tried again. Tested by tests/unit/runtime/probes_test.cpp, tests/system/bad_paths.py and promise_06_more.py.

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
    using Make = std::function<base::Result<exec::Probe>()>;
    /// Gets what the work returned, or why there is nothing: no process could be made, it died, it took over `limit`.
    using Done = std::function<void(base::Result<std::string>)>;

    /// `complain` gets a sentence when a shortage begins to delay work, once until it is over.
    Probes(sys::EpollLoop& loop, std::function<void(std::string)> complain) : loop_(loop), complain_(std::move(complain)) {}
    ~Probes();

    /// Calls `make` now, and again while it fails for a shortage, for `limit` at most; what it makes has `limit` of its own.
    /// So what `make` holds has to live that long. Returns a number for cancel(), 0 when `done` has been called already.
    std::uint64_t start(Make make, base::Instant now, base::Duration limit, Done done);
    void cancel(std::uint64_t probe); ///< kills it; `done` gets an error
    base::Instant next_deadline() const;
    void expire(base::Instant now);
    bool idle() const { return running_.empty(); }

  private:
    struct Running {
        std::unique_ptr<exec::Probe> probe; ///< none: it could not be made so far
        base::Instant deadline, retry = base::never;
        base::Duration limit, pause;
        Make make;
        Done done;
    };
    void attempt(std::uint64_t id, base::Instant now);
    void finish(std::uint64_t id, base::Result<std::string> answer);

    sys::EpollLoop& loop_;
    std::function<void(std::string)> complain_;
    std::unordered_map<std::uint64_t, Running> running_;
    std::uint64_t next_ = 1;
    bool short_ = false;
};

} // namespace monoinit::runtime
