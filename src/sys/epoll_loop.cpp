// epoll with callbacks. Each watch carries a generation beside its descriptor, so that an event of a batch that was fetched
// before the descriptor was closed and used anew is not given to its successor. Tested by tests/unit/sys.
#include "sys/epoll_loop.hpp"

#include "sys/syscalls.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <poll.h>

namespace monoinit::sys {

namespace {

epoll_event event_for(int fd, std::uint32_t generation, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = static_cast<std::uint64_t>(generation) << 32 | static_cast<std::uint32_t>(fd);
    return event;
}

int milliseconds(base::Duration timeout) {
    if (timeout == base::infinity)
        return -1;
    const auto rounded_up = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
    return static_cast<int>(std::clamp<std::int64_t>(rounded_up, 0, INT_MAX));
}

} // namespace

base::Result<EpollLoop> EpollLoop::create() {
    UniqueFd fd(fails(Call::EpollCreate) ? -1 : ::epoll_create1(EPOLL_CLOEXEC));
    if (!fd)
        return base::fail_errno(errno, "cannot create an epoll instance");
    return EpollLoop(std::move(fd));
}

base::Result<void> EpollLoop::add(int fd, std::uint32_t events, Callback callback) {
    if (fd < 0)
        return base::fail_errno(EBADF, "cannot watch a descriptor");
    const auto index = static_cast<std::size_t>(fd);
    if (entries_.size() <= index)
        entries_.resize(std::max(index + 1, entries_.size() * 2));
    epoll_event event = event_for(fd, ++generation_, events);
    auto shared = std::make_shared<Callback>(std::move(callback)); // whatever throws does so before anything is changed
    const bool refused = fails(Call::EpollCtl) || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0;
    if (refused && ((errno != ENOSPC && errno != ENOMEM) || (events & EPOLLET) != 0))
        return base::fail_errno(errno, "cannot watch descriptor " + std::to_string(fd));
    if (!entries_[index].callback)
        watched_++;
    polled_ += refused ? 1U : 0U;
    polled_ -= entries_[index].polled ? 1U : 0U;
    entries_[index] = Entry{generation_, std::move(shared), events, refused};
    return {};
}

base::Result<void> EpollLoop::modify(int fd, std::uint32_t events) {
    const auto index = static_cast<std::size_t>(fd);
    if (index >= entries_.size() || !entries_[index].callback)
        return base::fail(base::Errc::NotFound, "descriptor " + std::to_string(fd) + " is not watched");
    entries_[index].events = events;
    if (entries_[index].polled)
        return {};
    epoll_event event = event_for(fd, entries_[index].generation, events);
    if (fails(Call::EpollCtl) || ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0)
        return base::fail_errno(errno, "cannot watch descriptor " + std::to_string(fd));
    return {};
}

void EpollLoop::remove(int fd) {
    const auto index = static_cast<std::size_t>(fd);
    if (fd < 0 || index >= entries_.size() || !entries_[index].callback)
        return;
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); // fails only when it was closed before: gone as well
    polled_ -= entries_[index].polled ? 1U : 0U;
    entries_[index] = Entry{};
    watched_--;
}

/// Into the epoll set, what fits.
void EpollLoop::admit_polled() {
    for (std::size_t i = 0; i < entries_.size() && polled_ > 0; i++) {
        Entry& entry = entries_[i];
        if (!entry.polled)
            continue;
        epoll_event event = event_for(static_cast<int>(i), entry.generation, entry.events);
        if (fails(Call::EpollCtl) || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, static_cast<int>(i), &event) != 0)
            return;
        entry.polled = false;
        polled_--;
    }
}

bool EpollLoop::call(std::size_t index, std::uint32_t generation, std::uint32_t events) {
    if (index >= entries_.size() || entries_[index].generation != generation || !entries_[index].callback)
        return false;
    const std::shared_ptr<Callback> callback = entries_[index].callback;
    (*callback)(events);
    return true;
}

/// Waits with poll(2) for the epoll set and what is not in it, and runs the callbacks of the latter.
base::Result<int> EpollLoop::run_polled(int timeout) {
    static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLPRI == POLLPRI && EPOLLERR == POLLERR && EPOLLHUP == POLLHUP);
    std::vector<pollfd> waiting{{epoll_.get(), POLLIN, 0}};
    std::vector<std::uint32_t> generations{0};
    for (std::size_t i = 0; i < entries_.size(); i++)
        if (entries_[i].polled) {
            waiting.push_back({static_cast<int>(i), static_cast<short>(entries_[i].events & 0x7fffU), 0});
            generations.push_back(entries_[i].generation);
        }
    if (::poll(waiting.data(), waiting.size(), timeout) < 0)
        return errno == EINTR ? base::Result<int>(0) : base::fail_errno(errno, "cannot wait for events");
    int ran = 0;
    for (std::size_t i = 1; i < waiting.size(); i++)
        if (waiting[i].revents != 0 && call(static_cast<std::size_t>(waiting[i].fd), generations[i], static_cast<std::uint32_t>(waiting[i].revents)))
            ran++;
    return ran;
}

base::Result<int> EpollLoop::run_once(base::Duration timeout) {
    int ran = 0;
    if (polled_ > 0)
        admit_polled();
    if (polled_ > 0) {
        ran = TRY(run_polled(milliseconds(timeout)));
        timeout = {}; // waited already
    }
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), milliseconds(timeout));
    if (count < 0) {
        if (errno == EINTR)
            return 0;
        return base::fail_errno(errno, "cannot wait for events");
    }
    for (int i = 0; i < count; i++) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (call(static_cast<std::size_t>(event.data.u64 & 0xffffffffU), static_cast<std::uint32_t>(event.data.u64 >> 32), event.events))
            ran++;
    }
    return ran;
}

} // namespace monoinit::sys
