#pragma once
// The state machine of one path unit, systemd.path(5). Pure: the shell looks at the paths (in a probe, they may hang) and
// hears when they change; the engine starts the unit. enter() is the only writer of the state.
//
//   dead -> starting -> waiting <-> running      running: the unit it started is not down again yet; nothing is watched
//   starting, waiting, running -> failed         they cannot be looked at, a limit is hit
//
// Tested by tests/unit/supervise/path_test.cpp (stories, and a walk over event sequences).

#include "supervise/types.hpp"

#include <memory>

namespace monoinit::supervise {

enum class PathState : std::uint8_t { Dead, Starting, Waiting, Running, Failed };
std::string_view name(PathState state);
ActiveState active_state(PathState state);
bool is_legal(PathState from, PathState to);

enum class PathResult : std::uint8_t { Success, Resources, StartLimitHit, UnitStartLimitHit, TriggerLimitHit };
std::string_view name(PathResult result); ///< "trigger-limit-hit"

/// What the paths are compared with.
enum class PathLook : std::uint8_t {
    None,
    First, ///< with nothing: as they are is how they should be. Directories are made
    Quiet, ///< the same, without making any: the unit was down just now
    Event, ///< with the last look: other files in their places count as a change
    Missed, ///< the same and what is in them: nobody has listened for a while
};

class Path {
  public:
    explicit Path(std::shared_ptr<const unit::UnitConfig> config) : config_(std::move(config)) {}
    void replace_config(std::shared_ptr<const unit::UnitConfig> config);
    /// It has other paths now: resume() is due.
    bool is_outdated() const { return outdated_; }

    void start(Moment now, std::vector<Action>& out);
    void stop(Moment now, std::vector<Action>& out);
    void reset_failed(Moment now, std::vector<Action>& out);
    /// What it starts cannot be started: what is wrong has been said.
    void refuse_start(std::string why, Moment now, std::vector<Action>& out);

    /// Answer to LookAtPaths. Gives the path for which the unit is to be started, empty: none; the engine then says
    /// unit_queued() or fail(). `unit_up`: it runs, whoever started it.
    std::string looked(const PathsSeen& seen, bool unit_up, Moment now, std::vector<Action>& out);
    /// Something has happened: to this of the paths, or, if it is beyond the last, to what is around them. The same answer.
    std::string changed(std::size_t which, Moment now, std::vector<Action>& out);
    void not_now(base::Duration span, Moment now); ///< the unit may not be started yet
    void unit_queued(Moment now, std::vector<Action>& out);  ///< its start job stands, or it runs
    void unit_running(Moment now, std::vector<Action>& out); ///< somebody else has started it
    void unit_down(Moment now, std::vector<Action>& out);    ///< it is down, and no job will change that
    void fail(PathResult result, std::string why, Moment now, std::vector<Action>& out);

    void on_deadline(Moment now, std::vector<Action>& out);
    Instant deadline() const { return data_.look_again; }

    struct Data {
        PathState state = PathState::Dead;
        PathResult result = PathResult::Success;
        PathLook look = PathLook::None;       ///< the one whose answer is to come
        std::vector<std::uint64_t> files;     ///< by path of the section, as of the last look: which file it is, 0 = none
        std::vector<std::uint64_t> contents;  ///< and what is in it
        Instant trigger_window;               ///< when the counting began
        std::uint32_t triggers = 0;
        Instant look_again = base::never;     ///< the last look was in vain
        std::vector<Instant> recent_starts;   ///< within StartLimitIntervalSec=
        std::string last_failure;
        bool said_blind = false;              ///< that looks are in vain

        bool operator==(const Data&) const = default;
    };
    const Data& data() const { return data_; }
    void restore(Data data) { data_ = std::move(data); }
    /// After a restore, or with other paths: they are looked at anew.
    void resume(std::vector<Action>& out);

  private:
    struct Step {
        Moment now;
        std::vector<Action>& out;
    };
    void enter(PathState next, Step& step);
    void look(PathLook how, std::vector<Action>& out);
    std::string trigger(std::string path, Step& step);
    void note(PathResult result, std::string why, Step& step);
    const unit::PathSection& section() const { return *config_->path; }

    std::shared_ptr<const unit::UnitConfig> config_;
    Data data_;
    bool outdated_ = false;
};

} // namespace monoinit::supervise
