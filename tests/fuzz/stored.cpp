// Bytes as what lies on a disk or in the memory of a former life: a file of the log store, a record of the checkpoint. The first
// byte chooses. What must hold: what is damaged is refused, and the engine is usable after it.
#include "../unit/engine/build.hpp"
#include "engine/engine.hpp"
#include "log/store_file.hpp"
#include "log/stored_record.hpp"
#include "require.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

using namespace monoinit;

namespace {

void store(const std::string& file) {
    (void)log::read_file_head(file);
    std::string buffer;
    const auto look = [&](std::uint64_t offset) {
        if (const auto head = log::read_block_head(file, offset))
            (void)log::read_block(file, offset, *head, buffer);
    };
    for (std::uint64_t offset = 0; offset < file.size() && offset < 4096; offset += 8)
        look(offset);
    if (const auto index = log::read_index(file))
        for (const log::IndexEntry& block : index->blocks)
            look(block.offset);
}

/// The checksums are right, so that what is below them is reached.
void block(const std::string& records) {
    log::UnitNumbers numbers;
    const log::Summary summary = log::summarize(records, records.size() + 1, numbers);
    if (summary.head.raw_size == 0)
        return;
    const std::string_view whole = std::string_view(records).substr(0, summary.head.raw_size);
    std::string file, buffer;
    log::append_block(file, whole, summary, true);
    const auto head = log::read_block_head(file, 0);
    require(head.has_value());
    const auto again = log::read_block(file, 0, *head, buffer);
    require(again && *again == whole);
}

void checkpoint(const std::string& record) {
    const base::Moment now{base::Instant{std::chrono::seconds(1000)}, std::chrono::seconds(1'774'000'000)};
    engine::Engine engine{engine::EngineOptions{}};
    const std::vector<engine::ConfigPtr> units{test::Build("web.service", unit::UnitType::Service), test::Build("db.service", unit::UnitType::Service),
                                               test::Build("all.target", unit::UnitType::Target)};
    engine.sync(units, true, now);
    (void)engine.restore(record, now);
    (void)engine.restore_globals(record, now);
    (void)engine.handle(engine::Tick{}, now);
    (void)engine.handle(engine::JobRequest{1, graph::JobType::Start, engine.find("web.service"), unit::JobMode::Replace, true}, now);
    for (const base::UnitId id : engine.units())
        (void)engine.save(id);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    constexpr void (*kinds[])(const std::string&) = {store, block, checkpoint};
    kinds[data[0] % std::size(kinds)](bytes);
    return 0;
}
