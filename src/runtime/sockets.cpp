// Sockets held for socket units. See sockets.hpp.
#include "runtime/sockets.hpp"

#include "base/fmt.hpp"
#include "sys/clock.hpp"
#include "sys/socket.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

constexpr base::Duration open_limit = std::chrono::seconds(10); ///< for paths that units name
constexpr int flushed_at_once = 1024;

} // namespace

Sockets::~Sockets() {
    for (const auto& [unit, held] : held_)
        for (const Open& each : held.open)
            links_.loop.remove(each.fd.get());
}

// ---- making and closing ---------------------------------------------------------------------------------------------

void Sockets::open(base::UnitId unit) {
    close(unit); // after a crash in between they may be there
    if (const auto removing = removing_.find(unit); removing != removing_.end()) {
        removing->second = true; // else the new ones would be removed with the old
        return;
    }
    const auto config = links_.status(unit).config;
    exec::SocketsPlan plan{*config->socket, {}, {}};
    const auto give_up = [&](std::string why) { links_.feed(engine::SocketsOpened{unit, std::move(why)}); };
    if (!plan.section.user.empty()) {
        const auto account = links_.manager.accounts.user(plan.section.user);
        if (!account)
            return give_up(fmt::format("SocketUser={}: no such user", plan.section.user));
        plan.uid = account->uid;
        plan.gid = account->gid;
    }
    if (!plan.section.group.empty()) {
        plan.gid = links_.manager.accounts.group(plan.section.group);
        if (!plan.gid)
            return give_up(fmt::format("SocketGroup={}: no such group", plan.section.group));
    }
    auto pair = sys::make_socket_pair(SOCK_SEQPACKET, true, false);
    if (!pair)
        return give_up(base::to_string(pair.error()));
    const std::uint64_t attempt = attempts_[unit] = ++last_attempt_;
    auto channel = std::make_shared<sys::SocketPair>(std::move(*pair));
    links_.probes.start([plan, channel] { return exec::probe_open_sockets(plan, channel->second.get()); }, sys::now(), open_limit,
                        [this, unit, attempt, channel](const base::Result<std::string>& answer) { received(unit, attempt, channel->first, answer); });
}

void Sockets::received(base::UnitId unit, std::uint64_t attempt, sys::UniqueFd& channel, const base::Result<std::string>& answer) {
    if (const auto latest = attempts_.find(unit); latest == attempts_.end() || latest->second != attempt)
        return; // stopped and started again meanwhile: what it has made goes with the channel
    attempts_.erase(unit);
    exec::SocketsAnswer said = exec::sockets_answer(answer ? *answer : "");
    if (!answer)
        said.error = "making the sockets: " + answer.error().what;
    for (const std::string& warning : said.warnings)
        links_.warn(unit, warning);
    if (said.error.empty())
        said.error = take(unit, channel);
    links_.feed(engine::SocketsOpened{unit, std::move(said.error)});
}

/// The descriptors that the probe has sent; what is wrong, else nothing.
std::string Sockets::take(base::UnitId unit, sys::UniqueFd& channel) {
    const auto config = links_.status(unit).config;
    const auto& addresses = config->socket->listen;
    std::array<char, 256> bytes;
    auto message = sys::receive_message(channel.get(), bytes);
    const std::string_view made = message ? message->bytes : std::string_view();
    if (!message)
        return "the sockets could not be taken over: " + base::to_string(message.error());
    if (made.size() != addresses.size() || static_cast<std::size_t>(std::ranges::count(made, '1')) != message->descriptors.size())
        return "the sockets could not be made";
    Held held;
    for (std::size_t i = 0, next = 0; i < addresses.size(); i++) {
        if (made[i] != '1')
            continue;
        sys::UniqueFd& fd = message->descriptors[next++];
        const int backlog = static_cast<int>(std::min<std::uint32_t>(config->socket->backlog, INT_MAX));
        if (exec::wants_listen(addresses[i]) && ::listen(fd.get(), backlog) != 0)
            return fmt::format("cannot listen on {}: {}", addresses[i].text(), ::strerrordesc_np(errno));
        held.open.push_back({i, std::move(fd)});
    }
    for (const Open& each : held.open)
        links_.checkpoint.keep({FdKind::Socket, each.fd.get(), each.index, unit.value, 0});
    held_[unit] = std::move(held);
    return {};
}

