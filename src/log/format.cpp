// The forms of a line. `short` is what people read, `json` what collectors read (journal field names).
// Tested by tests/unit/log/format_test.cpp.

#include "log/format.hpp"

#include "base/fmt.hpp"
#include "base/time_text.hpp"
#include "log/escape.hpp"
#include "sys/local_zone.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace monoinit::log {
namespace {

constexpr std::string_view reset = "\x1b[0m";
constexpr std::string_view own_color = "\x1b[1m";
constexpr auto unit_colors = std::to_array<std::string_view>(
    {"\x1b[36m", "\x1b[32m", "\x1b[33m", "\x1b[35m", "\x1b[34m", "\x1b[96m", "\x1b[92m", "\x1b[95m"});
constexpr std::string_view more_mark = "\xE2\x80\xA6"; // "…": the line was cut here

std::string_view color_of(std::string_view unit) {
    std::uint32_t hash = 2166136261U; // FNV-1a
    for (const char c : unit)
        hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    return unit_colors[hash % unit_colors.size()];
}

void append_text(std::string& out, const Record& record, const FormatOptions& options) {
    if (record.continued)
        out.append(more_mark);
    if (options.terminal)
        append_for_terminal(out, record.text);
    else if (options.format == Format::Plain)
        out.append(record.text);
    else
        append_without_nul(out, record.text);
    if (record.continues)
        out.append(more_mark);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out.append(out.ends_with('{') ? "\"" : ",\"").append(name).append("\":");
    append_json_string(out, value);
}

void append_number(std::string& out, std::string_view name, std::uint64_t value) {
    append_field(out, name, fmt::format_int(value).c_str());
}

/// What a unit adds to each of its lines; it cannot replace what we say of them.
void append_extra_fields(std::string& out, std::string_view fields) {
    while (!fields.empty()) {
        const std::string_view field = fields.substr(0, fields.find('\0'));
        if (const std::size_t equals = field.find('='); equals != std::string_view::npos)
            append_field(out, field.substr(0, equals), field.substr(equals + 1));
        fields.remove_prefix(std::min(field.size() + 1, fields.size()));
    }
}

void append_json(std::string& out, const Record& record) {
    out.push_back('{');
    append_number(out, "__REALTIME_TIMESTAMP", record.wall_us);
    append_number(out, "__MONOTONIC_TIMESTAMP", record.mono_us);
    append_number(out, "PRIORITY", record.priority);
    constexpr std::string_view transports[] = {"stdout", "syslog", "journal"}; // by Transport
    append_field(out, "_TRANSPORT", record.own ? "driver" : transports[static_cast<std::size_t>(record.transport)]);
    append_number(out, "SYSLOG_FACILITY", record.facility);
    append_field(out, "SYSLOG_IDENTIFIER", record.identifier);
    // As journald files what systemd says about a unit: UNIT= is the subject, _SYSTEMD_UNIT= the speaker.
    if (!record.unit.empty() && record.unit != own_unit && record.unit != stray_unit)
        append_field(out, record.own ? "UNIT" : "_SYSTEMD_UNIT", record.unit);
    if (record.pid != 0)
        append_number(out, "_PID", record.pid);
    if (record.continues)
        append_field(out, "_LINE_BREAK", "line-max");
    append_extra_fields(out, record.extra_fields);
    append_field(out, "MESSAGE", record.text);
    out.append("}\n");
}

} // namespace

std::string_view short_unit_name(std::string_view unit) {
    constexpr std::string_view suffix = ".service";
    if (unit.size() > suffix.size() && unit.ends_with(suffix))
        unit.remove_suffix(suffix.size());
    return unit;
}

std::string make_prefix(std::string_view unit, bool own, bool color) {
    std::string name;
    append_for_terminal(name, own || unit.empty() ? own_unit : short_unit_name(unit));
    std::string prefix;
    if (color)
        prefix.append(own ? own_color : color_of(unit));
    prefix.append("[").append(name).append("]");
    if (color)
        prefix.append(reset);
    prefix.push_back(' ');
    return prefix;
}

void append_line(std::string& out, const Record& record, std::string_view prefix, const FormatOptions& options) {
    switch (options.format) {
    case Format::Json:
        append_json(out, record);
        return;
    case Format::Short:
    case Format::Plain:
        break;
    }
    if (options.time != TimeForm::None)
        out.append(format_time(record.wall_us, record.mono_us, options.time)).push_back(' ');
    if (options.format == Format::Short)
        out.append(prefix);
    append_text(out, record, options);
    out.push_back('\n');
}

void append_line(std::string& out, const Record& record, const FormatOptions& options) {
    const std::string prefix =
        options.format == Format::Short ? make_prefix(record.unit, record.own, options.color) : std::string();
    append_line(out, record, prefix, options);
}

std::string format_time(std::uint64_t wall_us, std::uint64_t mono_us, TimeForm form) {
    const std::uint64_t micros = wall_us % 1000000;
    const auto text = [wall_us](std::string_view pattern) {
        return base::time_text(sys::local_zone(), base::Duration(static_cast<std::int64_t>(wall_us)), pattern);
    };
    switch (form) {
    case TimeForm::None:
        return {};
    case TimeForm::Clock:
        return text("%H:%M:%S");
    case TimeForm::Short:
        return text("%b %d %H:%M:%S");
    case TimeForm::Iso:
        return fmt::format("{}.{:06}{}", text("%Y-%m-%dT%H:%M:%S"), micros, text("%z"));
    case TimeForm::Unix:
        return fmt::format("{}.{:06}", wall_us / 1000000, micros);
    case TimeForm::Monotonic:
        return fmt::format("[{:5}.{:06}]", mono_us / 1000000, mono_us % 1000000);
    }
    return {};
}

bool want_color(ColorMode mode, bool terminal) {
    switch (mode) {
    case ColorMode::Never:
        return false;
    case ColorMode::Always:
        return true;
    case ColorMode::Auto:
        break;
    }
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    const bool refused = (no_color != nullptr && *no_color != '\0') || (term != nullptr && std::string_view(term) == "dumb");
    return terminal && !refused;
}

} // namespace monoinit::log
