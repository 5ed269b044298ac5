// See health.hpp. Tested by tests/unit/supervise/health_test.cpp and health_walk_test.cpp.
#include "supervise/health.hpp"

#include "base/enum_names.hpp"
#include "base/fmt.hpp"

#include <algorithm>

namespace monoinit::supervise {

using unit::HealthKind;
using unit::OnUnhealthy;
using namespace std::chrono_literals;

namespace {

/// A service that was just made takes no connections yet; asking at once would only cost its start time.
constexpr base::Duration first_pause = 200ms;
constexpr std::size_t startup = static_cast<std::size_t>(HealthKind::Startup);

constexpr auto health_names = base::enum_names<Health>({{Health::None, ""},
                                                        {Health::Starting, "starting"},
                                                        {Health::Healthy, "healthy"},
                                                        {Health::Unhealthy, "unhealthy"}});

struct PhaseEdge {
    CheckPhase from, to;
};
using enum CheckPhase;
// clang-format off
constexpr PhaseEdge edges[] = {
    {Off, Blocked}, {Off, Waiting}, {Blocked, Waiting}, {Blocked, Off},
    {Waiting, Running}, {Waiting, Off}, {Running, Ending}, {Running, Off}, {Running, Waiting},
    {Ending, Running}, {Ending, Waiting}, {Ending, Over}, {Ending, Off}, {Over, Off},
};
// clang-format on

std::string_view consequence_words(OnUnhealthy what) {
    switch (what) {
    case OnUnhealthy::Restart:
        return "; restarting";
    case OnUnhealthy::Reload:
        return "; reloading";
    case OnUnhealthy::Stop:
        return "; stopping";
    case OnUnhealthy::None:
        return "";
    case OnUnhealthy::FailContainer:
        return "; ending the container";
    }
    return "";
}

Health worst(Health a, Health b) { return std::max(a, b, [](Health x, Health y) {
    constexpr int rank[] = {0, 2, 1, 3}; // none < healthy < starting < unhealthy
    return rank[static_cast<std::size_t>(x)] < rank[static_cast<std::size_t>(y)];
}); }

} // namespace

std::string_view name(Health health) { return base::name_of(health_names, health); }

bool is_legal(CheckPhase from, CheckPhase to) {
    return std::ranges::any_of(edges, [&](const PhaseEdge& edge) { return edge.from == from && edge.to == to; });
}

HealthMonitor::HealthMonitor(std::shared_ptr<const unit::UnitConfig> config, std::function<GuardId()> next_guard)
    : config_(std::move(config)), next_guard_(std::move(next_guard)) {}

// ---- the two writers ----------------------------------------------------------------------------------------------

void HealthMonitor::enter(Check& check, CheckPhase next, Instant due) {
    check.phase = next;
    check.due = due;
    if (next != Running && next != Ending)
        check.guard = {};
}

void HealthMonitor::judge(Check& check, Health verdict) { check.verdict = verdict; }

// ---- the unit's life ----------------------------------------------------------------------------------------------

void HealthMonitor::begin(std::size_t kind, Step& step) {
    Check& check = data_[kind];
    check.began = step.now;
    enter(check, Waiting, step.now.mono + std::min(first_pause, settings(kind).start_interval));
}

/// Every check that is off; behind the startup check, if there is one.
void HealthMonitor::begin_all(Step& step) {
    const bool blocked = has(HealthKind::Startup) && data_[startup].phase != Over;
    for (std::size_t kind = 0; kind < unit::health_kinds; kind++) {
        Check& check = data_[kind];
        if (check.phase != Off || settings(kind).steps() == 0)
            continue;
        check = Check{};
        if (blocked && kind != startup)
            enter(check, Blocked, base::never);
        else
            begin(kind, step);
    }
}

void HealthMonitor::unit_up(Moment now, std::vector<HealthAction>& out) {
    Step step{now, out};
    const Health before = overall();
    begin_all(step);
    report(before, step);
}

void HealthMonitor::unit_down(std::vector<HealthAction>& out) {
    for (Check& check : data_) {
        if (check.guard)
            out.emplace_back(EndCheck{check.guard});
        if (check.phase == Off)
            continue;
        enter(check, Off, base::never);
        check.step = 0;
        judge(check, Health::Starting); // last_* stay: status says what was seen before it went down
        check.streak = 0;
    }
}

void HealthMonitor::replace_config(std::shared_ptr<const unit::UnitConfig> config, bool up, Moment now, std::vector<HealthAction>& out) {
    Step step{now, out};
    const Health before = overall();
    config_ = std::move(config);
    for (std::size_t kind = 0; kind < unit::health_kinds; kind++) {
        Check& check = data_[kind];
        if (settings(kind).steps() != 0)
            continue;
        if (check.guard)
            out.emplace_back(EndCheck{check.guard});
        check = Check{};
    }
    if (!up)
        return;
    begin_all(step);
    if (!has(HealthKind::Startup)) // it went, and no longer holds the others up
        for (std::size_t kind = 0; kind < unit::health_kinds; kind++)
            if (data_[kind].phase == Blocked)
                begin(kind, step);
    report(before, step);
}

void HealthMonitor::restore(Data data, Moment now) {
    data_ = std::move(data);
    for (Check& check : data_) {
        if (check.phase != Running && check.phase != Ending)
            continue;
        if (&check == &data_[startup] && check.verdict == Health::Healthy) // it had succeeded; only its tree was left
            enter(check, Over, base::never);
        else
            enter(check, Waiting, now.mono);
    }
}

// ---- runs ---------------------------------------------------------------------------------------------------------

Instant HealthMonitor::deadline() const {
    Instant earliest = base::never;
    for (const Check& check : data_)
        earliest = std::min(earliest, check.due);
    return earliest;
}

void HealthMonitor::on_deadline(Moment now, std::vector<HealthAction>& out) {
    Step step{now, out};
    const Health before = overall();
    for (std::size_t kind = 0; kind < unit::health_kinds; kind++) {
        Check& check = data_[kind];
        if (check.due > now.mono)
            continue;
        switch (check.phase) {
        case Off:
        case Blocked:
        case Over:
            break;
        case Waiting:
            check.run_ends = now.mono + settings(kind).timeout;
            run(kind, 0, step);
            break;
        case Running: {
            const std::string text = fmt::format("no answer from {} within {}", step_words(kind, check.step),
                                                 base::human_time_span(settings(kind).timeout));
            check.last_output.clear();
            check.step = static_cast<std::uint32_t>(settings(kind).steps()); // no step follows
            settle(kind, step);
            failed(kind, text, step);
            break;
        }
        case Ending: // stuck in the kernel: as good as failing, and nothing is started beside it
            check.step = static_cast<std::uint32_t>(settings(kind).steps());
            check.due = now.mono + settings(kind).interval;
            failed(kind, "the check before cannot be ended", step);
            break;
        }
    }
    report(before, step);
}

void HealthMonitor::run(std::size_t kind, std::uint32_t number, Step& step) {
    Check& check = data_[kind];
    check.guard = next_guard_();
    check.step = number;
    enter(check, Running, check.run_ends);
    step.out.emplace_back(RunCheck{check.guard, static_cast<HealthKind>(kind), number, check.run_ends - step.now.mono, 0});
}

/// The step is over: its tree must go before anything else of this check may run.
void HealthMonitor::settle(std::size_t kind, Step& step) {
    Check& check = data_[kind];
    enter(check, Ending, step.now.mono + settings(kind).interval);
    step.out.emplace_back(EndCheck{check.guard});
}

HealthMonitor::Check* HealthMonitor::owner(GuardId guard, std::size_t& kind) {
    for (kind = 0; kind < unit::health_kinds; kind++)
        if (guard && data_[kind].guard == guard)
            return &data_[kind];
    return nullptr;
}

void HealthMonitor::on(const CheckResult& event, Moment now, std::vector<HealthAction>& out) {
    std::size_t kind = 0;
    Check* check = owner(event.guard, kind);
    if (check == nullptr)
        return; // the unit went down
    if (check->phase != Running) { // too late; what it had printed says where it hung
        check->last_output = event.output;
        return;
    }
    Step step{now, out};
    const Health before = overall();
    check->last_output = event.output;
    settle(kind, step);
    if (!event.ok) {
        check->step = static_cast<std::uint32_t>(settings(kind).steps());
        failed(kind, event.text, step);
    } else if (++check->step >= settings(kind).steps()) {
        succeeded(kind, step);
    }
    report(before, step);
}

void HealthMonitor::on(const CheckGone& event, Moment now, std::vector<HealthAction>& out) {
    std::size_t kind = 0;
    Check* check = owner(event.guard, kind);
    if (check == nullptr)
        return;
    Step step{now, out};
    const Health before = overall();
    if (check->phase == Running) { // without an outcome: its guard was killed
        check->step = static_cast<std::uint32_t>(settings(kind).steps());
        settle(kind, step);
        failed(kind, "the check was killed", step);
    }
    const unit::HealthCheck& settings = this->settings(kind);
    if (check->step < settings.steps())
        run(kind, check->step, step);
    else if (kind == startup && check->verdict == Health::Healthy)
        enter(*check, Over, base::never);
    else
        enter(*check, Waiting, now.mono + (check->verdict == Health::Starting ? settings.start_interval : settings.interval));
    report(before, step);
}

std::string HealthMonitor::step_words(std::size_t kind, std::uint32_t number) const {
    const auto step = settings(kind).step(number);
    if (!step)
        return "the check";
    const std::string& target = settings(kind).target(*step);
    const bool port = step->kind == unit::HealthStepKind::TcpConnect && target.find_first_not_of("0123456789") == target.npos;
    return port ? "port " + target : target;
}

// ---- verdicts -----------------------------------------------------------------------------------------------------

void HealthMonitor::succeeded(std::size_t kind, Step& step) {
    Check& check = data_[kind];
    check.streak = 0;
    check.last_run = step.now;
    check.last_ok = true;
    check.last_text.clear();
    judge(check, Health::Healthy);
    if (kind == startup)
        for (std::size_t other = 0; other < unit::health_kinds; other++)
            if (data_[other].phase == Blocked)
                begin(other, step);
}

void HealthMonitor::failed(std::size_t kind, const std::string& text, Step& step) {
    Check& check = data_[kind];
    const unit::HealthCheck& settings = this->settings(kind);
    check.last_run = step.now;
    check.last_ok = false;
    check.last_text = text;
    if (check.verdict == Health::Starting && step.now.mono < check.began.mono + settings.start_period)
        return;
    check.streak++;
    const OnUnhealthy what = config_->health->consequence(static_cast<HealthKind>(kind));
    const bool already = check.verdict == Health::Unhealthy;
    // A reload that did not help is tried again after as many failures; the others take the unit down, or do nothing.
    if (check.streak < settings.retries || (already && (what != OnUnhealthy::Reload || check.streak % settings.retries != 0)))
        return;
    judge(check, Health::Unhealthy);
    const std::string reason = fmt::format("unhealthy: {} ({} of {})", text, check.streak, settings.retries);
    step.out.emplace_back(Say{Severity::Warning, reason + std::string(consequence_words(what))});
    if (what != OnUnhealthy::None)
        step.out.emplace_back(Consequence{what, reason});
}

void HealthMonitor::report(Health before, Step& step) const {
    const Health after = overall();
    if (before == after)
        return;
    if (after == Health::Healthy) {
        Moment began = step.now;
        for (const Check& check : data_)
            if (check.phase != Off)
                began = std::min(began, check.began, [](const Moment& a, const Moment& b) { return a.mono < b.mono; });
        step.out.emplace_back(Say{Severity::Info, before == Health::Unhealthy
                                                      ? "healthy again"
                                                      : "healthy after " + base::human_time_span(step.now.mono - began.mono)});
    }
    step.out.emplace_back(HealthChange{before, after});
}

Health HealthMonitor::overall() const {
    Health health = Health::None;
    for (std::size_t kind = 0; kind < unit::health_kinds; kind++)
        if (settings(kind).steps() != 0)
            health = worst(health, data_[kind].verdict);
    return health;
}

Health HealthMonitor::answer(HealthQuestion question) const {
    const auto verdict = [&](HealthKind kind) { return has(kind) ? data_[static_cast<std::size_t>(kind)].verdict : Health::None; };
    switch (question) {
    case HealthQuestion::Startup: // without a check of its own: the first outcome of those it has
        for (const HealthKind kind : {HealthKind::Startup, HealthKind::Both, HealthKind::Ready, HealthKind::Live})
            if (has(kind))
                return verdict(kind);
        return Health::None;
    case HealthQuestion::Ready:
        return worst(verdict(HealthKind::Startup), worst(verdict(HealthKind::Both), verdict(HealthKind::Ready)));
    case HealthQuestion::Live: {
        Health health = worst(verdict(HealthKind::Both), verdict(HealthKind::Live));
        if (verdict(HealthKind::Startup) == Health::Unhealthy)
            health = Health::Unhealthy;
        return health == Health::Starting ? Health::Healthy : health; // to end what is starting would be wrong
    }
    }
    return Health::None;
}

} // namespace monoinit::supervise
