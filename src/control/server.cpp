// The control server: clients, their buffers and deadlines. What a call may do is decided in dispatch.cpp.
// Tested by tests/unit/control/server_test.cpp.
#include "control/server_impl.hpp"

#include "sys/socket.hpp"

#include <algorithm>
#include <cstring>
#include <sys/epoll.h>
#include <sys/timerfd.h>

namespace monoinit::control {

using base::Errc;
using base::fail;
using base::fail_errno;
using base::Instant;
using base::Result;

namespace {

constexpr std::uint64_t listener_token = 1, timer_token = 2, first_client = 16;
constexpr std::size_t read_size = 64 << 10;
constexpr int accepts_at_once = 16;
constexpr int messages_at_once = 16;
constexpr std::size_t output_pause = 256 << 10; ///< a client that has this much to read gets no further answers made
constexpr int max_groups = 256;
constexpr std::size_t descriptors_at_most = 3; ///< PutUnit takes so many
constexpr auto accept_pause = std::chrono::milliseconds(200);

Peer identify(int fd) {
    Peer peer;
    if (const auto credentials = sys::peer_credentials(fd)) {
        peer.uid = credentials->uid;
        peer.gid = credentials->gid;
        peer.pid = credentials->pid;
    } else {
        peer.uid = peer.gid = static_cast<unsigned>(-1); // nobody: may look
    }
    std::vector<gid_t> groups(max_groups);
    auto length = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length) == 0) {
        groups.resize(length / sizeof(gid_t));
        peer.groups.assign(groups.begin(), groups.end());
    }
    return peer;
}

} // namespace

Result<std::unique_ptr<Server>> Server::create(sys::UniqueFd&& listener, Manager& manager, ServerOptions options) {
    auto impl = std::make_unique<Impl>(manager, std::move(options));
    impl->epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!impl->epoll)
        return fail_errno(errno, "epoll_create1");
    impl->timer.reset(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!impl->timer)
        return fail_errno(errno, "timerfd_create");
    TRY(sys::set_nonblocking(listener.get(), true));
    TRY(impl->watch(EPOLL_CTL_ADD, listener.get(), EPOLLIN, listener_token));
    TRY(impl->watch(EPOLL_CTL_ADD, impl->timer.get(), EPOLLIN, timer_token));
    impl->listener = std::move(listener);
    return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() = default;

int Server::fd() const { return impl_->epoll.get(); }

bool Server::turns_away() const { return impl_->turns_away; }

int Server::listener() const { return impl_->listener.get(); }

std::size_t Server::clients() const { return impl_->clients.size(); }

void Server::set_domain(const Domain& domain) { impl_->options.domain = domain; }

void Server::dispatch(Instant now) { impl_->dispatch(now); }

void Server::reply(Ticket ticket, const Reply& reply) { impl_->answer(ticket, reply, false); }

void Server::progress(Ticket ticket, const Reply& reply) {
    if (wants_progress(ticket))
        impl_->answer(ticket, reply, true);
}

void Server::fail(Ticket ticket, const base::Error& error) {
    if (Connection* client = impl_->client_of(ticket))
        impl_->finish(*client, encode_error(wire_error(error)));
}

bool Server::wants_progress(Ticket ticket) const {
    const Connection* client = impl_->client_of(ticket);
    return client != nullptr && client->call->more;
}

void Server::flush() {
    for (auto& [id, client] : impl_->clients)
        if (!client->doomed)
            impl_->write_out(*client);
}

// ---- Impl -----------------------------------------------------------------------------------------------------------

Server::Impl::Impl(Manager& the_manager, ServerOptions the_options)
    : manager(the_manager), options(std::move(the_options)), next_client(first_client), buffer(read_size) {
    if (!options.closer)
        options.closer = [](std::vector<sys::UniqueFd> descriptors) { (void)sys::close_elsewhere(std::move(descriptors)); };
}

