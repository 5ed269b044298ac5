#pragma once
// What path units watch: an inotify instance each, made and read by PID 1. Which paths, and how they are, a probe finds out
// and reports (exec/watch_paths.hpp). However often they change, an instance is read ten times a second at most, and nothing
// of it is lost: what comes meanwhile waits in the kernel. Tested by tests/system/paths.py.

#include "engine/engine.hpp"
#include "exec/watch_paths.hpp"
#include "runtime/probes.hpp"
#include "sys/epoll_loop.hpp"

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace monoinit::runtime {

class Paths {
  public:
    struct Links {
        sys::EpollLoop& loop;
        Probes& probes;
        std::function<void(engine::Event)> feed;
        std::function<engine::UnitStatus(base::UnitId)> status;
        std::function<void(base::UnitId, std::string)> warn;
    };
    explicit Paths(Links links) : links_(std::move(links)) {}
    ~Paths();

    // The engine's actions.
    void look(base::UnitId unit, bool make_directories);
    void drop(base::UnitId unit);

    base::Instant next_deadline() const;
    /// Instances whose pause is over are read again.
    void resume_reading(base::Instant now);

  private:
    struct Held {
        sys::UniqueFd inotify;
        std::vector<exec::PathMark> marks;
        std::uint64_t attempt = 0;            ///< the look that is under way, 0 = none
        bool heard = false;                   ///< in the loop
        base::Instant read_at{};              ///< not before
        base::Instant paused_until = base::never; ///< never: it is not paused
    };
    base::Result<exec::Probe> probe(base::UnitId unit, std::uint64_t attempt, bool make_directories);
    void answered(base::UnitId unit, std::uint64_t attempt, const base::Result<std::string>& bytes);
    void hear(base::UnitId unit, Held& held);
    void stop_hearing(Held& held);
    void on_readable(base::UnitId unit);

    Links links_;
    std::unordered_map<base::UnitId, Held> held_;
    std::uint64_t last_attempt_ = 0;
};

} // namespace monoinit::runtime
