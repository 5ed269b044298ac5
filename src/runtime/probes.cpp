// Probes in the loop. See probes.hpp.
#include "runtime/probes.hpp"

#include "base/fmt.hpp"
#include "base/time.hpp"
#include "sys/patience.hpp"

#include <algorithm>

namespace monoinit::runtime {

namespace {

constexpr base::Duration first_pause = std::chrono::milliseconds(50), longest_pause = std::chrono::seconds(1);

} // namespace

Probes::~Probes() {
    for (auto& [id, running] : running_) {
        if (!running.probe)
            continue;
        loop_.remove(running.probe->fd());
        running.probe->abandon();
    }
}

std::uint64_t Probes::start(Make make, base::Instant now, base::Duration limit, Done done) {
    const std::uint64_t id = next_++;
    running_.emplace(id, Running{nullptr, now + limit, base::never, limit, first_pause, std::move(make), std::move(done)});
    attempt(id, now);
    return running_.contains(id) ? id : 0;
}

void Probes::attempt(std::uint64_t id, base::Instant now) {
    Running& running = running_.at(id);
    running.retry = base::never;
    auto probe = running.make();
    if (!probe) {
        const base::Error error = probe.error();
        if (!base::is_shortage(error.errnum) || now + running.pause >= running.deadline)
            return finish(id, error);
        running.retry = now + running.pause;
        running.pause = std::min(running.pause * 2, longest_pause);
        if (!std::exchange(short_, true))
            complain_(fmt::format("{}: trying again", base::to_string(error)));
        return;
    }
    short_ = false;
    running.deadline = now + running.limit;
    running.probe = std::make_unique<exec::Probe>(std::move(*probe));
    const auto added = loop_.add(running.probe->fd(), EPOLLIN, [this, id](std::uint32_t) {
        exec::Probe& ready = *running_.at(id).probe;
        if (!ready.take_answer())
            return;
        if (auto answer = ready.answer())
            return finish(id, std::move(*answer));
        finish(id, base::fail(base::Errc::System, "the process that was to do it ended"));
    });
    if (!added)
        finish(id, added.error());
}

void Probes::cancel(std::uint64_t probe) {
    if (running_.contains(probe))
        finish(probe, base::fail(base::Errc::Busy, "no longer wanted"));
}

void Probes::finish(std::uint64_t id, base::Result<std::string> answer) {
    auto node = running_.extract(id);
    Running running = std::move(node.mapped());
    if (running.probe) {
        loop_.remove(running.probe->fd());
        if (!answer)
            running.probe->abandon();
    }
    running.done(std::move(answer));
}

base::Instant Probes::next_deadline() const {
    base::Instant next = base::never;
    for (const auto& [id, running] : running_)
        next = std::min({next, running.deadline, running.retry});
    return next;
}

void Probes::expire(base::Instant now) {
    std::vector<std::uint64_t> late, again;
    for (const auto& [id, running] : running_)
        if (running.deadline <= now)
            late.push_back(id);
        else if (running.retry <= now)
            again.push_back(id);
    for (const std::uint64_t id : late)
        if (const auto found = running_.find(id); found != running_.end())
            finish(id, base::fail(base::Errc::Busy, fmt::format("took longer than {} (a hung mount?)", base::human_time_span(found->second.limit))));
    for (const std::uint64_t id : again)
        if (running_.contains(id))
            attempt(id, now);
}

} // namespace monoinit::runtime
