#pragma once
// Time zones as data: TZif files (RFC 8536) and POSIX TZ rules, read through the file seam. Conversions give what glibc's
// localtime() and mktime() give, gaps and repeated hours included, since calendar expressions must elapse when systemd's do.
// Nothing here depends on the environment or keeps a state. Tested by tests/unit/base/time_zone_test.cpp.

#include "base/files.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::base {

/// Broken-down time. Before TimeZone::resolve() its fields may lie out of their ranges.
struct Civil {
    std::int64_t year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0; ///< month and day from 1
    int dst = -1; ///< tm_isdst: 1 summer time, 0 not, -1 unknown
};

std::int64_t days_since_epoch(std::int64_t year, std::int64_t month, std::int64_t day); ///< month 1..12, any day
int weekday(const Civil& civil); ///< Monday = 0; fields in their ranges
int days_in_month(std::int64_t year, std::int64_t month);

class TimeZone {
  public:
    struct Type {
        std::int32_t offset = 0; ///< seconds east of UTC
        bool dst = false;
        std::string abbreviation = "UTC";
    };

    TimeZone() = default; ///< UTC
    static Result<TimeZone> from_tzif(std::string_view bytes);
    static Result<TimeZone> from_rule(std::string_view rule); ///< "CET-1CEST,M3.5.0,M10.5.0/3"

    const Type& at(std::int64_t seconds) const; ///< which offset holds then
    std::optional<std::int64_t> next_change(std::int64_t seconds) const; ///< when another offset or kind of time begins, after that
    Civil local(std::int64_t seconds) const;
    /// mktime(3): normalises `civil` and gives its moment. Where a time comes twice or never, `offset` (of the last
    /// conversion, 0 at first) decides as it does in glibc. False: there is no such time.
    bool resolve(Civil& civil, std::int32_t& offset, std::int64_t& seconds) const;
    /// tzname[]: what winter and summer time are called.
    const std::string& name(bool dst) const { return names_[dst ? 1 : 0]; }
    bool operator==(const TimeZone& other) const;

  private:
    /// One half of a POSIX rule: when a type begins each year.
    struct Change {
        enum class Kind : std::uint8_t { Month, Julian, DayOfYear } kind = Kind::Month;
        int month = 0, week = 0, day = 0;
        std::int32_t seconds = 7200; ///< local, after midnight
        bool operator==(const Change&) const = default;
    };
    struct Rule {
        bool present = false, has_dst = false;
        std::array<Type, 2> types;     ///< standard, summer
        std::array<Change, 2> changes; ///< to summer, to standard
    };
    static Result<Rule> parse_rule(std::string_view text);
    static std::int64_t change_time(const Change& change, std::int64_t year, std::int32_t offset);
    void name_types();

    std::vector<std::int64_t> transitions_;
    std::vector<std::uint8_t> after_; ///< index into types_, of each transition
    std::vector<Type> types_;
    Rule rule_; ///< after the last transition
    std::array<std::string, 2> names_{"UTC", "UTC"};
};

using TimeZonePtr = std::shared_ptr<const TimeZone>;

/// The zones of a place, each read once: the local one (TZ, then /etc/localtime, then UTC) and those with a name.
class TimeZones {
  public:
    /// `tz` is $TZ. Without files there is only UTC.
    TimeZones(const FileSource* files, std::string tz) : files_(files), tz_(std::move(tz)) {}

    TimeZonePtr local();
    TimeZonePtr find(std::string_view name); ///< null: no such zone here
    bool reread_local();                     ///< true: it has changed

  private:
    TimeZonePtr read(const std::string& path) const;
    TimeZonePtr read_local();

    const FileSource* files_;
    std::string tz_;
    TimeZonePtr local_;
    std::map<std::string, TimeZonePtr, std::less<>> named_;
};

/// What could be the name of a zone: no way out of the directory that holds them.
bool is_zone_name(std::string_view name);

} // namespace monoinit::base
