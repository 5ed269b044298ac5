#pragma once
// One notify socket for each unit that may notify: which unit a message is for is known by the socket it came in on
// (DESIGN §5). The sender is placed by the kernel's credentials and the tree of guards, never by what it says.
// Tested by tests/system/notify.py and tests/system/promise_07_strangers.py.

#include "base/ids.hpp"
#include "runtime/checkpoint.hpp"
#include "supervise/types.hpp"
#include "sys/epoll_loop.hpp"
#include "sys/unique_fd.hpp"

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace monoinit::runtime {

/// What the sockets must know to place a sender; answered by Guards.
class SenderJudge {
  public:
    virtual ~SenderJudge() = default;
    /// The guard of `unit` below which `pid` lives, or whose command it was before it ended just now; 0 if none.
    virtual base::GuardId guard_above(base::UnitId unit, int pid) const = 0;
    /// Whether this guard has said how its command started; reads what it has sent first. A command may be faster with
    /// READY=1 than its guard with its report, and who it is is known by the report only.
    virtual bool has_started(base::GuardId guard) = 0;
    /// Main or control pid of the unit, to tell Sender::Main and Sender::Control.
    virtual supervise::Notified::Sender role_of(base::UnitId unit, int pid, base::GuardId guard) const = 0;
    /// Whether messages of a sender that is already gone count when they come from this uid (User= of the unit, or root).
    virtual bool is_unit_user(base::UnitId unit, unsigned uid) const = 0;
};

class NotifySockets {
  public:
    /// What came with it may be taken out of the list; the rest is closed.
    using Deliver = std::function<void(base::UnitId, supervise::Notified, std::vector<sys::UniqueFd>&)>;
    NotifySockets(sys::EpollLoop& loop, Checkpoint& checkpoint, SenderJudge& judge, Deliver deliver);
    ~NotifySockets();

    /// Where the sockets live; empty: there is no place, so nothing can notify.
    void set_directory(std::string directory) { directory_ = std::move(directory); }
    /// NOTIFY_SOCKET= for the unit, made when first asked for.
    base::Result<std::string> path_for(base::UnitId unit);
    /// Takes up a socket that the image before had.
    void adopt(base::UnitId unit, std::uint64_t number, sys::UniqueFd fd);
    /// After adopt() of all: messages that the image before had read, and that had come to nothing yet, count now.
    void recall(const Records& records);
    void remove(base::UnitId unit);
    /// A guard of the unit has reported its start, or is gone: a message that waited for this counts now.
    void resume(base::UnitId unit);
    /// Takes what has come: what a process said before it ended comes before its end.
    void take_pending(base::UnitId unit);

  private:
    void watch(base::UnitId unit, int fd);
    void drain(base::UnitId unit, int fd);
    /// One message with what the kernel says of its sender.
    struct Message {
        std::string text;
        std::vector<sys::UniqueFd> descriptors;
        int pid = 0;
        unsigned uid = 0;
    };
    void take(base::UnitId unit, Message message);
    void deliver(base::UnitId unit, Message& message, base::GuardId guard);
    std::string path_of(std::uint64_t number) const;

    sys::EpollLoop& loop_;
    Checkpoint& checkpoint_;
    SenderJudge& judge_;
    Deliver deliver_;
    std::string directory_;
    struct Socket {
        std::uint64_t number = 0; ///< its file name; a unit's id may change with a re-exec
        sys::UniqueFd fd;
        std::optional<Message> held; ///< waits for its sender's guard; meanwhile the socket is not read
    };
    std::unordered_map<base::UnitId, Socket> sockets_;
    std::uint64_t next_number_ = 1;
};

} // namespace monoinit::runtime
