// See calendar.hpp. Parsing is strict, as systemd's: each field is a list of numbers, ranges and steps within bounds. The
// search sets one field after the other, from the year down, to its next match; one that has none carries into the field
// before it, and each time is taken through the zone, so that hours which a change of clocks skips are not met.
// Tested by tests/unit/base/calendar_test.cpp.
#include "base/calendar.hpp"

#include "base/strings.hpp"

#include <algorithm>
#include <climits>

namespace monoinit::base {

namespace {

constexpr int million = 1'000'000, first_year = 1970, last_year = 2199;
constexpr std::size_t most_parts = 240, longest_text = 8192;
constexpr unsigned all_weekdays = 127;
constexpr std::string_view weekday_names[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_word(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

bool starts_with_word(std::string_view text, std::string_view word) {
    return text.size() >= word.size() && same_word(text.substr(0, word.size()), word);
}

bool ends_with_word(std::string_view text, std::string_view word) {
    return text.size() >= word.size() && same_word(text.substr(text.size() - word.size()), word);
}

Error invalid(std::string what) { return fail(Errc::Invalid, std::move(what)); }

std::string padded(int number, std::size_t width) {
    std::string text = std::to_string(number);
    return text.size() < width ? std::string(width - text.size(), '0') + text : text;
}

} // namespace

// ---- parsing --------------------------------------------------------------------------------------------------------

class CalendarParser {
  public:
    CalendarParser(std::string_view text, Calendar& calendar) : text_(text), calendar_(calendar) {}

    Result<void> run(TimeZones& zones) {
        take_zone(zones);
        if (text_.empty())
            return invalid("empty calendar expression");
        if (!shorthand()) {
            TRY(weekdays());
            const bool whole = TRY(date());
            if (!whole)
                TRY(time());
            if (!text_.empty())
                return invalid(zone_complaint());
        }
        return finish();
    }

  private:
    using Part = Calendar::Part;
    using Field = Calendar::Field;
    using Chain = std::vector<Part>;

    char at(std::size_t i = 0) const { return i < text_.size() ? text_[i] : '\0'; }
    void skip(std::size_t n) { text_.remove_prefix(n); }
    void skip_spaces() {
        while (at() == ' ')
            skip(1);
    }
    Chain& chain(Field field) { return calendar_.parts_[field]; }
    void set(Field field, std::initializer_list<int> values) {
        for (const int value : values)
            chain(field).push_back({value, -1, 0});
    }

    void take_zone(TimeZones& zones) {
        if (ends_with_word(text_, " UTC")) {
            text_.remove_suffix(4);
            return use_zone("UTC", std::make_shared<const TimeZone>());
        }
        const std::size_t space = text_.rfind(' ');
        const TimeZonePtr local = zones.local();
        for (const int dst : {0, 1}) {
            const std::string& name = local->name(dst != 0);
            if (name.empty() || text_.size() <= name.size() || !ends_with_word(text_, name) || text_[text_.size() - name.size() - 1] != ' ')
                continue;
            text_.remove_suffix(name.size() + 1);
            calendar_.dst_ = dst;
            calendar_.zone_name_ = name;
            return;
        }
        if (space == std::string_view::npos)
            return;
        const std::string_view name = text_.substr(space + 1);
        if (TimeZonePtr zone = is_zone_name(name) ? zones.find(name) : nullptr) {
            use_zone(name, std::move(zone));
            text_ = text_.substr(0, space);
        }
    }

    void use_zone(std::string_view name, TimeZonePtr zone) {
        calendar_.zone_name_ = name;
        calendar_.zone_ = std::move(zone);
    }

    /// What stays behind the time is most likely a zone that is not installed.
    std::string zone_complaint() const {
        const std::string_view word = trim(text_);
        const bool letters = !word.empty() && is_zone_name(word) && !is_digit(word.front()) && word.find('/') != std::string_view::npos;
        return letters ? "time zone " + std::string(word) + " is not in /usr/share/zoneinfo (package tzdata)"
                       : "no calendar expression from \"" + printable(word, 40) + "\" on";
    }

    bool shorthand() {
        static constexpr int january[] = {1}, halves[] = {1, 7}, quarters[] = {1, 4, 7, 10};
        const auto is = [this](std::string_view word) { return same_word(text_, word); };
        const auto midnight = [this](std::size_t zeros) {
            for (std::size_t i = Calendar::fields - zeros; i < Calendar::fields; i++)
                set(static_cast<Field>(i), {0});
        };
        const auto months = [&](auto& list) {
            for (const int month : list)
                set(Calendar::Month, {month});
            set(Calendar::Day, {1});
            midnight(3);
        };
        if (is("minutely")) {
            midnight(1);
        } else if (is("hourly")) {
            midnight(2);
        } else if (is("daily")) {
            midnight(3);
        } else if (is("weekly")) {
            calendar_.weekdays_ = 1;
            midnight(3);
        } else if (is("monthly")) {
            set(Calendar::Day, {1});
            midnight(3);
        } else if (is("annually") || is("yearly") || is("anually")) {
            months(january);
        } else if (is("quarterly")) {
            months(quarters);
        } else if (is("biannually") || is("bi-annually") || is("semiannually") || is("semi-annually")) {
            months(halves);
        } else {
            return false;
        }
        return true;
    }

    Result<void> weekdays() {
        int range_from = -1;
        for (bool first = true;; first = false) {
            const int day = take_weekday();
            if (day < 0)
                return first ? Result<void>() : invalid("day of the week expected");
            if (range_from > day)
                return invalid("a range of weekdays cannot go backwards");
            for (int i = range_from >= 0 ? range_from : day; i <= day; i++)
                calendar_.weekdays_ |= 1U << i;
            const bool ranged = range_from >= 0;
            range_from = -1;
            if (at() == '\0')
                return {};
            if (at() == '.' || at() == '-') {
                if (ranged || (at() == '.' && at(1) != '.'))
                    return invalid("one range of weekdays is A..B");
                skip(at() == '.' ? 2 : 1);
                range_from = day;
            } else if (at() == ',') {
                skip(1);
            }
            if (at() == '\0' || at() == ' ') {
                skip_spaces();
                return range_from < 0 ? Result<void>() : invalid("a range of weekdays has no end");
            }
        }
    }

    int take_weekday() {
        for (int day = 0; day < 7; day++)
            for (const std::string_view name : {weekday_names[day], weekday_names[day].substr(0, 3)})
                if (starts_with_word(text_, name)) {
                    const char behind = at(name.size());
                    if (behind != '\0' && behind != '-' && behind != '.' && behind != ',' && behind != ' ')
                        continue;
                    skip(name.size());
                    return day;
                }
        return -1;
    }

    Result<int> number(bool seconds) {
        if (!is_digit(at()))
            return invalid(text_.empty() ? "the expression ends too early" : "number expected at \"" + printable(text_, 20) + "\"");
        std::int64_t value = 0;
        for (; is_digit(at()); skip(1))
            value = std::min<std::int64_t>(value * 10 + (at() - '0'), INT_MAX + 1LL);
        if (seconds) {
            value = std::min<std::int64_t>(value, INT_MAX) * million;
            if (at() == '.' && at(1) != '.') {
                skip(1);
                if (!is_digit(at()))
                    return invalid("digits expected behind the point");
                int scale = million / 10;
                for (; is_digit(at()) && scale > 0; skip(1), scale /= 10)
                    value += (at() - '0') * scale;
                value += scale == 0 && at() >= '5' && at() <= '9' ? 1 : 0; // rounded
                while (is_digit(at()))
                    skip(1);
            }
        }
        return value <= INT_MAX ? Result<int>(static_cast<int>(value)) : invalid("number too large");
    }

    Result<void> take_chain(bool seconds, Chain& out) {
        if (at() == '*') {
            skip(1);
            if (seconds)
                out.push_back({0, -1, million});
            return {};
        }
        for (;;) {
            if (out.size() > most_parts)
                return invalid("too many parts in a list");
            Part part;
            part.start = TRY(number(seconds));
            if (at() == '.' && at(1) == '.') {
                skip(2);
                part.stop = TRY(number(seconds));
                part.repeat = seconds ? million : 1;
            }
            if (at() == '/') {
                skip(1);
                part.repeat = TRY(number(seconds));
                if (part.repeat == 0)
                    return invalid("a step of 0 gets nowhere");
            } else if (part.start > INT_MAX - part.repeat) {
                return invalid("number too large");
            } else if (seconds && part.stop >= 0 && part.start + part.repeat > part.stop) {
                return invalid("a range of seconds below one needs a step");
            }
            if (std::string_view(" ,-~:").find(at()) == std::string_view::npos && at() != '\0')
                return invalid("unexpected \"" + printable(text_, 20) + "\"");
            out.push_back(part);
            if (at() != ',')
                return {};
            skip(1);
        }
    }

    /// True when it was "@seconds", which leaves no time to be read.
    Result<bool> date() {
        if (text_.empty())
            return false;
        if (at() == '@')
            return timestamp();
        const std::string_view begin = text_;
        Chain first, second, third;
        TRY(take_chain(false, first));
        if (at() == '\0' || at() == ':') { // a time
            text_ = begin;
            return false;
        }
        if (at() != '-' && at() != '~')
            return invalid("a date is year-month-day or month-day");
        calendar_.end_of_month_ = at() == '~';
        skip(1);
        TRY(take_chain(false, second));
        if (at() == '\0' || at() == ' ') {
            skip_spaces();
            chain(Calendar::Month) = std::move(first);
            chain(Calendar::Day) = std::move(second);
            return false;
        }
        if (calendar_.end_of_month_ || (at() != '-' && at() != '~'))
            return invalid("a date is year-month-day or month-day");
        calendar_.end_of_month_ = at() == '~';
        skip(1);
        TRY(take_chain(false, third));
        if (at() != '\0' && at() != ' ')
            return invalid("a blank stands between date and time");
        skip_spaces();
        chain(Calendar::Year) = std::move(first);
        chain(Calendar::Month) = std::move(second);
        chain(Calendar::Day) = std::move(third);
        return false;
    }

    Result<bool> timestamp() {
        skip(1);
        std::int64_t value = 0;
        if (!is_digit(at()))
            return invalid("seconds since 1970 expected");
        for (; is_digit(at()); skip(1))
            value = std::min<std::int64_t>(value * 10 + (at() - '0'), 1LL << 40);
        const Civil civil = TimeZone().local(value);
        if (civil.year > last_year)
            return invalid("beyond the year 2199");
        use_zone("UTC", std::make_shared<const TimeZone>());
        set(Calendar::Year, {static_cast<int>(civil.year)});
        set(Calendar::Month, {static_cast<int>(civil.month)});
        set(Calendar::Day, {static_cast<int>(civil.day)});
        set(Calendar::Hour, {static_cast<int>(civil.hour)});
        set(Calendar::Minute, {static_cast<int>(civil.minute)});
        set(Calendar::Second, {static_cast<int>(civil.second) * million});
        return true;
    }

    Result<void> time() {
        if (text_.empty()) {
            set(Calendar::Hour, {0});
            set(Calendar::Minute, {0});
            set(Calendar::Second, {0});
            return {};
        }
        TRY(take_chain(false, chain(Calendar::Hour)));
        if (at() != ':')
            return invalid("a time is hours:minutes or hours:minutes:seconds");
        skip(1);
        TRY(take_chain(false, chain(Calendar::Minute)));
        if (at() == '\0') {
            set(Calendar::Second, {0});
            return {};
        }
        if (at() != ':')
            return invalid(zone_complaint());
        skip(1);
        TRY(take_chain(true, chain(Calendar::Second)));
        return text_.empty() ? Result<void>() : invalid(zone_complaint());
    }

    // ---- what is meant, and whether it can be ----

    Result<void> finish() {
        if (calendar_.weekdays_ >= all_weekdays)
            calendar_.weekdays_ = 0;
        if (chain(Calendar::Day).empty())
            calendar_.end_of_month_ = false;
        for (Part& part : chain(Calendar::Year))
            for (int* year : {&part.start, &part.stop})
                *year += *year < 0 || *year >= 100 ? 0 : *year < 70 ? 2000 : 1900;
        struct Bounds {
            Field field;
            std::string_view name;
            int from, to;
        };
        constexpr Bounds bounds[] = {{Calendar::Year, "year", first_year, last_year}, {Calendar::Month, "month", 1, 12},
                                     {Calendar::Day, "day", 1, 31},                   {Calendar::Hour, "hour", 0, 23},
                                     {Calendar::Minute, "minute", 0, 59},             {Calendar::Second, "second", 0, 60 * million - 1}};
        for (const Bounds& row : bounds) {
            normalize(chain(row.field));
            const bool from_end = row.field == Calendar::Day && calendar_.end_of_month_;
            int to = row.to;
            for (const Part& part : chain(row.field)) {
                to -= from_end ? 3 : 0; // every month has 28 days; that each further part has 3 less is systemd's way, too
                if (!fits(part, row.from, to, from_end))
                    return invalid(std::string(row.name) + " out of range, or its step does not fit");
            }
        }
        return {};
    }

    static void normalize(Chain& chain) {
        for (Part& part : chain) {
            if (part.stop > part.start && part.repeat > 0)
                part.stop -= (part.stop - part.start) % part.repeat;
            if ((part.stop > part.start && part.repeat > 0 && part.start + part.repeat > part.stop) || part.start == part.stop) {
                part.repeat = 0;
                part.stop = -1;
            }
        }
        std::ranges::sort(chain);
        chain.erase(std::unique(chain.begin(), chain.end()), chain.end());
    }

    /// At least one step must fit before the end.
    static bool fits(const Part& part, int from, int to, bool from_end) {
        if (part.start < from || part.start > to || part.repeat > to - from)
            return false;
        if (part.stop >= 0)
            return part.stop >= from && part.stop <= to && part.start + part.repeat <= part.stop;
        return from_end ? part.start - part.repeat >= from : part.start + part.repeat <= to;
    }

    std::string_view text_;
    Calendar& calendar_;
};

Result<Calendar> Calendar::parse(std::string_view text, TimeZones& zones) {
    if (text.size() > longest_text)
        return fail(Errc::TooLarge, "calendar expression too long");
    if (text.find('\0') != std::string_view::npos)
        return invalid("a NUL in a calendar expression");
    Calendar calendar;
    if (auto parsed = CalendarParser(text, calendar).run(zones); !parsed)
        return parsed.error();
    return calendar;
}

// ---- the normalised form --------------------------------------------------------------------------------------------

std::string Calendar::normalized() const {
    std::string text;
    for (int day = 0, from = -1; day <= 7; day++) {
        if (day < 7 && (weekdays_ >> day & 1) != 0) {
            if (from < 0) {
                text += text.empty() ? "" : ",";
                text += weekday_names[day].substr(0, 3);
                from = day;
            }
        } else if (from >= 0) {
            if (day > from + 1) {
                text += day > from + 2 ? ".." : ",";
                text += weekday_names[day - 1].substr(0, 3);
            }
            from = -1;
        }
    }
    if (!text.empty())
        text += ' ';
    const auto add = [&](Field field, std::size_t width, char behind) {
        const int one = field == Second ? million : 1;
        const std::vector<Part>& chain = parts_[field];
        const bool any = std::ranges::any_of(chain, [&](const Part& part) { return part == Part{0, -1, million}; });
        if (chain.empty() || (field == Second && any))
            text += '*';
        else
            for (const Part& part : chain) {
                text += &part == &chain.front() ? "" : ",";
                text += padded(part.start / one, width);
                if (part.start % one > 0)
                    text += "." + padded(part.start % one, 6);
                if (part.stop > 0)
                    text += ".." + padded(part.stop / one, width);
                if (part.stop % one > 0)
                    text += "." + padded(part.stop % one, 6);
                if (part.repeat > 0 && !(part.stop > 0 && part.repeat == one))
                    text += "/" + std::to_string(part.repeat / one);
                if (part.repeat % one > 0)
                    text += "." + padded(part.repeat % one, 6);
            }
        if (behind != '\0')
            text += behind;
    };
    add(Year, 4, '-');
    add(Month, 2, end_of_month_ ? '~' : '-');
    add(Day, 2, ' ');
    add(Hour, 2, ':');
    add(Minute, 2, ':');
    add(Second, 2, '\0');
    if (!zone_name_.empty())
        text += " " + zone_name_;
    return text;
}

// ---- the next moment ------------------------------------------------------------------------------------------------

/// What is looked at while searching. Fields below one that has moved begin anew.
struct Calendar::Search {
    const Calendar& calendar;
    const TimeZone& zone;
    Civil at;
    int microsecond = 0;
    std::int32_t offset = 0; ///< of the last conversion
    std::int64_t seconds = 0;

    enum class Step : std::uint8_t { Kept, Moved, Carry, Redo };

    std::int64_t& field(Field which) {
        std::int64_t* const all[] = {&at.year, &at.month, &at.day, &at.hour, &at.minute, &at.second};
        return *all[which];
    }
    void reset_below(Field which) {
        for (std::size_t i = which + 1; i < fields; i++)
            field(static_cast<Field>(i)) = i <= Day ? 1 : 0;
        microsecond = 0;
    }

    /// The earliest value of `which` that is no less than `value`.
    std::optional<int> match(Field which, int value) const {
        const std::vector<Part>& chain = calendar.parts_[which];
        if (chain.empty())
            return value;
        std::optional<int> best;
        for (const Part& part : chain) {
            int start = part.start, stop = part.stop;
            if (which == Day && calendar.end_of_month_) {
                const int days = days_in_month(at.year, at.month);
                const auto from_end = [days](int day) { return day >= 1 && day <= days ? days + 1 - day : -1; };
                start = from_end(part.start);
                stop = from_end(part.stop);
                if (stop > 0)
                    std::swap(start, stop);
            }
            if (start >= value) {
                best = best ? std::min(*best, start) : start;
            } else if (part.repeat > 0) {
                const std::int64_t steps = (static_cast<std::int64_t>(value) - start + part.repeat - 1) / part.repeat;
                const std::int64_t found = start + steps * part.repeat;
                if (found <= INT_MAX && (stop < 0 || found <= stop) && (!best || found < *best))
                    best = static_cast<int>(found);
            }
        }
        return best;
    }

    /// Whether the time is one that the zone has. If not, the search goes on from what it is there, with what lies below
    /// the first field that differs begun anew; never backwards.
    Step check_bounds() {
        if (at.year > last_year)
            return Step::Carry;
        Civil real = at;
        if (!zone.resolve(real, offset, seconds))
            return Step::Carry;
        const std::int64_t was[] = {at.year, at.month, at.day, at.hour, at.minute, at.second};
        std::int64_t* const is[] = {&real.year, &real.month, &real.day, &real.hour, &real.minute, &real.second};
        for (std::size_t i = 0; i < fields; i++) {
            if (*is[i] == was[i])
                continue;
            if (*is[i] < was[i])
                return Step::Carry;
            if (i + 1 < fields)
                *is[i + 1] = i + 1 <= Day ? 1 : 0;
            at = real;
            return Step::Redo;
        }
        return Step::Kept;
    }

    /// One field to its next match. Carry: the field before must move on.
    Step settle(Field which) {
        const bool is_second = which == Second;
        const auto now = static_cast<int>(is_second ? at.second * million + microsecond : field(which));
        const std::optional<int> found = match(which, now);
        if (!found)
            return Step::Carry;
        if (is_second) {
            at.second = *found / million;
            microsecond = *found % million;
        } else if (*found != now) {
            field(which) = *found;
            reset_below(which);
        }
        return check_bounds();
    }

    bool weekday_fits() const {
        if (calendar.weekdays_ == 0)
            return true;
        Civil real = at;
        std::int32_t scratch = offset;
        std::int64_t moment = 0;
        return zone.resolve(real, scratch, moment) && (calendar.weekdays_ >> weekday(real) & 1) != 0;
    }

    /// False: never again.
    bool run() {
        // A change of clocks can send the search in circles; systemd gives up after as many rounds.
        for (int rounds = 0; rounds < 1000; rounds++) {
            (void)zone.resolve(at, offset, seconds);
            at.dst = calendar.dst_;
            if (settle(Year) != Step::Kept)
                return false;
            if (round())
                return true;
        }
        return false;
    }

    bool round() {
        for (const Field which : {Month, Day, Hour, Minute, Second}) {
            const Step step = settle(which);
            const bool wrong_day = step == Step::Kept && which == Day && !weekday_fits();
            if (step == Step::Redo)
                return false;
            if (step == Step::Carry || wrong_day) {
                const Field moves = wrong_day ? Day : static_cast<Field>(which - 1);
                field(moves)++;
                reset_below(moves);
                return false;
            }
        }
        return true;
    }
};

std::optional<Duration> Calendar::next(Duration after, const TimeZone& local) const {
    constexpr std::int64_t latest = 253'402'214'400LL * million; // as far as systemd can print
    if (after.count() < 0 || after.count() > latest)
        return std::nullopt;
    const TimeZone& zone = zone_ ? *zone_ : local;
    const std::int64_t from = after.count() + 1;
    Search search{*this, zone, zone.local(from / million), static_cast<int>(from % million)};
    std::int64_t seconds = 0;
    if (!search.run() || !zone.resolve(search.at, search.offset, seconds) || seconds < 0)
        return std::nullopt;
    return Duration(seconds * million + search.microsecond);
}

} // namespace monoinit::base
