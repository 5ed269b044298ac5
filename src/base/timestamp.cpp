// See timestamp.hpp. Tested by tests/unit/base/timestamp_test.cpp.
#include "base/timestamp.hpp"

#include "base/strings.hpp"
#include "base/time_text.hpp"

#include <algorithm>

namespace monoinit::base {

namespace {

constexpr std::int64_t million = 1'000'000;
constexpr std::string_view weekday_names[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};

Error invalid() { return fail(Errc::Invalid, "not a time: 2026-11-26 07:22:25, 07:22, yesterday, +5min, 2h ago, @seconds"); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes "12" off the front: digits between `least` and `most` of them.
bool take_number(std::string_view& text, std::size_t least, std::size_t most, std::int64_t& value) {
    std::size_t size = 0;
    value = 0;
    while (size < text.size() && size < most && is_digit(text[size]))
        value = value * 10 + (text[size++] - '0');
    text.remove_prefix(size);
    return size >= least;
}

bool take(std::string_view& text, char c) {
    if (!text.starts_with(c))
        return false;
    text.remove_prefix(1);
    return true;
}

/// hours:minutes[:seconds[.fraction]]
bool take_time(std::string_view& text, Civil& civil, std::int64_t& micros) {
    if (!take_number(text, 1, 2, civil.hour) || !take(text, ':') || !take_number(text, 1, 2, civil.minute))
        return false;
    civil.second = 0;
    if (take(text, ':')) {
        if (!take_number(text, 1, 2, civil.second))
            return false;
        if (take(text, '.')) {
            if (text.empty() || !is_digit(text.front()))
                return false;
            for (std::int64_t scale = million / 10; !text.empty() && is_digit(text.front()); text.remove_prefix(1), scale /= 10)
                micros += (text.front() - '0') * scale;
        }
    }
    return civil.hour <= 23 && civil.minute <= 59 && civil.second <= 59;
}

bool take_date(std::string_view& text, Civil& civil) {
    if (!take_number(text, 1, 4, civil.year) || !take(text, '-') || !take_number(text, 1, 2, civil.month) || !take(text, '-') ||
        !take_number(text, 1, 2, civil.day))
        return false;
    if (civil.year < 100)
        civil.year += civil.year < 69 ? 2000 : 1900;
    return civil.month >= 1 && civil.month <= 12 && civil.day >= 1 && civil.day <= days_in_month(civil.year, civil.month);
}

/// The day of the week in front, which must then be right; -1 without one.
int take_weekday(std::string_view& text) {
    for (int day = 0; day < 7; day++)
        for (const std::string_view name : {weekday_names[day], weekday_names[day].substr(0, 3)})
            if (text.starts_with(name) && text.substr(name.size()).starts_with(' ')) {
                text = trim(text.substr(name.size()));
                return day;
            }
    return -1;
}

} // namespace

Result<Duration> parse_timestamp(std::string_view text, Duration now, TimeZones& zones) {
    text = trim(text);
    const auto shifted = [&](std::string_view span, bool back) -> Result<Duration> {
        const Duration by = TRY(parse_time_span(span));
        if (by > std::chrono::hours(24 * 366 * 1000))
            return invalid();
        return back ? std::max(now - by, Duration{}) : now + by;
    };
    if (text == "now")
        return now;
    if (text.starts_with('+') || text.starts_with('-'))
        return shifted(text.substr(1), text.front() == '-');
    if (text.ends_with(" ago"))
        return shifted(text.substr(0, text.size() - 4), true);
    if (text.ends_with(" left"))
        return shifted(text.substr(0, text.size() - 5), false);
    if (text.starts_with('@')) {
        const std::string seconds = std::string(text.substr(1)) + "s";
        return text.size() > 1 && (is_digit(text[1])) ? parse_time_span(seconds) : invalid();
    }
    TimeZonePtr zone = zones.local();
    if (const std::size_t space = text.rfind(' '); space != std::string_view::npos) {
        const std::string_view name = text.substr(space + 1);
        const TimeZonePtr named = name.find(':') != std::string_view::npos || (!name.empty() && is_digit(name.front())) ? nullptr : zones.find(name);
        if (named || name == zone->name(false) || name == zone->name(true)) {
            zone = named && name != zone->name(false) && name != zone->name(true) ? named : zone;
            text = trim(text.substr(0, space));
        }
    } else if (text.ends_with('Z') && text.size() > 10) {
        zone = zones.find("UTC");
        text.remove_suffix(1);
    }
    Civil civil = zone->local(now.count() / million);
    std::int64_t micros = 0;
    civil.dst = -1;
    const int day = take_weekday(text);
    const auto midnight = [&](std::int64_t days) {
        civil.day += days;
        civil.hour = civil.minute = civil.second = 0;
    };
    if (day < 0 && text == "today") {
        midnight(0);
    } else if (day < 0 && text == "yesterday") {
        midnight(-1);
    } else if (day < 0 && text == "tomorrow") {
        midnight(1);
    } else if (text.find('-') == std::string_view::npos) {
        if (day >= 0 || !take_time(text, civil, micros) || !text.empty())
            return invalid();
    } else {
        if (!take_date(text, civil))
            return invalid();
        midnight(0);
        if (!text.empty()) {
            if (!take(text, ' ') && !take(text, 'T'))
                return invalid();
            text = trim(text);
            if (!take_time(text, civil, micros) || !text.empty())
                return invalid();
        }
    }
    std::int32_t offset = 0;
    std::int64_t seconds = 0;
    if (!zone->resolve(civil, offset, seconds) || seconds < 0 || (day >= 0 && weekday(civil) != day))
        return invalid();
    return Duration(seconds * million + micros);
}

std::string format_timestamp(Duration wall, const TimeZone& zone, TimestampStyle style) {
    if (style == TimestampStyle::Unix)
        return "@" + std::to_string(wall.count() / million);
    const bool exact = style == TimestampStyle::Us || style == TimestampStyle::UsUtc;
    const bool universal = style == TimestampStyle::Utc || style == TimestampStyle::UsUtc;
    const std::string micros = std::to_string(million + wall.count() % million).substr(1);
    return time_text(universal ? TimeZone() : zone, wall, "%a %Y-%m-%d %H:%M:%S" + (exact ? "." + micros : "") + " %Z");
}

} // namespace monoinit::base
