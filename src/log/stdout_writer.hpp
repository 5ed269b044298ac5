#pragma once
// The only writer of stdout: a thread that may block in it for as long as it likes. Lines go ring -> spool -> stdout. The
// spool is a pipe that PID 1 holds: splice() moves its pages on to stdout, so what has left and what has not is known to
// the byte although we may be killed during the call; each of its pages holds whole lines, so stdout never ends inside
// one. Where splice() cannot go (/dev/full, O_APPEND files …) lines are written directly, and a kill may repeat a block.
// The thread allocates nothing. Tested by tests/unit/log/stdout_writer_test.cpp, logger_test.cpp.

#include "log/out_ring.hpp"
#include "log/shared_memory.hpp"
#include "sys/unique_fd.hpp"

#include <atomic>
#include <cstdint>
#include <string_view>

namespace monoinit::log {

class StdoutWriter {
  public:
    struct Fds {
        int output = -1;
        int spool_read = -1, spool_write = -1; ///< -1: no spool, direct
    };

    /// `words`: of the ring's outlet.
    StdoutWriter(OutletWords& words, OutRing& ring, Fds fds);
    StdoutWriter(const StdoutWriter&) = delete;
    StdoutWriter& operator=(const StdoutWriter&) = delete;

    /// Starts the thread; it ends with the process. False: no thread could be made.
    bool start();

    // For the main thread:
    /// After lines were put into the ring.
    void wake();
    /// Whether all descriptors could be had; without them start() fails, now and later.
    bool is_usable() const { return event_ && wake_; }
    /// Readable when something changed that was asked for by `tell_me()`, and when lines were lost.
    int event_fd() const { return event_.get(); }
    void drain_event();
    /// Be told once half of the ring is free.
    void tell_me() { wanted_.store(true, std::memory_order_seq_cst); }
    std::uint64_t lines_lost() const { return lost_.load(std::memory_order_relaxed); }
    int last_error() const { return error_.load(std::memory_order_relaxed); }
    /// Lines that have not left. Exact only while the writer stands still.
    std::uint64_t lines_waiting() const;
    /// Nothing is waiting and nothing is being written.
    bool idle() const;

  private:
    void run();
    void recover();
    void write_block();
    std::size_t fill_spool(std::string_view lines);
    std::size_t drain_spool(std::size_t size);
    std::size_t give_up_spool(std::size_t size, int error);
    std::size_t write_directly(std::string_view lines);
    void lose(std::string_view lines, int error);
    void advance(std::uint64_t tail);
    void notify();
    int spooled() const;
    bool wait_writable();

    OutRing& ring_;
    Word& spool_;
    Word& lost_;
    Fds fds_;
    bool direct_ = false;
    std::size_t direct_limit_ = 0;
    sys::UniqueFd event_, wake_;
    std::atomic<bool> sleeping_{false};
    std::atomic<bool> wanted_{false};
    std::atomic<bool> busy_{true};
    std::atomic<int> error_{0};
};

} // namespace monoinit::log
