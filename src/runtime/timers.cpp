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

/// Without it, timers work by what the clock says when they are looked at.
void Runtime::watch_clock() {
    if (auto watch = sys::insist(sys::ClockWatch::create)) {
        clock_watch_.emplace(std::move(*watch));
        (void)loop_->add(clock_watch_->fd(), EPOLLIN, [this](std::uint32_t) {
            clock_watch_->drain();
            feed(engine::ClockChanged{});
        });
    }
}

/// Takes the inotify instance when there is one: those of a user may be used up, by others than us.
void Runtime::hold_zone_watch() {
    if (zone_watch_)
        return;
    zone_watch_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!zone_watch_)
        return;
    (void)loop_->add(zone_watch_.get(), EPOLLIN, [this](std::uint32_t) { on_zone_event(); });
    on_zone_event(); // what has been missed
}

/// The file is replaced, not written, as a rule; then the watch has gone with the old one.
void Runtime::on_zone_event() {
    char events[4096];
    while (::read(zone_watch_.get(), events, sizeof events) > 0)
        continue;
    ::inotify_add_watch(zone_watch_.get(), "/etc/localtime", IN_ATTRIB | IN_MOVE_SELF | IN_CLOSE_WRITE | IN_DONT_FOLLOW);
    if (loader_->environment().zones->reread_local())
        feed(engine::ZoneChanged{loader_->environment().zones->local()});
}

} // namespace monoinit::runtime
