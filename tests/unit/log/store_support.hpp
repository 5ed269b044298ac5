#pragma once
// Records for the tests of the store.

#include "log/store_reader.hpp"
#include "log/stored_record.hpp"

#include <string>
#include <vector>

namespace monoinit::log::test {

inline Record line(std::uint64_t cursor, std::string_view unit, std::string_view text, std::uint8_t priority = 6) {
    Record record;
    record.cursor = cursor;
    record.wall_us = 1'000'000 * cursor;
    record.mono_us = 1000 * cursor;
    record.priority = priority;
    record.unit = unit;
    record.identifier = unit.substr(0, unit.find('.'));
    record.text = text;
    return record;
}

inline std::string stored(const Record& record) {
    std::string bytes(stored_size(record), '\0');
    store_record(bytes.data(), record);
    return bytes;
}

inline BootId boot_number(std::uint8_t number) {
    BootId boot{};
    boot.fill(number);
    return boot;
}

inline std::vector<std::string> texts(StoreReader& reader, const Selection& selection = {}, bool backward = false, std::size_t most = 1000) {
    std::vector<std::string> found;
    const auto take = [&](const Record& record, const BootId&) {
        found.emplace_back(record.text);
        return found.size() < most;
    };
    backward ? reader.backward(selection, take) : reader.forward(selection, take);
    return found;
}

} // namespace monoinit::log::test
