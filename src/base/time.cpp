// Time spans as systemd.time(7): parsing, and the two ways of printing. Digits behind a point are added one by one with
// integer arithmetic, so results equal systemd's to the microsecond. Tested by tests/unit/base/time_test.cpp.
#include "base/time.hpp"

#include "base/strings.hpp"

#include <array>
#include <cstdint>

namespace monoinit::base {

namespace {

constexpr std::uint64_t second = 1'000'000, minute = 60 * second, hour = 60 * minute, day = 24 * hour, week = 7 * day;
constexpr std::uint64_t year = 31'557'600 * second, month = 2'629'800 * second; // 365.25 days, and a twelfth of it

struct UnitName {
    std::string_view name;
    std::uint64_t usec;
};

constexpr auto unit_names = std::to_array<UnitName>({
    {"seconds", second}, {"second", second}, {"sec", second}, {"s", second},
    {"minutes", minute}, {"minute", minute}, {"min", minute},
    {"months", month},   {"month", month},   {"M", month},
    {"msec", 1000},      {"ms", 1000},       {"m", minute},
    {"hours", hour},     {"hour", hour},     {"hr", hour},    {"h", hour},
    {"days", day},       {"day", day},       {"d", day},
    {"weeks", week},     {"week", week},     {"w", week},
    {"years", year},     {"year", year},     {"y", year},
    {"usec", 1},         {"us", 1},          {"\u03bcs", 1},  {"\u00b5s", 1},
});

/// Printed from the largest to the smallest.
constexpr auto printed_units = std::to_array<UnitName>({
    {"y", year}, {"month", month}, {"w", week}, {"d", day}, {"h", hour}, {"min", minute}, {"s", second}, {"ms", 1000}, {"us", 1},
});

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view skip_blanks(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\n\r");
    return first == std::string_view::npos ? std::string_view{} : text.substr(first);
}

/// One "12.5min" of a span: number and unit in, microseconds out, `rest` moved behind it.
class TermParser {
  public:
    TermParser(std::string_view text, std::uint64_t plain) : rest_(text), plain_(plain) {}

    std::string_view rest() const { return rest_; }

    Result<std::uint64_t> next() {
        if (!rest_.empty() && rest_.front() == '-')
            return fail(Errc::Invalid, "a time span cannot be negative");
        if (!rest_.empty() && rest_.front() == '+')
            rest_.remove_prefix(1);
        const std::string_view whole = take_digits();
        std::string_view fraction;
        if (!rest_.empty() && rest_.front() == '.') {
            rest_.remove_prefix(1);
            fraction = take_digits();
            if (fraction.empty())
                return fail(Errc::Invalid, "digits expected after the point");
            if (!rest_.empty() && rest_.front() == '.')
                return fail(Errc::Invalid, "two points in one number");
        }
        if (whole.empty() && fraction.empty())
            return fail(Errc::Invalid, "number expected");
        return value(whole, fraction, take_unit());
    }

  private:
    std::string_view take_digits() {
        std::size_t n = 0;
        while (n < rest_.size() && is_digit(rest_[n]))
            n++;
        const std::string_view digits = rest_.substr(0, n);
        rest_.remove_prefix(n);
        return digits;
    }

    /// The unit after the number, blanks allowed between them. What is no unit stays, and fails as the next number.
    std::uint64_t take_unit() {
        const std::string_view text = skip_blanks(rest_);
        for (const auto& [name, usec] : unit_names) // longer names stand first where one begins another
            if (text.starts_with(name)) {
                rest_ = text.substr(name.size());
                return usec;
            }
        return plain_;
    }

    static Result<std::uint64_t> value(std::string_view whole, std::string_view fraction, std::uint64_t unit) {
        std::uint64_t sum = 0;
        for (const char c : whole)
            if (__builtin_mul_overflow(sum, 10U, &sum) ||
                __builtin_add_overflow(sum, static_cast<unsigned>(c - '0'), &sum))
                return fail(Errc::Invalid, "number too large");
        if (__builtin_mul_overflow(sum, unit, &sum))
            return fail(Errc::Invalid, "time span too large");
        for (const char c : fraction) {
            unit /= 10;
            if (__builtin_add_overflow(sum, static_cast<unsigned>(c - '0') * unit, &sum))
                return fail(Errc::Invalid, "time span too large");
        }
        return sum;
    }

