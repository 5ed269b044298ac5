// initctl wait: until units are ready, healthy, active, inactive or failed; ends early when that can no longer be.
// Exit: 0 reached, 1 failed, 2 usage, 3 timeout, 4 unknown unit. Tested by tests/system.
#include "base/strings.hpp"
#include "cli/verbs.hpp"
#include "control/codec.hpp"
#include "unit/name.hpp"

#include <algorithm>

namespace monoinit::cli {

namespace {

constexpr std::string_view conditions[] = {"ready", "healthy", "active", "inactive", "failed"};

int exit_status(std::string_view result) {
    if (result == "reached")
        return 0;
    return result == "timeout" ? 3 : result == "unknown" ? 4 : 1;
}

void report(Context& context, const control::WaitReply& reply, const std::string& condition) {
    for (const control::WaitState& unit : reply.units) {
        const std::string name(unit::short_name(unit.unit));
        if (unit.reached) {
            context.say("{}: {} after {}\n", name, condition == "ready" ? unit.state.empty() ? "ready" : unit.state : condition,
                        base::human_time_span(reply.took));
            continue;
        }
        std::string text = unit.text.empty() ? unit.state : unit.text;
        if (reply.result == "unknown" && text.empty()) {
            const std::string best = suggest_unit(context, unit.unit);
            text = best.empty() ? "there is no such unit" : "there is no such unit; did you mean " + best + "?";
        }
        context.complain("{}: not {}: {}", name, condition, text.empty() ? reply.result : text);
    }
    if (reply.result == "timeout")
        context.complain("timed out after {}", base::human_time_span(reply.took));
    else if (reply.units.empty() && reply.result == "reached")
        context.say("{} after {}\n", condition, base::human_time_span(reply.took));
}

} // namespace

int wait(Context& context, Words words) {
    const Options& options = context.options;
    control::WaitRequest request{.condition = options.wait_for, .units = mangled(context, words), .any = options.any};
    if (std::find(std::begin(conditions), std::end(conditions), options.wait_for) == std::end(conditions)) {
        context.complain("{}: --for= is one of ready, healthy, active, inactive, failed", context.program);
        return 2;
    }
    const auto timeout = base::parse_time_span(options.timeout.value_or("60"));
    if (!timeout) {
        context.complain("{}: --timeout={}: {}", context.program, base::printable(*options.timeout), timeout.error().what);
        return 2;
    }
    if (*timeout != base::infinity)
        request.timeout = *timeout;
    const auto reply = ask<control::WaitReply>(context, request);
    if (!reply) {
        context.complain("{}: {}", context.program, reply.error().what);
        return reply.error().code == base::Errc::NotFound ? 4 : reply.error().code == base::Errc::Invalid ? 2 : 1;
    }
    if (options.json)
        context.out += control::to_json(*reply) + "\n";
    else
        report(context, *reply, options.wait_for);
    return exit_status(reply->result);
}

} // namespace monoinit::cli
