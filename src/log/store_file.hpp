#pragma once
// The files of the log store. All numbers are in host byte order (little-endian on every platform we build for).
//
//   NNNNNNNNNNNNNNNN.open   [FileHead] [block] [block] …            being written: a block is what one write() brought, compressed if it is large
//   NNNNNNNNNNNNNNNN.log    [FileHead] [block] … [index] [FileTail]  finished: large blocks, perhaps compressed by LZ4
//
// The number (hexadecimal) counts up and gives the order. A block is a BlockHead and its payload: records as stored_record.hpp has them,
// one after the other. Files are only appended to and never changed; a finished one is written beside, as NNNN.new, and then renamed over
// nothing, after which the open one is removed: so where both exist, the finished one counts. A reader stops in an open
// file at the first block that is not whole: that is where the writer was killed, or is writing now.
// The index is an accelerator: names of all units in the file, for each block its place, its head, and the units in it, and how many bytes
// each unit's records have.
// Tested by tests/unit/log/store_file_test.cpp.

#include "base/result.hpp"
#include "base/string_map.hpp"
#include "log/record.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::log {

using BootId = std::array<std::uint8_t, 16>;

inline constexpr std::size_t sealed_block = 128UL << 10; ///< payload a finished file's blocks have, about
inline constexpr std::uint32_t largest_block = 64U << 20; ///< what a reader believes

struct FileHead {
    std::array<char, 8> magic;
    std::uint32_t version;
    std::uint32_t reserved;
    BootId boot;
    std::uint64_t number;
    std::uint64_t created_wall_us;
    std::uint64_t checksum; ///< of what is before
};
static_assert(sizeof(FileHead) == 56);

struct BlockHead {
    std::uint32_t magic;
    std::uint32_t stored_size; ///< payload in the file
    std::uint32_t raw_size;    ///< payload as records; equal: not compressed
    std::uint32_t count;
    std::uint64_t first_cursor, last_cursor;
    std::uint64_t min_wall_us, max_wall_us;
    std::uint32_t priorities; ///< bit N: lines of priority N are in it
    std::uint32_t reserved;
    std::uint64_t checksum;   ///< of the payload as stored, and of this head before it
};
static_assert(sizeof(BlockHead) == 64);

/// One block of a finished file, as its index has it.
struct IndexEntry {
    std::uint64_t offset = 0;
    BlockHead head{};
    std::vector<std::uint16_t> units; ///< numbers of FileIndex::units; one beyond: units without a number
};
struct FileIndex {
    std::vector<std::string> units;
    std::vector<std::uint64_t> unit_bytes; ///< of their records, by the same numbers; empty: not known
    std::vector<IndexEntry> blocks;
};

FileHead make_file_head(const BootId& boot, std::uint64_t number, std::uint64_t wall_us);
std::optional<FileHead> read_file_head(std::string_view file);

/// The units of one file, numbered. Beyond 65,535 they share a number, which no name has.
class UnitNumbers {
  public:
    std::uint16_t of(std::string_view unit);
    const std::vector<std::string>& names() const { return names_; }

  private:
    std::vector<std::string> names_;
    base::StringMap<std::uint16_t> numbers_;
    std::string last_;
    std::uint16_t last_number_ = 0;
};

/// What some records hold: a block's head but for its stored_size and checksum, and whose they are.
struct Summary {
    BlockHead head{};
    std::vector<std::uint16_t> units;
    std::vector<std::uint64_t> unit_bytes; ///< of their records, in the same order

    void add(const Summary& next);
};
/// Looks at whole records from the front: `limit` bytes of them, but one at least. head.raw_size says how far it came; 0: there is none.
Summary summarize(std::string_view records, std::size_t limit, UnitNumbers& numbers);

/// Completes the head of a block that has this payload.
BlockHead finished_head(const Summary& summary, std::string_view stored);
/// Appends a block of `records`, which `summary` is of. `compress`: where it becomes smaller and this build can.
void append_block(std::string& out, std::string_view records, const Summary& summary, bool compress);
/// The head of the block at `offset` of `file`; nothing when none is there whole. The payload is not looked at.
std::optional<BlockHead> read_block_head(std::string_view file, std::uint64_t offset);
/// Its records, checked: views into `file`, or into `buffer` when they had to be decompressed.
std::optional<std::string_view> read_block(std::string_view file, std::uint64_t offset, const BlockHead& head, std::string& buffer);

/// Index and FileTail.
void append_index(std::string& out, const FileIndex& index, std::uint64_t offset);
std::optional<FileIndex> read_index(std::string_view file);
/// Whether this build compresses.
bool can_compress();

/// Builds a finished file out of blocks. The caller writes out() and clears it, whenever it likes.
class FileBuilder {
  public:
    FileBuilder(const BootId& boot, std::uint64_t number, std::uint64_t wall_us, bool compress);
    void add(std::string_view records, const Summary& summary);
    /// A block as it stands in another file, its head included.
    void add_whole(std::string_view block, const Summary& summary);
    void finish(std::vector<std::string> units);

    std::string& out() { return out_; }

  private:
    void note(const BlockHead& head, const Summary& summary, std::size_t size);

    bool compress_;
    std::string out_;
    std::uint64_t offset_ = 0; ///< of the file, where out_ ends
    FileIndex index_;
};

// ---- names ----

inline constexpr std::string_view open_suffix = ".open", finished_suffix = ".log", fresh_suffix = ".new";

struct StoreFileName {
    std::uint64_t number = 0;
    bool open = false;
};
std::string store_file_name(std::uint64_t number, std::string_view suffix);
/// Nothing for anything else's file, and for one that was being finished (".new").
std::optional<StoreFileName> parse_store_file_name(std::string_view name);

} // namespace monoinit::log
