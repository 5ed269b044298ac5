// Every sequence of events a monitor can see, under several configurations, followed breadth first; worlds that look the
// same are followed once. Held everywhere: no undeclared edge of a phase, every declared one is used; at most one guard a
// check; nothing runs while the unit is down; a phase that waits has a deadline; a guard is ended before the next one runs.
#include "supervise/health.hpp"

#include <catch2/catch.hpp>
#include <deque>
#include <set>
#include <unordered_set>

using namespace monoinit;
using namespace monoinit::supervise;
using namespace std::chrono_literals;
using unit::HealthKind;

namespace {

enum class Move { Up, Down, Good, Bad, Gone, Later, Reload, Crash };
constexpr int moves = 8;
using Phases = std::set<std::pair<CheckPhase, CheckPhase>>;

struct World {
    explicit World(unit::UnitConfig from)
        : config(std::make_shared<unit::UnitConfig>(std::move(from))),
          monitor(config, [] { return GuardId{++last}; }) {}

    void apply(Move move) {
        const HealthMonitor::Data before = monitor.data();
        std::vector<HealthAction> out;
        switch (move) {
        case Move::Up:
            up = true;
            monitor.unit_up(now, out);
            break;
        case Move::Down:
            up = false;
            monitor.unit_down(out);
            break;
        case Move::Good:
        case Move::Bad:
            if (!alive.empty())
                monitor.on(CheckResult{*alive.begin(), move == Move::Good, "bad", ""}, now, out);
            break;
        case Move::Gone:
            if (!alive.empty()) {
                const GuardId guard = *alive.begin();
                alive.erase(alive.begin());
                ending.erase(guard);
                monitor.on(CheckGone{guard}, now, out);
            }
            break;
        case Move::Later:
            if (monitor.deadline() != base::never)
                now.mono = std::max(now.mono, monitor.deadline());
            monitor.on_deadline(now, out);
            break;
        case Move::Reload:
            reload(out);
            break;
        case Move::Crash: { // guards see the end of their channels and end
            alive.clear();
            ending.clear();
            HealthMonitor again(config, [] { return GuardId{++last}; });
            again.restore(monitor.data(), now);
            monitor = again;
            break;
        }
        }
        look(before, out);
    }

    /// The startup check comes or goes.
    void reload(std::vector<HealthAction>& out) {
        auto changed = std::make_shared<unit::UnitConfig>(*config);
        auto& startup = changed->health.edit().checks[static_cast<std::size_t>(HealthKind::Startup)];
        if (startup.steps() == 0)
            startup.file_exists = {"/up"};
        else
            startup.file_exists.clear();
        config = changed;
        monitor.replace_config(config, up, now, out);
    }

    void look(const HealthMonitor::Data& before, const std::vector<HealthAction>& out) {
        for (const HealthAction& action : out) {
            if (const auto* run = std::get_if<RunCheck>(&action)) {
                if (!up)
                    problems.push_back("a check runs while the unit is down");
                if (run->timeout <= base::Duration{} && run->step == 0)
                    problems.push_back("a run without time");
                alive.insert(run->guard);
            } else if (const auto* end = std::get_if<EndCheck>(&action)) {
                ending.insert(end->guard);
            }
        }
        std::set<GuardId> owned;
        for (std::size_t kind = 0; kind < unit::health_kinds; kind++) {
            const auto& check = monitor.data()[kind];
            if (before[kind].phase != check.phase)
                phases.insert({before[kind].phase, check.phase});
            const bool waits = check.phase == CheckPhase::Waiting || check.phase == CheckPhase::Running || check.phase == CheckPhase::Ending;
            if (waits != (check.due != base::never))
                problems.push_back("a deadline where none belongs, or none where one does");
            if ((check.phase == CheckPhase::Running || check.phase == CheckPhase::Ending) != static_cast<bool>(check.guard))
                problems.push_back("guard and phase disagree");
            if (check.phase == CheckPhase::Ending && alive.contains(check.guard) && !ending.contains(check.guard))
                problems.push_back("nobody ends the guard it waits for");
            if (check.guard && !owned.insert(check.guard).second)
                problems.push_back("two checks with one guard");
            if (!up && check.phase != CheckPhase::Off)
                problems.push_back("a check that is on while the unit is down");
        }
        for (const GuardId guard : alive)
            if (!owned.contains(guard) && !ending.contains(guard))
                problems.push_back("a guard that nobody knows and nobody ends");
    }

