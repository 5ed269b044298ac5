// Blocks of recent lines. A block: header, the unit's name, records. A record is committed by moving the block's `used`
// behind it. A text that is longer than a block goes on in further records of the same cursor.
// Tested by tests/unit/log/recent_store_test.cpp.

#include "log/recent_store.hpp"

#include "base/strings.hpp"
#include "log/protocol.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <queue>

namespace monoinit::log {
namespace {

struct BlockHeader {
    std::atomic<std::uint32_t> used; ///< bytes with header and name; 0 = free
    std::uint32_t name_size;
    std::uint64_t first_cursor, last_cursor;
};

struct RecordHeader {
    std::uint64_t cursor, wall_us, mono_us;
    std::uint32_t pid;
    std::uint16_t text_size;
    std::uint8_t identifier_size, priority;
    std::uint8_t flags;
};

enum : std::uint8_t { own_flag = 1, continues_flag = 2, continued_flag = 4, more_flag = 8, rest_flag = 16 };

BlockHeader& header_of(Block& block) { return *reinterpret_cast<BlockHeader*>(block.bytes.data()); }

std::string_view name_of(Block& block) {
    const std::size_t size = std::min<std::size_t>(header_of(block).name_size, max_name);
    return {block.bytes.data() + sizeof(BlockHeader), size};
}

std::size_t start_of(Block& block) { return sizeof(BlockHeader) + name_of(block).size(); }

/// The record at `at`; moves `at` behind it. Nothing when the block has no more (or holds garbage).
struct Parsed {
    RecordHeader header;
    std::string_view identifier, text;
};
std::optional<Parsed> parse(Block& block, std::size_t& at) {
    const std::size_t used = std::min<std::size_t>(header_of(block).used.load(std::memory_order_acquire), block_size);
    if (at + sizeof(RecordHeader) > used)
        return std::nullopt;
    Parsed parsed;
    std::memcpy(&parsed.header, block.bytes.data() + at, sizeof(RecordHeader));
    const std::size_t size = std::size_t{parsed.header.identifier_size} + parsed.header.text_size;
    const char* bytes = block.bytes.data() + at + sizeof(RecordHeader);
    if (at + sizeof(RecordHeader) + size > used)
        return std::nullopt;
    parsed.identifier = {bytes, parsed.header.identifier_size};
    parsed.text = {bytes + parsed.identifier.size(), parsed.header.text_size};
    at += sizeof(RecordHeader) + size;
    return parsed;
}

bool passes(const Filter& filter, const Record& record) {
    return record.priority <= filter.max_priority && (filter.own || !record.own) &&
           record.wall_us >= filter.since_wall_us;
}

} // namespace

/// Reads one unit's lines in order, joining those that were cut to fit blocks.
class RecentStore::Walk {
  public:
    Walk(const RecentStore& store, const Unit& unit, std::uint64_t after) : store_(&store), unit_(&unit) {
        // The last block that begins at or before the cursor may hold what follows it.
        while (block_ + 1 < unit.blocks.size() && header_of(current()).first_cursor <= after &&
               header_of(store.memory_.block(unit.blocks[block_ + 1])).first_cursor <= after)
            block_++;
        at_ = unit.blocks.empty() ? 0 : start_of(current());
        while (next() && record_.cursor <= after) {
        }
    }

    bool next() {
        valid_ = false;
        while (const auto part = next_part()) {
            const bool rest = (part->header.flags & rest_flag) != 0;
            if (rest && !joining_)
                continue; // its beginning is gone
            if (!rest) { // also when the rest of the former never came
                joined_.clear();
                joining_ = false;
            }
            const bool more = (part->header.flags & more_flag) != 0;
            if (more || joining_)
                joined_.append(part->text);
            fill(*part, joining_ || more ? std::string_view(joined_) : part->text);
            joining_ = more;
            if (!more)
                return valid_ = true;
        }
        return false;
    }

    bool valid() const { return valid_; }
    const Record& record() const { return record_; }

  private:
    Block& current() const { return store_->memory_.block(unit_->blocks[block_]); }

    std::optional<Parsed> next_part() {
        while (block_ < unit_->blocks.size()) {
            if (const auto parsed = parse(current(), at_))
                return parsed;
            if (++block_ < unit_->blocks.size())
                at_ = start_of(current());
        }
        return std::nullopt;
    }