Server::Impl::~Impl() {
    for (auto& [id, client] : clients) {
        closing.push_back(std::move(client->fd));
        for (sys::UniqueFd& each : client->descriptors)
            closing.push_back(std::move(each));
    }
    if (!closing.empty())
        options.closer(std::move(closing));
}

Result<void> Server::Impl::watch(int operation, int fd, std::uint32_t events, std::uint64_t token) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = token;
    if (::epoll_ctl(epoll.get(), operation, fd, &event) != 0)
        return fail_errno(errno, "epoll_ctl");
    return {};
}

void Server::Impl::dispatch(Instant at) {
    now = at;
    in_dispatch = true;
    sweep();
    epoll_event events[64];
    const int count = ::epoll_wait(epoll.get(), events, 64, 0);
    for (int i = 0; i < count; i++) {
        const std::uint64_t token = events[i].data.u64;
        if (token == listener_token)
            accept_clients();
        else if (token == timer_token)
            on_timer();
        else if (const auto found = clients.find(token); found != clients.end())
            on_events(*found->second, events[i].events);
    }
    for (auto& [id, client] : clients)
        check_deadlines(*client);
    sweep();
    in_dispatch = false;
    arm_timer();
}

void Server::Impl::on_events(Connection& client, std::uint32_t events) {
    if (client.doomed)
        return;
    if ((events & EPOLLOUT) != 0)
        write_out(client);
    if ((events & EPOLLIN) != 0)
        read_in(client);
    serve(client); // also what a client that is already gone has asked for: a job survives its client
    if ((events & (EPOLLHUP | EPOLLERR)) != 0)
        doom(client);
}

void Server::Impl::accept_clients() {
    for (int i = 0; i < accepts_at_once; i++) {
        auto fd = sys::accept_connection(listener.get());
        if (!fd) {
            if (fd.error().code != Errc::Busy)
                pause_accepting(fd.error());
            return;
        }
        turns_away = false;
        admit(std::move(*fd));
    }
}

/// Out of descriptors or memory: the listener stays readable, so it is left alone for a while instead of spinning on it.
void Server::Impl::pause_accepting(const base::Error& error) {
    if (error.errnum == ECONNABORTED || error.errnum == EINTR)
        return;
    turns_away = true;
    accept_again = now + accept_pause;
    (void)watch(EPOLL_CTL_MOD, listener.get(), 0, listener_token); // cannot fail for a watched descriptor
    drop_idle_stranger();
}

/// Makes room: a client that is neither privileged nor waiting for an answer.
void Server::Impl::drop_idle_stranger() {
    for (auto& [id, client] : clients) {
        if (!client->doomed && !client->privileged && !client->call && client->out.empty())
            return doom(*client);
    }
}

void Server::Impl::admit(sys::UniqueFd fd) {
    auto client = std::make_unique<Connection>();
    client->id = next_client++;
    client->peer = identify(fd.get());
    client->privileged = client->peer.uid == 0 || client->peer.uid == options.domain.own_uid;
    client->fd = std::move(fd);
    std::size_t of_uid = 0;
    for (const auto& [id, other] : clients)
        of_uid += other->peer.uid == client->peer.uid ? 1 : 0;
    const std::size_t places = options.max_clients - (client->privileged ? 0 : options.kept_for_privileged);
    const bool full = clients.size() >= places || (!client->privileged && of_uid >= options.max_clients_of_uid);
    if (full || !watch(EPOLL_CTL_ADD, client->fd.get(), EPOLLIN, client->id)) {
        closing.push_back(std::move(client->fd));
        if (client->privileged)
            drop_idle_stranger();
        return;
    }
    client->events = EPOLLIN;
    clients.emplace(client->id, std::move(client));
}

