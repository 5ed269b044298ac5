#pragma once
// What a reader and the logger say to each other at <runtime dir>/logs (SOCK_STREAM): frames of {u32 size, u16 type} and a
// payload. The reader sends one Query; the logger answers with Records, a Gap where lines had to go before they could be
// sent, and End. Fields are only ever appended. Tested by tests/unit/log.

#include "base/result.hpp"
#include "log/record.hpp"
#include "log/store_settings.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace monoinit::log {

/// What may be asked of the store; the answer is End, once it is done. All but Sync: by root and monoinit's uid only.
enum class StoreOrder : std::uint8_t {
    None,
    Sync,   ///< every line that has come in so far is in a file then
    Rotate,
    Vacuum,
};

struct Query {
    Filter filter;
    std::optional<std::uint32_t> last; ///< only the last N that are there now; nothing: all
    bool follow = false;               ///< go on with what comes
    std::uint64_t after_cursor = 0;    ///< only lines after this one
    StoreOrder order = StoreOrder::None; ///< then no lines are sent
    StoreLimits vacuum;                ///< 0: not that limit

    bool operator==(const Query&) const = default;
};

enum class FrameType : std::uint16_t { Query = 1, Record = 2, Gap = 3, End = 4 };

struct Frame {
    FrameType type;
    std::string_view payload;
    std::size_t size; ///< with its header
};

inline constexpr std::size_t max_query = 64 * 1024;
inline constexpr std::size_t max_frame = 128 * 1024;

/// The frame at the front; nothing when it is not complete yet; an error when it is longer than `limit`.
base::Result<std::optional<Frame>> next_frame(std::string_view bytes, std::size_t limit);

void append_query(std::string& out, const Query& query);
void append_record(std::string& out, const Record& record);
void append_empty_frame(std::string& out, FrameType type);
/// End of a StoreOrder: where the store is, empty: there is none. `failure`: why not.
void append_order_done(std::string& out, std::string_view directory, std::string_view failure);
struct OrderDone {
    std::string directory, failure;
};
OrderDone decode_order_done(std::string_view payload);

base::Result<Query> decode_query(std::string_view payload);
base::Result<Record> decode_record(std::string_view payload); ///< points into the payload

} // namespace monoinit::log
