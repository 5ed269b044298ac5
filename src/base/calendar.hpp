#pragma once
// Calendar expressions, systemd.time(7) "CALENDAR EVENTS": "Mon..Fri *-*-* 9..17/2:00", "*-*~03 12:00 Asia/Tokyo", "weekly".
// What is accepted, the normalised form and the moments are systemd's, which tests/unit/base/calendar_test.cpp and
// tests/system/calendar_expressions.py compare with the real systemd-analyze.

#include "base/time.hpp"
#include "base/time_zone.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::base {

class Calendar {
  public:
    /// Zones decide which words at the end are a zone. The local zone is not kept: next() is told of it.
    static Result<Calendar> parse(std::string_view text, TimeZones& zones);

    std::string normalized() const;
    /// The first moment after this one (microseconds since 1970 UTC); nothing when there is none before the year 2200.
    std::optional<Duration> next(Duration after, const TimeZone& local) const;
    bool operator==(const Calendar& other) const { return normalized() == other.normalized(); }

  private:
    /// "9..17/2": seconds count in microseconds, everything else in ones.
    struct Part {
        int start = 0, stop = -1, repeat = 0;
        auto operator<=>(const Part&) const = default;
    };
    enum Field : std::uint8_t { Year, Month, Day, Hour, Minute, Second };
    static constexpr std::size_t fields = 6;
    static constexpr int million = 1'000'000, first_year = 1970, last_year = 2199;
    static constexpr std::string_view weekday_names[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
    struct Search;
    std::optional<Duration> search_from(std::int64_t from, const TimeZone& zone) const; ///< microseconds; at that moment or after it
    friend class CalendarParser;

    std::array<std::vector<Part>, fields> parts_; ///< empty = any
    unsigned weekdays_ = 0;     ///< bit 0 = Monday; 0 = any
    bool end_of_month_ = false; ///< days count from the last one
    int dst_ = -1;              ///< the zone was given by the name of winter (0) or summer time (1)
    std::string zone_name_;     ///< as normalised: "UTC", "Asia/Tokyo", "CEST"; empty = local
    TimeZonePtr zone_;          ///< null = local
};

} // namespace monoinit::base
