#pragma once
// One service among fake guards, as a value: the walk copies it, applies an event, checks the
// rules, and goes on from there.

#include "sim.hpp"
#include "supervise/service_states.hpp"

#include <array>

namespace monoinit::supervise {

/// Everything that can happen. Not all of it is possible in every world.
enum class Move : std::uint8_t {
    Start,
    Stop,
    StopForRestart,
    Reload,
    ForceKill,
    ResetFailed,
    Shutdown,
    ReleaseIdle,
    SpawnOk,
    SpawnFails,
    NoProcess,
    MainOk,
    MainFails,
    MainFailsLeaving,
    ControlOk,
    ControlFails,
    ControlOkLeaving,
    GuardEmpties,
    MainGuardLost,
    Deadline,
    Ready,
    Reloading,
    Stopping,
    Trigger,
    MainPid,
    PidFileGood,
    PidFileBad,
    Listed,
    NameOwned,
    NameLost,
};
inline constexpr int moves = static_cast<int>(Move::NameLost) + 1;
inline constexpr std::array<std::string_view, moves> move_names{"Start",
                                                                "Stop",
                                                                "StopForRestart",
                                                                "Reload",
                                                                "ForceKill",
                                                                "ResetFailed",
                                                                "Shutdown",
                                                                "ReleaseIdle",
                                                                "SpawnOk",
                                                                "SpawnFails",
                                                                "NoProcess",
                                                                "MainOk",
                                                                "MainFails",
                                                                "MainFailsLeaving",
                                                                "ControlOk",
                                                                "ControlFails",
                                                                "ControlOkLeaving",
                                                                "GuardEmpties",
                                                                "MainGuardLost",
                                                                "Deadline",
                                                                "Ready",
                                                                "Reloading",
                                                                "Stopping",
                                                                "Trigger",
                                                                "MainPid",
                                                                "PidFileGood",
                                                                "PidFileBad",
                                                                "Listed",
                                                                "NameOwned",
                                                                "NameLost"};

struct FakeGuard {
    enum class Command : std::uint8_t { Pending, Alive, Ended };
    GuardId id;
    bool is_main = false;
    Command command = Command::Pending;
    int pid = 0, child = 0; ///< child: one more process below it, 0 = none
    bool lost = false;

    bool operator==(const FakeGuard&) const = default;
};

class World {
  public:
    World(std::shared_ptr<const unit::UnitConfig> config)
        : config_(config), service_(config, Policy{}, [] { return GuardId{++last_guard}; }) {}

    bool possible(Move move) const;

    /// Applies a move that is possible. Broken rules are in `problems`.
    void apply(Move move) {
        last_guard = next_guard_;
        std::vector<Action> out;
        apply_move(move, out);
        perform(out);
        next_guard_ = last_guard;
        check();
    }

    /// Worlds with the same key behave alike.
    std::string key() const;

    std::vector<std::string> problems;
    std::vector<Edge> edges; ///< taken by the last move

    std::string_view state() const { return name(service_.data().state); }

  private:
    FakeGuard* find(GuardId id) {
        const auto found = std::ranges::find(guards_, id, &FakeGuard::id);
        return found == guards_.end() ? nullptr : &*found;
    }

    const FakeGuard* find(GuardId id) const { return const_cast<World*>(this)->find(id); }

    FakeGuard* pending();
    FakeGuard* with_child(int but);
    FakeGuard* can_empty();
    bool can_end(bool main) const;

    void apply_move(Move move, std::vector<Action>& out);
    void request(Move move, std::vector<Action>& out);
    void answer_spawn(Move move, std::vector<Action>& out);
    void end_command(bool main, int status, bool leaves, std::vector<Action>& out);
    void empty_guard(std::vector<Action>& out);
    void pass_deadline(std::vector<Action>& out);
    void notify(std::string text, std::vector<Action>& out, GuardId guard = {});
    void answer_pid(Move move, std::vector<Action>& out);
    void perform(const std::vector<Action>& actions);
    void see(const Spawn& spawn);
    void see(const StateChanged& change);
    void check();

    void rule(bool holds, std::string_view text) {
        if (!holds)
            problems.emplace_back(text);
    }

    static inline std::uint32_t last_guard =
        0; ///< what next_guard() counts in, set to the world's own before each move

    std::shared_ptr<const unit::UnitConfig> config_;
    Service service_;
    std::vector<FakeGuard> guards_;
    Moment now_{Instant{100s}, 1'700'000'000s};
    std::uint32_t next_guard_ = 0;
    ServiceState seen_ = ServiceState::Dead;
    bool pid_file_asked_ = false, shutdown_ = false, forced_ = false;
    bool name_watched_ = false;
    GuardId listing_asked_;
};

} // namespace monoinit::supervise
