// See calendar.hpp. The search sets one field after the other, from the year down, to its next match; one that has none carries
// into the field before it, and each time is taken through the zone, so that hours which a change of clocks skips are not met.
// Tested by tests/unit/base/calendar_test.cpp.
#include "base/calendar.hpp"

#include <algorithm>
#include <climits>
#include <tuple>

namespace monoinit::base {

namespace {

std::string padded(int number, std::size_t width) {
    std::string text = std::to_string(number);
    return text.size() < width ? std::string(width - text.size(), '0') + text : text;
}

} // namespace

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

    /// -1: this month has none. Through the zone, as in systemd: which of two equal hours is meant later depends on the last conversion.
    int day_from_end(int day) {
        Civil there = at;
        there.month++;
        there.day = 1 - day;
        std::int64_t moment = 0;
        return zone.resolve(there, offset, moment) && there.month == at.month ? static_cast<int>(there.day) : -1;
    }

    /// The earliest value of `which` that is no less than `value`.
    std::optional<int> match(Field which, int value) {
        const std::vector<Part>& chain = calendar.parts_[which];
        if (chain.empty())
            return value;
        std::optional<int> best;
        for (const Part& part : chain) {
            int start = part.start, stop = part.stop;
            if (which == Day && calendar.end_of_month_) {
                start = day_from_end(part.start);
                stop = day_from_end(part.stop);
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

    auto position() const { return std::tuple(at.year, at.month, at.day, at.hour, at.minute, at.second, microsecond); }

    /// False: never again.
    bool run() {
        const auto begin = position();
        bool kind_is_given = true;
        // A change of clocks can send the search in circles; systemd gives up after as many rounds.
        for (int rounds = 0; rounds < 1000; rounds++) {
            (void)zone.resolve(at, offset, seconds);
            if (kind_is_given)
                at.dst = calendar.dst_;
            if (settle(Year) != Step::Kept)
                return false;
            if (!round())
                continue;
            if (position() >= begin)
                return true;
            // Led back by a change of clocks: an hour on, in whichever time the zone has there.
            kind_is_given = false;
            at.hour++;
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
    constexpr int hours_of_a_change = 26, most_changes = 2; // within so many hours
    if (after.count() < 0 || after.count() > latest)
        return std::nullopt;
    const TimeZone& zone = zone_ ? *zone_ : local;
    // Around a change of clocks a time may be taken for the one before it; a timer would then elapse without end. What was
    // meant lies behind the change, or behind the hour that comes twice.
    std::int64_t from = after.count() + 1;
    for (int tries = 0; tries < hours_of_a_change + most_changes; tries++) {
        const auto found = search_from(from, zone);
        if (!found || *found > after)
            return found;
        const std::int64_t later = from + 3600LL * million;
        const auto change = zone.next_change(from / million);
        from = change ? std::min(later, *change * million) : later;
    }
    return std::nullopt;
}

std::optional<Duration> Calendar::search_from(std::int64_t from, const TimeZone& zone) const {
    Search search{*this, zone, zone.local(from / million), static_cast<int>(from % million)};
    std::int64_t seconds = 0;
    if (!search.run() || !zone.resolve(search.at, search.offset, seconds) || seconds < 0)
        return std::nullopt;
    return Duration(seconds * million + search.microsecond);
}

} // namespace monoinit::base
