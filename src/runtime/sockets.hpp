#pragma once
// The descriptors of socket units, and connections that were accepted for a service (Accept=yes). PID 1 holds them, so that
// they outlive services, daemon-reexec and crashes; it looks at them only while the engine says so, and never reads from them.
// Tested by tests/system/sockets.py.

#include "engine/engine.hpp"
#include "exec/build_plan.hpp"
#include "exec/open_sockets.hpp"
#include "runtime/checkpoint.hpp"
#include "runtime/probes.hpp"
#include "sys/epoll_loop.hpp"

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace monoinit::runtime {

/// What a service is given.
struct PassedSockets {
    std::vector<int> fds; ///< borrowed
    std::vector<std::string> names;
    std::size_t sockets = 0; ///< how many of the first are sockets of socket units; the others are from the store
    std::array<int, 3> streams{-1, -1, -1}; ///< of who asked for a transient service
    std::string remote_address, remote_port; ///< of an accepted connection
};

class Sockets {
  public:
    struct Links {
        sys::EpollLoop& loop;
        Checkpoint& checkpoint;
        Probes& probes;
        exec::ManagerContext& manager;
        std::function<void(engine::Event)> feed;
        std::function<engine::UnitStatus(base::UnitId)> status;
        std::function<base::UnitId(const std::string&)> load;
        std::function<void(base::UnitId, std::string)> warn;
        std::function<void(base::UnitId)> forget_unit;
    };
    explicit Sockets(Links links) : links_(std::move(links)) {}
    ~Sockets();

    // The engine's actions.
    void open(base::UnitId unit);
    void close(base::UnitId unit);
    void watch(base::UnitId unit, bool on);
    void flush(base::UnitId unit);
    void close_connection(base::UnitId service);
    /// The instances of closed connections; when the effects that still speak of them are done.
    void forget_closed();

    /// Adds what `socket` holds.
    void add_sockets_of(base::UnitId socket, PassedSockets& passed) const;
    /// True when a connection is held for the service.
    bool add_connection_of(base::UnitId service, PassedSockets& passed) const;

    /// Takes up descriptors of the image before.
    void adopt(const FdEntry& entry, sys::UniqueFd fd);
    /// After adopt() of all and the first event: what the crash has left without an owner.
    void close_unclaimed();

  private:
    struct Open {
        std::size_t index = 0; ///< into SocketSection::listen
        sys::UniqueFd fd;
    };
    struct Held {
        std::vector<Open> open;
        bool watched = false;
    };
    void received(base::UnitId unit, std::uint64_t attempt, sys::UniqueFd& channel, const base::Result<std::string>& answer);
    std::string take(base::UnitId unit, sys::UniqueFd& channel);
    void on_readable(base::UnitId unit, int fd);
    void accept(base::UnitId unit, int listener);
    static void let_go(sys::UniqueFd fd);

    Links links_;
    std::unordered_map<base::UnitId, Held> held_;
    std::unordered_map<base::UnitId, sys::UniqueFd> connections_; ///< by service
    std::vector<base::UnitId> closed_;
    std::unordered_map<base::UnitId, std::uint64_t> attempts_; ///< probes that are under way, by the number of the latest
    std::uint64_t last_attempt_ = 0;
    std::unordered_map<base::UnitId, bool> removing_; ///< RemoveOnStop= is under way; true: to be made again after it
};

} // namespace monoinit::runtime
