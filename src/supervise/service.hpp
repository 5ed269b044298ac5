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

struct NotifyMessage;

enum class ServiceState : std::uint8_t {
    Dead, Condition, StartPre, Start, StartPost, Running, Exited, Reload, ReloadSignal, ReloadNotify, Stop, StopWatchdog,
    StopSigterm, StopSigkill, StopPost, FinalWatchdog, FinalSigterm, FinalSigkill, Failed, AutoRestart,
};
std::string_view name(ServiceState state);          ///< SubState: "stop-sigterm"
ActiveState active_state(ServiceState state);
bool is_legal(ServiceState from, ServiceState to);   ///< declared edges
std::string states_dot();                            ///< the diagram, from the edges (`initctl help states`)

/// Options of the manager that change how services behave (EXPERIENCE: Defaults).
struct Policy {
    bool default_backoff = true;
    base::Duration backoff_first = std::chrono::milliseconds(100), backoff_max = std::chrono::seconds(30),
                   backoff_reset = std::chrono::seconds(60);
    bool watchdogs = true; ///< false: a missed WATCHDOG=1 has no consequence
    bool restarts = true; ///< false: Restart= and OnUnhealthy=restart are not carried out (orchestrated)
};

/// Answer to a start request. Started: it is on its way, StateChanged tells the end. Busy: it is still stopping, ask again
/// when it is down. StartLimitHit, LeftoversRemain: refused, said why, and the unit is now failed.
enum class StartVerdict : std::uint8_t { Started, AlreadyActive, Busy, StartLimitHit, LeftoversRemain };

class Service {
  public:
    /// `next_guard` gives fresh guard ids; `config` may be replaced on daemon-reload.
    Service(std::shared_ptr<const unit::UnitConfig> config, const Policy& policy, std::function<GuardId()> next_guard);

    void set_watchdogs(bool on) { policy_.watchdogs = on; }
    void replace_config(std::shared_ptr<const unit::UnitConfig> config);

    // Requests. Each appends to `out` what has to be done.
    StartVerdict start(Moment now, std::vector<Action>& out);
    /// Cancels a pending restart too. `for_restart`: a restart job stops it (RestartKillSignal=).
    void stop(Moment now, std::vector<Action>& out, bool for_restart = false);
    bool can_reload() const;
    void reload(Moment now, std::vector<Action>& out);
    void reset_failed(Moment now, std::vector<Action>& out); ///< also clears restart and start-limit counters
    void clear_restart_counter();               ///< a person asked for a start: counters and the start limit begin anew
    /// Type=idle: the command waits until no other job is left, 5 s at most. The engine looks and tells.
    bool waits_for_idle() const;
    void release_idle(Moment now, std::vector<Action>& out);
    /// When the start limit lets it start again: `now` unless it is exhausted.
    Instant may_start_at(Instant now) const;
    /// RestartDue was said and no start has come of it.
    bool restart_is_due() const;
    /// The start cannot be made now: RestartDue comes once more, at once.
    void ask_restart_again(Moment now);
    /// `initctl kill`: to main, control or all processes.
    enum class KillWho : std::uint8_t { Main, Control, All };
    void kill(KillWho who, int signal, std::vector<Action>& out);
    /// Shutdown: from now on no restart is scheduled; TimeoutStopSec= is capped so that everything is over by `deadline`.
    void set_stop_deadline(Instant sigkill_at);
    /// A stop job waits: Restart= does not undo what has been asked for already. Told before each event.
    void set_stop_pending(bool pending) { stop_pending_ = pending; }
    /// Shutdown has begun: a start under way begins no further command, whenever its stop job comes.
    void forbid_starts() { data_.ending = true; }
    /// A health check failed for good and OnUnhealthy=restart: stops it, and it comes back. service_health.cpp.
    void fail_health(std::string reason, Moment now, std::vector<Action>& out);
    void force_kill(Moment now, std::vector<Action>& out); ///< SIGKILL now (second signal)

    // What the world says.
    void on(const SpawnResult& event, Moment now, std::vector<Action>& out);
    void on(const CommandExited& event, Moment now, std::vector<Action>& out);
    void on(const TreeEmpty& event, Moment now, std::vector<Action>& out);
    void on(const GuardLost& event, Moment now, std::vector<Action>& out);
    void on(const TreeListed& event, Moment now, std::vector<Action>& out);
    void on(const PidFileRead& event, Moment now, std::vector<Action>& out);
    void on(const Notified& event, Moment now, std::vector<Action>& out);
    void on(const BusNameChanged& event, Moment now, std::vector<Action>& out);
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
        Moment start_began;                   ///< of the latest start request that was let through
        Instant retry_deadline = base::never; ///< when PIDFile= is read again
        base::Duration reload_begin{};        ///< boot time at which the reload signal went out, 0 = answered or none
        bool main_known = false;              ///< the main process of this run is, or was, identified
        bool main_alien = false;              ///< it is not the guard's own command (MAINPID=, PIDFile=, guessed)
        bool main_lost = false;               ///< its guard was killed: which process it is, and whether it lives, is open
        bool main_recheck = false;            ///< it ended, but PIDFile= may name its successor
        int last_main_pid = 0;                ///< of the main process that ended last
        GuardId survivor;                     ///< of a main or control process that outlived SIGKILL
        bool start_succeeded = false;         ///< this run was up, so ExecStop= applies
        bool flush_restarts = false;          ///< the next start clears the restart counters
        bool stop_for_restart = false;
        bool said_notify_ignored = false, said_fd_store = false;
        bool ending = false;                  ///< forbid_starts()

