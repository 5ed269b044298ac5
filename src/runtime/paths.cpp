// Paths watched for path units. See paths.hpp.
#include "runtime/paths.hpp"

#include "base/fmt.hpp"
#include "sys/clock.hpp"
#include "sys/socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sys/inotify.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

constexpr base::Duration look_limit = std::chrono::seconds(10); ///< for paths that units name
constexpr base::Duration read_pause = std::chrono::milliseconds(100);
constexpr std::size_t read_size = 64 << 10;
constexpr int reads_at_once = 16; ///< then the others get their turn

/// Letting go of many watches may wait for the kernel.
void let_go(sys::UniqueFd fd) {
    std::vector<sys::UniqueFd> fds;
    fds.push_back(std::move(fd));
    sys::close_elsewhere(std::move(fds));
}

} // namespace

Paths::~Paths() {
    for (auto& [unit, held] : held_)
        stop_hearing(held);
}

void Paths::look(base::UnitId unit, bool make_directories) {
    const auto config = links_.status(unit).config;
    if (!config)
        return; // forgotten in the event that asked for it
    Held& held = held_[unit];
    stop_hearing(held);
    held.paused_until = base::never;
    if (!held.inotify) {
        held.inotify.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
        if (!held.inotify) {
            const int error = errno;
            unit::PathsSeen seen;
            seen.shortage = base::is_shortage(error);
            seen.error = error == EMFILE ? std::string("no inotify instance is left (fs.inotify.max_user_instances)")
                                         : fmt::format("cannot watch paths: {}", ::strerrordesc_np(error));
            return links_.feed(engine::PathsLookedAt{unit, std::move(seen)});
        }
    }
    const std::uint64_t attempt = held.attempt = ++last_attempt_;
    links_.probes.start([this, unit, attempt, make_directories] { return probe(unit, attempt, make_directories); }, sys::now(), look_limit,
                        [this, unit, attempt](const base::Result<std::string>& bytes) { answered(unit, attempt, bytes); });
}

base::Result<exec::Probe> Paths::probe(base::UnitId unit, std::uint64_t attempt, bool make_directories) {
    const auto found = held_.find(unit);
    const auto config = links_.status(unit).config;
    if (found == held_.end() || found->second.attempt != attempt || !config)
        return base::fail(base::Errc::Busy, "no longer wanted");
    return exec::probe_paths(*config->path, make_directories, found->second.inotify.get(), found->second.marks);
}

void Paths::answered(base::UnitId unit, std::uint64_t attempt, const base::Result<std::string>& bytes) {
    const auto found = held_.find(unit);
    if (found == held_.end() || found->second.attempt != attempt)
        return; // dropped, or asked for again, meanwhile
    Held& held = found->second;
    held.attempt = 0;
    exec::PathsAnswer answer = exec::paths_answer(bytes ? *bytes : "");
    if (!bytes) {
        answer.seen.error = "looking at its paths: " + base::to_string(bytes.error());
        answer.seen.shortage = base::is_shortage(bytes.error().errnum);
    }
    if (!answer.warning.empty())
        links_.warn(unit, answer.warning);
    if (answer.seen.error.empty()) {
        held.marks = std::move(answer.marks);
        hear(unit, held);
    } else {
        let_go(std::move(held.inotify)); // the next look begins anew
        held.marks.clear();
    }
    links_.feed(engine::PathsLookedAt{unit, std::move(answer.seen)});
}

void Paths::drop(base::UnitId unit) {
    const auto found = held_.find(unit);
    if (found == held_.end())
        return;
    stop_hearing(found->second);
    if (found->second.inotify)
        let_go(std::move(found->second.inotify));
    held_.erase(found);
}

// ---- reading --------------------------------------------------------------------------------------------------------

void Paths::hear(base::UnitId unit, Held& held) {
    if (held.heard || !held.inotify)
        return;
    if (held.read_at > sys::now()) {
        held.paused_until = held.read_at;
        return;
    }
    held.paused_until = base::never;
    auto added = links_.loop.add(held.inotify.get(), EPOLLIN, [this, unit](std::uint32_t) { on_readable(unit); });
    held.heard = added.has_value();
    if (!added)
        links_.warn(unit, fmt::format("changes of its paths cannot be waited for: {}", base::to_string(added.error())));
}

void Paths::stop_hearing(Held& held) {
    if (std::exchange(held.heard, false))
        links_.loop.remove(held.inotify.get());
}

void Paths::on_readable(base::UnitId unit) {
    Held& held = held_.at(unit);
    const auto config = links_.status(unit).config;
    alignas(inotify_event) std::array<char, read_size> buffer;
    exec::PathNews news;
    for (int i = 0; i < reads_at_once; i++) {
        const ssize_t size = ::read(held.inotify.get(), buffer.data(), buffer.size());
        if (size <= 0)
            break;
        for (ssize_t at = 0; at < size;) {
            const auto* const event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
            exec::judge_event(*event, *config->path, held.marks, news);
            at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
        }
    }
    stop_hearing(held);
    held.read_at = sys::now() + read_pause;
    if (news.any())
        return links_.feed(engine::PathsChanged{unit, news.path}); // it has the paths looked at again, or dropped
    hear(unit, held);
}

base::Instant Paths::next_deadline() const {
    base::Instant next = base::never;
    for (const auto& [unit, held] : held_)
        next = std::min(next, held.paused_until);
    return next;
}

void Paths::resume_reading(base::Instant now) {
    for (auto& [unit, held] : held_)
        if (held.paused_until <= now)
            hear(unit, held);
}

} // namespace monoinit::runtime
