// `initctl calendar`, and `systemd-analyze calendar` where that name is linked to us: when an OnCalendar= elapses, in
// systemd's words. Judged by the real one in tests/system/calendar_expressions.py.
#include "base/calendar.hpp"
#include "base/strings.hpp"
#include "base/timestamp.hpp"
#include "cli/verbs.hpp"
#include "sys/clock.hpp"
#include "sys/real_files.hpp"

#include <charconv>
#include <cstdlib>

namespace monoinit::cli {

namespace {

void line(Context& context, std::string_view label, std::string_view text) {
    context.print("{:>15}: {}\n", label, text);
}

bool is_utc(const base::TimeZone& zone, base::Duration now) {
    return zone.at(now.count() / 1'000'000).offset == 0 && zone.name(false) == zone.name(true);
}

struct Question {
    base::Duration now, from;
    std::uint32_t iterations = 1;
};

void answer(Context& context, std::string_view text, const base::Calendar& calendar, const base::TimeZone& local, Question question) {
    const std::string normalized = calendar.normalized();
    if (normalized != text)
        line(context, "Original form", base::printable(text));
    line(context, "Normalized form", normalized);
    for (std::uint32_t i = 0; i < question.iterations; i++) {
        const auto next = calendar.next(question.from, local);
        if (!next) {
            if (i == 0)
                line(context, "Next elapse", "never");
            return;
        }
        line(context, i == 0 ? "Next elapse" : fmt::format("Iter. #{}", i + 1), base::format_timestamp(*next, local));
        if (!is_utc(local, question.now))
            line(context, "(in UTC)", base::format_timestamp(*next, base::TimeZone()));
        const std::string span = systemd_relative(*next < question.now ? question.now - *next : *next - question.now);
        line(context, "From now", span == "now" ? span : span + (*next <= question.now ? " ago" : " left"));
        question.from = *next;
    }
}

} // namespace

int calendar(Context& context, Words words) {
    const sys::RealFiles files;
    const char* tz = ::getenv("TZ");
    base::TimeZones zones(&files, tz == nullptr ? "" : tz);
    Question question{sys::wall_now(), sys::wall_now()};
    if (const std::string& count = context.options.iterations; !count.empty()) {
        const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), question.iterations);
        if (error != std::errc{} || end != count.data() + count.size() || question.iterations > 100'000) {
            context.complain("{}: --iterations={} is not a number of moments", context.program, base::printable(count, 40));
            return 2;
        }
    }
    if (!context.options.base_time.empty()) {
        const auto from = base::parse_timestamp(context.options.base_time, question.now, zones);
        if (!from) {
            context.complain("{}: --base-time={}: {}", context.program, base::printable(context.options.base_time, 80), from.error().what);
            return 2;
        }
        question.from = *from;
    }
    int status = 0;
    for (const std::string& text : words) {
        if (&text != &words.front())
            context.print("\n");
        const auto parsed = base::Calendar::parse(text, zones);
        if (parsed) {
            answer(context, text, *parsed, *zones.local(), question);
        } else {
            context.complain("Failed to parse calendar specification '{}': {}", base::printable(text, 200), parsed.error().what);
            status = 1;
        }
    }
    return status;
}

} // namespace monoinit::cli
