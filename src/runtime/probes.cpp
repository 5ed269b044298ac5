// Probes in the loop. See probes.hpp.
#include "runtime/probes.hpp"

#include <algorithm>

namespace monoinit::runtime {

Probes::~Probes() {
    for (auto& [id, running] : running_) {
        loop_.remove(running.probe->fd());
        running.probe->abandon();
    }
}

std::uint64_t Probes::start(base::Result<exec::Probe> probe, base::Instant now, base::Duration limit,
                            std::function<void(std::optional<std::string>)> done) {
    if (!probe) {
        done(std::nullopt);
        return 0;
    }
    const std::uint64_t id = next_++;
    Running running{std::make_unique<exec::Probe>(std::move(*probe)), now + limit, std::move(done)};
    const int fd = running.probe->fd();
    running_.emplace(id, std::move(running));
    const auto added = loop_.add(fd, EPOLLIN, [this, id](std::uint32_t) {
        exec::Probe& ready = *running_.at(id).probe;
        if (ready.take_answer())
            finish(id, ready.answer());
    });
    if (!added) {
        finish(id, std::nullopt);
        return 0;
    }
    return id;
}

void Probes::cancel(std::uint64_t probe) {
    if (running_.contains(probe))
        finish(probe, std::nullopt);
}

void Probes::finish(std::uint64_t id, std::optional<std::string> answer) {
    auto node = running_.extract(id);
    Running running = std::move(node.mapped());
    loop_.remove(running.probe->fd());
    if (!answer)
        running.probe->abandon();
    running.done(std::move(answer));
}

base::Instant Probes::next_deadline() const {
    base::Instant next = base::never;
    for (const auto& [id, running] : running_)
        next = std::min(next, running.deadline);
    return next;
}

void Probes::expire(base::Instant now) {
    std::vector<std::uint64_t> late;
    for (const auto& [id, running] : running_)
        if (running.deadline <= now)
            late.push_back(id);
    for (const std::uint64_t id : late)
        finish(id, std::nullopt);
}

} // namespace monoinit::runtime
