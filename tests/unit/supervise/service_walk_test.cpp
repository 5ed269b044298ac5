// Every sequence of events, under each configuration: no undeclared edge, every declared one is
// used, every process is accounted for, never two main processes, nothing waits without a timeout.
// Sequences that lead to the same world are followed once.

#include "base/enum_names.hpp"
#include "base/fmt.hpp"
#include "walk_world.hpp"

#include <cstdlib>
#include <set>
#include <unordered_set>

using namespace monoinit;
using namespace monoinit::supervise;

namespace {

using Edges = std::set<std::pair<ServiceState, ServiceState>>;
using Change = std::function<void(unit::UnitConfig&)>;

struct Node {
    World world;
    std::size_t from;
    Move move;
    int depth;
};

struct Walk {
    Edges edges;
    std::size_t worlds = 0;

    void all(std::shared_ptr<const unit::UnitConfig> config, int depth, std::string_view label) {
        std::deque<Node> nodes;
        nodes.push_back({World(std::move(config)), 0, Move::Start, 0});
        std::unordered_set<std::string> known{nodes[0].world.key()};
        for (std::size_t i = 0; i < nodes.size() && nodes[i].depth < depth; i++)
            for (int m = 0; m < moves; m++) {
                const auto move = static_cast<Move>(m);
                if (!nodes[i].world.possible(move))
                    continue;
                Node next{nodes[i].world, i, move, nodes[i].depth + 1};
                next.world.apply(move);
                for (const Edge& edge : next.world.edges)
                    edges.insert({edge.from, edge.to});
                if (!next.world.problems.empty())
                    FAIL(words(nodes, next, label));
                if (known.insert(next.world.key()).second)
                    nodes.push_back(std::move(next));
            }
        worlds += nodes.size();
    }

