// See time_zone.hpp. Years are counted in days from 1970 by arithmetic; nothing loops over years.
// Tested by tests/unit/base/time_zone_test.cpp.
#include "base/time_zone.hpp"

#include <algorithm>

namespace monoinit::base {

namespace {

constexpr std::int64_t day_seconds = 86'400;
constexpr std::size_t largest_file = 65'536, most_named = 1000;

std::int64_t floor_div(std::int64_t value, std::int64_t by) {
    return value / by - (value % by < 0 ? 1 : 0);
}

std::int64_t as_if_utc(const Civil& civil) {
    return days_since_epoch(civil.year, civil.month, civil.day) * day_seconds + civil.hour * 3600 + civil.minute * 60 + civil.second;
}

Civil from_utc(std::int64_t seconds) {
    const std::int64_t days = floor_div(seconds, day_seconds), rest = seconds - days * day_seconds;
    // Years begin in March here, so that the leap day is the last of one.
    const std::int64_t shifted = days + 719'468, era = floor_div(shifted, 146'097), of_era = shifted - era * 146'097;
    const std::int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36'524 - of_era / 146'096) / 365;
    const std::int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t from_march = (5 * of_year + 2) / 153;
    Civil civil;
    civil.day = of_year - (153 * from_march + 2) / 5 + 1;
    civil.month = from_march < 10 ? from_march + 3 : from_march - 9;
    civil.year = year_of_era + era * 400 + (civil.month <= 2 ? 1 : 0);
    civil.hour = rest / 3600;
    civil.minute = rest / 60 % 60;
    civil.second = rest % 60;
    return civil;
}

/// Big-endian numbers of a TZif file; what is not there reads as 0 and is remembered.
class Bytes {
  public:
    explicit Bytes(std::string_view text) : rest_(text) {}
    bool ok() const { return ok_; }
    std::string_view rest() const { return rest_; }
    std::string_view take(std::size_t size) {
        if (size > rest_.size()) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }
    std::uint64_t number(std::size_t size) {
        std::uint64_t value = 0;
        for (const char c : take(size))
            value = value << 8 | static_cast<unsigned char>(c);
        return value;
    }

  private:
    std::string_view rest_;
    bool ok_ = true;
};

struct Header {
    std::uint32_t utc, standard, leap, times, types, chars;
    std::uint8_t version;
    std::size_t size(std::size_t time) const {
        return times * (time + 1) + std::size_t{types} * 6 + chars + leap * (time + 4) + standard + utc;
    }
};

Result<Header> read_header(Bytes& bytes) {
    if (bytes.take(4) != "TZif")
        return fail(Errc::Invalid, "no time zone file");
    Header header{};
    header.version = static_cast<std::uint8_t>(bytes.number(1));
    bytes.take(15);
    for (std::uint32_t* count : {&header.utc, &header.standard, &header.leap, &header.times, &header.types, &header.chars})
        *count = static_cast<std::uint32_t>(bytes.number(4));
    const bool sane = header.types >= 1 && header.types <= 256 && header.times < largest_file && header.chars < largest_file &&
                      header.leap < largest_file && header.standard <= header.types && header.utc <= header.types;
    if (!bytes.ok() || !sane)
        return fail(Errc::Invalid, "damaged time zone file");
    return header;
}

/// The parts of a POSIX TZ string.
class RuleReader {
  public:
    explicit RuleReader(std::string_view text) : rest_(text) {}
    bool done() const { return rest_.empty(); }
    bool skip(char c) {
        if (!rest_.starts_with(c))
            return false;
        rest_.remove_prefix(1);
        return true;
    }
    Result<std::string> name() {
        const bool quoted = skip('<');
        std::size_t size = 0;
        const auto letter = [&](char c) {
            const bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
            return alpha || (quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-'));
        };
        while (size < rest_.size() && letter(rest_[size]))
            size++;
        std::string name(rest_.substr(0, size));
        rest_.remove_prefix(size);
        if (size < 3 || size > 32 || (quoted && !skip('>')))
            return fail(Errc::Invalid, "no name of a time zone");
        return name;
    }
    Result<int> number(int least, int most) {
        std::size_t size = 0;
        int value = 0;
        while (size < rest_.size() && size < 4 && rest_[size] >= '0' && rest_[size] <= '9')
            value = value * 10 + (rest_[size++] - '0');
        rest_.remove_prefix(size);
        if (size == 0 || value < least || value > most)
            return fail(Errc::Invalid, "no time zone rule");
        return value;
    }
    /// [+-]h[h[h]][:mm[:ss]]
    Result<std::int32_t> time() {
        const bool negative = skip('-');
        if (!negative)
            skip('+');
        std::int32_t seconds = TRY(number(0, 167)) * 3600;
        if (skip(':')) {
            seconds += TRY(number(0, 59)) * 60;
            if (skip(':'))
                seconds += TRY(number(0, 59));
        }
        return negative ? -seconds : seconds;
    }
    bool at(char c) const { return rest_.starts_with(c); }

  private:
    std::string_view rest_;
};

} // namespace

