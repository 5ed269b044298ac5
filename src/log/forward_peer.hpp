#pragma once
// One target of forwarding and the thread that serves it, which may wait for it as long as it likes: no other target does. What finds no
// room before it is counted, and nobody waits. Tested by tests/unit/log/forward_test.cpp and tests/system/forward.py.

#include "log/forward_target.hpp"
#include "sys/unique_fd.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

namespace monoinit::log {

class ForwardPeer {
  public:
    /// `name`: the target as the setting has it.
    ForwardPeer(std::string name, ForwardTarget target) : name_(std::move(name)), target_(std::move(target)) {}
    ForwardPeer(const ForwardPeer&) = delete;
    ForwardPeer& operator=(const ForwardPeer&) = delete;

    // For the main thread:
    /// False: no thread could be made. The peer must live until has_ended().
    bool start();
    const std::string& name() const { return name_; }
    bool wants(const Record& record) const;
    /// `stored`: the record, as stored_record.hpp has it. Never waits; what has no room is counted.
    void take(std::string_view stored);
    /// After lines were taken.
    void wake();
    std::uint64_t lines_lost() const { return lost_ + dropped_.load(std::memory_order_relaxed); }
    /// Nothing is left to be passed on.
    bool idle() const { return pending_.empty() && !busy_.load(); }
    /// The thread leaves when it no longer waits for its target; nothing more is passed on.
    void end();
    bool has_ended() const { return ended_.load(); }

  private:
    void run();
    void pass_on(std::string_view batch);
    bool send(const Record& record);
    bool open();

    std::string name_;
    const ForwardTarget target_;
    std::string pending_; ///< records that wake() hands over
    std::uint64_t lost_ = 0;

    std::mutex mutex_; ///< of what follows
    std::condition_variable wake_;
    std::string queue_;
    bool ending_ = false;
    std::atomic<bool> busy_{false}, ended_{false};
    std::atomic<std::uint64_t> nobody_until_us_{0}; ///< CLOCK_MONOTONIC: until then it is a syslog socket without a listener
    std::atomic<std::uint64_t> dropped_{0};

    // the thread's own
    sys::UniqueFd fd_;
    std::int64_t retry_at_us_ = 0; ///< CLOCK_MONOTONIC
    std::string host_name_;
};

} // namespace monoinit::log
