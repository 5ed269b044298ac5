// epoll with callbacks. Each watch carries a generation beside its descriptor, so that an event of a batch that was fetched
// before the descriptor was closed and used anew is not given to its successor. Tested by tests/unit/sys.
#include "sys/epoll_loop.hpp"

#include "sys/syscalls.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

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
    const auto index = static_cast<std::size_t>(fd);
    if (entries_.size() <= index)
        entries_.resize(std::max(index + 1, entries_.size() * 2));
    epoll_event event = event_for(fd, ++generation_, events);
    if (fails(Call::EpollCtl) || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
        return base::fail_errno(errno, "cannot watch descriptor " + std::to_string(fd));
    if (!entries_[index].callback)
        watched_++;
    entries_[index] = Entry{generation_, std::make_shared<Callback>(std::move(callback))};
    return {};
}

base::Result<void> EpollLoop::modify(int fd, std::uint32_t events) {
    const auto index = static_cast<std::size_t>(fd);
    if (index >= entries_.size() || !entries_[index].callback)
        return base::fail(base::Errc::NotFound, "descriptor " + std::to_string(fd) + " is not watched");
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
    entries_[index] = Entry{};
    watched_--;
}

base::Result<int> EpollLoop::run_once(base::Duration timeout) {
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), milliseconds(timeout));
    if (count < 0) {
        if (errno == EINTR)
            return 0;
        return base::fail_errno(errno, "cannot wait for events");
    }
    int ran = 0;
    for (int i = 0; i < count; i++) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        const auto index = static_cast<std::size_t>(event.data.u64 & 0xffffffffU);
        const auto generation = static_cast<std::uint32_t>(event.data.u64 >> 32);
        if (index >= entries_.size() || entries_[index].generation != generation || !entries_[index].callback)
            continue;
        const std::shared_ptr<Callback> callback = entries_[index].callback;
        (*callback)(event.events);
        ran++;
    }
    return ran;
}

} // namespace monoinit::sys
