#pragma once
// The one event loop: epoll with a callback a descriptor. Removing or closing any descriptor inside a callback is safe:
// an event that was already fetched for it is dropped. Tested by tests/unit/sys.

#include "base/result.hpp"
#include "base/time.hpp"
#include "sys/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <sys/epoll.h>
#include <vector>

namespace monoinit::sys {

class EpollLoop {
  public:
    using Callback = std::function<void(std::uint32_t events)>;

    static base::Result<EpollLoop> create();

    /// Watches `fd` (not owned) for EPOLLIN, EPOLLOUT …, level triggered unless EPOLLET is given. A shortage of the kernel's (memory, watches of this user)
    /// is none for the others: what it has no room for is watched by poll(2) until it has.
    base::Result<void> add(int fd, std::uint32_t events, Callback callback);
    base::Result<void> modify(int fd, std::uint32_t events);
    /// Before the descriptor is closed. Harmless when it is not watched.
    void remove(int fd);

    /// Waits for events, at most `timeout` (infinity: for ever, zero: not at all), and runs their callbacks.
    /// Returns how many ran; 0 on timeout or EINTR.
    base::Result<int> run_once(base::Duration timeout = base::infinity);

    int fd() const { return epoll_.get(); }
    std::size_t size() const { return watched_; }
    /// How many descriptors are watched by poll(2), for want of room in the kernel.
    std::size_t polled() const { return polled_; }

  private:
    struct Entry {
        std::uint32_t generation = 0;
        std::shared_ptr<Callback> callback; ///< shared: a callback may remove itself while it runs
        std::uint32_t events = 0;
        bool polled = false; ///< not in the epoll set
    };
    void admit_polled();
    base::Result<int> run_polled(int timeout);
    bool call(std::size_t index, std::uint32_t generation, std::uint32_t events);
    explicit EpollLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}

    UniqueFd epoll_;
    std::vector<Entry> entries_; ///< by descriptor
    std::uint32_t generation_ = 0;
    std::size_t watched_ = 0, polled_ = 0;
};

} // namespace monoinit::sys