    static std::string
    words(const std::deque<Node>& nodes, const Node& last, std::string_view label) {
        std::string path;
        for (const Node* node = &last; node->depth > 0; node = &nodes[node->from])
            path = " " + std::string(move_names[static_cast<std::size_t>(node->move)]) + path;
        path = std::string(label) + ":" + path + " -> " + std::string(last.world.state());
        for (const std::string& problem : last.world.problems)
            path += "\n    " + problem;
        return path;
    }
};

void all_commands(unit::UnitConfig& unit) {
    auto& lists = unit.service.edit().commands;
    for (std::size_t i = 0; i < lists.size(); i++)
        if (i != static_cast<std::size_t>(ExecList::Start))
            lists[i] = {command("/bin/one")};
}

struct Variant {
    std::string_view label;
    Change change;
    bool everywhere = false; ///< with all sets of commands, also in the short walk
};

std::vector<Variant> variants() {
    const auto service = [](auto change) {
        return [=](unit::UnitConfig& unit) { change(unit.service.edit()); };
    };
    const auto kill = [](auto change) {
        return [=](unit::UnitConfig& unit) { change(unit.kill.edit()); };
    };
    return {
        {"plain", [](unit::UnitConfig&) {}},
        {"RemainAfterExit=", service([](auto& s) { s.remain_after_exit = true; }), true},
        {"Restart=always", service([](auto& s) { s.restart = unit::RestartPolicy::Always; }), true},
        {"RestartMode=direct", service([](auto& s) {
             s.restart = unit::RestartPolicy::Always;
             s.restart_mode = unit::RestartMode::Direct;
         })},
        {"direct, abort",
         service([](auto& s) {
             s.restart = unit::RestartPolicy::Always;
             s.restart_mode = unit::RestartMode::Direct;
             s.timeout_start_failure_mode = s.timeout_stop_failure_mode =
                 unit::TimeoutFailureMode::Abort;
         }),
         true},
        {"abort",
         service([](auto& s) {
             s.timeout_start_failure_mode = s.timeout_stop_failure_mode =
                 unit::TimeoutFailureMode::Abort;
         }),
         true},
        {"kill", service([](auto& s) {
             s.timeout_start_failure_mode = s.timeout_stop_failure_mode =
                 unit::TimeoutFailureMode::Kill;
         })},
        {"ExitType=cgroup", service([](auto& s) { s.exit_type = unit::ExitType::Cgroup; })},
        {"PIDFile=", service([](auto& s) { s.pid_file = "/run/x.pid"; })},
        {"WatchdogSec=, RuntimeMaxSec=", service([](auto& s) {
             s.watchdog = 5s;
             s.runtime_max = 20s;
         })},
        {"KillMode=mixed", kill([](auto& k) { k.mode = unit::KillMode::Mixed; })},
        {"KillMode=process", kill([](auto& k) { k.mode = unit::KillMode::Process; })},
        {"KillMode=none", kill([](auto& k) { k.mode = unit::KillMode::None; })},
        {"SendSIGKILL=no", kill([](auto& k) { k.send_sigkill = false; })},
        {"mixed, direct",
         [](unit::UnitConfig& unit) {
             unit.kill.edit().mode = unit::KillMode::Mixed;
             unit.service.edit().restart = unit::RestartPolicy::Always;
             unit.service.edit().restart_mode = unit::RestartMode::Direct;
         }},
        {"process, restart",
         [](unit::UnitConfig& unit) {
             unit.kill.edit().mode = unit::KillMode::Process;
             unit.service.edit().restart = unit::RestartPolicy::Always;
         }},
        {"StartLimitBurst=1",
         [](unit::UnitConfig& unit) {
             unit.unit.start_limit.burst = 1;
             unit.unit.start_limit.set = true;
             unit.service.edit().restart = unit::RestartPolicy::Always;
         }},
    };
}

std::vector<Variant> command_sets() {
    const auto only = [](std::vector<ExecList> which) {
        return [=](unit::UnitConfig& unit) {
            for (const ExecList list : which)
                unit.service.edit().commands[static_cast<std::size_t>(list)] = {
                    command("/bin/one")};
        };
    };
    return {
        {"no other commands", [](unit::UnitConfig&) {}},
        {"all commands", all_commands},
        {"ExecReload=", only({ExecList::Reload})},
        {"ExecReload=, ExecStop=", only({ExecList::Reload, ExecList::Stop})},
        {"ExecStop=", only({ExecList::Stop})},
        {"ExecStartPre=", only({ExecList::StartPre})},
        {"ExecStopPost=", only({ExecList::StopPost})},
        {"ExecCondition=", only({ExecList::Condition})},
        {"ExecStartPost=, ExecStop=", only({ExecList::StartPost, ExecList::Stop})},
    };
}

constexpr auto type_names = base::enum_names<ServiceType>({
    {ServiceType::Simple, "simple"},
    {ServiceType::Forking, "forking"},
    {ServiceType::Oneshot, "oneshot"},
    {ServiceType::NotifyReload, "notify-reload"},
    // Near relations of simple and notify-reload: only in the long walk.
    {ServiceType::Exec, "exec"},
    {ServiceType::Dbus, "dbus"},
    {ServiceType::Notify, "notify"},
    {ServiceType::Idle, "idle"},
});

std::shared_ptr<const unit::UnitConfig>
make(ServiceType type, const Variant& commands, const Variant& variant) {
    unit::UnitConfig config = Sim::make_config(type);
    auto& service = config.service.edit();
    service.timeout_start = 10s;
    service.timeout_stop = 5s;
    service.notify_access = unit::NotifyAccess::All;
    commands.change(config);
    variant.change(config);
    return std::make_shared<unit::UnitConfig>(config);
}

} // namespace

// MONOINIT_WALK_DEPTH=7 walks every combination that deep; without it a choice of them, as deep as
// a second allows.
TEST_CASE("the walk") {
    const char* const wish = std::getenv("MONOINIT_WALK_DEPTH");
    Walk walk;
    for (std::size_t t = 0; t < type_names.size(); t++)
        for (const Variant& commands : command_sets())
            for (const Variant& variant : variants()) {
                const bool near = t >= 4, plain = variant.label == "plain",
                           bare = commands.label == "no other commands";
                const auto& [type, type_name] = type_names[t];
                const bool chosen =
                    (plain && bare) ||
                    (!near &&
                     (plain || bare || (variant.everywhere && type == ServiceType::Simple)));
                if (wish == nullptr && !chosen)
                    continue;
                const int depth = wish != nullptr ? std::atoi(wish) : (plain && !near ? 6 : 5);
                const std::string label =
                    fmt::format("{}, {}, {}", type_name, commands.label, variant.label);
                walk.all(make(type, commands, variant), depth, label);
            }
    for (const Edge& edge : service_edges()) {
        INFO(name(edge.from) << " -> " << name(edge.to));
        CHECK(walk.edges.count({edge.from, edge.to}) == 1);
    }
    INFO("worlds: " << walk.worlds);
    CHECK(walk.worlds > 10'000);
}
