// Frames between readers and the logger. Either may be of another version, and a reader may be anybody.
// Tested by tests/unit/log.

#include "log/reader_protocol.hpp"

#include "log/wire.hpp"

#include <algorithm>
#include <limits>

namespace monoinit::log {
namespace {

constexpr std::size_t frame_header = 6;
constexpr std::uint32_t all_lines = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t max_units = 1024;

enum : std::uint8_t { own_flag = 1, continues_flag = 2, continued_flag = 4 };

/// Appends a frame whose payload `pack` writes.
template <class Pack> void append_frame(std::string& out, FrameType type, Pack pack) {
    const std::size_t start = out.size();
    Packer packer(out);
    packer.number(std::uint32_t{0}).number(static_cast<std::uint16_t>(type));
    pack(packer);
    const auto size = static_cast<std::uint32_t>(out.size() - start - frame_header);
    std::memcpy(out.data() + start, &size, sizeof size);
}

} // namespace

base::Result<std::optional<Frame>> next_frame(std::string_view bytes, std::size_t limit) {
    if (bytes.size() < frame_header)
        return std::optional<Frame>();
    Unpacker in(bytes);
    const auto size = in.number<std::uint32_t>();
    const auto type = in.number<std::uint16_t>();
    if (size > limit)
        return base::fail(base::Errc::TooLarge, "log protocol: frame too large");
    if (bytes.size() - frame_header < size)
        return std::optional<Frame>();
    return std::optional(Frame{static_cast<FrameType>(type), bytes.substr(frame_header, size), frame_header + size});
}

void append_query(std::string& out, const Query& query) {
    append_frame(out, FrameType::Query, [&](Packer& packer) {
        packer.number(query.last.value_or(all_lines)).flag(query.follow).number(query.after_cursor);
        packer.number(query.filter.max_priority).flag(query.filter.own).number(query.filter.since_wall_us);
        packer.number(static_cast<std::uint32_t>(query.filter.units.size()));
        for (const std::string& unit : query.filter.units)
            packer.text(unit);
        packer.number(static_cast<std::uint8_t>(query.order)).number(query.vacuum.max_use).number(query.vacuum.max_files);
        packer.number<std::int64_t>(query.vacuum.max_age.count());
    });
}

void append_record(std::string& out, const Record& record) {
    append_frame(out, FrameType::Record, [&](Packer& packer) {
        const int flags = (record.own ? own_flag : 0) | (record.continues ? continues_flag : 0) |
                          (record.continued ? continued_flag : 0);
        packer.number(record.cursor).number(record.wall_us).number(record.mono_us).number(record.priority);
        packer.number(static_cast<std::uint8_t>(flags)).number(record.pid);
        packer.text(record.unit).text(record.identifier).text(record.text);
    });
}

void append_empty_frame(std::string& out, FrameType type) {
    append_frame(out, type, [](Packer&) {});
}

void append_order_done(std::string& out, std::string_view directory, std::string_view failure) {
    append_frame(out, FrameType::End, [&](Packer& packer) { packer.text(directory).text(failure); });
}

OrderDone decode_order_done(std::string_view payload) {
    Unpacker in(payload);
    OrderDone done;
    done.directory = in.text();
    done.failure = in.text();
    return done;
}

base::Result<Query> decode_query(std::string_view payload) {
    Unpacker in(payload);
    Query query;
    const auto last = in.number<std::uint32_t>();
    if (last != all_lines)
        query.last = last;
    query.follow = in.flag();
    query.after_cursor = in.number<std::uint64_t>();
    query.filter.max_priority = in.number<std::uint8_t>();
    query.filter.own = in.flag();
    query.filter.since_wall_us = in.number<std::uint64_t>();
    const auto units = in.number<std::uint32_t>();
    if (units > max_units)
        return base::fail(base::Errc::TooLarge, "log protocol: too many units");
    for (std::uint32_t i = 0; i < units && !in.failed(); i++)
        query.filter.units.emplace_back(in.text());
    query.vacuum.max_files = 0;
    if (in.more()) { // else of a version before the store
        query.order = static_cast<StoreOrder>(std::min<std::uint8_t>(in.number<std::uint8_t>(), static_cast<std::uint8_t>(StoreOrder::Vacuum)));
        query.vacuum.max_use = in.number<std::uint64_t>();
        query.vacuum.max_files = in.number<std::uint64_t>();
        query.vacuum.max_age = base::Duration(in.number<std::int64_t>());
    }
    if (in.failed())
        return base::fail(base::Errc::Protocol, "log protocol: query too short");
    return query;
}

base::Result<Record> decode_record(std::string_view payload) {
    Unpacker in(payload);
    Record record;
    record.cursor = in.number<std::uint64_t>();
    record.wall_us = in.number<std::uint64_t>();
    record.mono_us = in.number<std::uint64_t>();
    record.priority = in.number<std::uint8_t>();
    const auto flags = in.number<std::uint8_t>();
    record.own = (flags & own_flag) != 0;
    record.continues = (flags & continues_flag) != 0;
    record.continued = (flags & continued_flag) != 0;
    record.pid = in.number<std::uint32_t>();
    record.unit = in.text();
    record.identifier = in.text();
    record.text = in.text();
    if (in.failed())
        return base::fail(base::Errc::Protocol, "log protocol: record too short");
    return record;
}

} // namespace monoinit::log
