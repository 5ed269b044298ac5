#pragma once
// One line as it lies in a store file: a head of fixed size, then unit, identifier, text and further fields, without
// padding, in host byte order (little-endian on every platform we build for). Reading is bounded by the bytes given.
// The fields are a list: 32-bit size, "NAME=value", the value any bytes. Tested by tests/unit/log/stored_record_test.cpp.

#include "log/record.hpp"

#include <functional>
#include <optional>

namespace monoinit::log {

struct StoredHead {
    std::uint32_t size; ///< of the whole record
    std::uint8_t priority, transport, facility, flags;
    std::uint64_t cursor, wall_us, mono_us;
    std::uint32_t pid;
    std::uint16_t unit_size, identifier_size;
    std::uint32_t text_size, fields_size;
};
static_assert(sizeof(StoredHead) == 48);

std::size_t stored_size(const Record& record);
/// Writes stored_size(record) bytes.
void store_record(char* to, const Record& record);
/// Takes the record at the front, which points into `bytes`; nothing when there is none or it is damaged.
std::optional<Record> take_stored(std::string_view& bytes);

/// The list of further fields.
void append_field(std::string& list, std::string_view name, std::string_view value);
void for_each_listed_field(std::string_view list, const std::function<void(std::string_view name, std::string_view value)>& take);

} // namespace monoinit::log