        bool operator==(const Data&) const = default;
        bool restart_unhealthy = false;       ///< fail_health(): it comes back whatever Restart= says
        bool bus_name_owned = false;          ///< BusName= is on the bus; known while Type=dbus is not down
    };
    const Data& data() const { return data_; }
    /// After a re-exec: continue from what the checkpoint held; the shell then reports what guards say.
    void restore(Data data);
    /// After a re-exec that has lost the record: goes on from a command that was found running, for each of them, those of ExecStart=
    /// first. What nobody can say any more (counters, results, STATUS=) is as after a fresh start. service_found.cpp.
    void take_up(const FoundCommand& found, Moment now);
    /// After a re-exec: a guard that the record speaks of was never made, since the fault came between the two. It is now.
    void make_guard_again(GuardId guard, Moment now, std::vector<Action>& out);
    /// After any re-exec: what was asked, and answered to an image that could not record it any more, is asked again.
    void ask_again(std::vector<Action>& out) const;
    /// take_up() of a Type=oneshot with RemainAfterExit= that is taken to have run.
    void take_as_done(Moment now);

  private:
    /// One call's time and output, passed along.
    struct Step {
        Moment now;
        std::vector<Action>& out;
    };

    // service.cpp: the only writer of the state, timers, commands, what processes do.
    void enter(ServiceState next, Step& step);
    void arm_state_timer(Instant now);
    void state_timed_out(Step& step);
    Instant capped(Instant wanted) const;
    void arm_watchdog(Instant now);
    base::Duration watchdog_span() const;
    void spawn(unit::ExecList list, std::uint32_t index, bool is_main, Step& step);
    Spawn what_to_spawn(GuardId guard) const;
    const unit::Command* command(unit::ExecList list, std::uint32_t index) const;
    bool owns(GuardId guard) const;
    void forget_guard(GuardId guard);
    void all_empty(Step& step);
    void main_exited(const std::optional<base::ExitInfo>& exit, const std::string& text, Step& step);
    bool recheck_pid_file(Step& step);
    void main_gone(const std::string& text, Step& step);
    void act_on_main_exit(ServiceResult f, Step& step);
    void control_exited(const std::optional<base::ExitInfo>& exit, const std::string& text, Step& step);
    void act_on_control_exit(ServiceResult f, Step& step);

    // service_start.cpp: from the request to running, and reload.
    bool start_limit_applies() const;
    void refuse_start(ServiceResult f, std::string text, Step& step);
    void reset_run(Moment now);
    void enter_condition(Step& step);
    void enter_start_pre(Step& step);
    void enter_start(Step& step);
    void spawn_failed(const SpawnResult& event, Step& step);
    void no_process(bool main, const std::string& text, Step& step);
    void main_spawned(Step& step);
    void enter_start_post(Step& step);
    void finish_start_post(Step& step);
    void enter_running(Step& step);
    void main_exited_in_start(ServiceResult f, Step& step);
    void find_main(GuardId start_guard, Step& step);
    void pid_file_unusable(const std::string& why, Step& step);
    void set_main(int pid, GuardId guard, Step& step);
    void finish_reload(ServiceResult f, Step& step);
    void reload_commands_done(ServiceResult f, Step& step);
    bool good() const;

    // service_stop.cpp: from there to dead, failed or auto-restart.
    void enter_stop(Step& step);
    void enter_signal(ServiceState state, Step& step);
    void enter_stop_post(Step& step);
    void enter_dead(Step& step);
    base::Duration restart_delay();
    void tidy_up(bool restart, Step& step);
    void settle(Step& step);
    void after_signal(ServiceState state, Step& step);
    void send_signals(ServiceState state, Step& step);
    void signal_all(int signal, bool then_sighup, Step& step);
    void signal_main(int signal, Step& step);
    void kill_control(Step& step);
    bool waits(ServiceState state, Instant now) const;
    bool past_kill(Instant now) const;
    unit::KillMode kill_mode(Instant now) const;
    bool may_sigkill(Instant now) const;
    bool has_leftovers(Instant now) const;
    void start_timed_out(Step& step);
    void stop_timed_out(Step& step);
    void signal_timed_out(Step& step);
    void emergency(Step& step) const;

    // service_notify.cpp
    bool accepts(const Notified& event, Step& step);
    void notified_descriptors(const Notified& event, const NotifyMessage& message, Step& step);
    void notified_main_pid(const Notified& event, int pid, Step& step);
    void notified_reloading(const Notified& event, std::optional<base::Duration> monotonic, Step& step);
    void notified_ready(Step& step);
    void notified_stopping(Step& step);
    void notified_watchdog(bool trigger, Step& step);
    void extend_timeout(base::Duration span, Instant now);

    // service_words.cpp: what people read.
    static void say(Severity severity, std::string text, Step& step);
    void note_failure(ServiceResult f, std::string text);
    std::string main_exit_words(const std::string& text) const;
    std::string control_exit_words(const std::optional<base::ExitInfo>& exit, const std::string& text) const;
    void say_up(Step& step) const;
    void say_end(std::optional<base::Duration> restart_in, bool withheld, Step& step) const;

    const unit::ServiceSection& service() const { return *config_->service; }

    std::shared_ptr<const unit::UnitConfig> config_;
    Policy policy_;
    std::function<GuardId()> next_guard_;
    Data data_;
    Instant sigkill_at_ = base::never;
    bool stop_pending_ = false;
};

} // namespace monoinit::supervise
