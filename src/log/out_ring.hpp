#pragma once
// Whole lines on their way to stdout, or records on theirs to the store: a ring in shared memory with one producer (the reading side) and one consumer (the
// writer thread). Positions count bytes for ever; the memory is mapped twice in a row, so that any run is contiguous.
// Tested by tests/unit/log.

#include "log/shared_memory.hpp"

#include <cstring>
#include <span>
#include <string_view>

namespace monoinit::log {

class OutRing {
  public:
    explicit OutRing(SharedMemory& memory)
        : OutRing(memory.ring(), ring_size, memory.header().output.head, memory.header().output.tail) {}
    /// `base`: `size` bytes mapped twice in a row.
    OutRing(char* base, std::size_t size, Word& head, Word& tail) : base_(base), size_(size), head_(head), tail_(tail) {
        if (head_ - tail_ > size_) // damaged
            tail_ = head_.load();
    }

    // producer
    std::size_t free_space() const { return size_ - used(); }
    /// Room for one line of at most free_space() bytes; then commit() what was written.
    char* reserve() const { return base_ + head_.load(std::memory_order_relaxed) % size_; }
    void commit(std::size_t size) {
        head_.store(head_.load(std::memory_order_relaxed) + size, std::memory_order_seq_cst);
    }
    void put(std::string_view line) {
        std::memcpy(reserve(), line.data(), line.size());
        commit(line.size());
    }

    // consumer
    std::string_view contents() const {
        const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
        return {base_ + tail % size_, static_cast<std::size_t>(head_.load(std::memory_order_seq_cst) - tail)};
    }
    std::uint64_t head() const { return head_.load(std::memory_order_relaxed); }
    std::uint64_t tail() const { return tail_.load(std::memory_order_relaxed); }
    void set_tail(std::uint64_t tail) { tail_.store(tail, std::memory_order_seq_cst); }

    // both
    std::size_t used() const {
        return static_cast<std::size_t>(head_.load(std::memory_order_seq_cst) - tail_.load(std::memory_order_seq_cst));
    }
    bool empty() const { return used() == 0; }

  private:
    char* base_;
    std::size_t size_;
    Word& head_;
    Word& tail_;
};

/// As many whole lines from the front of `lines` as `limit` bytes hold; a first line that is longer comes alone.
std::string_view whole_lines(std::string_view lines, std::size_t limit);

} // namespace monoinit::log
