// One verdict from the health of all units: what `initctl health` prints, Docker's HEALTHCHECK and Kubernetes' probes ask and
// READY=1 waits for. Units with checks count, and units asked for by name; what a person stopped does not.
// Tested by tests/system/health.py.
#include "base/fmt.hpp"
#include "runtime/runtime.hpp"
#include "unit/name.hpp"

namespace monoinit::runtime {

namespace {

using supervise::ActiveState;
using supervise::Health;
using supervise::HealthQuestion;

/// What the check that decides has seen last.
std::string last_seen(const engine::UnitStatus& status) {
    if (status.monitor == nullptr)
        return {};
    for (const auto& check : status.monitor->data())
        if (!check.last_ok && !check.last_text.empty())
            return check.last_text;
    return {};
}

/// Down or on its way: how that counts. Nothing: a unit that nobody wants up.
std::optional<Health> down_counts_as(const engine::UnitStatus& status, bool by_name) {
    switch (status.active) {
    case ActiveState::Activating:
        return Health::Starting;
    case ActiveState::Failed:
        return Health::Unhealthy;
    case ActiveState::Deactivating:
    case ActiveState::Inactive:
        if (status.job && *status.job != graph::JobType::Stop)
            return Health::Starting;
        return by_name || !status.why.empty() ? std::optional(Health::Unhealthy) : std::nullopt;
    case ActiveState::Active:
    case ActiveState::Reloading:
        break;
    }
    return std::nullopt;
}

std::optional<Health> judge(const engine::UnitStatus& status, HealthQuestion question, bool by_name) {
    const bool has_checks = !status.config->health->empty();
    if (!has_checks && !by_name)
        return std::nullopt;
    if (status.active != ActiveState::Active && status.active != ActiveState::Reloading) {
        const auto counts = down_counts_as(status, by_name);
        // Alive is what is not known to be dead: a unit that starts, or waits to be restarted, is looked after already.
        return question == HealthQuestion::Live && counts == Health::Starting ? Health::Healthy : counts;
    }
    const Health answer = status.monitor != nullptr ? status.monitor->answer(question) : Health::None;
    return answer == Health::None ? Health::Healthy : answer;
}

} // namespace

control::HealthReply Runtime::health(HealthQuestion question, const std::vector<base::UnitId>& units) const {
    control::HealthReply reply;
    const bool by_name = !units.empty();
    Health worst = Health::Healthy;
    const auto take = [&](Health health) {
        if (health == Health::Unhealthy || worst == Health::Healthy)
            worst = health;
    };
    if (!by_name && question != HealthQuestion::Live && !booted()) {
        take(Health::Starting);
        reply.text = fmt::format("{} is not reached yet", boot_target_name());
    }
    for (const base::UnitId id : by_name ? units : engine_->units()) {
        const engine::UnitStatus status = engine_->status(id);
        const auto health = judge(status, question, by_name);
        if (!health)
            continue;
        take(*health);
        control::UnitHealth unit{status.config->name, std::string(supervise::name(*health)), {}};
        if (*health != Health::Healthy)
            unit.text = status.active == ActiveState::Active ? last_seen(status) : std::string(supervise::name(status.active));
        reply.units.push_back(std::move(unit));
    }
    reply.verdict = supervise::name(worst);
    return reply;
}

void Runtime::perform_check(const engine::HealthAction& action) {
    if (const auto* run = std::get_if<supervise::RunCheck>(&action.what))
        health_->run(action.unit, *run);
    else if (const auto* end = std::get_if<supervise::EndCheck>(&action.what))
        health_->end(*end);
}

} // namespace monoinit::runtime
