// See codecs_resource.hpp. Tested by tests/unit/unit/resources_test.cpp.
#include "unit/codecs_resource.hpp"

#include "base/strings.hpp"
#include "unit/name.hpp"
#include "unit/specifier.hpp"

#include <charconv>

namespace monoinit::unit::codec {

namespace {

/// "12.5%" in hundredths of a percent.
Result<std::uint32_t> parse_percentage(Value value, std::uint32_t most) {
    const auto bad = [] { return base::fail(base::Errc::Invalid, "not a percentage such as 20%"); };
    if (!value.ends_with('%'))
        return bad();
    value.remove_suffix(1);
    const std::size_t point = std::min(value.find('.'), value.size());
    const std::string_view fraction = point == value.size() ? "" : value.substr(point + 1);
    const auto whole = parse_integer(value.substr(0, point), 0, most / 100);
    if (!whole || fraction.size() > 2 || fraction.find_first_not_of("0123456789") != fraction.npos ||
        (point != value.size() && fraction.empty()))
        return bad();
    std::uint32_t hundredths = 0;
    for (std::size_t i = 0; i < 2; i++)
        hundredths = hundredths * 10 + (i < fraction.size() ? static_cast<std::uint32_t>(fraction[i] - '0') : 0);
    const auto sum = static_cast<std::uint32_t>(*whole) * 100 + hundredths;
    return sum > most ? Result<std::uint32_t>(bad()) : Result<std::uint32_t>(sum);
}

constexpr std::uint32_t all = 100 * 100;

/// Bandwidth is counted in thousands, as IO is everywhere.
Result<std::uint64_t> parse_rate(Value value) {
    if (value == "infinity")
        return Bound::infinity;
    constexpr std::string_view suffixes = "KMGT";
    std::uint64_t factor = 1;
    if (const std::size_t at = value.empty() ? std::string_view::npos : suffixes.find(value.back()); at != std::string_view::npos) {
        value.remove_suffix(1);
        for (std::size_t i = 0; i <= at; i++)
            factor *= 1000;
    }
    return static_cast<std::uint64_t>(TRY(parse_integer(value, 1, std::numeric_limits<std::int64_t>::max() / static_cast<std::int64_t>(factor)))) * factor;
}

Result<std::uint64_t> parse_io_value(Value value, IoKind kind) {
    switch (kind) {
    case IoKind::ReadBandwidth:
    case IoKind::WriteBandwidth:
    case IoKind::ReadOperations:
    case IoKind::WriteOperations:
        return parse_rate(value);
    case IoKind::Weight:
        return static_cast<std::uint64_t>(TRY(parse_integer(value, 1, 10000)));
    case IoKind::Latency:
        return static_cast<std::uint64_t>(TRY(base::parse_time_span(value)).count());
    }
    return base::fail(base::Errc::Invalid, "not a value");
}

} // namespace

Result<void> MemoryBound::parse(ParseContext&, Value value, Bound& field) {
    if (value == "infinity")
        field = Bound{};
    else if (value.ends_with('%'))
        field = Bound{TRY(parse_percentage(value, all)), true};
    else
        field = Bound{TRY(parse_size(value)), false};
    return {};
}

std::string MemoryBound::show(const Bound& field) {
    if (field.relative)
        return Percentage::show(static_cast<std::uint32_t>(field.number));
    return field.number == Bound::infinity ? "infinity" : std::to_string(field.number);
}

Result<void> TaskBound::parse(ParseContext& context, Value value, Bound& field) {
    if (value == "infinity" || value.ends_with('%'))
        TRY(MemoryBound::parse(context, value, field));
    else
        field = Bound{static_cast<std::uint64_t>(TRY(parse_integer(value, 1, std::numeric_limits<std::int64_t>::max()))), false};
    if (field.number == 0)
        return base::fail(base::Errc::Invalid, "no task at all could run");
    return {};
}

Result<void> CpuWeight::parse(ParseContext&, Value value, std::uint32_t& field) {
    field = value == "idle" ? 0 : static_cast<std::uint32_t>(TRY(parse_integer(value, 1, 10000)));
    return {};
}

Result<void> Percentage::parse(ParseContext&, Value value, std::uint32_t& field) {
    constexpr std::uint32_t most = 100'000'000; // ten thousand CPUs
    const std::uint32_t parsed = TRY(parse_percentage(value, most));
    if (parsed == 0)
        return base::fail(base::Errc::Invalid, "no time at all");
    field = parsed;
    return {};
}

std::string Percentage::show(std::uint32_t field) {
    std::string text = std::to_string(field / 100);
    if (field % 100 != 0)
        text += "." + std::to_string(field / 10 % 10) + std::to_string(field % 10);
    return text + "%";
}

Result<void> Delegation::parse(ParseContext&, Value value, bool& field) {
    const auto word = parse_bool(value);
    field = word ? *word : !value.empty();
    return {};
}

Result<void> parse_io_rule(ParseContext& context, Value value, IoKind kind, std::vector<IoRule>& field) {
    if (value.empty()) {
        std::erase_if(field, [kind](const IoRule& rule) { return rule.kind == kind; });
        return {};
    }
    const std::size_t blank = value.find_last_of(" \t");
    if (blank == value.npos)
        return base::fail(base::Errc::Invalid, "not a path and a number");
    std::string path;
    TRY(Path::parse(context, base::trim(value.substr(0, blank)), path));
    const IoRule rule{kind, std::move(path), TRY(parse_io_value(value.substr(blank + 1), kind))};
    std::erase_if(field, [&](const IoRule& each) { return each.kind == kind && each.path == rule.path; });
    field.push_back(rule);
    return {};
}

std::string show_io_rules(const std::vector<IoRule>& field, IoKind kind) {
    std::string text;
    for (const IoRule& rule : field)
        if (rule.kind == kind)
            text += (text.empty() ? "" : "\n") + rule.path + " " +
                    (kind == IoKind::Latency                ? base::format_time_span(base::Duration(static_cast<std::int64_t>(rule.value)))
                     : rule.value == Bound::infinity ? "infinity"
                                                            : std::to_string(rule.value));
    return text;
}

Result<void> SliceName::parse(ParseContext& context, Value value, std::string& field) {
    std::string name;
    TRY(Text::parse(context, value, name));
    if (!name.empty() && (!name.ends_with(".slice") || name.size() > name_limit || name.find('/') != name.npos || name.front() == '.'))
        return base::fail(base::Errc::Invalid, "not the name of a slice");
    field = std::move(name);
    return {};
}

} // namespace monoinit::unit::codec
