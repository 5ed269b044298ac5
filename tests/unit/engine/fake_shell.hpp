#pragma once
// The world around an engine, without processes: a clock that tests move, guards that start what they are asked to and
// answer signals, conditions that hold or not. Answers come after the event that asked, in order.

#include "build.hpp"
#include "engine/engine.hpp"

#include <algorithm>
#include <csignal>
#include <deque>
#include <map>
#include <optional>

namespace monoinit::test {

using namespace std::chrono_literals;
using base::GuardId;
using base::JobId;
using base::UnitId;
using engine::Effect;
using engine::Event;
using graph::JobResult;
using graph::JobType;
using supervise::ActiveState;
using unit::JobMode;

/// How the commands of a unit behave.
struct Program {
    std::optional<int> exits;      ///< at once, with this status; else it runs until a signal ends it
    bool ignores_term = false;
    bool spawn_fails = false;
    bool silent = false;           ///< SpawnResult is not given: the test does it
};

class FakeShell {
  public:
    explicit FakeShell(engine::EngineOptions options = {}) : options_(options), engine(options) {}

    void load(const std::vector<engine::ConfigPtr>& configs, bool complete = false) {
        configs_ = configs;
        engine.sync(configs, complete, clock);
    }
    UnitId id(const std::string& name) const { return engine.find(Build::with_suffix(name)); }

    // ---- requests
    std::uint64_t request(JobType type, const std::string& name, JobMode mode = JobMode::Replace, bool by_person = true) {
        feed(engine::JobRequest{++last_request, type, id(name), mode, by_person});
        return last_request;
    }
    std::uint64_t start(const std::string& name) { return request(JobType::Start, name); }
    std::uint64_t stop(const std::string& name) { return request(JobType::Stop, name); }
    std::uint64_t restart(const std::string& name) { return request(JobType::Restart, name); }
    void boot(const std::string& name) {
        engine.set_boot_target(id(name));
        request(JobType::Start, name, JobMode::Replace, false);
    }
    std::optional<JobResult> result(std::uint64_t request) const {
        const auto at = finished.find(request);
        return at == finished.end() ? std::nullopt : std::optional(at->second.result);
    }

    // ---- the world
    void exit(const std::string& name, int status) { end_main(name, {base::ExitInfo::Code::Exited, status}); }
    void kill(const std::string& name, int signal) { end_main(name, {base::ExitInfo::Code::Killed, signal}); }
    void notify(const std::string& name, const std::string& text) {
        const auto* data = engine.status(id(name)).service;
        feed(engine::NotifyEvent{id(name), {supervise::Notified::Sender::Main, data->main_pid, text, 0, {}, {}}});
    }
    /// Time passes; deadlines fire when they are due.
    void advance(base::Duration span) {
        const base::Instant until = clock.mono + span;
        for (;;) {
            const base::Instant next = engine.next_deadline();
            if (next > until)
                break;
            set_clock(std::max(next, clock.mono));
            feed(engine::Tick{});
        }
        set_clock(until);
    }
    void feed(const Event& event) {
        queue_.push_back(event);
        while (!queue_.empty() && !paused) {
            const Event next = std::move(queue_.front());
            queue_.pop_front();
            for (Effect& effect : engine.handle(next, clock)) {
                perform(effect);
                effects.push_back(std::move(effect));
            }
        }
    }