void Server::Impl::read_in(Connection& client) {
    if (client.input_ended)
        return;
    auto received = sys::receive_message(client.fd.get(), buffer);
    if (!received) {
        if (received.error().code != Errc::Busy)
            doom(client);
        return;
    }
    for (sys::UniqueFd& each : received->descriptors)
        (client.descriptors.size() < descriptors_at_most ? client.descriptors : closing).push_back(std::move(each));
    if (received->bytes.empty()) {
        client.input_ended = true;
        if (!client.call && client.out.empty() && client.in.find('\0') == std::string::npos)
            doom(client);
        return;
    }
    if (client.in.empty())
        client.in_deadline = now + options.request_time;
    client.in += received->bytes;
}

/// Answers what has been read, as far as the client takes answers; then waits for the right thing.
void Server::Impl::serve(Connection& client) {
    int served = 0;
    while (!client.doomed && !client.call && client.out.size() < output_pause) {
        const std::size_t end = client.in.find('\0');
        if (end == std::string::npos) {
            if (client.in.size() > options.max_request)
                doom(client);
            break;
        }
        if (served++ == messages_at_once) {
            more_to_do = true;
            break;
        }
        const std::string message = client.in.substr(0, end);
        client.in.erase(0, end + 1);
        client.in_deadline = now + options.request_time;
        handle(client, message);
    }
    const bool has_message = client.in.find('\0') != std::string::npos;
    if (client.in.empty() || has_message || client.call)
        client.in_deadline = base::never;
    else if (client.in_deadline == base::never)
        client.in_deadline = now + options.request_time;
    if (client.input_ended && !client.call && client.out.empty() && !has_message)
        doom(client);
    update_interest(client);
}

void Server::Impl::update_interest(Connection& client) {
    if (client.doomed)
        return;
    const bool want_input = !client.input_ended && client.in.size() <= options.max_request &&
                            (!client.call || client.in.empty()) && client.out.size() < output_pause;
    const std::uint32_t events = (want_input ? static_cast<std::uint32_t>(EPOLLIN) : 0U) |
                                 (client.out.empty() ? 0U : static_cast<std::uint32_t>(EPOLLOUT));
    if (events == client.events)
        return;
    if (watch(EPOLL_CTL_MOD, client.fd.get(), events, client.id))
        client.events = events;
    else
        doom(client);
}

void Server::Impl::write_out(Connection& client) {
    while (client.out_sent < client.out.size()) {
        const auto sent = sys::send_message(client.fd.get(), std::string_view(client.out).substr(client.out_sent));
        if (!sent) {
            if (sent.error().code != Errc::Busy)
                return doom(client);
            break;
        }
        client.out_sent += *sent;
        client.out_deadline = base::never; // counted anew from the end of this dispatch
    }
    if (client.out_sent == client.out.size()) {
        client.out.clear();
        client.out.shrink_to_fit();
        client.out_sent = 0;
        client.out_deadline = base::never;
    }
}

void Server::Impl::send(Connection& client, const std::string& message) {
    if (client.doomed)
        return;
    if (!has_room_for(client, message.size()))
        return doom(client);
    client.out += message;
    client.out += '\0';
    write_out(client);
    update_interest(client);
    if (!client.out.empty())
        wake();
}

/// Strangers share one allowance, so that many of them cannot make PID 1 hold many long answers.
bool Server::Impl::has_room_for(const Connection& client, std::size_t bytes) const {
    std::size_t held = client.out.size() - client.out_sent;
    if (!client.privileged && bytes > options.max_output / 256)
        for (const auto& [id, other] : clients)
            held += other.get() == &client ? 0 : other->out.size() - other->out_sent;
    return held + bytes <= options.max_output;
}

/// Has dispatch() called soon, when something happened outside it.
void Server::Impl::wake() {
    if (in_dispatch)
        return;
    more_to_do = true;
    arm_timer();
}

void Server::Impl::finish(Connection& client, const std::string& message) {
    const bool oneway = client.call->oneway;
    tickets.erase(client.call->ticket.value);
    client.call.reset();
    if (!oneway)
        send(client, message);
    if (client.input_ended || client.in.find('\0') != std::string::npos)
        more_to_do = true;
    if (more_to_do)
        wake();
}

