// Tested by tests/unit/log/fields_test.cpp.

#include "log/fields.hpp"

#include "base/fmt.hpp"
#include "log/selection.hpp"
#include "log/stored_record.hpp"

namespace monoinit::log {

void for_each_field(const Record& record, const BootId& boot, const FieldSink& take) {
    const auto number = [&](std::string_view name, std::uint64_t value) {
        const fmt::format_int digits(value);
        take(name, {digits.data(), digits.size()});
    };
    number("PRIORITY", record.priority);
    constexpr std::string_view transports[] = {"stdout", "syslog", "journal"}; // by Transport
    take("_TRANSPORT", record.own ? "driver" : transports[static_cast<std::size_t>(record.transport)]);
    number("SYSLOG_FACILITY", record.facility);
    take("SYSLOG_IDENTIFIER", record.identifier);
    // As journald files what systemd says about a unit: UNIT= is the subject, _SYSTEMD_UNIT= the speaker.
    if (!record.unit.empty() && record.unit != own_unit && record.unit != stray_unit)
        take(record.own ? "UNIT" : "_SYSTEMD_UNIT", record.unit);
    if (record.pid != 0)
        number("_PID", record.pid);
    if (record.continues)
        take("_LINE_BREAK", "line-max");
    if (boot != BootId{})
        take("_BOOT_ID", boot_text(boot));
    for_each_listed_field(record.fields, take);
    take("MESSAGE", record.text);
}

} // namespace monoinit::log
