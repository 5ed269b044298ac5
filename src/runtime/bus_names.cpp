// See bus_names.hpp.
#include "runtime/bus_names.hpp"

#include "base/fmt.hpp"
#include "sys/clock.hpp"

#include <utility>
#include <vector>

namespace monoinit::runtime {

namespace {

constexpr base::Duration pause_between_attempts = std::chrono::seconds(1);

} // namespace

BusNames::~BusNames() {
    if (client_)
        links_.loop.remove(client_->fd());
}

void BusNames::watch(base::UnitId unit, const std::string& name) {
    unwatch(unit);
    names_[unit] = name;
    watched_[name].insert(unit);
    if (!client_)
        return look_again(); // connecting asks for all names
    client_->watch(name);
    turn();
}

void BusNames::unwatch(base::UnitId unit) {
    const auto known = names_.find(unit);
    if (known == names_.end())
        return;
    const std::string name = std::move(known->second);
    names_.erase(known);
    watched_[name].erase(unit);
    if (client_)
        client_->unwatch(name);
    if (watched_[name].empty())
        watched_.erase(name);
    else if (client_)
        client_->watch(name); // the rule of the others went with it
}

void BusNames::look_again() {
    if (!client_ && (links_.bus_is_ours() || (!names_.empty() && links_.may_connect())))
        connect();
}

void BusNames::retry(base::Instant now) {
    if (retry_ > now)
        return;
    retry_ = base::never;
    look_again();
}

void BusNames::connect() {
    if (retry_ != base::never)
        return;
    auto made = socket_.empty() ? base::Result<control::BusClient>(base::fail(base::Errc::Unsupported, "DBUS_SYSTEM_BUS_ADDRESS names no path"))
                                : control::BusClient::connect(socket_, links_.bus_is_ours());
    if (!made)
        return lose(made.error());
    client_ = std::move(*made);
    for (const auto& [name, units] : watched_)
        client_->watch(name);
    if (auto added = links_.loop.add(client_->fd(), EPOLLIN, [this](std::uint32_t) { turn(); }); !added)
        return lose(added.error());
    turn();
}

void BusNames::turn() {
    std::vector<std::pair<std::string, bool>> told;
    std::vector<std::string> wanted;
    const auto done = client_->turn({[&](const std::string& name, bool owned) { told.emplace_back(name, owned); },
                                     [&](const std::string& unit) { wanted.push_back(unit); }});
    if (done)
        (void)links_.loop.modify(client_->fd(), EPOLLIN | (client_->wants_to_write() ? static_cast<std::uint32_t>(EPOLLOUT) : 0));
    else
        lose(done.error());
    // Telling may bring watches about, or take some away.
    for (const auto& [name, owned] : told) {
        const auto units = watched_.find(name);
        for (const base::UnitId unit : units == watched_.end() ? std::set<base::UnitId>() : units->second)
            if (names_.contains(unit))
                links_.tell(unit, owned);
        said_ = false;
    }
    for (const std::string& unit : wanted)
        links_.activate(unit);
}

void BusNames::activation_failed(const std::string& unit, const std::string& why) {
    if (!client_)
        return;
    client_->activation_failed(unit, why);
    turn();
}

/// The names stay as they were last known: a bus that is started again is asked anew.
void BusNames::lose(const base::Error& why) {
    if (client_) {
        links_.loop.remove(client_->fd());
        client_.reset();
    }
    if (!std::exchange(said_, true))
        links_.say(fmt::format("the system bus ({}) cannot be asked for BusName=: {}", socket_, base::to_string(why)));
    retry_ = sys::now() + pause_between_attempts;
}

} // namespace monoinit::runtime
