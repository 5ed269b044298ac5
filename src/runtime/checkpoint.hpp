#pragma once
// What survives a crash of PID 1: a memfd with one extent per record (two copies, each with a sequence number and a checksum,
// so that a write cut short by a fault leaves the older copy readable) and a table of the descriptors that must stay open.
// Record 0 holds the engine's globals, record N the unit with id N. Nothing here allocates while the crash handler runs.
// Whoever takes it up believes nothing: a fault may have come from stray writes, and the file may be an older version's.
// Tested by tests/unit/runtime/checkpoint_test.cpp.

#include "base/result.hpp"
#include "runtime/crash_note.hpp"
#include "sys/unique_fd.hpp"

#include <cstdint>
#include <map>
#include <optional>
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
    PreviousExecutable = 21, ///< where to go back to while the image has not proved itself
};
inline constexpr FdKind last_fd_kind = FdKind::PreviousExecutable;

struct FdEntry {
    FdKind kind = FdKind::None;
    std::int32_t fd = -1;
    std::uint64_t id = 0;   ///< guard, stream …
    std::uint32_t unit = 0; ///< UnitId, 0 = none
    std::int32_t pid = 0;   ///< guard's or logger's pid, 0 = not forked yet

    bool operator==(const FdEntry&) const = default;
};

/// Keys of records that are no unit's. Units use 1 … 0x3fffffff.
inline constexpr std::uint32_t engine_record = 0;
inline constexpr std::uint32_t runtime_record = 0xffff'fff0;
inline constexpr std::uint32_t log_record = 0xffff'fff1;        ///< the link's settings
inline constexpr std::uint32_t log_counter_record = 0xffff'fff2; ///< the next stream's number
inline constexpr std::uint32_t settings_record = 0xffff'fff3;   ///< LiveSettings
inline constexpr std::uint32_t log_stream_record = 0x4000'0000; ///< + descriptor: what stream it is
inline constexpr std::uint32_t stored_record = 0x5000'0000; ///< + descriptor: its name in the store
inline constexpr std::uint32_t notify_record = 0x6000'0000; ///< + descriptor: a message that was read and is not in a unit's record yet
inline constexpr std::uint32_t unit_records_end = 0x4000'0000;

using Records = std::vector<std::pair<std::uint32_t, std::string>>;

/// PID 1's: more would cost memory for tables and buy nothing.
inline constexpr std::uint32_t descriptors_at_most = 65536;

class Checkpoint {
  public:
    /// The formats that adopt() reads; create() makes the newest. tests/data/checkpoint-N is one of format N.
    static constexpr std::uint32_t oldest_format = 1, newest_format = 2;

    /// A fresh memfd with room for descriptors below `fd_capacity`.
    static base::Result<Checkpoint> create(std::uint32_t fd_capacity);
    /// Takes up the memfd that the image before left open. One of an older format is copied into a new one.
    static base::Result<Checkpoint> adopt(sys::UniqueFd memfd);
    /// Only what the image before has noted of its end, before anything else is touched. Nothing where it cannot be read.
    static std::optional<CrashNote> peek(int memfd);

    Checkpoint(Checkpoint&&) noexcept;
    Checkpoint& operator=(Checkpoint&&) = delete;
    ~Checkpoint();

    int fd() const { return memfd_.get(); }

    /// Writes record `key`; false (and the older contents kept) when memory for it cannot be had.
    bool write(std::uint32_t key, std::string_view bytes);
    void erase(std::uint32_t key);
    bool has(std::uint32_t key) const { return extents_.contains(key); }
    /// Every record in the order of keys.
    Records read_all() const;

    /// Intent first: called before the descriptor's process is made. False when the number is out of range.
    bool keep(const FdEntry& entry);
    void set_pid(int fd, int pid);
    void forget(int fd);
    std::vector<FdEntry> kept() const;
    /// Async-signal-safe: calls `visit` with every kept descriptor.
    void for_each_fd(void (*visit)(int fd)) const;

    CrashNote& crash() const; ///< in the shared memory

    /// What adopt() found to be unusable.
    struct Damage {
        std::uint32_t lost = 0;        ///< records of which no copy was whole, and gaps where some may have been
        std::uint32_t older = 0;       ///< records whose newer copy was not whole: the one before it counts
        std::uint32_t descriptors = 0; ///< entries of the table
        std::uint32_t foreign = 0;     ///< of those, what is no entry of ours at all, rather than one whose descriptor is not open
        bool any() const { return lost != 0 || older != 0 || descriptors != 0; }
    };
    const Damage& damage() const { return damage_; }

  private:
    Checkpoint() = default;
    base::Result<void> map(std::size_t size);
    bool grow(std::size_t size);
    void scan_extents(std::uint64_t end);
    void scan_table(std::uint32_t end);
    void note_kept(std::uint32_t fd, bool kept);
    void set_used(std::uint64_t used);
    void set_fd_high(std::uint32_t high);
    void retire(std::uint64_t at);
    std::uint64_t take_free(std::size_t size); ///< 0 = none

    sys::UniqueFd memfd_;
    void* base_ = nullptr;
    std::size_t size_ = 0;
    /// Which descriptors are kept, beside the file: the crash handler may not depend on what a stray write has hit.
    std::vector<std::uint64_t> kept_;
    std::uint32_t fd_high_ = 0;
    Damage damage_;
    std::unordered_map<std::uint32_t, std::uint64_t> extents_; ///< key -> offset
    std::multimap<std::uint32_t, std::uint64_t> free_;         ///< capacity -> offset, of those that are not live
};

/// What format 1 held, where its bytes are plausible. checkpoint_v1.cpp.
struct OldCheckpoint {
    std::uint32_t fd_capacity = 0;
    CrashNote crash;
    Records records;
    std::vector<FdEntry> kept;
};
base::Result<OldCheckpoint> read_format_1(std::string_view bytes);

} // namespace monoinit::runtime
