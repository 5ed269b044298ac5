#pragma once
// The logger as PID 1 sees it: a child that is started again when it dies, the link to it, and the pipes of units' output.
// Tested by tests/system/promise_12_helpers.py.

#include "exec/build_plan.hpp"
#include "log/link.hpp"
#include "runtime/checkpoint.hpp"
#include "sys/epoll_loop.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace monoinit::runtime {

class LogProcess {
  public:
    LogProcess(sys::EpollLoop& loop, Checkpoint& checkpoint, int exe_fd);
    ~LogProcess();

    /// Makes what all loggers share and starts the first. A failure costs the output, not the boot.
    void start(const std::string& logs_socket, bool syslog_sockets, log::Config config);
    /// After a re-exec: the logger of the image before goes on.
    void resume(const std::vector<FdEntry>& kept, const std::vector<std::pair<std::uint32_t, std::string>>& records);

    /// A line of monoinit's own. `priority` as syslog(3).
    void say(int priority, std::string_view unit, std::string_view text);
    /// Lines of monoinit's own that are less important are not said; -1: none.
    void set_level(int level) { level_ = level; }
    int level() const { return level_; }

    /// Write ends for a command about to start: closed in PID 1 when this goes out of scope, after the fork.
    struct Streams {
        sys::UniqueFd output, error; ///< error unset: as output, or not needed
        std::string journal_stream;  ///< "device:inode"
    };
    base::Result<Streams> open_streams(const unit::UnitConfig& config, exec::OutputNeeds needs, const exec::AccountLookup& accounts);

    void mute(std::string_view unit, bool muted);
    /// CMD takes (or has given back) the terminal; `then` runs when the logger knows.
    void command_has_terminal(bool yes, std::function<void()> then);
    void begin_shutdown();
    void begin_drain(base::Instant deadline, std::function<void()> drained);

    int pid() const { return pid_; }
    /// The logger was reaped: starts another.
    void died();
    base::Instant next_deadline() const { return retry_at_; }
    void retry(base::Instant now);

  private:
    log::LoggerLink::Events events();
    void launch();
    void watch();
    void unwatch();
    void pump(); ///< asks epoll for what the link wants now
    void save_settings();
    void on_ready(std::uint32_t events);
    base::Result<sys::UniqueFd> add_stream(const unit::UnitConfig& config, log::StreamKind kind, const exec::AccountLookup& accounts);
  public:
    /// A pipe that was found without its record: read from here on by the logger of now.
    void take_up(const unit::UnitConfig& config, log::StreamKind kind, sys::UniqueFd read_end) { hold(describe(config, kind), std::move(read_end)); }

  private:
    log::StreamInfo describe(const unit::UnitConfig& config, log::StreamKind kind) const;
    log::StreamId hold(log::StreamInfo info, sys::UniqueFd read_end);
    void adopt(log::StreamInfo info, sys::UniqueFd connection);

    sys::EpollLoop& loop_;
    Checkpoint& checkpoint_;
    int exe_fd_;
    int pid_ = 0, level_ = 6;
    bool watching_ = false, watching_output_ = false, leaving_ = false;
    base::Instant retry_at_ = base::never, started_at_;
    unsigned quick_deaths_ = 0;
    log::LoggerFds fds_;
    log::LoggerLink link_;
    std::unordered_map<std::uint64_t, int> stream_fds_; ///< by stream: what the checkpoint keeps for it
    std::unordered_set<std::uint64_t> connections_;     ///< those of them that are no unit's pipes
    std::function<void()> configured_, drained_;
};

} // namespace monoinit::runtime