void Server::Impl::answer(Ticket ticket, const Reply& reply, bool continues) {
    Connection* client = client_of(ticket);
    if (client == nullptr)
        return;
    if (continues)
        send(*client, encode_reply(reply, true));
    else
        finish(*client, encode_reply(reply, false));
}

Connection* Server::Impl::client_of(Ticket ticket) const {
    const auto found = tickets.find(ticket.value);
    if (found == tickets.end())
        return nullptr;
    const auto client = clients.find(found->second);
    return client == clients.end() || client->second->doomed ? nullptr : client->second.get();
}

void Server::Impl::check_deadlines(Connection& client) {
    if (!client.out.empty() && client.out_deadline == base::never)
        client.out_deadline = now + options.output_time;
    if (!client.doomed && (client.in_deadline <= now || client.out_deadline <= now))
        doom(client);
}

/// Marks a client as gone. Its descriptor is closed and the manager told by sweep(), when nobody holds on to it.
void Server::Impl::doom(Connection& client) {
    if (client.doomed)
        return;
    client.doomed = true;
    any_doomed = true;
    (void)::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, client.fd.get(), nullptr);
    wake();
}

void Server::Impl::sweep() {
    while (any_doomed) {
        any_doomed = false;
        std::vector<Ticket> abandoned;
        for (auto it = clients.begin(); it != clients.end();) {
            Connection& client = *it->second;
            if (!client.doomed) {
                ++it;
                continue;
            }
            if (client.call) {
                abandoned.push_back(client.call->ticket);
                tickets.erase(client.call->ticket.value);
            }
            // After end of file nothing can be in its queue any more whose closing might block: no process needed for it.
            if (!client.input_ended)
                closing.push_back(std::move(client.fd));
            for (sys::UniqueFd& each : client.descriptors)
                closing.push_back(std::move(each));
            it = clients.erase(it);
        }
        for (const Ticket ticket : abandoned)
            manager.abandoned(ticket);
    }
    if (!closing.empty())
        options.closer(std::exchange(closing, {}));
}

void Server::Impl::on_timer() {
    std::uint64_t expirations = 0;
    (void)!::read(timer.get(), &expirations, sizeof expirations); // only to make it unreadable
    armed = base::never;
    if (accept_again <= now) {
        accept_again = base::never;
        (void)watch(EPOLL_CTL_MOD, listener.get(), EPOLLIN, listener_token);
    }
    if (!std::exchange(more_to_do, false))
        return;
    for (auto& [id, client] : clients)
        if (!client->doomed)
            serve(*client);
}

/// One timer for everything that is due later; at once when something was left over.
void Server::Impl::arm_timer() {
    Instant next = accept_again;
    for (const auto& [id, client] : clients)
        if (!client->doomed)
            next = std::min({next, client->in_deadline, client->out_deadline});
    if (more_to_do || any_doomed)
        next = Instant{base::Duration(1)};
    if (next == armed)
        return;
    itimerspec spec{};
    if (next != base::never) {
        const auto micros = std::max<base::Duration::rep>(next.since_boot.count(), 1);
        spec.it_value.tv_sec = static_cast<time_t>(micros / 1'000'000);
        spec.it_value.tv_nsec = static_cast<long>(micros % 1'000'000 * 1000);
    }
    if (::timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &spec, nullptr) == 0)
        armed = next;
}

Result<sys::UniqueFd> listen_at(const std::string& path) {
    const auto living = sys::connect_unix(path, SOCK_STREAM | SOCK_NONBLOCK);
    if (living || living.error().errnum == EAGAIN)
        return fail(Errc::Exists, path + ": another monoinit answers here");
    return sys::bind_unix(path, SOCK_STREAM | SOCK_NONBLOCK, 0666);
}

} // namespace monoinit::control
