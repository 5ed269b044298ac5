#pragma once
// The state machine of one socket unit, systemd.socket(5). Pure: the shell makes, watches and holds the descriptors and tells
// what became of them; the engine starts services. enter() is the only writer of the state.
//
//   dead -> start-pre -> start-open -> start-post -> listening <-> running      running: its service has the descriptors
//        -> stop-pre -> stop-post -> final-sigterm -> final-sigkill -> dead | failed
//
// Tested by tests/unit/supervise/socket_test.cpp (stories, and a walk over event sequences).

#include "supervise/types.hpp"

#include <functional>

namespace monoinit::supervise {

enum class SocketState : std::uint8_t {
    Dead, StartPre, StartOpen, StartPost, Listening, Running, StopPre, StopPreSigterm, StopPreSigkill, StopPost, FinalSigterm,
    FinalSigkill, Failed,
};
std::string_view name(SocketState state);
ActiveState active_state(SocketState state);
bool is_legal(SocketState from, SocketState to);
bool holds_descriptors(SocketState state); ///< the shell has them while in this state

enum class SocketResult : std::uint8_t {
    Success, Resources, Timeout, ExitCode, Signal, CoreDump, StartLimitHit, TriggerLimitHit, ServiceStartLimitHit,
};
std::string_view name(SocketResult result); ///< "trigger-limit-hit"

/// What the engine is to do with what has come in.
enum class Incoming : std::uint8_t { Start, Ignore, Refuse };

class Socket {
  public:
    Socket(std::shared_ptr<const unit::UnitConfig> config, std::function<GuardId()> next_guard)
        : config_(std::move(config)), next_guard_(std::move(next_guard)) {}
    void replace_config(std::shared_ptr<const unit::UnitConfig> config) { config_ = std::move(config); }

    void start(Moment now, std::vector<Action>& out);
    void stop(Moment now, std::vector<Action>& out);
    void reset_failed(Moment now, std::vector<Action>& out);
    void kill(int signal, std::vector<Action>& out);
    /// The sockets could not be started at all: what is wrong has been said.
    void refuse_start(std::string why, Moment now, std::vector<Action>& out);

    /// Answer to OpenSockets: empty, or what is wrong.
    void opened(const std::string& error, Moment now, std::vector<Action>& out);
    /// A descriptor is readable (a connection was accepted, with Accept=yes). Start: the service is to be started now.
    Incoming incoming(Moment now, std::vector<Action>& out);
    /// Not now: nothing is looked at for this long.
    void pause(base::Duration span, Moment now, std::vector<Action>& out);
    void service_queued(Moment now, std::vector<Action>& out);  ///< its start job stands, or it runs
    void service_running(Moment now, std::vector<Action>& out); ///< somebody else has started it
    void service_down(Moment now, std::vector<Action>& out);    ///< it is down, and no job will change that
    void fail(SocketResult result, std::string why, Moment now, std::vector<Action>& out);

    void on(const SpawnResult& event, Moment now, std::vector<Action>& out);
    void on(const CommandExited& event, Moment now, std::vector<Action>& out);
    void on(const TreeEmpty& event, Moment now, std::vector<Action>& out);
    void on(const GuardLost& event, Moment now, std::vector<Action>& out);
    void on(const TreeListed&, Moment, std::vector<Action>&) {}
    void on_deadline(Moment now, std::vector<Action>& out);
    Instant deadline() const { return std::min(data_.state_deadline, data_.paused_until); }

    struct Data {
        SocketState state = SocketState::Dead;
        SocketResult result = SocketResult::Success;
        GuardId control_guard;
        int control_pid = 0;
        unit::ExecList control_list = unit::ExecList::StartPre;
        std::uint32_t control_index = 0;
        std::vector<GuardId> guards;          ///< whose trees may not be empty
        Instant state_deadline = base::never;
        Instant trigger_window, poll_window;  ///< when the counting began
        std::uint32_t triggers = 0, polls = 0;
        Instant paused_until = base::never;   ///< PollLimitBurst= is used up
        std::uint32_t accepted = 0, refused = 0; ///< connections so far
        std::string last_failure;

        bool operator==(const Data&) const = default;
    };
    const Data& data() const { return data_; }
    void restore(Data data) { data_ = std::move(data); }
    /// After a restore: the shell is told what to watch, and asked again for what it may not have answered.
    void resume(std::vector<Action>& out) const;
    std::uint32_t count_accepted() { return data_.accepted++; }
    void count_refused() { data_.refused++; }

  private:
    struct Step {
        Moment now;
        std::vector<Action>& out;
    };
    void enter(SocketState next, Step& step);
    void run_commands(SocketState state, unit::ExecList list, Step& step);
    void spawn(std::uint32_t index, Step& step);
    void commands_done(SocketResult result, std::string why, Step& step);
    void advance(Step& step);
    void enter_listening(Step& step);
    void enter_stop_pre(SocketResult result, Step& step);
    void enter_stop_post(SocketResult result, Step& step);
    void enter_signal(SocketState state, Step& step);
    void enter_dead(SocketResult result, Step& step);
    void note(SocketResult result, std::string why, Step& step);
    const unit::SocketSection& section() const { return *config_->socket; }
    const std::vector<unit::Command>& commands(unit::ExecList list) const { return config_->service->list(list); }

    std::shared_ptr<const unit::UnitConfig> config_;
    std::function<GuardId()> next_guard_;
    Data data_;
};

} // namespace monoinit::supervise
