#pragma once
// The control socket of PID 1: Varlink over AF_UNIX SOCK_STREAM, interface io.monoinit.Manager. It never blocks, never
// trusts and never grows without bound: requests are bounded in size and depth (checked before parsing), clients in
// number (for each uid, with places kept for the privileged) and in time; one that does not read is dropped; descriptors
// that strangers send are received and handed to the closer, because close() of a foreign descriptor can block.
// The server keeps its own epoll set, so that the loop outside sees a single descriptor.
// Tested by tests/unit/control/server_test.cpp.

#include "base/result.hpp"
#include "base/time.hpp"
#include "control/api.hpp"
#include "control/peer.hpp"
#include "sys/unique_fd.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace monoinit::control {

/// Names a call that is not answered yet. Tickets are never reused; answering one whose client has gone does nothing.
struct Ticket {
    std::uint64_t value = 0;
    auto operator<=>(const Ticket&) const = default;
};

/// What runtime implements. Queries answer from memory at once; operations are answered later through the server
/// (also from within the call). Rights are checked before any of them is called. Error codes that mean something to
/// clients: NotFound (no such unit), Denied, Invalid (argument), Busy, Unsupported.
class Manager {
  public:
    virtual ~Manager() = default;

    /// For the rights; `unit` as the client wrote it. exists = false when it cannot be loaded.
    virtual UnitFacts facts(const std::string& unit) = 0;

    virtual ManagerInfo info() = 0;
    virtual std::vector<UnitSummary> list(const ListRequest& request) = 0;
    virtual base::Result<UnitDetail> status(const StatusRequest& request) = 0;
    /// Unknown units have LoadState=not-found. Without `with_environment` the values of Environment and kin are left out.
    virtual base::Result<PropertyList> properties(const PropertiesRequest& request, bool with_environment) = 0;
    /// Direct neighbours only; the client walks.
    virtual base::Result<std::vector<Dependency>> dependencies(const DependenciesRequest& request) = 0;
    virtual std::vector<JobInfo> jobs() = 0;
    virtual base::Result<HealthReply> health(const HealthRequest& request) = 0;

    virtual void environment(Ticket ticket, const EnvironmentRequest& request) = 0;       ///< EnvironmentReply
    virtual void operate(Ticket ticket, const Peer& peer, const OperateRequest& request) = 0; ///< OperateReply
    virtual void kill(Ticket ticket, const KillRequest& request) = 0;                     ///< Empty
    virtual void reset_failed(Ticket ticket, const ResetFailedRequest& request) = 0;      ///< Empty
    virtual void cancel_jobs(Ticket ticket, const CancelRequest& request) = 0;            ///< Empty
    virtual void daemon_reload(Ticket ticket) = 0;                                        ///< Empty
    /// Answered with Empty (then flush()) before the new image is executed; the connection ends with it.
    virtual void daemon_reexec(Ticket ticket) = 0;
    virtual void exit(Ticket ticket, const ExitRequest& request) = 0;                     ///< Empty, when it begins
    virtual ShutdownPlanReply shutdown_plan() = 0;
    /// Empty, when it can be started. `descriptors` came with the call; what is left in there is closed for it.
    virtual void adopt(Ticket ticket, const Peer& peer, const AdoptRequest& request) = 0; ///< Empty, when the scope is up
    virtual void put_unit(Ticket ticket, const Peer& peer, const PutUnitRequest& request, std::vector<sys::UniqueFd>& descriptors) = 0;
    virtual void wait(Ticket ticket, const WaitRequest& request) = 0;                     ///< WaitReply
    virtual void mute(Ticket ticket, const MuteRequest& request) = 0;                     ///< Empty
    virtual base::Result<Empty> set_properties(const SetPropertiesRequest& request) = 0;
    virtual void set_environment(Ticket ticket, const SetEnvironmentRequest& request) = 0; ///< Empty
    /// Streams UnitEvent by progress() until abandoned() is called for the ticket.
    virtual void subscribe(Ticket ticket, const SubscribeRequest& request) = 0;

    /// The client of an open ticket is gone. Jobs go on; waits and subscriptions may be forgotten.
    virtual void abandoned(Ticket ticket) = 0;
};

struct ServerOptions {
    Domain domain;
    std::string vendor = "monoinit", product = "monoinit", version, url;
    std::size_t max_request = 128 << 10; ///< bytes of one message
    std::size_t max_output = 16 << 20;   ///< bytes a client (strangers: all of them together) may leave unread
    std::size_t max_clients = 256, max_clients_of_uid = 48, kept_for_privileged = 32;
    base::Duration request_time = std::chrono::seconds(5);  ///< for a message to become complete
    base::Duration output_time = std::chrono::seconds(10);  ///< without the client reading anything
    /// Closes descriptors that may block in close(): clients' connections and what they sent. Default: close_elsewhere().
    std::function<void(std::vector<sys::UniqueFd> descriptors)> closer;
};

class Server {
  public:
    /// Takes over `listener` (bound, listening, nonblocking; see listen()), unless this fails.
    static base::Result<std::unique_ptr<Server>> create(sys::UniqueFd&& listener, Manager& manager, ServerOptions options);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Level-triggered readable when dispatch() has something to do (messages, new clients, deadlines).
    int fd() const;
    /// There are no descriptors (or no memory) for one more client: those that come wait.
    bool turns_away() const;
    int listener() const; ///< survives a re-exec: clear its FD_CLOEXEC and hand it to create() again
    /// Does what is ready, a bounded piece of it.
    void dispatch(base::Instant now);

    /// Answers a call for good. A call of several units may be told of each before: progress().
    void reply(Ticket ticket, const Reply& reply);
    void fail(Ticket ticket, const base::Error& error);
    /// One more reply to come; dropped unless the client asked for `more`.
    void progress(Ticket ticket, const Reply& reply);
    /// Whether the client wants to hear of progress.
    bool wants_progress(Ticket ticket) const;

    /// Writes what the sockets take now; for use before an exec.
    void flush();
    void set_domain(const Domain& domain);
    std::size_t clients() const;

  private:
    struct Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// Makes the listening socket at `path`: 0666 (rights are checked for each call) in a directory of ours; a stale socket
/// of an earlier start is removed, a living one is Exists.
base::Result<sys::UniqueFd> listen_at(const std::string& path);

} // namespace monoinit::control
