// What timers need of the shell: stamp files of Persistent= ones (in a probe, /var/lib may be any volume), a wall clock that
// was set, another local time zone. Tested by tests/system/timers.py.
#include "runtime/runtime.hpp"

#include "sys/patience.hpp"

#include <cerrno>
#include <sys/inotify.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

constexpr base::Duration stamp_limit = std::chrono::seconds(10);

} // namespace

/// Once it is known when this container was started, and with which seed.
void Runtime::tell_origin() {
    const unit::Environment& environment = loader_->environment();
    std::uint64_t machine = 14695981039346656037ULL;
    for (const char c : environment.machine_id.empty() ? environment.host_name : environment.machine_id)
        machine = (machine ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    engine_->set_origin(invocation_.started, environment.zones->local(), seed_[0] ^ seed_[1], machine);
}

/// The same place as systemd's, so that an image which ran under it goes on where it was.
void Runtime::stamp(base::UnitId unit, base::Duration wall) {
    const std::string path = loader_->environment().state_root + "/systemd/timers/stamp-" + engine_->status(unit).config->name;
    probes_->start([path, wall] { return exec::probe_stamp(path, wall); }, sys::now(), stamp_limit, [this, unit, wall](base::Result<std::string> bytes) {
        if (!bytes)
            log_->say(4, name_of(unit), "its stamp file: " + bytes.error().what);
        if (wall.count() == 0)
            feed(engine::StampRead{unit, exec::stamp_answer(std::move(bytes).value_or(""))});
    });
}

/// Without either, timers work by what the clock says when they are looked at.
void Runtime::watch_clock() {
    if (auto watch = sys::insist(sys::ClockWatch::create)) {
        clock_watch_.emplace(std::move(*watch));
        (void)loop_->add(clock_watch_->fd(), EPOLLIN, [this](std::uint32_t) {
            clock_watch_->drain();
            feed(engine::ClockChanged{});
        });
    }
    auto zone_watch = sys::insist([]() -> base::Result<sys::UniqueFd> {
        sys::UniqueFd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
        return fd ? base::Result<sys::UniqueFd>(std::move(fd)) : base::fail_errno(errno, "inotify_init1");
    });
    if (!zone_watch)
        return;
    zone_watch_ = std::move(*zone_watch);
    watch_zone();
    (void)loop_->add(zone_watch_.get(), EPOLLIN, [this](std::uint32_t) {
        char events[4096];
        while (::read(zone_watch_.get(), events, sizeof events) > 0)
            continue;
        watch_zone();
        if (loader_->environment().zones->reread_local())
            feed(engine::ZoneChanged{loader_->environment().zones->local()});
    });
}

/// It is replaced, not written, as a rule; then the watch has gone with the old one.
void Runtime::watch_zone() {
    ::inotify_add_watch(zone_watch_.get(), "/etc/localtime", IN_ATTRIB | IN_MOVE_SELF | IN_CLOSE_WRITE | IN_DONT_FOLLOW);
}

} // namespace monoinit::runtime
