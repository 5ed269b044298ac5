#pragma once
// X-Watch=: a process for each service that watches its sources (exec/watch_sources.hpp), and what it says. It outlives
// daemon-reexec and crashes. Tested by tests/system/x_watch.py.

#include "engine/engine.hpp"
#include "exec/watch_sources.hpp"
#include "runtime/checkpoint.hpp"
#include "sys/epoll_loop.hpp"

#include <functional>
#include <string>
#include <unordered_map>

namespace monoinit::runtime {

class Sources {
  public:
    struct Links {
        sys::EpollLoop& loop;
        Checkpoint& checkpoint;
        std::function<void(engine::Event)> feed;
        std::function<engine::UnitStatus(base::UnitId)> status;
        std::function<void(base::UnitId, std::string)> warn;
    };
    explicit Sources(Links links) : links_(std::move(links)) {}
    ~Sources();

    /// The engine's action: harmless when it is so already; with other settings the watcher is made anew.
    void watch(base::UnitId unit, bool on);
    void drop(base::UnitId unit);
    /// Takes up the watcher of the image before.
    void adopt(const FdEntry& entry, sys::UniqueFd news);
    /// After adopt() of all and the first event: those that nobody wants any more.
    void end_unclaimed();

  private:
    struct Held {
        exec::SourceWatcher watcher;
        std::uint64_t settings = 0; ///< a fingerprint of them
        base::Instant since;
        std::string bytes;
    };
    void begin(base::UnitId unit);
    void listen(base::UnitId unit, Held held);
    void on_readable(base::UnitId unit);

    Links links_;
    std::unordered_map<base::UnitId, Held> held_;
};

} // namespace monoinit::runtime
