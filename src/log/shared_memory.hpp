#pragma once
// The memory that outlives a logger: a sparse memfd that PID 1 holds and each logger maps. A logger may be killed between
// any two instructions; its successor reads here what was in flight. Everything is found through these structures, never
// through pointers; commits are single 64-bit stores. Pages that were never touched cost nothing.
//
//   [Header] [chunks: what one read() brought] [out rings: whole lines for stdout and stderr] [carry slots: unfinished lines]
//   [blocks: recent lines] [store ring: records for the store]
// Tested by tests/unit/log/flight_test.cpp, recent_store_test.cpp, logger_test.cpp.

#include "base/result.hpp"
#include "log/record.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace monoinit::log {

inline constexpr std::size_t page_size = 4096;
inline constexpr std::size_t chunk_size = 64 * 1024;
inline constexpr std::size_t ring_size = 256 * 1024;
inline constexpr std::size_t store_ring_size = 1UL << 20;
/// Streams that wait for stdout and those that do not are read apart, each part into memory of its own.
inline constexpr std::size_t flight_parts = 2;
inline constexpr std::size_t carry_slots[flight_parts] = {1024, 256};
inline constexpr std::size_t block_size = 4096;
inline constexpr std::size_t block_count = 2048;
inline constexpr std::size_t max_stream_info = 2048; ///< encoded StreamInfo

using Word = std::atomic<std::uint64_t>;
static_assert(Word::is_always_lock_free);

/// One stream's line whose end has not come yet.
struct CarrySlot {
    Word stream; ///< id; 0 = free
    Word word;   ///< size and chunk sequence: see flight.cpp
    std::uint32_t info_size;
    std::array<char, max_stream_info> info; ///< encoded StreamInfo, should the stream never come back
    std::array<char, largest_line> text;
};

/// What the reading side of one part is at: see flight.cpp.
struct FlightArea {
    Word flight;
    Word stream;
    Word slots_touched;
    std::uint64_t wall_us, mono_us;
    std::uint32_t info_size;
    std::array<char, max_stream_info> info;
};

/// Of one ring: bytes ever put in, ever taken out. What different threads write lies in different lines of the cache.
struct OutletWords {
    alignas(64) Word head;
    alignas(64) Word tail;
    Word spool; ///< what the writer thread is at: see stdout_writer.cpp
    Word lost;  ///< lines that could not be written
};

struct SharedHeader {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t reserved;
    Word next_cursor;      ///< of the store
    Word blocks_touched;   ///< how many blocks were ever used: the rest is not looked at
    OutletWords output, errors; ///< of stdout, and of stderr where its lines go there
    alignas(64) Word store_head; ///< of the store ring
    alignas(64) Word store_tail;
    Word store_written;    ///< cursor of the newest line that is in a store file
    alignas(64) Word boot_high, boot_low; ///< the container's start, as _BOOT_ID= has it; 0 = not drawn yet
    std::array<FlightArea, flight_parts> flights;
};
inline constexpr std::size_t header_size = 2 * page_size;
static_assert(sizeof(SharedHeader) <= header_size);

struct Block {
    std::array<char, block_size> bytes;
};

/// The mapping. The rings are mapped twice in a row, so that their contents are contiguous wherever they begin.
class SharedMemory {
  public:
    /// Maps `fd` and keeps what a former logger left; a foreign or damaged content is cleared. -1 or no memfd: private
    /// memory, which works but does not outlive us.
    static base::Result<SharedMemory> map(int fd);
    SharedMemory(SharedMemory&& other) noexcept;
    SharedMemory& operator=(SharedMemory&&) = delete;
    ~SharedMemory();

    SharedHeader& header() const { return *header_; }
    char* chunk(std::size_t part) const { return chunks_ + part * chunk_size; }
    char* ring() const { return ring_; } ///< 2 * ring_size readable and writable
    char* error_ring() const { return error_ring_; } ///< likewise
    char* store_ring() const { return store_ring_; } ///< 2 * store_ring_size
    CarrySlot& slot(std::size_t part, std::size_t index) const { return slots_[(part == 0 ? 0 : carry_slots[0]) + index]; }
    Block& block(std::size_t index) const { return blocks_[index]; }

  private:
    SharedMemory() = default;

    void* base_ = nullptr;
    SharedHeader* header_ = nullptr;
    char* chunks_ = nullptr;
    char* ring_ = nullptr;
    char* error_ring_ = nullptr;
    char* store_ring_ = nullptr;
    CarrySlot* slots_ = nullptr;
    Block* blocks_ = nullptr;
};

} // namespace monoinit::log
