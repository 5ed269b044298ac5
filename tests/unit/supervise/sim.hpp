#pragma once
// A service machine in a world of fake guards and a fake clock, for stories. Commands are answered
// at once, processes obey signals at once, unless the story says otherwise.

#include "base/strings.hpp"
#include "supervise/service.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <deque>
#include <functional>
#include <map>

namespace monoinit::supervise {

using namespace std::chrono_literals;
using unit::ExecList;
using unit::ServiceType;
using Lines = std::vector<std::string>;

inline base::ExitInfo exited(int status) {
    return {base::ExitInfo::Code::Exited, status};
}

inline base::ExitInfo killed(int signal) {
    return {base::ExitInfo::Code::Killed, signal};
}

inline unit::Command command(std::string path, bool ignore_failure = false) {
    unit::Command result;
    result.argv = {path};
    result.path = std::move(path);
    result.ignore_failure = ignore_failure;
    return result;
}

inline std::vector<unit::Command>& list(unit::UnitConfig& unit, ExecList which) {
    return unit.service.edit().commands[static_cast<std::size_t>(which)];
}

class Sim {
  public:
    /// `prepare` fills in the unit: `[](auto& unit) { unit.service.edit().restart = …; }`.
    explicit Sim(ServiceType type = ServiceType::Simple,
                 const std::function<void(unit::UnitConfig&)>& prepare = nullptr,
                 Policy policy = {})
        : service_(configure(type, prepare), policy, [this] { return GuardId{++last_guard_}; }) {}

    static unit::UnitConfig make_config(ServiceType type) {
        unit::UnitConfig config;
        config.name = "web.service";
        unit::ServiceSection& service = config.service.edit();
        service.type = type;
        service.commands[static_cast<std::size_t>(ExecList::Start)].push_back(
            command("/usr/bin/web"));
        return config;
    }

    void reconfigure(const std::function<void(unit::UnitConfig&)>& change) {
        change(config_);
        service_.replace_config(std::make_shared<unit::UnitConfig>(config_));
    }

    void set_watchdogs(bool on) { service_.set_watchdogs(on); }

    // What people ask for.
    StartVerdict start() {
        std::vector<Action> out;
        const StartVerdict verdict = service_.start(now_, out);
        perform(out);
        return verdict;
    }

    void stop(bool for_restart = false) {
        act([&](auto& out) { service_.stop(now_, out, for_restart); });
    }

    void reload() {
        act([&](auto& out) { service_.reload(now_, out); });
    }

    void reset_failed() {
        act([&](auto& out) { service_.reset_failed(now_, out); });
    }

    void force_kill() {
        act([&](auto& out) { service_.force_kill(now_, out); });
    }

    void fail_health(const std::string& reason) {
        act([&](auto& out) { service_.fail_health(reason, now_, out); });
    }

    // What processes do.
    struct Guard {
        Spawn spawn;
        int pid = 0;
        bool command_alive = true;
        std::vector<int> children; ///< other processes below it
    };

    std::map<GuardId, Guard> guards; ///< those not empty

    /// The main command ends; its guard empties unless it has children.
    void main_exits(base::ExitInfo exit) { command_exits(data().main_guard, exit); }

    void control_exits(base::ExitInfo exit) { command_exits(data().control_guard, exit); }

    void command_exits(GuardId id, base::ExitInfo exit) {
        REQUIRE(guards.count(id) == 1);
        Guard& guard = guards.at(id);
        guard.command_alive = false;
        const int pid = guard.pid;
        tell(CommandExited{id, pid, exit});
        empty_if_done(id);
    }

    void child_exits(GuardId id, int pid, base::ExitInfo exit) {
        std::erase(guards.at(id).children, pid);
        tell(CommandExited{id, pid, exit});
        empty_if_done(id);
    }

    void empties(GuardId id) {
        guards.erase(id);
        tell(TreeEmpty{id});
    }

    void notify(std::string text,
                Notified::Sender sender = Notified::Sender::Main,
                GuardId mainpid_guard = {}) {
        tell(Notified{sender, data().main_pid, std::move(text), 0, mainpid_guard, std::nullopt});
    }

    template <class Event>
    void tell(const Event& event) {
        act([&](auto& out) { service_.on(event, now_, out); });
    }

    // Time passes; whatever is due happens on the way.
    void advance(base::Duration span) {
        const Instant end = now_.mono + span;
        for (int turns = 0; service_.deadline() <= end; turns++) {
            REQUIRE(turns < 1000);
            set_clock(std::max(now_.mono, service_.deadline()));
            act([&](auto& out) { service_.on_deadline(now_, out); });
        }
        set_clock(end);
    }