    std::string key() const {
        std::string text = up ? "up" : "down";
        for (const auto& check : monitor.data()) {
            text += " " + std::to_string(static_cast<int>(check.phase)) + std::string(supervise::name(check.verdict)) +
                    std::to_string(check.step) + "," + std::to_string(std::min(check.streak, 4U));
            text += check.due == base::never ? "-" : check.due <= now.mono ? "!" : std::to_string((check.due - now.mono).count());
            text += now.mono < check.began.mono + 2s ? "s" : "";
            text += check.guard && alive.contains(check.guard) ? "g" : "";
        }
        return text + " " + std::to_string(alive.size()) + (config->health->check(HealthKind::Startup).steps() != 0 ? "S" : "");
    }

    std::shared_ptr<const unit::UnitConfig> config;
    HealthMonitor monitor;
    Moment now{Instant{100s}, 100s};
    bool up = false;
    std::set<GuardId> alive, ending;
    Phases phases;
    std::vector<std::string> problems;
    static std::uint32_t last;
};
std::uint32_t World::last = 0;

unit::UnitConfig make(bool startup, bool live, std::size_t steps) {
    unit::UnitConfig config;
    config.name = "web.service";
    auto& checks = config.health.edit().checks;
    for (auto& check : checks) {
        check.start_period = 2s;
        check.retries = 2;
        check.interval = 3s;
        check.timeout = 1s;
    }
    checks[0].tcp_connect.assign(steps, "80");
    if (startup)
        checks[static_cast<std::size_t>(HealthKind::Startup)].file_exists = {"/up"};
    if (live)
        checks[static_cast<std::size_t>(HealthKind::Live)].file_exists = {"/live"};
    return config;
}

std::size_t walk(const unit::UnitConfig& config, int depth, Phases& phases) {
    struct Node {
        World world;
        int depth;
        std::string path;
    };
    std::deque<Node> nodes{{World(config), 0, ""}};
    std::unordered_set<std::string> known;
    std::size_t worlds = 0;
    for (; !nodes.empty(); nodes.pop_front()) {
        const Node& node = nodes.front();
        worlds++;
        if (node.depth == depth)
            continue;
        for (int move = 0; move < moves; move++) {
            if ((static_cast<Move>(move) == Move::Up) == node.world.up && move <= 1)
                continue;
            Node next{node.world, node.depth + 1, node.path + " " + std::to_string(move)};
            next.world.apply(static_cast<Move>(move));
            phases.insert(next.world.phases.begin(), next.world.phases.end());
            if (!next.world.problems.empty())
                FAIL(next.path << ": " << next.world.problems.front());
            if (known.insert(next.world.key()).second)
                nodes.push_back(std::move(next));
        }
    }
    return worlds;
}

} // namespace

TEST_CASE("every sequence of events of a monitor") {
    Phases phases;
    std::size_t worlds = 0;
    worlds += walk(make(false, false, 1), 10, phases);
    worlds += walk(make(false, false, 2), 9, phases);
    worlds += walk(make(true, false, 1), 9, phases);
    worlds += walk(make(true, true, 1), 8, phases);
    CHECK(worlds > 2000);
    std::set<std::pair<CheckPhase, CheckPhase>> unused;
    constexpr int count = static_cast<int>(CheckPhase::Over) + 1;
    for (int from = 0; from < count; from++)
        for (int to = 0; to < count; to++) {
            const auto edge = std::pair(static_cast<CheckPhase>(from), static_cast<CheckPhase>(to));
            INFO(from << " -> " << to);
            // A step that ends and is followed at once looks like no change from outside: Ending -> Running shows, its halves do not.
            if (from != to)
                CHECK(is_legal(edge.first, edge.second) == phases.contains(edge));
        }
}
