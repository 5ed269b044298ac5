#pragma once
// PID 1's end of one guard: typed reports in, commands out, never blocking. Commands that do not fit into the socket wait
// in a bounded queue until flush(). Tested by tests/unit/exec.

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/signals.hpp"
#include "exec/guard_protocol.hpp"
#include "exec/stage.hpp"
#include "sys/unique_fd.hpp"

#include <array>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace monoinit::exec {

struct GuardHello {
    base::GuardId guard;
    int guard_pid = 0, main_pid = 0;
    bool main_alive = false;
    std::array<std::uint8_t, 16> invocation{};
    std::uint8_t list = 0;
    std::uint16_t index = 0;
    std::string unit;
    std::uint32_t notify = 0, output = 0, error = 0; ///< see HelloMessage; 0 also from an older guard
};
struct GuardStarted {
    bool ok = true;
    int pid = 0;
    Stage stage = Stage::None;
    int error = 0;
    int exit_status = 0;
    std::string text; ///< why not; or, though it runs, what does not act
};
struct GuardExit {
    std::uint32_t sequence = 0; ///< for acknowledge()
    int pid = 0;
    bool is_command = false;
    bool status_known = true;
    bool tree_empty = false; ///< and nothing is left below the guard
    bool out_of_memory = false; ///< the kernel killed one of the unit's meanwhile
    base::ExitInfo exit;
    Usage usage;
};
struct GuardTree {
    std::uint32_t token = 0, total = 0;
    std::vector<TreeEntry> processes;
};
struct GuardEmpty {
    std::uint32_t orphans = 0;
    Usage usage;
};
struct GuardSignalled {
    int signal = 0;
    std::uint32_t reached = 0, refused = 0;
    int refused_pid = 0;
    std::string refused_name;
};
struct GuardWatching {
    int pid = 0;
    WatchState state = WatchState::Alive;
};
/// End of file: the guard is gone. After GuardEmpty that is its regular end, else it was killed.
struct GuardGone {};

using GuardReport = std::variant<GuardHello, GuardStarted, GuardExit, GuardTree, GuardEmpty, GuardSignalled, GuardWatching, GuardGone>;

class GuardLink {
  public:
    GuardLink(base::GuardId guard, sys::UniqueFd socket) : guard_(guard), socket_(std::move(socket)) {}

    base::GuardId guard() const { return guard_; }
    int fd() const { return socket_.get(); } ///< for epoll and the checkpoint
    /// The next report, nothing when there is none now. Call until nothing comes. After GuardGone nothing more comes.
    std::optional<GuardReport> receive();

    void signal(SignalScope scope, int signal, bool then_continue, bool then_hangup, int pid = 0);
    void queue_signal(int pid, int signal, int value); ///< to one process, as sigqueue(3)
    void watch(int pid);
    void unwatch(int pid);
    void query(std::uint32_t token, bool resync = false);
    void acknowledge(std::uint32_t sequence); ///< an Exit, once it is in the checkpoint
    void leave();                             ///< answer to GuardEmpty

    /// Sends what waits; true when nothing is left. Watch for EPOLLOUT while wants_write().
    bool flush();
    bool wants_write() const { return !queue_.empty(); }
    std::size_t dropped() const { return dropped_; } ///< commands over the bound (a guard that does not read)

  private:
    template <class Message> void send(Message message);

    base::GuardId guard_;
    sys::UniqueFd socket_;
    std::deque<std::string> queue_;
    std::size_t dropped_ = 0;
    bool gone_ = false;
};

} // namespace monoinit::exec
