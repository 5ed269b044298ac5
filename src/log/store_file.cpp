// Tested by tests/unit/log/store_file_test.cpp.

#include "log/store_file.hpp"

#include "base/fmt.hpp"
#include "log/stored_record.hpp"
#include "log/wire.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#if MONOINIT_LZ4
#include <lz4.h>
#endif

namespace monoinit::log {
namespace {

constexpr std::array<char, 8> file_magic{'m', 'o', 'n', 'o', 'l', 'o', 'g', '\n'};
constexpr std::uint32_t file_version = 1;
constexpr std::uint32_t block_magic = 0x4b434c42; // "BLCK"
constexpr std::size_t number_digits = 16;
constexpr std::size_t most_units = 0xffff; ///< of one file; a block that has one beyond is always looked at

struct FileTail {
    std::uint64_t index_offset;
    std::uint32_t index_size;
    std::uint32_t reserved;
    std::uint64_t checksum; ///< of the index
    std::array<char, 8> magic;
};
constexpr std::array<char, 8> tail_magic{'m', 'o', 'n', 'o', 'e', 'n', 'd', '\n'};

/// Against torn and foreign bytes, not against an adversary: who may write here may write anything. Four sums side by
/// side, since a multiplication takes its time.
std::uint64_t checksum_of(std::string_view bytes, std::uint64_t seed = 0) {
    constexpr std::uint64_t factor = 0x9e3779b97f4a7c15ULL;
    constexpr std::size_t lanes = 4;
    std::uint64_t sums[lanes] = {seed, seed + 1, seed + 2, seed + bytes.size()};
    const auto mix = [](std::uint64_t& sum, std::uint64_t word) {
        sum = (sum ^ word) * factor;
        sum ^= sum >> 29;
    };
    std::uint64_t words[lanes];
    for (; bytes.size() >= sizeof words; bytes.remove_prefix(sizeof words)) {
        std::memcpy(words, bytes.data(), sizeof words);
        for (std::size_t i = 0; i < lanes; i++)
            mix(sums[i], words[i]);
    }
    std::memset(words, 0, sizeof words);
    std::memcpy(words, bytes.data(), bytes.size());
    for (std::size_t i = 0; i < lanes; i++)
        mix(sums[i], words[i]);
    for (std::size_t i = 1; i < lanes; i++)
        mix(sums[0], sums[i]);
    return sums[0];
}

template <class T> std::string_view before_checksum(const T& head) {
    return {reinterpret_cast<const char*>(&head), offsetof(T, checksum)};
}

template <class T> std::string_view bytes_of(const T& value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

std::uint64_t block_checksum(const BlockHead& head, std::string_view stored) {
    return checksum_of(stored, checksum_of(before_checksum(head)));
}

/// Appends `records`, compressed; false: it would not become smaller.
bool append_compressed([[maybe_unused]] std::string& out, [[maybe_unused]] std::string_view records) {
#if MONOINIT_LZ4
    constexpr int acceleration = 6; // a quarter less time for an eighth more bytes, of lines as web servers write them
    static thread_local std::vector<char> packed; // cleared once, not for each block
    packed.resize(std::max(packed.size(), records.size()));
    const int size = LZ4_compress_fast(records.data(), packed.data(), static_cast<int>(records.size()), static_cast<int>(records.size()) - 1, acceleration);
    if (size > 0)
        out.append(packed.data(), static_cast<std::size_t>(size));
    return size > 0;
#else
    return false;
#endif
}

bool decompress([[maybe_unused]] std::string_view stored, [[maybe_unused]] std::string& buffer) {
#if MONOINIT_LZ4
    const int size = LZ4_decompress_safe(stored.data(), buffer.data(), static_cast<int>(stored.size()), static_cast<int>(buffer.size()));
    return size >= 0 && static_cast<std::size_t>(size) == buffer.size();
#else
    return false;
#endif
}

} // namespace

bool can_compress() {
#if MONOINIT_LZ4
    return true;
#else
    return false;
#endif
}

FileHead make_file_head(const BootId& boot, std::uint64_t number, std::uint64_t wall_us) {
    FileHead head{file_magic, file_version, 0, boot, number, wall_us, 0};
    head.checksum = checksum_of(before_checksum(head));
    return head;
}

std::optional<FileHead> read_file_head(std::string_view file) {
    FileHead head;
    if (file.size() < sizeof head)
        return std::nullopt;
    std::memcpy(&head, file.data(), sizeof head);
    if (head.magic != file_magic || head.version != file_version || head.checksum != checksum_of(before_checksum(head)))
        return std::nullopt;
    return head;
}

std::uint16_t UnitNumbers::of(std::string_view unit) {
    if (unit == last_ && !names_.empty())
        return last_number_;
    last_ = unit;
    if (const auto found = numbers_.find(unit); found != numbers_.end())
        return last_number_ = found->second;
    if (names_.size() == most_units)
        return last_number_ = static_cast<std::uint16_t>(most_units);
    last_number_ = static_cast<std::uint16_t>(names_.size());
    names_.emplace_back(unit);
    numbers_.emplace(unit, last_number_);
    return last_number_;
}

namespace {

/// Where the unit stands in the summary; it does afterwards.
std::size_t place_of(std::uint16_t unit, Summary& summary) {
    const auto found = std::find(summary.units.begin(), summary.units.end(), unit);
    const auto place = static_cast<std::size_t>(found - summary.units.begin());
    if (found == summary.units.end()) {
        summary.units.push_back(unit);
        summary.unit_bytes.push_back(0);
    }
    return place;
}

} // namespace

void Summary::add(const Summary& next) {
    if (head.count == 0) {
        *this = next;
        return;
    }
    head.raw_size += next.head.raw_size;
    head.count += next.head.count;
    head.last_cursor = next.head.last_cursor;
    head.min_wall_us = std::min(head.min_wall_us, next.head.min_wall_us);
    head.max_wall_us = std::max(head.max_wall_us, next.head.max_wall_us);
    head.priorities |= next.head.priorities;
    for (std::size_t i = 0; i < next.units.size(); i++)
        unit_bytes[place_of(next.units[i], *this)] += next.unit_bytes[i];
}

Summary summarize(std::string_view records, std::size_t limit, UnitNumbers& numbers) {
    Summary summary;
    BlockHead& head = summary.head;
    head.magic = block_magic;
    const char* at = records.data();
    const char* const end = at + records.size();
    std::size_t place = 0;
    while (at < end && (head.count == 0 || static_cast<std::size_t>(at - records.data()) < limit)) {
        StoredHead record;
        if (static_cast<std::size_t>(end - at) < sizeof record)
            break;
        std::memcpy(&record, at, sizeof record);
        if (record.size < sizeof record + record.unit_size || record.size > static_cast<std::size_t>(end - at))
            break;
        const std::uint16_t unit = numbers.of({at + sizeof record, record.unit_size});
        if (summary.units.empty() || unit != summary.units[place])
            place = place_of(unit, summary);
        summary.unit_bytes[place] += record.size;
        if (head.count++ == 0) {
            head.first_cursor = record.cursor;
            head.min_wall_us = head.max_wall_us = record.wall_us;
        }
        head.last_cursor = record.cursor;
        head.min_wall_us = std::min(head.min_wall_us, record.wall_us);
        head.max_wall_us = std::max(head.max_wall_us, record.wall_us);
        head.priorities |= 1U << (record.priority & 7U);
        at += record.size;
    }
    head.raw_size = static_cast<std::uint32_t>(at - records.data());
    return summary;
}

BlockHead finished_head(const Summary& summary, std::string_view stored) {
    BlockHead head = summary.head;
    head.stored_size = static_cast<std::uint32_t>(stored.size());
    head.checksum = block_checksum(head, stored);
    return head;
}

void append_block(std::string& out, std::string_view records, const Summary& summary, bool compress) {
    const std::size_t at = out.size(), payload = at + sizeof(BlockHead);
    out.append(sizeof(BlockHead), '\0');
    if (!compress || !append_compressed(out, records))
        out.append(records);
    const BlockHead head = finished_head(summary, std::string_view(out).substr(payload));
    std::memcpy(out.data() + at, &head, sizeof head);
}

std::optional<BlockHead> read_block_head(std::string_view file, std::uint64_t offset) {
    BlockHead head;
    if (offset > file.size() || file.size() - offset < sizeof head)
        return std::nullopt;
    std::memcpy(&head, file.data() + offset, sizeof head);
    const bool whole = head.magic == block_magic && head.raw_size <= largest_block && head.stored_size <= head.raw_size &&
                       head.stored_size <= file.size() - offset - sizeof head;
    return whole ? std::optional(head) : std::nullopt;
}

std::optional<std::string_view> read_block(std::string_view file, std::uint64_t offset, const BlockHead& head, std::string& buffer) {
    const std::string_view stored = file.substr(offset + sizeof head, head.stored_size);
    if (stored.size() != head.stored_size || head.checksum != block_checksum(head, stored))
        return std::nullopt;
    if (head.stored_size == head.raw_size)
        return stored;
    buffer.resize(head.raw_size);
    return decompress(stored, buffer) ? std::optional<std::string_view>(buffer) : std::nullopt;
}

void append_index(std::string& out, const FileIndex& index, std::uint64_t offset) {
    std::string packed;
    Packer pack(packed);
    pack.number(static_cast<std::uint32_t>(index.units.size()));
    for (const std::string& unit : index.units)
        pack.text(unit);
    pack.number(static_cast<std::uint32_t>(index.blocks.size()));
    for (const IndexEntry& block : index.blocks) {
        pack.number(block.offset);
        packed.append(bytes_of(block.head));
        pack.text(std::string_view(reinterpret_cast<const char*>(block.units.data()), block.units.size() * sizeof(std::uint16_t)));
    }
    pack.number(static_cast<std::uint32_t>(index.unit_bytes.size()));
    for (const std::uint64_t bytes : index.unit_bytes)
        pack.number(bytes);
    const FileTail tail{offset, static_cast<std::uint32_t>(packed.size()), 0, checksum_of(packed), tail_magic};
    out.append(packed).append(bytes_of(tail));
}

std::optional<FileIndex> read_index(std::string_view file) {
    FileTail tail;
    if (file.size() < sizeof tail)
        return std::nullopt;
    std::memcpy(&tail, file.data() + file.size() - sizeof tail, sizeof tail);
    const std::uint64_t end = file.size() - sizeof tail;
    if (tail.magic != tail_magic || tail.index_offset > end || end - tail.index_offset != tail.index_size)
        return std::nullopt;
    const std::string_view packed = file.substr(tail.index_offset, tail.index_size);
    if (tail.checksum != checksum_of(packed))
        return std::nullopt;
    FileIndex index;
    Unpacker in(packed);
    for (auto units = in.number<std::uint32_t>(); units > 0 && !in.failed(); units--)
        index.units.emplace_back(in.text());
    for (auto blocks = in.number<std::uint32_t>(); blocks > 0 && !in.failed(); blocks--) {
        IndexEntry& block = index.blocks.emplace_back();
        block.offset = in.number<std::uint64_t>();
        block.head = in.number_like<BlockHead>();
        const std::string_view units = in.text();
        block.units.resize(units.size() / sizeof(std::uint16_t));
        std::memcpy(block.units.data(), units.data(), block.units.size() * sizeof(std::uint16_t));
    }
    if (in.more()) // files of an earlier version end here
        for (auto units = in.number<std::uint32_t>(); units > 0 && !in.failed(); units--)
            index.unit_bytes.push_back(in.number<std::uint64_t>());
    return in.failed() ? std::nullopt : std::optional(std::move(index));
}

// ---- building a finished file ----------------------------------------------------------------------------------------

FileBuilder::FileBuilder(const BootId& boot, std::uint64_t number, std::uint64_t wall_us, bool compress) : compress_(compress) {
    out_.append(bytes_of(make_file_head(boot, number, wall_us)));
    offset_ = out_.size();
}

void FileBuilder::add(std::string_view records, const Summary& summary) {
    const std::size_t before = out_.size();
    append_block(out_, records, summary, compress_);
    BlockHead head;
    std::memcpy(&head, out_.data() + before, sizeof head);
    note(head, summary, out_.size() - before);
}

void FileBuilder::add_whole(std::string_view block, const Summary& summary) {
    BlockHead head;
    std::memcpy(&head, block.data(), sizeof head);
    out_.append(block);
    note(head, summary, block.size());
}

void FileBuilder::note(const BlockHead& head, const Summary& summary, std::size_t size) {
    IndexEntry& entry = index_.blocks.emplace_back();
    entry.offset = offset_;
    entry.head = head;
    entry.units = summary.units;
    for (std::size_t i = 0; i < summary.units.size(); i++) {
        if (index_.unit_bytes.size() <= summary.units[i])
            index_.unit_bytes.resize(summary.units[i] + 1U);
        index_.unit_bytes[summary.units[i]] += summary.unit_bytes[i];
    }
    offset_ += size;
}

void FileBuilder::finish(std::vector<std::string> units) {
    index_.units = std::move(units);
    append_index(out_, index_, offset_);
}

// ---- names -----------------------------------------------------------------------------------------------------------

std::string store_file_name(std::uint64_t number, std::string_view suffix) { return fmt::format("{:016x}{}", number, suffix); }

std::optional<StoreFileName> parse_store_file_name(std::string_view name) {
    if (name.size() <= number_digits)
        return std::nullopt;
    StoreFileName parsed;
    const auto [end, error] = std::from_chars(name.data(), name.data() + number_digits, parsed.number, 16);
    const std::string_view suffix = name.substr(number_digits);
    if (error != std::errc() || end != name.data() + number_digits || (suffix != open_suffix && suffix != finished_suffix))
        return std::nullopt;
    parsed.open = suffix == open_suffix;
    return parsed;
}

} // namespace monoinit::log
