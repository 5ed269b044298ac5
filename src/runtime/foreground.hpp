#pragma once
// CMD: `docker run IMAGE CMD`. It runs under a guard like everything else, but with descriptors 0, 1, 2 untouched; with a
// terminal it becomes its session's leader and takes it, so that job control works. Its exit status is the container's.
// Tested by tests/system/boot.py and the container stories.

#include "exec/build_plan.hpp"
#include "exec/guard_link.hpp"
#include "runtime/checkpoint.hpp"
#include "sys/epoll_loop.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace monoinit::runtime {

class Foreground {
  public:
    /// `ended(status)` when CMD has exited (128+n for signals) or could not be started; `empty` when its tree is.
    Foreground(sys::EpollLoop& loop, Checkpoint& checkpoint, std::function<void(int, std::string)> ended,
               std::function<void()> empty);
    ~Foreground();

    /// True when standard input is a terminal (then CMD gets it).
    static bool has_terminal();
    void start(const std::vector<std::string>& argv, const exec::ManagerContext& manager);
    void adopt(const FdEntry& entry, sys::UniqueFd fd);
    void signal(int number); ///< to CMD itself
    void stop(int number);   ///< to everything below it
    bool running() const { return link_ != nullptr; }
    int guard_pid() const { return guard_pid_; }
    static constexpr std::uint32_t guard_number = 0xffffffff; ///< no unit's guard ever has it

  private:
    void watch();
    void drain();

    sys::EpollLoop& loop_;
    Checkpoint& checkpoint_;
    std::function<void(int, std::string)> ended_;
    std::function<void()> empty_;
    std::unique_ptr<exec::GuardLink> link_;
    int guard_pid_ = 0;
    bool told_ = false;
};

} // namespace monoinit::runtime
