// Tested by tests/unit/log/store_reader_test.cpp.

#include "log/store_reader.hpp"

#include "log/store_directory.hpp"
#include "log/stored_record.hpp"

#include <algorithm>
#include <cstring>
#include <fcntl.h>

namespace monoinit::log {

base::Result<StoreReader> StoreReader::open(const std::string& directory) {
    StoreReader reader(directory);
    reader.directory_.reset(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!reader.directory_)
        return base::fail_errno(errno, directory);
    reader.refresh();
    return reader;
}

void StoreReader::refresh() {
    std::vector<File> fresh;
    for (const StoreFileInfo& info : list_store_files(directory_.get())) {
        const auto known = std::ranges::find_if(files_, [&](const File& file) { return file.number == info.number && !file.open && !info.open; });
        if (known != files_.end()) {
            fresh.push_back(std::move(*known));
            continue;
        }
        File& file = fresh.emplace_back();
        file.number = info.number;
        file.open = info.open;
    }
    files_ = std::move(fresh);
    if (!files_.empty())
        (void)load(files_.back()); // what it holds now is what is seen until the next refresh
}

/// False: there is nothing in it that can be read.
bool StoreReader::load(File& file) {
    if (file.tried)
        return file.map.has_value();
    file.tried = true;
    auto map = StoreMap::map(directory_.get(), store_file_name(file.number, file.open ? open_suffix : finished_suffix));
    if (!map && file.open) { // finished meanwhile
        map = StoreMap::map(directory_.get(), store_file_name(file.number, finished_suffix));
        file.open = !map;
    }
    if (!map)
        return false;
    const auto head = read_file_head(map->bytes());
    if (!head)
        return false;
    file.head = *head;
    if (auto index = file.open ? std::nullopt : read_index(map->bytes())) {
        file.index = std::move(*index);
        file.indexed = true;
    } else {
        std::uint64_t offset = sizeof(FileHead);
        while (const auto block = read_block_head(map->bytes(), offset)) {
            file.index.blocks.push_back({offset, *block, {}});
            offset += sizeof(BlockHead) + block->stored_size;
        }
    }
    file.map = std::move(*map);
    return true;
}

bool StoreReader::wanted(const Selection& selection, const File& file) const {
    if (selection.boot && *selection.boot != file.head.boot)
        return false;
    if (selection.after && start_found_ && file.number < start_number_)
        return false;
    return true;
}

bool StoreReader::wanted(const Selection& selection, const File& file, const IndexEntry& block, const std::vector<bool>& units) const {
    if (block.head.max_wall_us < selection.since_us || block.head.min_wall_us > selection.until_us)
        return false;
    const std::uint32_t priorities = ((2U << selection.max_priority) - 1) & ~((1U << selection.min_priority) - 1);
    if ((block.head.priorities & priorities) == 0)
        return false;
    if (selection.after && start_found_ && file.number <= start_last_ && block.head.last_cursor < selection.after->cursor)
        return false;
    if (!file.indexed || selection.units.empty())
        return true;
    return std::ranges::any_of(block.units, [&](std::uint16_t unit) { return unit >= units.size() || units[unit]; });
}

std::optional<std::string_view> StoreReader::records_of(const Selection& selection, const File& file, const IndexEntry& block) {
    const auto records = read_block(file.map->bytes(), block.offset, block.head, buffer_);
    if (!records || !selection.grep)
        return records;
    const std::string_view literal = selection.grep->literal();
    if (!literal.empty() && ::memmem(records->data(), records->size(), literal.data(), literal.size()) == nullptr)
        return std::nullopt;
    return records;
}

/// Whether the record is beyond Selection::after.
bool StoreReader::after(const Selection& selection, const File& file, const Record& record) const {
    if (!selection.after)
        return true;
    const Position& start = *selection.after;
    if (!start_found_)
        return record.wall_us >= start.wall_us;
    return file.number > start_last_ || record.cursor > start.cursor || (start.including && record.cursor == start.cursor);
}

void StoreReader::find_start(const Selection& selection) {
    start_found_ = false;
    if (!selection.after)
        return;
    for (File& file : files_)
        if (load(file) && file.head.boot == selection.after->boot) {
            if (!start_found_)
                start_number_ = file.number;
            start_found_ = true;
            start_last_ = file.number;
        }
}

namespace {

std::vector<bool> wanted_units(const Selection& selection, const FileIndex& index) {
    std::vector<bool> wanted;
    for (const std::string& unit : index.units)
        wanted.push_back(selects_unit(selection, unit));
    return wanted;
}

} // namespace

void StoreReader::forward(const Selection& selection, const Visitor& visitor) {
    find_start(selection);
    BootId boot{};
    std::uint64_t last = 0; // what was written twice comes once
    for (File& file : files_) {
        if (!load(file) || !wanted(selection, file))
            continue;
        if (file.head.boot != boot)
            last = 0;
        boot = file.head.boot;
        const std::vector<bool> units = wanted_units(selection, file.index);
        for (const IndexEntry& block : file.index.blocks) {
            if (!wanted(selection, file, block, units))
                continue;
            auto records = records_of(selection, file, block);
            if (!records)
                continue;
            while (const auto record = take_stored(*records)) {
                if (record->cursor <= last)
                    continue;
                last = record->cursor;
                if (after(selection, file, *record) && selects(selection, *record, boot) && !visitor(*record, boot))
                    return;
            }
        }
    }
}

void StoreReader::backward(const Selection& selection, const Visitor& visitor) {
    find_start(selection);
    BootId boot{};
    std::uint64_t first = 0;
    std::vector<Record> in_block;
    for (auto file = files_.rbegin(); file != files_.rend(); file++) {
        if (!load(*file) || !wanted(selection, *file))
            continue;
        if (file->head.boot != boot)
            first = std::numeric_limits<std::uint64_t>::max();
        boot = file->head.boot;
        const std::vector<bool> units = wanted_units(selection, file->index);
        for (auto block = file->index.blocks.rbegin(); block != file->index.blocks.rend(); block++) {
            if (!wanted(selection, *file, *block, units))
                continue;
            auto records = records_of(selection, *file, *block);
            in_block.clear();
            while (records) {
                const auto record = take_stored(*records);
                if (!record)
                    break;
                in_block.push_back(*record);
            }
            for (auto record = in_block.rbegin(); record != in_block.rend(); record++) {
                if (record->cursor >= first)
                    continue;
                first = record->cursor;
                if (after(selection, *file, *record) && selects(selection, *record, boot) && !visitor(*record, boot))
                    return;
            }
        }
    }
}

std::optional<Position> StoreReader::end() {
    for (auto file = files_.rbegin(); file != files_.rend(); file++)
        if (load(*file) && !file->index.blocks.empty()) {
            const BlockHead& head = file->index.blocks.back().head;
            return Position{file->head.boot, head.last_cursor, head.max_wall_us, false};
        }
    return std::nullopt;
}

std::vector<StoreReader::Boot> StoreReader::boots() {
    std::vector<Boot> boots;
    for (File& file : files_) {
        if (!load(file) || file.index.blocks.empty())
            continue;
        if (boots.empty() || boots.back().id != file.head.boot)
            boots.push_back({file.head.boot, file.index.blocks.front().head.min_wall_us, 0});
        boots.back().last_us = file.index.blocks.back().head.max_wall_us;
    }
    return boots;
}

bool StoreReader::verify(std::string_view name) {
    for (File& file : files_) {
        if (store_file_name(file.number, file.open ? open_suffix : finished_suffix) != name)
            continue;
        return load(file) && (file.open || file.indexed) && std::ranges::all_of(file.index.blocks, [&](const IndexEntry& block) {
                   return read_block(file.map->bytes(), block.offset, block.head, buffer_).has_value();
               });
    }
    return false;
}

std::vector<StoreReader::FileFacts> StoreReader::files() {
    std::vector<FileFacts> all;
    for (File& file : files_) {
        FileFacts& facts = all.emplace_back();
        facts.name = store_file_name(file.number, file.open ? open_suffix : finished_suffix);
        facts.open = file.open;
        if (!load(file))
            continue;
        facts.bytes = file.map->bytes().size();
        facts.boot = file.head.boot;
        facts.indexed = file.indexed;
        facts.blocks = file.index.blocks.size();
        for (const IndexEntry& block : file.index.blocks) {
            facts.lines += block.head.count;
            facts.raw_bytes += block.head.raw_size;
            facts.first_us = facts.first_us == 0 ? block.head.min_wall_us : std::min(facts.first_us, block.head.min_wall_us);
            facts.last_us = std::max(facts.last_us, block.head.max_wall_us);
        }
    }
    return all;
}

} // namespace monoinit::log
