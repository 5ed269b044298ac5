// Tested by tests/unit/log/store_thinning_test.cpp.

#include "log/store_thinning.hpp"

#include "log/stored_record.hpp"

#include <algorithm>

namespace monoinit::log {
namespace {

constexpr std::uint64_t most_of_unit = 256 << 10, most_of_all = 8 << 20;
constexpr std::uint64_t part_of_store = 4; ///< one in so many
constexpr std::size_t written_at_once = 256 << 10;

using BlockVisitor = std::function<bool(std::string_view records)>;

/// False when the visitor said so.
bool for_each_block(std::string_view file, std::string& buffer, const BlockVisitor& visit) {
    std::uint64_t offset = sizeof(FileHead);
    while (const auto head = read_block_head(file, offset)) {
        const auto records = read_block(file, offset, *head, buffer);
        if (records && !visit(*records))
            return false;
        offset += sizeof(BlockHead) + head->stored_size;
    }
    return true;
}

} // namespace

UnitBytes unit_bytes_of(std::string_view file) {
    UnitBytes bytes;
    if (const auto index = read_index(file); index && index->unit_bytes.size() == index->units.size()) {
        for (std::size_t i = 0; i < index->units.size(); i++)
            bytes[index->units[i]] += index->unit_bytes[i];
        return bytes;
    }
    std::string buffer;
    (void)for_each_block(file, buffer, [&](std::string_view records) {
        while (const auto record = take_stored(records))
            bytes[std::string(record->unit)] += stored_size(*record);
        return true;
    });
    return bytes;
}

std::uint64_t unit_share(const StoreLimits& limits, std::size_t units) {
    const std::uint64_t all = limits.max_use == 0 ? most_of_all : std::min(most_of_all, limits.max_use / part_of_store);
    return std::min(most_of_unit, all / std::max<std::size_t>(units, 1));
}

UnitBytes bytes_to_drop(const UnitBytes& bytes, const UnitBytes& newer, std::uint64_t share) {
    UnitBytes drop;
    for (const auto& [unit, here] : bytes) {
        const auto elsewhere = newer.find(unit);
        const std::uint64_t said = elsewhere == newer.end() ? 0 : elsewhere->second;
        drop[unit] = here - std::min(here, share - std::min(share, said));
    }
    return drop;
}

bool thin_files(std::span<const std::string_view> files, UnitBytes drop, FileBuilder& builder, const std::function<bool(std::string& piece)>& write) {
    std::string buffer, kept;
    UnitNumbers numbers;
    bool any = false;
    const auto flush = [&] {
        if (!kept.empty()) {
            builder.add(kept, summarize(kept, kept.size(), numbers));
            any = true;
        }
        kept.clear();
        return builder.out().size() < written_at_once || write(builder.out());
    };
    for (const std::string_view file : files) {
        const bool written = for_each_block(file, buffer, [&](std::string_view records) {
            for (std::string_view rest = records; const auto record = take_stored(rest);) {
                const std::size_t size = stored_size(*record);
                const auto found = drop.find(record->unit);
                if (found == drop.end())
                    continue;
                if (found->second > 0)
                    found->second -= std::min<std::uint64_t>(found->second, size);
                else
                    kept.append(records.substr(records.size() - rest.size() - size, size));
            }
            return kept.size() < sealed_block || flush();
        });
        if (!written)
            return false;
    }
    if (!flush() || !any)
        return false;
    builder.finish(numbers.names());
    return write(builder.out());
}

} // namespace monoinit::log