    // ---- what to look at
    ActiveState active(const std::string& name) const { return engine.status(id(name)).active; }
    std::string sub(const std::string& name) const { return std::string(engine.status(id(name)).sub); }
    std::string why(const std::string& name) const { return engine.status(id(name)).why; }
    bool said(const std::string& part) const {
        return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) { return line.find(part) != std::string::npos; });
    }
    std::string brief(UnitId unit) const {
        const std::string& name = engine.status(unit).config->name;
        return name.ends_with(".service") ? name.substr(0, name.size() - 8) : name;
    }
    template <class E> std::vector<E> all() const {
        std::vector<E> found;
        for (const Effect& effect : effects)
            if (const E* each = std::get_if<E>(&effect))
                found.push_back(*each);
        return found;
    }

    struct Guard {
        UnitId unit;
        supervise::Spawn spawn;
        int pid = 0;
    };
    void finish_guard(GuardId guard, const base::ExitInfo& how) {
        const auto at = guards.find(guard);
        if (at == guards.end())
            return;
        const Guard ended = at->second;
        guards.erase(at);
        feed(engine::GuardEvent{ended.unit, supervise::CommandExited{guard, ended.pid, how}});
        feed(engine::GuardEvent{ended.unit, supervise::TreeEmpty{guard}});
    }

  private:
    engine::EngineOptions options_;

  public:
    base::Moment clock{base::Instant{1000s}, 1'700'000'000s};
    engine::Engine engine;
    std::map<std::string, Program> programs;    ///< by short name
    std::map<std::string, bool> conditions;     ///< by short name; true unless said
    std::map<std::string, bool> healthy;        ///< what checks find, by short name; they hang unless said
    base::StringSet mounted;                    ///< units of what is
    base::StringSet devices;                    ///< units of those that are there
    bool answer_conditions = true, paused = false;
    std::map<GuardId, Guard> guards;            ///< that run
    std::vector<Effect> effects;
    std::vector<std::string> trace;             ///< "+web", "-web": main command spawned, SIGTERM sent
    std::vector<std::string> lines;
    std::map<std::uint64_t, engine::JobFinished> finished;
    std::map<std::uint64_t, engine::RequestReply> replies;
    std::optional<engine::BootFinished> booted;
    std::optional<int> left;
    std::optional<engine::ShutdownBegan> ending;
    std::uint64_t last_request = 0;

  private:
    void set_clock(base::Instant to) {
        clock.wall += to - clock.mono;
        clock.mono = to;
    }
    void end_main(const std::string& name, const base::ExitInfo& how) {
        finish_guard(engine.status(id(name)).service->main_guard, how);
    }
    Program program(UnitId unit) const {
        const auto at = programs.find(brief(unit));
        return at == programs.end() ? Program{} : at->second;
    }
    void perform(const Effect& effect) {
        if (const auto* action = std::get_if<engine::UnitAction>(&effect))
            perform_action(action->unit, action->action);
        else if (const auto* log = std::get_if<engine::Log>(&effect))
            lines.push_back(log->text);
        else if (const auto* check = std::get_if<engine::CheckConditions>(&effect))
            answer_check(check->unit);
        else if (const auto* device = std::get_if<engine::CheckDevice>(&effect))
            queue_.push_back(engine::DeviceSeen{device->unit, devices.contains(brief(device->unit))});
        else if (const auto* done = std::get_if<engine::JobFinished>(&effect))
            finished[done->request] = *done;
        else if (const auto* reply = std::get_if<engine::RequestReply>(&effect))
            replies[reply->request] = *reply;
        else if (const auto* boot = std::get_if<engine::BootFinished>(&effect))
            booted = *boot;
        else if (const auto* health = std::get_if<engine::HealthAction>(&effect))
            answer_health(*health);
        else if (const auto* began = std::get_if<engine::ShutdownBegan>(&effect))
            ending = *began;
        else if (const auto* exit = std::get_if<engine::Exit>(&effect))
            left = exit->status;
    }
    void answer_health(const engine::HealthAction& action) {
        const auto* run = std::get_if<supervise::RunCheck>(&action.what);
        if (const auto* end = std::get_if<supervise::EndCheck>(&action.what))
            queue_.push_back(engine::HealthEvent{action.unit, supervise::CheckGone{end->guard}});
        if (run == nullptr)
            return;
        const auto at = healthy.find(brief(action.unit));
        if (at == healthy.end())
            return; // it hangs
        queue_.push_back(engine::HealthEvent{action.unit, supervise::CheckResult{run->guard, at->second, "refused", ""}});
    }
    void answer_check(UnitId unit) {
        if (!answer_conditions)
            return;
        const auto& list = engine.status(unit).config->unit.conditions;
        const auto at = conditions.find(brief(unit));
        const bool ok = at == conditions.end() || at->second;
        queue_.push_back(engine::ConditionsChecked{
            unit, ok, !ok && list.front().assertion, ok ? "" : "ConditionPathExists=" + list.front().parameter});
    }
    void perform_action(UnitId unit, const supervise::Action& action) {
        if (std::holds_alternative<supervise::ReadMounts>(action)) {
            queue_.push_back(engine::MountsRead{mounted});
        } else if (const auto* spawn = std::get_if<supervise::Spawn>(&action)) {
            const Program how = program(unit);
            if (spawn->list == unit::ExecList::Start)
                trace.push_back("+" + brief(unit));
            if (how.spawn_fails) {
                queue_.push_back(engine::GuardEvent{unit, supervise::SpawnResult{spawn->guard, false, 0, 203, 2, "/bin/x not found"}});
                return;
            }
            const int pid = ++last_pid_;
            guards[spawn->guard] = {unit, *spawn, pid};
            if (how.silent)
                return;
            queue_.push_back(engine::GuardEvent{unit, supervise::SpawnResult{spawn->guard, true, pid}});
            if (spawn->list != unit::ExecList::Start || how.exits) {
                guards.erase(spawn->guard);
                const int status = spawn->list == unit::ExecList::Start ? *how.exits : 0;
                queue_.push_back(engine::GuardEvent{unit, supervise::CommandExited{spawn->guard, pid, {base::ExitInfo::Code::Exited, status}}});
                queue_.push_back(engine::GuardEvent{unit, supervise::TreeEmpty{spawn->guard}});
            }
        } else if (const auto* signal = std::get_if<supervise::Signal>(&action)) {
            const bool ends = signal->signal == SIGKILL || (signal->signal == SIGTERM && !program(unit).ignores_term);
            const auto at = guards.find(signal->guard);
            if (at == guards.end())
                return;
            if (signal->signal == SIGTERM)
                trace.push_back("-" + brief(unit));
            if (!ends)
                return;
            const int pid = at->second.pid;
            guards.erase(at);
            queue_.push_back(engine::GuardEvent{unit, supervise::CommandExited{signal->guard, pid, {base::ExitInfo::Code::Killed, signal->signal}}});
            queue_.push_back(engine::GuardEvent{unit, supervise::TreeEmpty{signal->guard}});
        }
    }

    std::vector<engine::ConfigPtr> configs_;
    std::deque<Event> queue_;
    int last_pid_ = 100;
};

/// What a new image makes of what the old one has saved.
inline void crash(FakeShell& shell, FakeShell& next, const std::vector<engine::ConfigPtr>& configs) {
    next.clock = shell.clock;
    next.guards = shell.guards;
    next.load(configs);
    for (const UnitId unit : shell.engine.units())
        (void)next.engine.restore(shell.engine.save(unit), next.clock); // what is lost shows in what follows
    (void)next.engine.restore_globals(shell.engine.save_globals(), next.clock);
    next.feed(engine::Tick{});
}

} // namespace monoinit::test