    // How the world behaves.
    bool answer_spawns = true; ///< SpawnResult follows Spawn
    bool obedient = true;      ///< processes die of signals
    bool restart_jobs = true;  ///< RestartDue leads to start()
    int exec_fails = 0;        ///< the exit status of commands that cannot be executed
    std::string exec_error;

    // What was seen.
    const Service::Data& data() const { return service_.data(); }

    std::string state() const { return std::string(name(data().state)); }

    ServiceResult result() const { return data().result; }

    Service& service() { return service_; }

    Moment now() const { return now_; }

    Lines said;                  ///< all lines
    Lines states;                ///< every sub-state entered
    std::vector<Spawn> spawned;  ///< every command
    std::vector<Signal> signals; ///< every signal
    std::vector<Action> others;  ///< WatchPid, QueryTree, …
    std::vector<StateChanged> changes;

    std::string last_said() const { return said.empty() ? std::string() : said.back(); }

    std::vector<int> signal_numbers() const {
        std::vector<int> numbers;
        for (const Signal& signal : signals)
            numbers.push_back(signal.signal);
        return numbers;
    }

    template <class Kind>
    int count() const {
        return static_cast<int>(std::ranges::count_if(
            others, [](const Action& action) { return std::holds_alternative<Kind>(action); }));
    }

    int spawned_from(ExecList list) const {
        return static_cast<int>(std::ranges::count(spawned, list, &Spawn::list));
    }

    void forget() {
        said.clear();
        states.clear();
        spawned.clear();
        signals.clear();
        others.clear();
        changes.clear();
    }

  private:
    std::shared_ptr<const unit::UnitConfig>
    configure(ServiceType type, const std::function<void(unit::UnitConfig&)>& prepare) {
        config_ = make_config(type);
        if (prepare)
            prepare(config_);
        return std::make_shared<unit::UnitConfig>(config_);
    }

    void set_clock(Instant mono) {
        now_.wall += mono - now_.mono;
        now_.mono = mono;
    }

    template <class Call>
    void act(const Call& call) {
        std::vector<Action> out;
        call(out);
        perform(out);
    }

    void perform(const std::vector<Action>& actions) {
        queue_.insert(queue_.end(), actions.begin(), actions.end());
        if (std::exchange(performing_, true))
            return;
        while (!queue_.empty()) {
            const Action action = std::move(queue_.front());
            queue_.pop_front();
            std::visit([this](const auto& kind) { perform_one(kind); }, action);
        }
        performing_ = false;
    }

    void perform_one(const Spawn& spawn) {
        spawned.push_back(spawn);
        const int pid = 100 + static_cast<int>(spawn.guard.value);
        if (exec_fails != 0)
            return tell(SpawnResult{spawn.guard, false, 0, exec_fails, 2, exec_error, false});
        guards[spawn.guard] = Guard{spawn, pid, true, {}};
        if (answer_spawns)
            tell(SpawnResult{spawn.guard, true, pid, 0, 0, {}, false});
    }

    void perform_one(const Signal& signal) {
        signals.push_back(signal);
        const auto found = guards.find(signal.guard);
        if (!obedient || found == guards.end() || signal.signal == SIGHUP)
            return;
        if (signal.scope != KillScope::Main)
            found->second.children.clear();
        if (found->second.command_alive && signal.scope != KillScope::Pid)
            command_exits(signal.guard, killed(signal.signal));
        else if (signal.scope == KillScope::Pid)
            child_exits(signal.guard, signal.pid, killed(signal.signal));
        else
            empty_if_done(signal.guard);
    }

    void perform_one(const StateChanged& change) {
        changes.push_back(change);
        states.emplace_back(change.sub);
    }

    void perform_one(const Say& say) { said.push_back(say.text); }

    void perform_one(const RestartDue& due) {
        others.emplace_back(due);
        if (restart_jobs)
            start();
    }

    template <class Kind>
    void perform_one(const Kind& kind) {
        others.emplace_back(kind);
    }

    void empty_if_done(GuardId id) {
        const auto found = guards.find(id);
        if (found != guards.end() && !found->second.command_alive && found->second.children.empty())
            empties(id);
    }

    unit::UnitConfig config_;
    std::uint32_t last_guard_ = 0;
    Moment now_{Instant{100s}, 1'700'000'000s};
    std::deque<Action> queue_;
    bool performing_ = false;
    Service service_;
};

} // namespace monoinit::supervise