void Sockets::close(base::UnitId unit) {
    const auto found = held_.find(unit);
    if (found == held_.end())
        return;
    const auto config = links_.status(unit).config;
    std::vector<unit::ListenAddress> addresses;
    for (Open& each : found->second.open) {
        if (each.index < config->socket->listen.size())
            addresses.push_back(config->socket->listen[each.index]);
        links_.loop.remove(each.fd.get());
        links_.checkpoint.forget(each.fd.get());
        let_go(std::move(each.fd));
    }
    held_.erase(found);
    if (!config->socket->remove_on_stop)
        return;
    removing_[unit] = false;
    links_.probes.start([addresses, symlinks = config->socket->symlinks] { return exec::probe_remove_sockets(addresses, symlinks); }, sys::now(), open_limit,
                        [this, unit](const base::Result<std::string>& answer) {
                            if (!answer)
                                links_.warn(unit, "its sockets may be left on the disk: " + answer.error().what);
                            const bool wanted_again = removing_[unit];
                            removing_.erase(unit);
                            if (wanted_again)
                                open(unit);
                        });
}

/// Internet sockets do not wait when they are closed, unless they linger; the port is free at once, for who starts the unit
/// again. What strangers have left in the queue of a Unix socket may be anything, and its closing may wait: a child does it.
void Sockets::let_go(sys::UniqueFd fd) {
    int domain = AF_UNSPEC;
    linger lingers{};
    socklen_t domain_size = sizeof domain, linger_size = sizeof lingers;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) == 0 && (domain == AF_INET || domain == AF_INET6) &&
        ::getsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &lingers, &linger_size) == 0 && lingers.l_onoff == 0)
        return fd.reset();
    std::vector<sys::UniqueFd> fds;
    fds.push_back(std::move(fd));
    sys::close_elsewhere(std::move(fds));
}

void Sockets::adopt(const FdEntry& entry, sys::UniqueFd fd) {
    const base::UnitId unit{entry.unit};
    if (entry.kind == FdKind::Connection) {
        connections_[unit] = std::move(fd);
        return;
    }
    std::vector<Open>& open = held_[unit].open;
    const auto place = std::ranges::find_if(open, [&](const Open& each) { return each.index > entry.id; });
    open.insert(place, Open{static_cast<std::size_t>(entry.id), std::move(fd)});
}

void Sockets::close_unclaimed() {
    std::vector<base::UnitId> sockets, services;
    for (const auto& [unit, held] : held_)
        if (links_.status(unit).socket == nullptr)
            sockets.push_back(unit);
    for (const auto& [service, connection] : connections_)
        if (!links_.status(service).accepted_by)
            services.push_back(service);
    std::ranges::for_each(sockets, [this](base::UnitId unit) { close(unit); });
    std::ranges::for_each(services, [this](base::UnitId service) { close_connection(service); });
    forget_closed();
}

// ---- looking at them ------------------------------------------------------------------------------------------------

void Sockets::watch(base::UnitId unit, bool on) {
    const auto found = held_.find(unit);
    if (found == held_.end() || found->second.watched == on)
        return;
    found->second.watched = on;
    for (const Open& each : found->second.open) {
        const int fd = each.fd.get();
        if (!on)
            links_.loop.remove(fd);
        else if (auto added = links_.loop.add(fd, EPOLLIN, [this, unit, fd](std::uint32_t) { on_readable(unit, fd); }); !added)
            links_.warn(unit, fmt::format("a socket cannot be waited for: {}", base::to_string(added.error())));
    }
}

void Sockets::on_readable(base::UnitId unit, int fd) {
    if (links_.status(unit).config->socket->accept)
        return accept(unit, fd);
    links_.feed(engine::SocketReady{unit});
}

