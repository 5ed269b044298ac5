// Tested by tests/unit/log/stored_record_test.cpp.

#include "log/stored_record.hpp"

#include "log/protocol.hpp"
#include "log/wire.hpp"

#include <algorithm>
#include <cstring>

namespace monoinit::log {
namespace {

enum Flag : std::uint8_t { Own = 1, Continues = 2, Continued = 4 };

std::uint8_t flags_of(const Record& record) {
    return static_cast<std::uint8_t>((record.own ? Own : 0) | (record.continues ? Continues : 0) | (record.continued ? Continued : 0));
}

std::string_view name_of(std::string_view name) { return name.substr(0, max_name); }

} // namespace

std::size_t stored_size(const Record& record) {
    return sizeof(StoredHead) + name_of(record.unit).size() + name_of(record.identifier).size() + record.text.size() + record.fields.size();
}

void store_record(char* to, const Record& record) {
    const std::string_view unit = name_of(record.unit), identifier = name_of(record.identifier);
    const StoredHead head{static_cast<std::uint32_t>(stored_size(record)),
                          record.priority,
                          static_cast<std::uint8_t>(record.transport),
                          record.facility,
                          flags_of(record),
                          record.cursor,
                          record.wall_us,
                          record.mono_us,
                          record.pid,
                          static_cast<std::uint16_t>(unit.size()),
                          static_cast<std::uint16_t>(identifier.size()),
                          static_cast<std::uint32_t>(record.text.size()),
                          static_cast<std::uint32_t>(record.fields.size())};
    std::memcpy(to, &head, sizeof head);
    to += sizeof head;
    for (const std::string_view part : {unit, identifier, record.text, record.fields}) {
        to = std::copy(part.begin(), part.end(), to);
    }
}

std::optional<Record> take_stored(std::string_view& bytes) {
    StoredHead head;
    if (bytes.size() < sizeof head)
        return std::nullopt;
    std::memcpy(&head, bytes.data(), sizeof head);
    const std::uint64_t size = sizeof head + std::uint64_t{head.unit_size} + head.identifier_size + head.text_size + head.fields_size;
    if (head.size != size || size > bytes.size())
        return std::nullopt;
    const char* at = bytes.data() + sizeof head;
    const auto part = [&at](std::size_t length) {
        const std::string_view view(at, length);
        at += length;
        return view;
    };
    Record record;
    record.cursor = head.cursor;
    record.wall_us = head.wall_us;
    record.mono_us = head.mono_us;
    record.priority = head.priority;
    record.transport = static_cast<Transport>(std::min<std::uint8_t>(head.transport, static_cast<std::uint8_t>(Transport::Journal)));
    record.facility = head.facility;
    record.own = (head.flags & Own) != 0;
    record.continues = (head.flags & Continues) != 0;
    record.continued = (head.flags & Continued) != 0;
    record.pid = head.pid;
    record.unit = part(head.unit_size);
    record.identifier = part(head.identifier_size);
    record.text = part(head.text_size);
    record.fields = part(head.fields_size);
    bytes.remove_prefix(size);
    return record;
}

void append_field(std::string& list, std::string_view name, std::string_view value) {
    Packer(list).number(static_cast<std::uint32_t>(name.size() + 1 + value.size()));
    list.append(name).append("=").append(value);
}

void for_each_listed_field(std::string_view list, const std::function<void(std::string_view name, std::string_view value)>& take) {
    for (Unpacker fields(list); fields.more();) {
        const std::string_view field = fields.text();
        if (const std::size_t equals = field.find('='); !fields.failed() && equals != std::string_view::npos)
            take(field.substr(0, equals), field.substr(equals + 1));
    }
}

} // namespace monoinit::log
