// Tested by tests/unit/log/forward_test.cpp and tests/system/forward.py.

#include "log/forward.hpp"

#include "log/stored_record.hpp"

#include <algorithm>
#include <utility>

namespace monoinit::log {
namespace {

constexpr base::Duration told_every = std::chrono::seconds(60);

} // namespace

void Forwarder::configure(const std::vector<std::string>& targets) {
    std::erase_if(retired_, [](const auto& peer) { return peer->has_ended(); });
    if (targets == targets_)
        return;
    targets_ = targets;
    problems_.clear();
    std::vector<Served> former = std::exchange(peers_, {});
    for (const std::string& name : targets) {
        if (const auto same = std::ranges::find_if(former, [&](const Served& each) { return each.peer && each.peer->name() == name; }); same != former.end()) {
            peers_.push_back(std::move(*same));
            continue;
        }
        auto target = parse_forward_target(name);
        if (!target) {
            problems_.push_back(target.error().what);
            continue;
        }
        auto peer = std::make_unique<ForwardPeer>(name, std::move(*target));
        if (peer->start())
            peers_.push_back({std::move(peer)});
        else
            problems_.push_back(name + ": no thread could be made");
    }
    for (Served& left : former)
        if (left.peer) {
            left.peer->end();
            retired_.push_back(std::move(left.peer));
        }
}

void Forwarder::take(const Record& record) {
    stored_.clear();
    for (const Served& served : peers_) {
        if (!served.peer->wants(record))
            continue;
        if (stored_.empty()) {
            stored_.resize(stored_size(record));
            store_record(stored_.data(), record);
        }
        served.peer->take(stored_);
    }
}

void Forwarder::wake() {
    for (const Served& served : peers_)
        served.peer->wake();
}

bool Forwarder::idle() const {
    return std::ranges::all_of(peers_, [](const Served& served) { return served.peer->idle(); });
}

void Forwarder::tell_lost(base::Duration now, const std::function<void(const std::string& target, std::uint64_t lines)>& say) {
    for (Served& served : peers_) {
        const std::uint64_t lost = served.peer->lines_lost();
        if (lost == served.told || now < served.silent_until)
            continue;
        served.silent_until = now + told_every;
        say(served.peer->name(), lost - std::exchange(served.told, lost));
    }
}

} // namespace monoinit::log
