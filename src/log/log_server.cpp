// The readers' end of the logger. Tested by tests/unit/log/logger_test.cpp.

#include "log/log_server.hpp"

#include "sys/clock.hpp"
#include "sys/socket.hpp"

#include <array>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace monoinit::log {
namespace {

constexpr std::size_t max_clients = 64, max_clients_of_one = 16;
constexpr std::size_t out_limit = 64 * 1024;
constexpr base::Duration patience = std::chrono::seconds(10);

int open_spare() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

} // namespace

LogServer::LogServer(sys::EpollLoop& loop, const Store& store, StoreWriter& files, int listener)
    : loop_(loop), store_(store), files_(files), listener_(listener), spare_(listener >= 0 ? open_spare() : -1) {
    if (listener_ >= 0)
        (void)loop_.add(listener_, EPOLLIN, [this](std::uint32_t) { accept_one(); });
}

bool LogServer::admissible(uid_t uid) const {
    std::size_t same = 0;
    for (const auto& [fd, client] : clients_)
        same += client.uid == uid ? 1 : 0;
    const bool privileged = uid == 0 || uid == geteuid();
    return clients_.size() < max_clients + (privileged ? max_clients_of_one : 0) && (privileged || same < max_clients_of_one);
}

void LogServer::accept_one() {
    auto connection = sys::accept_connection(listener_);
    if (!connection) {
        if (connection.error().errnum == EMFILE || connection.error().errnum == ENFILE) {
            spare_.reset(); // the connection must leave the queue, or it would wake us for ever
            (void)sys::accept_connection(listener_);
            spare_.reset(open_spare());
        }
        return;
    }
    const auto peer = sys::peer_credentials(connection->get());
    if (!peer || !admissible(peer->uid))
        return;
    const int fd = connection->get();
    if (!loop_.add(fd, EPOLLIN, [this, fd](std::uint32_t events) { on_event(fd, events); }))
        return;
    Client& client = clients_[fd];
    client.fd = std::move(*connection);
    client.uid = peer->uid;
    client.last_progress = sys::monotonic_now();
}

void LogServer::drop(int fd) {
    loop_.remove(fd);
    clients_.erase(fd);
}

void LogServer::on_event(int fd, std::uint32_t events) {
    const auto found = clients_.find(fd);
    if (found == clients_.end())
        return;
    Client& client = found->second;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !read_query(client))
        return drop(fd);
    serve(client);
}

/// False: gone, or nonsense.
bool LogServer::read_query(Client& client) {
    std::array<char, 4096> buffer;
    const ssize_t size = recv(client.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR;
    if (size == 0 || client.query)
        return false; // one query a connection
    client.in.append(buffer.data(), static_cast<std::size_t>(size));
    const auto frame = next_frame(client.in, max_query);
    if (!frame)
        return false;
    if (!frame->has_value())
        return true;
    auto query = (*frame)->type == FrameType::Query ? decode_query((*frame)->payload)
                                                    : base::fail(base::Errc::Protocol, "not a query");
    if (!query)
        return false;
    client.query = std::move(*query);
    client.in = {};
    client.cursor = client.query->after_cursor;
    client.started = client.cursor > 0;
    if (client.query->last)
        client.cursor = std::max(client.cursor, store_.cursor_before_last(client.query->filter, *client.query->last));
    return true;
}

void LogServer::fill(Client& client) {
    if (!client.query || client.ended || client.out.size() >= out_limit || client.query->order != StoreOrder::None)
        return;
    const Filter& filter = client.query->filter;
    if (client.cursor < store_.last_cursor()) {
        if (client.started && store_.lost_since(filter, client.cursor))
            append_empty_frame(client.out, FrameType::Gap);
        client.started = true;
        bool all = true;
        const std::uint64_t last = store_.last_cursor();
        store_.visit(filter, client.cursor, [&](const Record& record) {
            append_record(client.out, record);
            client.cursor = record.cursor;
            return all = client.out.size() < out_limit;
        });
        if (!all)
            return;
        client.cursor = last; // what did not pass the filter need not be looked at again
    }
    if (client.query->follow)
        return;
    append_empty_frame(client.out, FrameType::End);
    client.ended = true;
}

/// False: gone.
bool LogServer::flush(Client& client) {
    while (!client.out.empty()) {
        const ssize_t sent = send(client.fd.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        client.last_progress = sys::monotonic_now();
        client.out.erase(0, static_cast<std::size_t>(sent));
    }
    return true;
}

void LogServer::serve(Client& client) {
    const int fd = client.fd.get();
    for (bool full = true; full;) {
        fill(client);
        full = client.out.size() >= out_limit;
        if (!flush(client))
            return drop(fd);
        full = full && client.out.empty();
    }
    if (client.ended && client.out.empty())
        return drop(fd);
    if (client.want_write != !client.out.empty()) {
        client.want_write = !client.out.empty();
        (void)loop_.modify(fd, client.want_write ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

/// Called after the streams were read: what a service wrote before its reader asked has come in.
void LogServer::carry_out(Client& client) {
    const Query& query = *client.query;
    const bool may = client.uid == 0 || client.uid == geteuid() || query.order == StoreOrder::Sync;
    if (!may || !files_.on()) {
        append_order_done(client.out, directory_, may ? "" : "only root and the uid of monoinit may do that");
        client.ended = true;
        return serve(client);
    }
    if (!std::exchange(client.ordered, true)) {
        if (query.order == StoreOrder::Rotate)
            files_.rotate();
        else if (query.order == StoreOrder::Vacuum)
            files_.vacuum(query.vacuum);
        client.place = files_.flush();
    }
    if (!files_.done(client.place))
        files_.tell_me();
    if (!files_.done(client.place) && files_.last_error() == 0)
        return;
    append_order_done(client.out, directory_, files_.last_error() == 0 ? "" : std::strerror(files_.last_error()));
    client.ended = true;
    serve(client);
}

void LogServer::pump() {
    for (auto it = clients_.begin(); it != clients_.end();) {
        Client& client = it->second;
        ++it;
        if (client.query && client.query->order != StoreOrder::None && !client.ended)
            carry_out(client);
        else if (client.query && client.out.empty() && client.cursor < store_.last_cursor())
            serve(client);
    }
}

bool LogServer::tend(base::Duration now) {
    bool waiting = false;
    for (auto it = clients_.begin(); it != clients_.end();) {
        const auto& [fd, client] = *it;
        ++it;
        if (client.query && client.out.empty())
            continue;
        if (now - client.last_progress > patience)
            drop(fd);
        else
            waiting = true;
    }
    return waiting;
}

} // namespace monoinit::log
