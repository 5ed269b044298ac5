#pragma once
// The state machine of one mount unit, systemd.mount(5). Pure: commands run under guards, and the mount table says what became
// of them. enter() is the only writer of the state.
//
//   dead -> mounting -> mounting-done -> mounted <-> remounting (-sigterm, -sigkill)      mounting-done: it is in the table
//        -> unmounting -> dead      what hangs: unmounting-sigterm -> unmounting-sigkill -> dead | mounted
//
// What others mount and unmount is followed. What was mounted before us (a volume) is never unmounted.
// Tested by tests/unit/supervise/mount_test.cpp (stories, and a walk over event sequences).

#include "supervise/types.hpp"

#include <functional>

namespace monoinit::supervise {

enum class MountState : std::uint8_t {
    Dead, Mounting, MountingDone, Mounted, Remounting, Unmounting, RemountingSigterm, RemountingSigkill, UnmountingSigterm,
    UnmountingSigkill, Failed,
};
std::string_view name(MountState state);
ActiveState active_state(MountState state);
bool is_legal(MountState from, MountState to);

enum class MountResult : std::uint8_t { Success, Resources, Timeout, ExitCode, Signal, CoreDump, StartLimitHit, Protocol };
std::string_view name(MountResult result);

class Mount {
  public:
    Mount(std::shared_ptr<const unit::UnitConfig> config, std::function<GuardId()> next_guard)
        : config_(std::move(config)), next_guard_(std::move(next_guard)) {}
    void replace_config(std::shared_ptr<const unit::UnitConfig> config) { config_ = std::move(config); }

    void start(Moment now, std::vector<Action>& out);
    /// False: it stays, since it was there before us.
    bool stop(Moment now, std::vector<Action>& out);
    void reload(Moment now, std::vector<Action>& out);
    void reset_failed(Moment now, std::vector<Action>& out);
    void kill(int signal, std::vector<Action>& out) const;
    /// From now on no command may take longer than this.
    void set_stop_deadline(Instant at) { stop_by_ = at; }

    /// The mount table was read. `given`: nothing of ours has run yet, so that somebody outside has mounted what is there.
    void table(bool mounted, bool given, Moment now, std::vector<Action>& out);

    void on(const SpawnResult& event, Moment now, std::vector<Action>& out);
    void on(const CommandExited& event, Moment now, std::vector<Action>& out);
    void on(const TreeEmpty& event, Moment now, std::vector<Action>& out);
    void on(const GuardLost& event, Moment now, std::vector<Action>& out);
    void on(const TreeListed&, Moment, std::vector<Action>&) {}
    void on_deadline(Moment now, std::vector<Action>& out);
    Instant deadline() const { return data_.state_deadline; }

    struct Data {
        MountState state = MountState::Dead;
        MountResult result = MountResult::Success, reload_result = MountResult::Success;
        GuardId control_guard;
        int control_pid = 0;
        unit::ExecList control_list = unit::ExecList::Start;
        std::vector<GuardId> guards;          ///< whose trees may not be empty: daemons of FUSE stay
        Instant state_deadline = base::never;
        std::optional<MountResult> ended;     ///< the command has; the table decides what it means
        bool present = false;                 ///< it is in the table
        bool given = false;                   ///< it was there before us
        bool ours = false;                    ///< we have mounted it
        std::uint32_t unmounts = 0;           ///< umounts in a row: mounts may lie over each other
        std::vector<Instant> recent_starts;   ///< within StartLimitIntervalSec=
        std::string last_failure;

        bool operator==(const Data&) const = default;
    };
    const Data& data() const { return data_; }
    void restore(Data data) { data_ = std::move(data); }
    /// Whether the end of the container has to wait for it.
    bool has_to_stop() const;

  private:
    struct Step {
        Moment now;
        std::vector<Action>& out;
    };
    void enter(MountState next, Step& step);
    void spawn(unit::ExecList list, Step& step);
    void end_command(MountResult result, std::string why, Step& step);
    void settle(Step& step);
    void enter_unmounting(Step& step);
    void enter_signal(MountState state, Step& step);
    void enter_mounted(MountResult result, Step& step);
    void enter_dead(MountResult result, Step& step);
    void note(MountResult result, std::string why, Step& step);
    const unit::MountSection& section() const { return *config_->mount; }

    std::shared_ptr<const unit::UnitConfig> config_;
    std::function<GuardId()> next_guard_;
    Data data_;
    Instant stop_by_ = base::never;
};

} // namespace monoinit::supervise
