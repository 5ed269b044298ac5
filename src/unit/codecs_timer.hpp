#pragma once
// Codecs of [Timer]. Included by rows_other.hpp only. Tested by tests/unit/unit/timer_test.cpp.

#include "unit/codecs.hpp"

namespace monoinit::unit::codec {

/// OnCalendar=; an empty value takes back every On…= so far, as systemd does.
struct Calendars {
    static constexpr base::Literal type = "calendar expression";
    static Result<void> parse(ParseContext& context, Value value, TimerSection& section);
    static std::string show(const TimerSection& section);
};

Result<void> add_timer_span(ParseContext& context, Value value, TimerBase base, TimerSection& section);
std::string show_timer_spans(const TimerSection& section, TimerBase base);

template <TimerBase Base> struct TimerSpans {
    static constexpr base::Literal type = "time span";
    static Result<void> parse(ParseContext& context, Value value, TimerSection& section) { return add_timer_span(context, value, Base, section); }
    static std::string show(const TimerSection& section) { return show_timer_spans(section, Base); }
};

/// Unit=: any unit but one of the timer's own type.
struct Triggered {
    static constexpr base::Literal type = "unit name";
    static Result<void> parse(ParseContext& context, Value value, std::string& field);
    static std::string show(const std::string& field) { return field; }
};

} // namespace monoinit::unit::codec