std::int64_t days_since_epoch(std::int64_t year, std::int64_t month, std::int64_t day) {
    const std::int64_t shifted = month <= 2 ? year - 1 : year, era = floor_div(shifted, 400), of_era = shifted - era * 400;
    const std::int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146'097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719'468;
}

int weekday(const Civil& civil) {
    const std::int64_t days = days_since_epoch(civil.year, civil.month, civil.day) + 3; // 1970 began on a Thursday
    return static_cast<int>(days - floor_div(days, 7) * 7);
}

int days_in_month(std::int64_t year, std::int64_t month) {
    if (month == 2)
        return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

// ---- reading --------------------------------------------------------------------------------------------------------

Result<TimeZone> TimeZone::from_tzif(std::string_view text) {
    Bytes bytes(text);
    Header header = TRY(read_header(bytes));
    std::size_t width = 4;
    if (header.version >= '2') {
        bytes.take(header.size(4));
        header = TRY(read_header(bytes));
        width = 8;
    }
    Bytes data(bytes.take(header.size(width)));
    TimeZone zone;
    for (std::uint32_t i = 0; i < header.times && data.ok(); i++) {
        const std::uint64_t raw = data.number(width);
        zone.transitions_.push_back(width == 8 ? static_cast<std::int64_t>(raw) : static_cast<std::int32_t>(raw));
    }
    for (std::uint32_t i = 0; i < header.times && data.ok(); i++)
        zone.after_.push_back(static_cast<std::uint8_t>(data.number(1)));
    std::vector<std::size_t> names;
    for (std::uint32_t i = 0; i < header.types && data.ok(); i++) {
        Type type;
        type.offset = static_cast<std::int32_t>(data.number(4));
        type.dst = data.number(1) != 0;
        names.push_back(data.number(1));
        zone.types_.push_back(std::move(type));
    }
    const std::string_view chars = data.take(header.chars);
    const bool sane = data.ok() && bytes.ok() && std::ranges::is_sorted(zone.transitions_) &&
                      std::ranges::all_of(zone.after_, [&](std::uint8_t type) { return type < zone.types_.size(); }) &&
                      std::ranges::all_of(zone.types_, [](const Type& type) { return type.offset > -100'000 && type.offset < 100'000; });
    if (!sane)
        return fail(Errc::Invalid, "damaged time zone file");
    for (std::size_t i = 0; i < zone.types_.size(); i++) {
        const std::string_view name = names[i] < chars.size() ? chars.substr(names[i]) : std::string_view();
        zone.types_[i].abbreviation = std::string(name.substr(0, std::min<std::size_t>(name.find('\0'), 32)));
    }
    std::string_view footer = bytes.rest();
    if (width == 8 && footer.starts_with('\n')) {
        footer.remove_prefix(1);
        if (const std::string_view rule = footer.substr(0, footer.find('\n')); !rule.empty())
            zone.rule_ = TRY(parse_rule(rule));
    }
    zone.name_types();
    return zone;
}

Result<TimeZone> TimeZone::from_rule(std::string_view text) {
    TimeZone zone;
    zone.rule_ = TRY(parse_rule(text));
    zone.name_types();
    return zone;
}

Result<TimeZone::Rule> TimeZone::parse_rule(std::string_view text) {
    RuleReader reader(text);
    Rule rule;
    rule.present = true;
    rule.types[0].abbreviation = TRY(reader.name());
    rule.types[0].offset = -TRY(reader.time());
    rule.types[1] = rule.types[0];
    if (reader.done())
        return rule;
    rule.has_dst = true;
    rule.types[1].dst = true;
    rule.types[1].abbreviation = TRY(reader.name());
    rule.types[1].offset = rule.types[0].offset + 3600;
    if (!reader.done() && !reader.at(','))
        rule.types[1].offset = -TRY(reader.time());
    rule.changes = {Change{Change::Kind::Month, 3, 2, 0}, Change{Change::Kind::Month, 11, 1, 0}}; // POSIX's default
    if (reader.done())
        return rule;
    for (Change& change : rule.changes) {
        if (!reader.skip(','))
            return fail(Errc::Invalid, "no time zone rule");
        change = {};
        if (reader.skip('M')) {
            change.month = TRY(reader.number(1, 12));
            change.week = reader.skip('.') ? TRY(reader.number(1, 5)) : 0;
            change.day = reader.skip('.') ? TRY(reader.number(0, 6)) : -1;
            if (change.week == 0 || change.day < 0)
                return fail(Errc::Invalid, "no time zone rule");
        } else {
            change.kind = reader.skip('J') ? Change::Kind::Julian : Change::Kind::DayOfYear;
            change.day = TRY(reader.number(change.kind == Change::Kind::Julian ? 1 : 0, 365));
        }
        if (reader.skip('/'))
            change.seconds = TRY(reader.time());
    }
    if (!reader.done())
        return fail(Errc::Invalid, "something after the time zone rule");
    return rule;
}

void TimeZone::name_types() {
    std::array<const Type*, 2> last{};
    for (const std::uint8_t index : after_)
        last[types_[index].dst ? 1 : 0] = &types_[index];
    if (rule_.present)
        last = {&rule_.types[0], &rule_.types[1]};
    else if (last[0] == nullptr && !types_.empty())
        last[0] = &types_.front();
    if (last[1] == nullptr)
        last[1] = last[0];
    for (std::size_t i = 0; i < 2; i++)
        if (last[i] != nullptr)
            names_[i] = last[i]->abbreviation;
}

bool TimeZone::operator==(const TimeZone& other) const {
    const auto same = [](const Type& a, const Type& b) {
        return a.offset == b.offset && a.dst == b.dst && a.abbreviation == b.abbreviation;
    };
    return transitions_ == other.transitions_ && after_ == other.after_ && std::ranges::equal(types_, other.types_, same) &&
           rule_.present == other.rule_.present && rule_.has_dst == other.rule_.has_dst && rule_.changes == other.rule_.changes &&
           same(rule_.types[0], other.rule_.types[0]) && same(rule_.types[1], other.rule_.types[1]);
}

// ---- converting -----------------------------------------------------------------------------------------------------

std::int64_t TimeZone::change_time(const Change& change, std::int64_t year, std::int32_t offset) {
    std::int64_t days = days_since_epoch(year, 1, 1);
    switch (change.kind) {
    case Change::Kind::Julian: // 29 February is never counted
        days += change.day - 1 + (change.day >= 60 && days_in_month(year, 2) == 29 ? 1 : 0);
        break;
    case Change::Kind::DayOfYear:
        days += change.day;
        break;
    case Change::Kind::Month: {
        const int first = (weekday({year, change.month, 1}) + 1) % 7; // Sunday = 0 here
        int day = (change.day - first + 7) % 7 + 1 + (change.week - 1) * 7;
        if (day > days_in_month(year, change.month))
            day -= 7;
        days = days_since_epoch(year, change.month, day);
        break;
    }
    }
    return days * day_seconds + change.seconds - offset;
}

const TimeZone::Type& TimeZone::at(std::int64_t seconds) const {
    static const Type utc;
    if (!transitions_.empty() && seconds < transitions_.front()) {
        const auto standard = std::ranges::find_if(types_, [](const Type& type) { return !type.dst; });
        return standard != types_.end() ? *standard : types_.front();
    }
    if (rule_.present && (transitions_.empty() || seconds >= transitions_.back())) {
        if (!rule_.has_dst)
            return rule_.types[0];
        const std::int64_t year = from_utc(seconds).year;
        const std::int64_t begin = change_time(rule_.changes[0], year, rule_.types[0].offset),
                           end = change_time(rule_.changes[1], year, rule_.types[1].offset);
        const bool summer = begin > end ? seconds < end || seconds >= begin : seconds >= begin && seconds < end;
        return rule_.types[summer ? 1 : 0];
    }
    if (transitions_.empty())
        return types_.empty() ? utc : types_.front();
    const auto next = std::ranges::upper_bound(transitions_, seconds);
    return types_[after_[static_cast<std::size_t>(next - transitions_.begin()) - 1]];
}

std::optional<std::int64_t> TimeZone::next_change(std::int64_t seconds) const {
    if (const auto next = std::ranges::upper_bound(transitions_, seconds); next != transitions_.end())
        return *next;
    if (!rule_.has_dst)
        return std::nullopt;
    std::optional<std::int64_t> nearest;
    const std::int64_t year = from_utc(seconds).year;
    for (const std::int64_t each : {year, year + 1})
        for (std::size_t i = 0; i < rule_.changes.size(); i++)
            if (const std::int64_t time = change_time(rule_.changes[i], each, rule_.types[i].offset); time > seconds)
                nearest = nearest ? std::min(*nearest, time) : time;
    return nearest;
}

Civil TimeZone::local(std::int64_t seconds) const {
    const Type& type = at(seconds);
    Civil civil = from_utc(seconds + type.offset);
    civil.dst = type.dst ? 1 : 0;
    return civil;
}

bool TimeZone::resolve(Civil& civil, std::int32_t& offset, std::int64_t& seconds) const {
    const std::int64_t years = floor_div(civil.month - 1, 12);
    civil.year += years;
    civil.month -= years * 12;
    if (civil.year < -10'000 || civil.year > 10'000)
        return false;
    const std::int64_t wanted = as_if_utc(civil);
    const auto error = [&](std::int64_t guess) { return wanted - guess - at(guess).offset; };
    // Each error corrects the next guess. In a gap this goes back and forth between the offsets before and after it.
    std::int64_t guess = wanted - offset, last = guess, before_last = guess;
    bool was_dst = false, in_gap = false;
    for (int probes = 6;; probes--) {
        const Type& type = at(guess);
        const std::int64_t wrong = error(guess);
        if (wrong == 0)
            break;
        if (guess == before_last && guess != last && (civil.dst < 0 ? was_dst <= type.dst : (civil.dst != 0) != type.dst)) {
            in_gap = true;
            break;
        }
        if (probes == 1)
            return false;
        before_last = last;
        last = guess;
        was_dst = type.dst;
        guess += wrong;
    }
    if (!in_gap && civil.dst >= 0 && (civil.dst != 0) != at(guess).dst) {
        // The other kind of time was asked for: the nearest moment that has it tells its offset. About a week at a time,
        // as no zone has kept summer time, or not had it, for longer than seventeen years.
        constexpr std::int64_t stride = 601'200, farthest = 536'454'000 / 2 + stride;
        bool found = false;
        for (std::int64_t away = stride; away < farthest && !found; away += stride)
            for (const std::int64_t there : {guess - away, guess + away})
                if (const Type& type = at(there); type.dst == (civil.dst != 0)) {
                    guess = wanted - type.offset;
                    found = true;
                    break;
                }
        if (!found)
            return false;
    }
    offset = static_cast<std::int32_t>(wanted - guess);
    civil = local(guess);
    seconds = guess;
    return true;
}

// ---- the zones of a place -------------------------------------------------------------------------------------------

bool is_zone_name(std::string_view name) {
    if (name.empty() || name.size() > 255 || name.front() == '/' || name.back() == '/' || name.find("//") != std::string_view::npos)
        return false;
    return std::ranges::all_of(name, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '+' || c == '/';
    });
}

