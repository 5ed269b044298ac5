// Parsing calendar expressions, as strictly as systemd: each field is a list of numbers, ranges and steps within bounds.
// Tested by tests/unit/base/calendar_test.cpp.
#include "base/calendar.hpp"

#include "base/strings.hpp"

#include <algorithm>
#include <climits>

namespace monoinit::base {

namespace {

constexpr std::size_t most_parts = 240, longest_text = 8192;
constexpr unsigned all_weekdays = 127;

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

} // namespace

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

    /// What stays behind the time is most likely a zone that is not installed. No error holds the text: it may go to the log.
    std::string zone_complaint() const {
        const std::string_view word = trim(text_);
        const bool letters = !word.empty() && is_zone_name(word) && !is_digit(word.front()) && word.find('/') != std::string_view::npos;
        return letters ? "its time zone is not in /usr/share/zoneinfo (package tzdata)" : "something follows that does not belong to it";
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
            for (const std::string_view name : {Calendar::weekday_names[day], Calendar::weekday_names[day].substr(0, 3)})
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
            return invalid(text_.empty() ? "the expression ends too early" : "number expected");
        std::int64_t value = 0;
        for (; is_digit(at()); skip(1))
            value = std::min<std::int64_t>(value * 10 + (at() - '0'), INT_MAX + 1LL);
        if (seconds) {
            value = std::min<std::int64_t>(value, INT_MAX) * Calendar::million;
            if (at() == '.' && at(1) != '.') {
                skip(1);
                if (!is_digit(at()))
                    return invalid("digits expected behind the point");
                int scale = Calendar::million / 10;
                for (; is_digit(at()) && scale > 0; skip(1), scale /= 10)
                    value += std::int64_t{at() - '0'} * scale;
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
                out.push_back({0, -1, Calendar::million});
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
                part.repeat = seconds ? Calendar::million : 1;
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
                return invalid("unexpected character behind a number");
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
        if (civil.year > Calendar::last_year)
            return invalid("beyond the year 2199");
        use_zone("UTC", std::make_shared<const TimeZone>());
        set(Calendar::Year, {static_cast<int>(civil.year)});
        set(Calendar::Month, {static_cast<int>(civil.month)});
        set(Calendar::Day, {static_cast<int>(civil.day)});
        set(Calendar::Hour, {static_cast<int>(civil.hour)});
        set(Calendar::Minute, {static_cast<int>(civil.minute)});
        set(Calendar::Second, {static_cast<int>(civil.second) * Calendar::million});
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
        constexpr Bounds bounds[] = {{Calendar::Year, "year", Calendar::first_year, Calendar::last_year}, {Calendar::Month, "month", 1, 12},
                                     {Calendar::Day, "day", 1, 31},                   {Calendar::Hour, "hour", 0, 23},
                                     {Calendar::Minute, "minute", 0, 59},             {Calendar::Second, "second", 0, 60 * Calendar::million - 1}};
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

} // namespace monoinit::base
