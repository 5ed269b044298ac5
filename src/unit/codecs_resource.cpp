// See codecs_resource.hpp. Tested by tests/unit/unit/resources_test.cpp.
#include "unit/codecs_resource.hpp"

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

Result<void> SliceName::parse(ParseContext& context, Value value, std::string& field) {
    std::string name;
    TRY(Text::parse(context, value, name));
    if (!name.empty() && (!name.ends_with(".slice") || name.size() > name_limit || name.find('/') != name.npos || name.front() == '.'))
        return base::fail(base::Errc::Invalid, "not the name of a slice");
    field = std::move(name);
    return {};
}

} // namespace monoinit::unit::codec