TimeZonePtr TimeZones::read(const std::string& path) const {
    if (files_ == nullptr)
        return nullptr;
    const auto bytes = files_->read(path, largest_file);
    if (!bytes)
        return nullptr;
    auto zone = TimeZone::from_tzif(*bytes);
    return zone ? std::make_shared<const TimeZone>(std::move(*zone)) : nullptr;
}

TimeZonePtr TimeZones::read_local() {
    std::string_view tz = tz_;
    TimeZonePtr zone;
    if (tz.starts_with(':'))
        tz.remove_prefix(1);
    if (tz.starts_with('/')) {
        zone = read(std::string(tz));
    } else if (!tz.empty()) {
        zone = find(tz);
        if (!zone)
            if (auto rule = TimeZone::from_rule(tz))
                zone = std::make_shared<const TimeZone>(std::move(*rule));
    } else {
        zone = read("/etc/localtime");
    }
    return zone ? zone : std::make_shared<const TimeZone>();
}

TimeZonePtr TimeZones::local() {
    if (!local_)
        local_ = read_local();
    return local_;
}

bool TimeZones::reread_local() {
    const TimeZonePtr before = local();
    local_ = read_local();
    return !(*before == *local_);
}

TimeZonePtr TimeZones::find(std::string_view name) {
    if (name == "UTC")
        return std::make_shared<const TimeZone>();
    if (!is_zone_name(name))
        return nullptr;
    if (const auto known = named_.find(name); known != named_.end())
        return known->second;
    TimeZonePtr zone = read("/usr/share/zoneinfo/" + std::string(name));
    if (named_.size() < most_named)
        named_.emplace(std::string(name), zone);
    return zone;
}

} // namespace monoinit::base
