// The forms of a line. `short` is what people read, `json` what collectors read (journal field names).
// Tested by tests/unit/log/format_test.cpp.

#include "log/format.hpp"

#include "base/fmt.hpp"
#include "base/time_text.hpp"
#include "log/escape.hpp"
#include "log/fields.hpp"
#include "log/wire.hpp"
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

void append_json_field(std::string& out, std::string_view name, std::string_view value) {
    out.append(out.ends_with('{') ? "\"" : ",\"").append(name).append("\":");
    append_json_string(out, value);
}

void append_number(std::string& out, std::string_view name, std::uint64_t value) {
    append_json_field(out, name, fmt::format_int(value).c_str());
}

void append_json(std::string& out, const Record& record) {
    out.push_back('{');
    append_number(out, "__REALTIME_TIMESTAMP", record.wall_us);
    append_number(out, "__MONOTONIC_TIMESTAMP", record.mono_us);
    for_each_field(record, {}, [&](std::string_view name, std::string_view value) { append_json_field(out, name, value); });
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
    case Format::Export:
        append_export_field(out, "__REALTIME_TIMESTAMP", fmt::format_int(record.wall_us).c_str());
        append_export_field(out, "__MONOTONIC_TIMESTAMP", fmt::format_int(record.mono_us).c_str());
        for_each_field(record, {}, [&](std::string_view name, std::string_view value) { append_export_field(out, name, value); });
        out.push_back('\n');
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

void append_export_field(std::string& out, std::string_view name, std::string_view value) {
    out.append(name);
    if (std::ranges::all_of(value, [](char c) { return static_cast<unsigned char>(c) >= 0x20 || c == '\t'; })) {
        out.append("=").append(value).push_back('\n');
        return;
    }
    out.push_back('\n');
    Packer(out).number(static_cast<std::uint64_t>(value.size()));
    out.append(value).push_back('\n');
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
