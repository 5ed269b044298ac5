// See codecs_timer.hpp. Tested by tests/unit/unit/timer_test.cpp.
#include "unit/codecs_timer.hpp"

#include "base/calendar.hpp"
#include "unit/loader.hpp"
#include "unit/name.hpp"

namespace monoinit::unit::codec {

namespace {

constexpr std::size_t most_values = 1024; ///< each costs a little at every elapse

void reset(TimerSection& section) {
    section.calendars.clear();
    section.spans = {};
}

} // namespace

Result<void> Calendars::parse(ParseContext& context, Value value, TimerSection& section) {
    if (value.empty()) {
        reset(section);
        return {};
    }
    if (section.calendars.size() >= most_values)
        return base::fail(base::Errc::TooLarge, "too many calendar expressions");
    static base::TimeZones only_utc(nullptr, "");
    base::TimeZones& zones = context.environment.zones ? *context.environment.zones : only_utc;
    const std::string text = TRY(expand(context, std::string(value)));
    auto calendar = std::make_shared<const base::Calendar>(TRY(base::Calendar::parse(text, zones)));
    if (!calendar->next(Duration{}, base::TimeZone()))
        note(context, "never elapses: there is no such date");
    section.calendars.push_back(std::move(calendar));
    return {};
}

std::string Calendars::show(const TimerSection& section) {
    std::string text;
    for (const auto& calendar : section.calendars)
        text += (text.empty() ? "" : "\n") + calendar->normalized();
    return text;
}

Result<void> add_timer_span(ParseContext& context, Value value, TimerBase base, TimerSection& section) {
    if (value.empty()) {
        reset(section);
        return {};
    }
    std::vector<Duration>& list = section.spans[static_cast<std::size_t>(base)];
    if (list.size() >= most_values)
        return base::fail(base::Errc::TooLarge, "too many time spans");
    const std::string text = TRY(expand(context, std::string(value)));
    list.push_back(TRY(base::parse_time_span(text)));
    return {};
}

std::string show_timer_spans(const TimerSection& section, TimerBase base) {
    std::string text;
    for (const Duration span : section.spans[static_cast<std::size_t>(base)])
        text += (text.empty() ? "" : "\n") + base::format_time_span(span);
    return text;
}

Result<void> Triggered::parse(ParseContext& context, Value value, std::string& field) {
    if (value.empty()) {
        field.clear();
        return {};
    }
    std::string name = TRY(expand(context, std::string(value)));
    if (!is_valid_name(name))
        return base::fail(base::Errc::Invalid, "not the name of a unit");
    if (type_of(name) == context.unit.type)
        return base::fail(base::Errc::Invalid, "a unit cannot start one of its own type");
    field = std::move(name);
    return {};
}

} // namespace monoinit::unit::codec
