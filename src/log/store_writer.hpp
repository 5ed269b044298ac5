#pragma once
// The thread that writes the log store, and the ring that leads to it. The ring lies in the memory that outlives a logger:
// what is in it when the logger is killed is written by the next one (a block that was just being written comes twice, with
// the same cursors: readers leave the second one out). A disk that stands still, or is full, stops nobody for long: what finds no
// room in the ring is counted, and kept in memory (recent_store.hpp) as all lines are.
// Tested by tests/unit/log/store_writer_test.cpp.

#include "log/out_ring.hpp"
#include "log/store_directory.hpp"

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>

namespace monoinit::log {

class StoreWriter {
  public:
    explicit StoreWriter(SharedMemory& memory);
    StoreWriter(const StoreWriter&) = delete;
    StoreWriter& operator=(const StoreWriter&) = delete;

    // For the main thread:
    /// Starts the thread with the first directory; it ends with the process. False: no thread could be made; call again.
    bool configure(const StoreSettings& settings);
    bool on() const { return on_; }
    /// Whether a record of this size has a place now, or need not wait for one (the disk stands still or is full).
    bool may_append(std::size_t size) const;
    /// Waits a moment for room for a record that cannot wait with its sender, unless the disk stands still or is full.
    void make_room(std::size_t size);
    /// Never waits. What has no room is counted.
    void append(const Record& record);
    /// After lines were appended.
    void wake();
    /// Be told, at event_fd(), once half of the ring is free, or what was asked for is done.
    void tell_me() { wanted_.store(true, std::memory_order_seq_cst); }
    bool is_usable() const { return event_ && wake_; } ///< descriptors were to be had
    int event_fd() const { return event_.get(); }
    void drain_event();
    /// Do not wait for the disk.
    void never_wait(bool on) { never_wait_ = on; }

    bool idle() const { return !on_ || ring_.empty(); }
    std::uint64_t tail() const { return ring_.tail(); } ///< moves as lines are written
    std::uint64_t lines_lost() const { return lost_; }
    int last_error() const { return error_.load(std::memory_order_relaxed); } ///< 0: it works

    /// What is in the ring now is to be in a file soon: up to the place that is returned.
    std::uint64_t flush();
    void rotate();
    void vacuum(const StoreLimits& limits); ///< 0 in a limit: not that one
    /// True once the lines up to that place are written, and what was asked for is done.
    bool done(std::uint64_t place) const { return ring_.tail() >= place && requests_.load() == served_.load(); }

    static constexpr std::size_t largest_record = store_ring_size / 2;

  private:
    struct Orders {
        std::optional<StoreSettings> settings;
        std::optional<StoreLimits> vacuum;
        bool rotate = false;
    };

    void run();
    void obey(Orders orders);
    void write_some();
    void nap(bool gather);
    Orders take_orders();
    void order(const std::function<void(Orders&)>& change);
    void notify();

    OutRing ring_;
    SharedHeader& header_;
    sys::UniqueFd event_, wake_;
    bool started_ = false, on_ = false, never_wait_ = false;
    std::uint64_t lost_ = 0;
    mutable std::size_t room_ = 0; ///< in the ring, at least: looking at its tail costs a cache miss
    bool has_room(std::size_t size) const;
    std::mutex mutex_; ///< of orders_
    Orders orders_;
    std::atomic<std::uint64_t> requests_{0}, served_{0};
    std::atomic<bool> wanted_{false}, hurry_{false};
    std::atomic<int> sleep_{0};
    std::atomic<int> error_{0};

    // the thread's own
    std::optional<StoreDirectory> directory_;
};

/// The id of this start of the container, drawn by its first logger.
BootId boot_id_of(SharedHeader& header);

} // namespace monoinit::log
