#pragma once
// The state machine of one service: systemd.service(5), from start request to exited, restarting or failed.
// Pure: time comes in, actions go out. enter() is the only writer of the state (rule 1 of the style page).
//
//   dead -> condition -> start-pre -> start -> start-post -> running -> … -> stop -> stop-sigterm -> stop-sigkill
//        -> stop-post -> final-sigterm -> final-sigkill -> dead | failed -> auto-restart -> (restart job) -> dead …
//
// Tested by tests/unit/supervise/service_test.cpp (stories) and service_walk_test.cpp (every event sequence).

#include "supervise/types.hpp"

#include <functional>

namespace monoinit::supervise {

enum class ServiceState : std::uint8_t {
    Dead, Condition, StartPre, Start, StartPost, Running, Exited, Reload, ReloadSignal, ReloadNotify, Stop, StopWatchdog,
    StopSigterm, StopSigkill, StopPost, FinalWatchdog, FinalSigterm, FinalSigkill, Failed, AutoRestart,
};
std::string_view name(ServiceState state);          ///< SubState: "stop-sigterm"
ActiveState active_state(ServiceState state);
bool is_legal(ServiceState from, ServiceState to);   ///< declared edges

/// Options of the manager that change how services behave (EXPERIENCE: Defaults).
struct Policy {
    bool default_backoff = true;
    base::Duration backoff_first = std::chrono::milliseconds(100), backoff_max = std::chrono::seconds(30),
                   backoff_reset = std::chrono::seconds(60);
};

/// Answer to a start request.
enum class StartVerdict : std::uint8_t { Started, AlreadyActive, Busy, StartLimitHit };

class Service {
  public:
    /// `next_guard` gives fresh guard ids; `config` may be replaced on daemon-reload.
    Service(std::shared_ptr<const unit::UnitConfig> config, const Policy& policy, std::function<GuardId()> next_guard);

    void replace_config(std::shared_ptr<const unit::UnitConfig> config);

    // Requests. Each appends to `out` what has to be done.
    StartVerdict start(Moment now, std::vector<Action>& out);
    void stop(Moment now, std::vector<Action>& out); ///< cancels a pending restart too
    bool can_reload() const;
    void reload(Moment now, std::vector<Action>& out);
    void reset_failed(Moment now, std::vector<Action>& out); ///< also clears restart and start-limit counters
    void clear_restart_counter();               ///< a person asked for a start
    /// `initctl kill`: to main, control or all processes.
    enum class KillWho : std::uint8_t { Main, Control, All };
    void kill(KillWho who, int signal, std::vector<Action>& out);
    /// Shutdown: from now on no restart is scheduled; TimeoutStopSec= is capped so that everything is over by `deadline`.
    void set_stop_deadline(Instant sigkill_at);
    void force_kill(Moment now, std::vector<Action>& out); ///< SIGKILL now (second signal)

    // What the world says.
    void on(const SpawnResult& event, Moment now, std::vector<Action>& out);
    void on(const CommandExited& event, Moment now, std::vector<Action>& out);
    void on(const TreeEmpty& event, Moment now, std::vector<Action>& out);
    void on(const GuardLost& event, Moment now, std::vector<Action>& out);
    void on(const TreeListed& event, Moment now, std::vector<Action>& out);
    void on(const PidFileRead& event, Moment now, std::vector<Action>& out);
    void on(const Notified& event, Moment now, std::vector<Action>& out);
    void on_deadline(Moment now, std::vector<Action>& out); ///< when `deadline()` has passed; harmless otherwise
    Instant deadline() const;                               ///< earliest of the timers that run; `never` if none

    /// What status, show and the engine look at. Plain copyable data: it is also what the checkpoint keeps.
    struct Data {
        ServiceState state = ServiceState::Dead;
        ServiceResult result = ServiceResult::Success, reload_result = ServiceResult::Success;
        int main_pid = 0, control_pid = 0;
        GuardId main_guard, control_guard;
        std::vector<GuardId> guards;          ///< all whose trees may not be empty, leftovers included
        unit::ExecList control_list = unit::ExecList::StartPre;
        std::uint32_t control_index = 0, main_index = 0;
        std::optional<base::ExitInfo> main_exit; ///< of the last main process
        Moment main_started, main_exited;
        std::uint32_t restarts = 0;           ///< NRestarts
        std::uint32_t backoff_step = 0;
        bool will_restart = false;            ///< the state it is in leads to auto-restart
        bool forbid_restart = false;          ///< a stop was asked for, or shutdown
        bool notify_ready = false, notify_stopping = false, notify_reloading = false;
        std::string status_text;              ///< STATUS=
        int notify_errno = 0;
        Instant state_deadline = base::never, watchdog_deadline = base::never, runtime_deadline = base::never;
        base::Duration watchdog_override{};   ///< WATCHDOG_USEC=
        std::vector<Instant> recent_starts;   ///< within StartLimitIntervalSec=
        std::string last_failure;             ///< for people: "killed (SIGKILL) after 14 s"
        Moment state_entered;
    };
    const Data& data() const { return data_; }
    /// After a re-exec: continue from what the checkpoint held; the shell then reports what guards say.
    void restore(Data data);

  private:
    std::shared_ptr<const unit::UnitConfig> config_;
    Policy policy_;
    std::function<GuardId()> next_guard_;
    Data data_;
    Instant sigkill_at_ = base::never;
    // The implementation adds its private methods here.
};

} // namespace monoinit::supervise
