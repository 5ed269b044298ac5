#pragma once
// What survives a crash of PID 1: a memfd with one extent per record (two copies and a sequence number each, so that a
// write cut short by a fault leaves the older copy readable) and a table of the descriptors that must stay open.
// Record 0 holds the engine's globals, record N the unit with id N. Nothing here allocates while the crash handler runs.
// Tested by tests/unit/runtime/checkpoint_test.cpp.

#include "base/result.hpp"
#include "sys/unique_fd.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace monoinit::runtime {

/// What a kept descriptor is; the numbers are part of the checkpoint format: append only.
enum class FdKind : std::uint32_t {
    None = 0, Executable = 1, Control = 2, Guard = 3, Notify = 4, LoggerLink = 5, LoggerBuffers = 6, LogStream = 7,
    LogSocket = 8, Console = 9, Reserve = 10, LoggerSpoolRead = 11, LoggerSpoolWrite = 12,
    SyslogSocket = 13, JournalSocket = 14, JournalStream = 15, Socket = 16, Connection = 17, Stored = 18, SourceWatcher = 19, ScopeProcess = 20,
};

struct FdEntry {
    FdKind kind = FdKind::None;
    std::int32_t fd = -1;
    std::uint64_t id = 0;   ///< guard, stream …
    std::uint32_t unit = 0; ///< UnitId, 0 = none
    std::int32_t pid = 0;   ///< guard's or logger's pid, 0 = not forked yet
};

/// Keys of records that are no unit's. Units use 1 … 0x3fffffff.
inline constexpr std::uint32_t engine_record = 0;
inline constexpr std::uint32_t runtime_record = 0xffff'fff0;
inline constexpr std::uint32_t log_record = 0xffff'fff1;        ///< the link's settings
inline constexpr std::uint32_t log_counter_record = 0xffff'fff2; ///< the next stream's number
inline constexpr std::uint32_t log_stream_record = 0x4000'0000; ///< + descriptor: what stream it is
inline constexpr std::uint32_t stored_record = 0x5000'0000; ///< + descriptor: its name in the store
inline constexpr std::uint32_t unit_records_end = 0x4000'0000;

class Checkpoint {
  public:
    /// A fresh memfd with room for descriptors below `fd_capacity`.
    static base::Result<Checkpoint> create(std::uint32_t fd_capacity);
    /// Takes up the memfd that the image before left open.
    static base::Result<Checkpoint> adopt(sys::UniqueFd memfd);

    Checkpoint(Checkpoint&&) noexcept;
    Checkpoint& operator=(Checkpoint&&) = delete;
    ~Checkpoint();

    int fd() const { return memfd_.get(); }

    /// Writes record `key`; false (and the older contents kept) when memory for it cannot be had.
    bool write(std::uint32_t key, std::string_view bytes);
    void erase(std::uint32_t key);
    /// Every record in the order of keys.
    std::vector<std::pair<std::uint32_t, std::string>> read_all() const;

    /// Intent first: called before the descriptor's process is made. False when the number is out of range.
    bool keep(const FdEntry& entry);
    void set_pid(int fd, int pid);
    void forget(int fd);
    std::vector<FdEntry> kept() const;
    /// Async-signal-safe: calls `visit` with every kept descriptor.
    void for_each_fd(void (*visit)(int fd)) const;

    /// Crash bookkeeping, in shared memory, so that each image knows what the one before died of.
    struct Crash {
        std::uint32_t count;      ///< faults since boot
        std::uint32_t signal;     ///< of the last one; 0 = daemon-reexec
        std::uint64_t last_usec;  ///< CLOCK_MONOTONIC
        std::uint32_t restoring;  ///< key + 1 of the record being restored when the fault came; 0 = none
        std::uint32_t generation; ///< images so far
    };
    Crash& crash();

  private:
    Checkpoint() = default;
    base::Result<void> map(std::size_t size);
    bool grow(std::size_t size);

    sys::UniqueFd memfd_;
    void* base_ = nullptr;
    std::size_t size_ = 0;
    void retire(std::uint64_t at);
    std::uint64_t take_free(std::size_t size); ///< 0 = none
    std::unordered_map<std::uint32_t, std::uint64_t> extents_; ///< key -> offset
    std::multimap<std::uint32_t, std::uint64_t> free_;         ///< capacity -> offset, of those that are not live
};

} // namespace monoinit::runtime
