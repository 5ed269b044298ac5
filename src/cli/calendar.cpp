// initctl calendar: when calendar expressions of timers elapse, in the words of systemd-analyze(1).
// Tested by tests/system/calendar_verb.py, against the real systemd-analyze where there is one.
#include "base/calendar.hpp"

#include "base/strings.hpp"
#include "base/time_text.hpp"
#include "cli/verbs.hpp"
#include "sys/clock.hpp"
#include "sys/local_zone.hpp"

#include <charconv>
#include <cstdlib>

namespace monoinit::cli {

namespace {

constexpr std::size_t label_width = 15; ///< "Normalized form"
constexpr unsigned most_iterations = 100000;

void line(Context& context, std::string_view label, std::string_view value) {
    context.out += std::string(label_width - std::min(label_width, label.size()), ' ') + std::string(label) + ": " + std::string(value) + "\n";
}

void moment(Context& context, const std::string& label, base::Duration when, base::Duration now, const base::TimeZone& local) {
    const base::Moment at{{}, when};
    line(context, label, systemd_timestamp(at));
    const std::int64_t seconds = when.count() / 1'000'000;
    if (local.at(seconds).abbreviation != "UTC") {
        line(context, "(in UTC)", base::time_text(base::TimeZone(), when, "%a %Y-%m-%d %H:%M:%S UTC"));
    }
    line(context, "From now", systemd_relative(when > now ? when - now : now - when) + (when > now ? " left" : " ago"));
}

} // namespace

int calendar(Context& context, Words words) {
    const char* const tz = ::getenv("TZ"); // the abbreviations of its zone are words, too
    base::TimeZones zones(context.files(), "", tz == nullptr ? "" : tz);
    const base::TimeZone& local = sys::local_zone();
    const base::Duration now = sys::wall_now();
    base::Duration base = now;
    if (!context.options.base_time.empty()) {
        // A moment is the calendar expression that elapses once.
        const auto given = base::Calendar::parse(context.options.base_time, zones);
        const auto first = given ? given->next(base::Duration(0), local) : std::nullopt;
        if (!first || given->next(*first, local)) {
            context.complain("{}: --base-time={}: not a moment such as 2026-11-30 12:00:00", context.program, base::printable(context.options.base_time));
            return 2;
        }
        base = *first;
    }
    unsigned iterations = 1;
    const std::string& count = context.options.iterations;
    if (!count.empty() && (std::from_chars(count.data(), count.data() + count.size(), iterations).ptr != count.data() + count.size() || iterations > most_iterations)) {
        context.complain("{}: --iterations= is a number up to {}", context.program, most_iterations);
        return 2;
    }
    int status = 0;
    bool first = true;
    for (const std::string& word : words) {
        const auto parsed = base::Calendar::parse(word, zones);
        if (!parsed) {
            context.complain("{}: {}: {}", context.program, base::printable(word), parsed.error().what);
            status = 1;
            continue;
        }
        context.out += first ? "" : "\n";
        first = false;
        if (parsed->normalized() != word)
            line(context, "Original form", base::printable(word));
        line(context, "Normalized form", parsed->normalized());
        std::optional<base::Duration> at = base;
        for (unsigned i = 1; i <= iterations; i++) {
            at = parsed->next(*at, local);
            if (!at) {
                if (i == 1)
                    line(context, "Next elapse", "never");
                break;
            }
            moment(context, i == 1 ? "Next elapse" : fmt::format("Iter. #{}", i), *at, now, local);
        }
    }
    return status;
}

} // namespace monoinit::cli