    std::string_view rest_;
    std::uint64_t plain_;
};

/// `value` in units of `unit` with the digits that `accuracy` lets through: "1.500" for 1500 µs in ms at 1 µs.
std::string with_fraction(std::uint64_t value, std::uint64_t unit, std::uint64_t accuracy) {
    std::uint64_t remainder = value % unit;
    std::size_t digits = 0;
    for (std::uint64_t u = unit; u > 1; u /= 10)
        digits++;
    for (std::uint64_t a = accuracy; a > 1; a /= 10) {
        remainder /= 10;
        if (digits == 0)
            return {};
        digits--;
    }
    if (digits == 0)
        return {};
    std::string fraction = std::to_string(remainder);
    fraction.insert(0, digits - std::min(digits, fraction.size()), '0');
    return std::to_string(value / unit) + "." + fraction;
}

} // namespace

Result<Duration> parse_time_span(std::string_view text, Duration plain) {
    text = trim(text);
    if (text == "infinity")
        return infinity;
    if (text.empty())
        return fail(Errc::Invalid, "empty time span");
    std::uint64_t total = 0;
    for (TermParser terms(text, static_cast<std::uint64_t>(plain.count())); !text.empty();) {
        if (__builtin_add_overflow(total, TRY(terms.next()), &total))
            return fail(Errc::Invalid, "time span too large");
        text = skip_blanks(terms.rest());
        terms = TermParser(text, static_cast<std::uint64_t>(plain.count()));
    }
    // systemd counts in 64 bits without sign; what is longer than our 292,000 years is for ever.
    if (total >= static_cast<std::uint64_t>(infinity.count()))
        return infinity;
    return Duration(static_cast<Duration::rep>(total));
}

std::string format_time_span(Duration span, Duration accuracy) {
    if (span == infinity)
        return "infinity";
    if (span.count() <= 0)
        return "0";
    auto rest = static_cast<std::uint64_t>(span.count());
    const auto fine = static_cast<std::uint64_t>(std::max<Duration::rep>(accuracy.count(), 1));
    std::string text;
    for (const auto& [name, unit] : printed_units) {
        if (rest == 0 || (rest < fine && !text.empty()))
            break;
        if (rest < unit)
            continue;
        std::string number;
        if (rest < minute && rest % unit != 0)
            number = with_fraction(rest, unit, fine);
        if (number.empty()) {
            number = std::to_string(rest / unit);
            rest %= unit;
        } else {
            rest = 0;
        }
        if (!text.empty())
            text += ' ';
        text += number;
        text += name;
    }
    return text;
}

std::string decimal(std::uint64_t value, std::uint64_t unit, unsigned digits) {
    std::uint64_t scale = 1;
    for (unsigned i = 0; i < digits; i++)
        scale *= 10;
    const std::uint64_t step = unit / scale, rounded = value / step + (value % step * 2 >= step && step > 1 ? 1 : 0);
    std::string text = std::to_string(rounded / scale);
    if (digits == 0)
        return text;
    const std::string behind = std::to_string(rounded % scale);
    return text + "." + std::string(digits - behind.size(), '0') + behind;
}

std::string human_time_span(Duration span) {
    if (span == infinity)
        return "ever";
    const auto usec = static_cast<std::uint64_t>(std::max<Duration::rep>(span.count(), 0));
    if (usec < 1000)
        return usec == 0 ? "0 ms" : std::to_string(usec) + " µs";
    if (usec < 100'000)
        return std::to_string(usec / 1000) + " ms";
    if (usec < 10 * second) { // "0.36 s", "1.4 s", "2 s"
        const std::uint64_t hundredths = usec < second ? usec / 10'000 : usec / 100'000 * 10;
        std::string text = std::to_string(hundredths / 100);
        if (const auto fraction = hundredths % 100; fraction != 0) {
            text += "." + std::to_string(fraction / 10);
            if (fraction % 10 != 0)
                text += std::to_string(fraction % 10);
        }
        return text + " s";
    }
    struct Step {
        std::uint64_t below, unit;
        std::string_view name;
    };
    constexpr auto steps = std::to_array<Step>({{2 * minute, second, " s"}, {2 * hour, minute, " min"}, {2 * day, hour, " h"}});
    for (const auto& [below, unit, name] : steps)
        if (usec < below)
            return std::to_string(usec / unit) + std::string(name);
    return std::to_string(usec / day) + " days";
}

} // namespace monoinit::base
