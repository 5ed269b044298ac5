#pragma once
// The recent lines of each unit, in shared memory: blocks of 4 kB, each of one unit and self-describing, so that a
// logger's successor finds them again. A unit has 16 blocks at most (64 kB); when all blocks are taken, the unit that has
// the most gives up its oldest: a noisy unit cannot push out a quiet one's lines.
// Tested by tests/unit/log/recent_store_test.cpp.

#include "log/shared_memory.hpp"
#include "log/store.hpp"

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace monoinit::log {

class RecentStore final : public Store {
  public:
    static constexpr std::size_t blocks_per_unit = 16;

    /// `limit`: of blocks in all, for tests.
    explicit RecentStore(SharedMemory& memory, std::size_t limit = block_count);

    std::uint64_t append(const Record& record) override;
    std::uint64_t last_cursor() const override { return next_cursor_.load() - 1; }
    void visit(const Filter& filter, std::uint64_t after_cursor, const Visitor& visitor) const override;
    std::uint64_t cursor_before_last(const Filter& filter, std::size_t count) const override;
    bool lost_since(const Filter& filter, std::uint64_t cursor) const override;

  private:
    struct Unit {
        std::string name;
        std::deque<std::size_t> blocks; ///< oldest first
        std::uint64_t last_cursor = 0;
        std::uint64_t evicted_cursor = 0; ///< newest line that had to go
    };
    class Walk;

    void recover();
    Unit& unit_of(std::string_view name);
    std::size_t new_block(Unit& unit, std::uint64_t first_cursor);
    std::size_t victim_block();
    void evict_oldest(Unit& unit);
    bool selected(const Filter& filter, const Unit& unit) const;

    SharedMemory& memory_;
    Word& next_cursor_;
    std::size_t limit_;
    std::vector<std::size_t> free_;
    std::map<std::string, Unit, std::less<>> units_;
    Unit* last_unit_ = nullptr;
};

} // namespace monoinit::log