    void fill(const Parsed& part, std::string_view text) {
        const RecordHeader& header = part.header;
        record_ = Record{};
        record_.cursor = header.cursor;
        record_.wall_us = header.wall_us;
        record_.mono_us = header.mono_us;
        record_.priority = header.priority;
        record_.own = (header.flags & own_flag) != 0;
        record_.continues = (header.flags & continues_flag) != 0;
        record_.continued = (header.flags & continued_flag) != 0;
        record_.pid = header.pid;
        record_.unit = unit_->name;
        record_.identifier = part.identifier;
        record_.text = text;
    }

    const RecentStore* store_;
    const Unit* unit_;
    std::size_t block_ = 0;
    std::size_t at_ = 0;
    Record record_;
    std::string joined_;
    bool joining_ = false;
    bool valid_ = false;
};

RecentStore::RecentStore(SharedMemory& memory, std::size_t limit)
    : memory_(memory), next_cursor_(memory.header().next_cursor), limit_(std::min(limit, block_count)) {
    recover();
}

void RecentStore::recover() {
    const auto touched = static_cast<std::size_t>(std::min<std::uint64_t>(memory_.header().blocks_touched, limit_));
    for (std::size_t i = 0; i < touched; i++) {
        Block& block = memory_.block(i);
        if (header_of(block).used == 0) {
            free_.push_back(i);
            continue;
        }
        Unit& unit = unit_of(name_of(block));
        unit.blocks.push_back(i);
        unit.last_cursor = std::max(unit.last_cursor, header_of(block).last_cursor);
        next_cursor_ = std::max(next_cursor_.load(), unit.last_cursor + 1);
    }
    for (auto& [name, unit] : units_)
        std::sort(unit.blocks.begin(), unit.blocks.end(), [this](std::size_t a, std::size_t b) {
            return header_of(memory_.block(a)).first_cursor < header_of(memory_.block(b)).first_cursor;
        });
}

RecentStore::Unit& RecentStore::unit_of(std::string_view name) {
    if (last_unit_ != nullptr && last_unit_->name == name)
        return *last_unit_;
    auto found = units_.find(name);
    if (found == units_.end()) {
        if (units_.size() >= 2 * limit_) // units that come and go under ever new names
            std::erase_if(units_, [](const auto& entry) { return entry.second.blocks.empty(); });
        found = units_.emplace(std::string(name), Unit{}).first;
        found->second.name = found->first;
    }
    last_unit_ = &found->second;
    return *last_unit_;
}

std::uint64_t RecentStore::append(const Record& record) {
    Unit& unit = unit_of(record.unit.empty() ? own_unit : record.unit.substr(0, max_name));
    const std::uint64_t cursor = next_cursor_.load(std::memory_order_relaxed);
    RecordHeader header{};
    header.cursor = cursor;
    header.wall_us = record.wall_us;
    header.mono_us = record.mono_us;
    header.pid = record.pid;
    header.priority = record.priority;
    header.flags = static_cast<std::uint8_t>((record.own ? own_flag : 0) | (record.continues ? continues_flag : 0) |
                                             (record.continued ? continued_flag : 0));
    const std::string_view identifier = record.identifier.substr(0, 255);
    header.identifier_size = static_cast<std::uint8_t>(identifier.size());

    std::string_view text = record.text;
    const std::size_t overhead = sizeof header + identifier.size();
    for (;;) {
        std::size_t used = block_size;
        if (!unit.blocks.empty())
            used = header_of(memory_.block(unit.blocks.back())).used.load(std::memory_order_relaxed);
        if (used + overhead + std::min<std::size_t>(text.size(), 256) > block_size) {
            const std::size_t index = new_block(unit, cursor);
            used = header_of(memory_.block(index)).used.load(std::memory_order_relaxed);
        }
        Block& block = memory_.block(unit.blocks.back());
        const std::string_view part = text.substr(0, block_size - used - overhead);
        text.remove_prefix(part.size());
        header.text_size = static_cast<std::uint16_t>(part.size());
        header.flags = static_cast<std::uint8_t>(text.empty() ? header.flags & ~more_flag : header.flags | more_flag);
        char* to = block.bytes.data() + used;
        std::memcpy(to, &header, sizeof header);
        std::ranges::copy(identifier, to + sizeof header);
        std::ranges::copy(part, to + overhead);
        header_of(block).used.store(static_cast<std::uint32_t>(used + overhead + part.size()), std::memory_order_release);
        header_of(block).last_cursor = cursor;
        header.flags |= rest_flag;
        if (text.empty())
            break;
    }
    unit.last_cursor = cursor;
    next_cursor_.store(cursor + 1, std::memory_order_release);
    return cursor;
}

std::size_t RecentStore::new_block(Unit& unit, std::uint64_t first_cursor) {
    if (unit.blocks.size() >= blocks_per_unit)
        evict_oldest(unit);
    const std::size_t index = victim_block();
    Block& block = memory_.block(index);
    BlockHeader& header = header_of(block);
    header.name_size = static_cast<std::uint32_t>(unit.name.size());
    header.first_cursor = header.last_cursor = first_cursor;
    std::memcpy(block.bytes.data() + sizeof header, unit.name.data(), unit.name.size());
    header.used.store(static_cast<std::uint32_t>(start_of(block)), std::memory_order_release);
    unit.blocks.push_back(index);
    return index;
}

std::size_t RecentStore::victim_block() {
    if (free_.empty()) {
        Word& touched = memory_.header().blocks_touched;
        if (touched < limit_)
            return static_cast<std::size_t>(touched.fetch_add(1));
        // The unit with the most; among equals the one that has been silent longest.
        const auto poorer = [](const auto& a, const auto& b) {
            return a.second.blocks.size() != b.second.blocks.size() ? a.second.blocks.size() < b.second.blocks.size()
                                                                    : a.second.last_cursor > b.second.last_cursor;
        };
        evict_oldest(std::max_element(units_.begin(), units_.end(), poorer)->second);
    }
    const std::size_t index = free_.back();
    free_.pop_back();
    return index;
}

void RecentStore::evict_oldest(Unit& unit) {
    const std::size_t index = unit.blocks.front();
    Block& block = memory_.block(index);
    unit.evicted_cursor = header_of(block).last_cursor;
    header_of(block).used.store(0, std::memory_order_release);
    unit.blocks.pop_front();
    free_.push_back(index);
}

bool RecentStore::selected(const Filter& filter, const Unit& unit) const {
    return filter.units.empty() || std::any_of(filter.units.begin(), filter.units.end(), [&](const std::string& pattern) {
               return pattern == unit.name || base::glob_match(pattern, unit.name);
           });
}

void RecentStore::visit(const Filter& filter, std::uint64_t after_cursor, const Visitor& visitor) const {
    std::vector<Walk> walks;
    walks.reserve(units_.size()); // records point into their walk
    for (const auto& [name, unit] : units_)
        if (unit.last_cursor > after_cursor && selected(filter, unit))
            walks.emplace_back(*this, unit, after_cursor);
    const auto later = [](const Walk* a, const Walk* b) { return a->record().cursor > b->record().cursor; };
    std::priority_queue<Walk*, std::vector<Walk*>, decltype(later)> queue(later);
    for (Walk& walk : walks)
        if (walk.valid())
            queue.push(&walk);
    while (!queue.empty()) {
        Walk* walk = queue.top();
        queue.pop();
        if (passes(filter, walk->record()) && !visitor(walk->record()))
            return;
        if (walk->next())
            queue.push(walk);
    }
}

std::uint64_t RecentStore::cursor_before_last(const Filter& filter, std::size_t count) const {
    if (count == 0)
        return last_cursor();
    std::deque<std::uint64_t> last;
    visit(filter, 0, [&](const Record& record) {
        last.push_back(record.cursor);
        if (last.size() > count)
            last.pop_front();
        return true;
    });
    return last.empty() ? last_cursor() : last.front() - 1;
}

bool RecentStore::lost_since(const Filter& filter, std::uint64_t cursor) const {
    return std::any_of(units_.begin(), units_.end(), [&](const auto& entry) {
        return entry.second.evicted_cursor > cursor && selected(filter, entry.second);
    });
}

} // namespace monoinit::log
