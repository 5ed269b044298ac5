// Watchers of services' sources. See sources.hpp.
#include "runtime/sources.hpp"

#include "base/fmt.hpp"
#include "sys/clock.hpp"
#include "sys/syscalls.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <unistd.h>
#include <vector>

namespace monoinit::runtime {

namespace {

constexpr std::size_t longest_line = 4096;
/// A watcher that ends sooner would end again.
constexpr base::Duration shortest_life = std::chrono::seconds(1);

std::uint64_t fingerprint(const unit::WatchSection& section) {
    std::uint64_t hash = 14695981039346656037ULL; // FNV-1a
    const auto add = [&hash](std::string_view text) {
        for (const char c : text)
            hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
        hash *= 1099511628211ULL;
    };
    for (const auto* const list : {&section.patterns, &section.ignored}) {
        for (const std::string& text : *list)
            add(text);
        add(section.default_ignored ? "/" : "//");
    }
    add(std::to_string(section.delay.count()));
    return hash;
}

} // namespace

Sources::~Sources() {
    for (const auto& [unit, held] : held_)
        links_.loop.remove(held.watcher.news.get());
}

void Sources::watch(base::UnitId unit, bool on) {
    if (!on)
        return drop(unit);
    const auto found = held_.find(unit);
    if (found == held_.end())
        return begin(unit);
    const auto config = links_.status(unit).config;
    if (config && found->second.settings == fingerprint(*config->watch))
        return;
    drop(unit);
    begin(unit);
}

void Sources::begin(base::UnitId unit) {
    const auto config = links_.status(unit).config;
    if (!config)
        return; // forgotten in the event that asked for it
    auto made = exec::start_source_watcher(*config->watch);
    if (!made)
        return links_.warn(unit, fmt::format("X-Watch=: nothing is watched: {}", base::to_string(made.error())));
    const std::uint64_t settings = fingerprint(*config->watch);
    links_.checkpoint.keep({FdKind::SourceWatcher, made->news.get(), settings, unit.value, made->pid});
    listen(unit, {std::move(*made), settings, sys::now(), {}});
}

void Sources::listen(base::UnitId unit, Held held) {
    const int fd = held.watcher.news.get();
    held_.insert_or_assign(unit, std::move(held));
    if (auto added = links_.loop.add(fd, EPOLLIN, [this, unit](std::uint32_t) { on_readable(unit); }); !added)
        links_.warn(unit, fmt::format("X-Watch=: nothing is heard of changes: {}", base::to_string(added.error())));
}

void Sources::drop(base::UnitId unit) {
    const auto found = held_.find(unit);
    if (found == held_.end())
        return;
    exec::SourceWatcher& watcher = found->second.watcher;
    links_.loop.remove(watcher.news.get());
    links_.checkpoint.forget(watcher.news.get());
    if (watcher.pidfd) // without one it ends by itself, as nobody listens
        sys::pidfd_send_signal(watcher.pidfd.get(), SIGKILL);
    held_.erase(found);
}

void Sources::adopt(const FdEntry& entry, sys::UniqueFd news) {
    // It is our child and nothing has been reaped yet, so the number is still its own.
    listen(base::UnitId{entry.unit}, {{entry.pid, sys::UniqueFd(sys::pidfd_open(entry.pid)), std::move(news)}, entry.id, base::Instant{}, {}});
}

void Sources::end_unclaimed() {
    std::vector<base::UnitId> gone;
    for (const auto& [unit, held] : held_)
        if (!links_.status(unit).watched)
            gone.push_back(unit);
    for (const base::UnitId unit : gone)
        drop(unit);
}

void Sources::on_readable(base::UnitId unit) {
    Held& held = held_.at(unit);
    std::array<char, longest_line> buffer;
    const ssize_t size = ::read(held.watcher.news.get(), buffer.data(), buffer.size());
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        const bool again = sys::now() - held.since >= shortest_life;
        drop(unit);
        return again ? begin(unit) : links_.warn(unit, "X-Watch=: its watcher has ended; changes are not noticed until the next start");
    }
    held.bytes.append(buffer.data(), static_cast<std::size_t>(size));
    std::vector<exec::SourceNews> all = exec::source_news(held.bytes);
    if (held.bytes.size() > longest_line)
        held.bytes.clear();
    for (exec::SourceNews& news : all) {
        if (!news.problem.empty())
            links_.warn(unit, "X-Watch=: " + news.problem);
        else
            links_.feed(engine::SourcesChanged{unit, std::move(news.path), news.more});
    }
}

} // namespace monoinit::runtime
