#pragma once
// Lines on their way to others (forward_target.hpp says to whom), each target with a thread of its own, so that one that stands still
// holds up no other. Tested by tests/unit/log/forward_test.cpp and tests/system/forward.py.

#include "base/time.hpp"
#include "log/forward_peer.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace monoinit::log {

class Forwarder {
  public:
    /// Targets that were there before go on. Those that cannot be understood are named in problems().
    void configure(const std::vector<std::string>& targets);
    bool on() const { return !peers_.empty(); }
    const std::vector<std::string>& problems() const { return problems_; }

    /// Never waits. What has no room is counted.
    void take(const Record& record);
    /// After lines were taken.
    void wake();
    /// Nothing is left to be passed on.
    bool idle() const;
    /// Calls `say` for each target that has lost lines of which nothing was said yet; once a minute at most.
    void tell_lost(base::Duration now, const std::function<void(const std::string& target, std::uint64_t lines)>& say);

  private:
    struct Served {
        std::unique_ptr<ForwardPeer> peer;
        std::uint64_t told = 0; ///< of its lost lines
        base::Duration silent_until{};
    };

    std::vector<std::string> targets_, problems_;
    std::vector<Served> peers_;
    std::vector<std::unique_ptr<ForwardPeer>> retired_; ///< whose threads have not left yet
    std::string stored_;
};

} // namespace monoinit::log
