// Tested by tests/unit/cli/journal_output_test.cpp.
#include "cli/journal_output.hpp"

#include "base/enum_names.hpp"
#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "base/time_text.hpp"
#include "cli/terminal.hpp"
#include "log/escape.hpp"
#include "log/fields.hpp"
#include "log/format.hpp"
#include "unit/name.hpp"

#include <algorithm>

namespace monoinit::cli {

namespace {

using log::BootId;
using log::Record;

constexpr auto form_names = base::enum_names<JournalForm>({
    {JournalForm::Short, "short"},
    {JournalForm::ShortFull, "short-full"},
    {JournalForm::ShortIso, "short-iso"},
    {JournalForm::ShortIsoPrecise, "short-iso-precise"},
    {JournalForm::ShortPrecise, "short-precise"},
    {JournalForm::ShortMonotonic, "short-monotonic"},
    {JournalForm::ShortDelta, "short-delta"},
    {JournalForm::ShortUnix, "short-unix"},
    {JournalForm::WithUnit, "with-unit"},
    {JournalForm::Cat, "cat"},
    {JournalForm::Verbose, "verbose"},
    {JournalForm::Export, "export"},
    {JournalForm::Json, "json"},
    {JournalForm::JsonPretty, "json-pretty"},
    {JournalForm::JsonSse, "json-sse"},
    {JournalForm::JsonSeq, "json-seq"},
});

constexpr std::uint64_t one_day_us = 24ULL * 3600 * 1'000'000, second_us = 1'000'000;

/// Lines come from services: no control bytes but tab reach a terminal.
std::string safe(std::string_view text) { return base::printable(text, log::largest_line * 4); }

/// A text of several lines: each printable, painted, and what follows the first below it.
std::string block(std::string_view text, std::size_t indent, Color color, bool on) {
    std::string out;
    for (bool first = true; first || !text.empty(); first = false) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        out += first ? "" : "\n" + std::string(indent, ' ');
        out += paint(safe(text.substr(0, end)), color, on);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

Color color_of(const Record& record) {
    return record.priority <= 3 ? Color::Red : record.priority == 4 ? Color::Yellow : Color::None;
}

/// What is no text is an array of bytes, as journalctl has it.
void append_json_value(std::string& out, std::string_view value) {
    if (base::is_valid_utf8(value))
        return log::append_json_string(out, value);
    out += "[ ";
    for (std::size_t i = 0; i < value.size(); i++)
        out += fmt::format("{}{}", i == 0 ? "" : ", ", static_cast<unsigned>(static_cast<unsigned char>(value[i])));
    out += " ]";
}

} // namespace

std::optional<JournalForm> journal_form(std::string_view name) { return base::value_of(form_names, name); }

std::string journal_form_names() {
    std::string names;
    for (const auto& row : form_names)
        names += (names.empty() ? "" : ", ") + std::string(row.second);
    return names;
}

void for_each_journal_field(const Record& record, const BootId& boot, const JournalStyle& style,
                            const std::function<void(std::string_view name, std::string_view value)>& take) {
    take("__CURSOR", log::cursor_text(record, boot));
    take("__REALTIME_TIMESTAMP", fmt::format_int(record.wall_us).c_str());
    take("__MONOTONIC_TIMESTAMP", fmt::format_int(record.mono_us).c_str());
    log::for_each_field(record, boot, take);
    if (!style.host_name.empty())
        take("_HOSTNAME", style.host_name);
    if (!style.machine_id.empty())
        take("_MACHINE_ID", style.machine_id);
}

std::string JournalPrinter::local(std::uint64_t wall_us, std::string_view form) const {
    return base::time_text(*style_.zone, base::Duration(static_cast<std::int64_t>(wall_us)), form);
}

bool JournalPrinter::shows(std::string_view field) const {
    return style_.fields.empty() || field.starts_with("__") || std::ranges::find(style_.fields, field) != style_.fields.end();
}

std::string JournalPrinter::time(const Record& record) {
    const std::uint64_t wall = record.wall_us, micros = wall % second_us;
    switch (style_.form) {
    case JournalForm::Own:
        return local(wall, wall + one_day_us < style_.now_us ? "%b %d %H:%M:%S" : "%H:%M:%S");
    case JournalForm::ShortFull:
    case JournalForm::WithUnit:
        return local(wall, "%a %Y-%m-%d %H:%M:%S %Z");
    case JournalForm::ShortIso:
    case JournalForm::ShortIsoPrecise: {
        const std::string zone = local(wall, "%z"); // +0000, and ISO 8601's extended form wants +00:00
        const std::string fraction = style_.form == JournalForm::ShortIsoPrecise ? fmt::format(".{:06}", micros) : "";
        return fmt::format("{}{}{}:{}", local(wall, "%Y-%m-%dT%H:%M:%S"), fraction, zone.substr(0, 3), zone.substr(3));
    }
    case JournalForm::ShortPrecise:
        return fmt::format("{}.{:06}", local(wall, "%b %d %H:%M:%S"), micros);
    case JournalForm::ShortMonotonic:
        return fmt::format("[{:5}.{:06}]", record.mono_us / second_us, record.mono_us % second_us);
    case JournalForm::ShortDelta: {
        const std::uint64_t passed = last_mono_us_ == 0 || last_mono_us_ > record.mono_us ? 0 : record.mono_us - last_mono_us_;
        const bool first = last_mono_us_ == 0;
        last_mono_us_ = record.mono_us;
        const std::string delta = first ? std::string(16, ' ') : fmt::format("<{:5}.{:06} >", passed / second_us, passed % second_us);
        return fmt::format("[{:5}.{:06} {}]", record.mono_us / second_us, record.mono_us % second_us, delta);
    }
    case JournalForm::ShortUnix:
        return fmt::format("{}.{:06}", wall / second_us, micros);
    case JournalForm::Short:
    case JournalForm::Cat:
    case JournalForm::Verbose:
    case JournalForm::Export:
    case JournalForm::Json:
    case JournalForm::JsonPretty:
    case JournalForm::JsonSse:
    case JournalForm::JsonSeq:
        break;
    }
    return local(wall, "%b %d %H:%M:%S");
}

void JournalPrinter::print_short(std::string& out, const Record& record) {
    if (style_.form == JournalForm::Own) {
        const std::string_view name = record.own && record.unit != log::own_unit ? log::own_unit : unit::short_name(record.unit);
        const std::string when = time(record), label = fmt::format("[{}]", safe(name));
        const std::size_t indent = when.size() + base::display_width(label) + 2;
        out += fmt::format("{} {} {}\n", when, paint(label, Color::Cyan, style_.color),
                           block(record.text, indent, record.own ? Color::Dim : color_of(record), style_.color));
        return;
    }
    std::string sender = safe(style_.form == JournalForm::WithUnit && !record.own ? record.unit : record.identifier);
    if (sender.empty())
        sender = unit::short_name(record.unit);
    if (record.pid != 0) // "web[57]" as journalctl has it; left out where it is not known
        sender += fmt::format("[{}]", record.pid);
    const std::string head = fmt::format("{} {}{}: ", time(record), style_.host && !style_.host_name.empty() ? style_.host_name + " " : "", sender);
    out += fmt::format("{}{}\n", head, block(record.text, base::display_width(head), color_of(record), style_.color));
}

void JournalPrinter::print_json(std::string& out, const Record& record, const BootId& boot) {
    std::vector<std::pair<std::string, std::vector<std::string>>> fields; // a field may come more than once
    for_each_journal_field(record, boot, style_, [&](std::string_view name, std::string_view value) {
        if (!shows(name))
            return;
        auto known = std::ranges::find_if(fields, [&](const auto& field) { return field.first == name; });
        if (known == fields.end())
            known = fields.insert(fields.end(), {std::string(name), {}});
        known->second.emplace_back(value);
    });
    const bool pretty = style_.form == JournalForm::JsonPretty;
    out += style_.form == JournalForm::JsonSse ? "data: {" : style_.form == JournalForm::JsonSeq ? "\x1e{" : "{";
    bool first = true;
    for (const auto& [name, values] : fields) {
        out += std::exchange(first, false) ? "" : ",";
        out += pretty ? fmt::format("\n\t\"{}\" : ", name) : fmt::format("\"{}\":", name);
        out += values.size() > 1 ? "[" : "";
        for (std::size_t i = 0; i < values.size(); i++) {
            out += i > 0 ? "," : "";
            append_json_value(out, values[i]);
        }
        out += values.size() > 1 ? "]" : "";
    }
    out += pretty ? "\n}\n" : style_.form == JournalForm::JsonSse ? "}\n\n" : "}\n";
}

void JournalPrinter::print_verbose(std::string& out, const Record& record, const BootId& boot) {
    const std::uint64_t wall = record.wall_us;
    out += fmt::format("{}.{:06} {} [{}]\n", local(wall, "%a %Y-%m-%d %H:%M:%S"), wall % second_us, local(wall, "%Z"), log::cursor_text(record, boot));
    for_each_journal_field(record, boot, style_, [&](std::string_view name, std::string_view value) {
        if (!name.starts_with("__") && shows(name))
            out += fmt::format("    {}={}\n", name, block(value, name.size() + 5, Color::None, false));
    });
}

void JournalPrinter::print(std::string& out, const Record& record, const BootId& boot) {
    const bool for_people = style_.form <= JournalForm::WithUnit;
    if (for_people && boot_ && *boot_ != boot)
        out += style_.form == JournalForm::Own ? "-- another start of the container --\n" : fmt::format("-- Boot {} --\n", log::boot_text(boot));
    boot_ = boot;
    switch (style_.form) {
    case JournalForm::Cat:
        for (const std::string& field : style_.fields.empty() ? std::vector<std::string>{"MESSAGE"} : style_.fields)
            log::for_each_field(record, boot, [&](std::string_view name, std::string_view value) {
                if (name == field)
                    out += block(value, 0, Color::None, false) + "\n";
            });
        return;
    case JournalForm::Verbose:
        return print_verbose(out, record, boot);
    case JournalForm::Export:
        for_each_journal_field(record, boot, style_, [&](std::string_view name, std::string_view value) {
            if (shows(name))
                log::append_export_field(out, name, value);
        });
        out += '\n';
        return;
    case JournalForm::Json:
    case JournalForm::JsonPretty:
    case JournalForm::JsonSse:
    case JournalForm::JsonSeq:
        return print_json(out, record, boot);
    case JournalForm::Own:
    case JournalForm::Short:
    case JournalForm::ShortFull:
    case JournalForm::ShortIso:
    case JournalForm::ShortIsoPrecise:
    case JournalForm::ShortPrecise:
    case JournalForm::ShortMonotonic:
    case JournalForm::ShortDelta:
    case JournalForm::ShortUnix:
    case JournalForm::WithUnit:
        break;
    }
    print_short(out, record);
}

} // namespace monoinit::cli
