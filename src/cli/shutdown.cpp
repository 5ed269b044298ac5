// initctl shutdown: what docker stop does, and --plan, what it would do. Tested by tests/unit/cli/shutdown_test.cpp and
// tests/system/run.py.
#include "cli/shutdown.hpp"

#include "base/strings.hpp"
#include "cli/terminal.hpp"
#include "cli/verbs.hpp"
#include "control/codec.hpp"
#include "unit/name.hpp"

namespace monoinit::cli {

std::string render_plan(const control::ShutdownPlanReply& plan, bool color) {
    if (plan.stops.empty())
        return "nothing runs that would have to stop\n";
    Table table;
    table.add({Cell("WAVE", Color::None, true), Cell("UNIT"), Cell(plan.budget ? "SHARE" : "TIMEOUT", Color::None, true), Cell(plan.budget ? "KILLED AFTER" : "", Color::None, true), Cell("NOTE")});
    for (const control::PlannedStop& stop : plan.stops) {
        const auto span = [](const std::optional<base::Duration>& value) { return value ? base::human_time_span(*value) : std::string("never"); };
        table.add({Cell(std::to_string(stop.wave), Color::None, true), Cell(std::string(unit::short_name(stop.unit))),
                   Cell(span(plan.budget ? stop.share : stop.timeout), Color::None, true),
                   Cell(plan.budget ? span(stop.killed_after) : "", Color::None, true), Cell(base::printable(stop.note))});
    }
    return table.render(color, 2) + "\n" +
           (plan.budget ? fmt::format("{} for all; a wave begins as soon as what stands before it is down, and who is not in time is killed\n",
                                      base::human_time_span(*plan.budget))
                        : std::string("no limit for all together: each unit has its own TimeoutStopSec=\n"));
}

int shutdown(Context& context, Words) {
    if (!context.options.plan) {
        const auto done = ask<control::Empty>(context, control::ExitRequest{.force = context.options.force > 0, .within_budget = true});
        if (!done) {
            context.complain("{}: {}", context.program, done.error().what);
            return 1;
        }
        context.done_silently();
        return 0;
    }
    const auto plan = ask<control::ShutdownPlanReply>(context, control::ShutdownPlanRequest{});
    if (!plan) {
        context.complain("{}: {}", context.program, plan.error().what);
        return 1;
    }
    context.out += context.options.json ? control::to_json(*plan) + "\n" : render_plan(*plan, context.color);
    return 0;
}

} // namespace monoinit::cli
