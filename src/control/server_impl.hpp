#pragma once
// The inside of Server, shared by server.cpp (clients and buffers) and dispatch.cpp (calls and rights).

#include "control/codec.hpp"
#include "control/server.hpp"

#include <unordered_map>

namespace monoinit::control {

/// A call that waits for its answer. A client has one at a time: Varlink answers in order.
struct OpenCall {
    Ticket ticket;
    bool more = false, oneway = false;
};

struct Connection {
    std::uint64_t id = 0;
    sys::UniqueFd fd;
    Peer peer;
    bool privileged = false;
    std::string in;           ///< what has been read and is no whole message yet, or waits for its turn
    std::string out;          ///< what the socket has not taken, from out_sent on
    std::size_t out_sent = 0;
    std::vector<sys::UniqueFd> descriptors; ///< that came in and wait for the call they belong to
    std::optional<OpenCall> call;
    base::Instant in_deadline = base::never, out_deadline = base::never;
    std::uint32_t events = 0; ///< what epoll watches
    bool input_ended = false; ///< the client writes no more; it may still read
    bool doomed = false;
};

struct Server::Impl {
    Impl(Manager& manager, ServerOptions options);
    ~Impl();

    base::Result<void> watch(int operation, int fd, std::uint32_t events, std::uint64_t token) const;
    void dispatch(base::Instant at);
    void on_events(Connection& client, std::uint32_t events);
    void accept_clients();
    void pause_accepting(const base::Error& error);
    void drop_idle_stranger();
    void admit(sys::UniqueFd fd);
    void read_in(Connection& client);
    void serve(Connection& client);
    void update_interest(Connection& client);
    void write_out(Connection& client);
    void send(Connection& client, const std::string& message);
    bool has_room_for(const Connection& client, std::size_t bytes) const;
    void wake();
    void finish(Connection& client, const std::string& message);
    void answer(Ticket ticket, const Reply& reply, bool continues);
    Connection* client_of(Ticket ticket) const;
    void check_deadlines(Connection& client);
    void doom(Connection& client);
    void sweep();
    void on_timer();
    void arm_timer();

    // dispatch.cpp
    void handle(Connection& client, std::string_view message);
    void perform(Connection& client, Ticket ticket, const Request& request, std::vector<sys::UniqueFd>& descriptors);
    /// Why this peer may not, in words; nothing when it may.
    std::optional<std::string> refusal(const Peer& peer, const Request& request);

    Manager& manager;
    ServerOptions options;
    sys::UniqueFd listener, epoll, timer;
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> clients;
    std::unordered_map<std::uint64_t, std::uint64_t> tickets; ///< open calls: ticket -> client
    std::uint64_t next_client;
    std::uint64_t next_ticket = 1;
    std::vector<sys::UniqueFd> closing;
    std::vector<char> buffer;
    base::Instant now{};
    base::Instant armed = base::never, accept_again = base::never;
    bool turns_away = false, any_doomed = false, more_to_do = false, in_dispatch = false;
};

} // namespace monoinit::control
