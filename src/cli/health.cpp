// initctl health: one verdict for the container or some units, for Docker's HEALTHCHECK and Kubernetes' exec probes.
// Exit: 0 healthy, 1 not (starting included), 2 usage. Tested by tests/system/health.py.
#include "base/strings.hpp"
#include "cli/verbs.hpp"
#include "control/codec.hpp"
#include "unit/name.hpp"

namespace monoinit::cli {

int health(Context& context, Words words) {
    const auto reply = ask<control::HealthReply>(context, control::HealthRequest{context.options.health_kind, mangled(context, words)});
    if (!reply) {
        context.complain("{}: {}", context.program, reply.error().what);
        return reply.error().code == base::Errc::Invalid ? 2 : 1;
    }
    const bool healthy = reply->verdict == "healthy";
    if (context.options.json) {
        context.out += control::to_json(*reply) + "\n";
        return healthy ? 0 : 1;
    }
    context.say("{}{}\n", reply->verdict, reply->text.empty() ? "" : ": " + reply->text);
    for (const control::UnitHealth& unit : reply->units)
        if (unit.health != "healthy" || !words.empty())
            context.say("{}: {}{}\n", unit::short_name(unit.unit), unit.health, unit.text.empty() ? "" : ": " + base::printable(unit.text));
    return healthy ? 0 : 1;
}

} // namespace monoinit::cli