/// One connection a turn of the loop, so that nobody else waits for a flood of them.
void Sockets::accept(base::UnitId unit, int listener) {
    sys::UniqueFd connection(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) {
        const bool shortage = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
        if (shortage)
            links_.feed(engine::SocketReady{unit, true});
        return; // else it has gone again
    }
    const engine::UnitStatus status = links_.status(unit);
    const exec::ConnectionNames names = exec::name_connection(connection.get(), status.socket != nullptr ? status.socket->accepted : 0);
    const std::string name = std::string(unit::prefix_of(status.config->name)) + "@" + names.instance + ".service";
    const base::UnitId service = links_.load(name);
    if (!service) {
        links_.warn(unit, fmt::format("{} is no name of a unit; the connection is closed", name));
        return let_go(std::move(connection));
    }
    links_.checkpoint.keep({FdKind::Connection, connection.get(), 0, service.value, 0});
    connections_[service] = std::move(connection);
    links_.feed(engine::ConnectionAccepted{unit, service, names.source});
}

void Sockets::close_connection(base::UnitId service) {
    if (const auto found = connections_.find(service); found != connections_.end()) {
        links_.checkpoint.forget(found->second.get());
        let_go(std::move(found->second));
        connections_.erase(found);
    }
    closed_.push_back(service);
}

void Sockets::forget_closed() {
    for (const base::UnitId service : std::exchange(closed_, {}))
        links_.forget_unit(service);
}

/// FlushPending=: connections are accepted and closed, datagrams read and dropped.
void Sockets::flush(base::UnitId unit) {
    const auto found = held_.find(unit);
    if (found == held_.end())
        return;
    const auto config = links_.status(unit).config;
    std::vector<sys::UniqueFd> dropped;
    for (const Open& each : found->second.open) {
        const int fd = each.fd.get();
        // The service may have made it blocking.
        if (each.index >= config->socket->listen.size() || !sys::set_nonblocking(fd, true))
            continue;
        const unit::ListenAddress& address = config->socket->listen[each.index];
        std::array<char, 4096> bytes;
        for (int i = 0; i < flushed_at_once; i++) {
            if (exec::wants_listen(address)) {
                sys::UniqueFd connection(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
                if (!connection)
                    break;
                dropped.push_back(std::move(connection));
            } else if (address.kind == unit::ListenKind::Datagram || address.kind == unit::ListenKind::Netlink) {
                if (auto message = sys::receive_message(fd, bytes); !message)
                    break;
                else
                    std::ranges::move(message->descriptors, std::back_inserter(dropped));
            } else if (address.kind != unit::ListenKind::Fifo || ::read(fd, bytes.data(), bytes.size()) <= 0) {
                break;
            }
        }
    }
    sys::close_elsewhere(std::move(dropped));
}

// ---- passing them on ------------------------------------------------------------------------------------------------

void Sockets::add_sockets_of(base::UnitId socket, PassedSockets& passed) const {
    const auto found = held_.find(socket);
    if (found == held_.end())
        return;
    const auto config = links_.status(socket).config;
    for (const Open& each : found->second.open) {
        passed.fds.push_back(each.fd.get());
        passed.names.push_back(config->socket->descriptor_name.empty() ? config->name : config->socket->descriptor_name);
    }
}

bool Sockets::add_connection_of(base::UnitId service, PassedSockets& passed) const {
    const auto found = connections_.find(service);
    if (found == connections_.end())
        return false;
    const base::UnitId socket = links_.status(service).accepted_by;
    const auto config = socket ? links_.status(socket).config : nullptr;
    passed.fds.push_back(found->second.get());
    passed.names.push_back(config != nullptr && !config->socket->descriptor_name.empty() ? config->socket->descriptor_name : "connection");
    const exec::ConnectionNames names = exec::name_connection(found->second.get(), 0);
    passed.remote_address = names.address;
    passed.remote_port = names.port;
    return true;
}

} // namespace monoinit::runtime
