#pragma once
// The imperative shell: one epoll loop that feeds events to the engine and performs its effects. Single-threaded; nothing
// in it blocks. Order in feed(): engine, then checkpoint, then effects, so that a crash never forgets what was begun.
// Tested by tests/system.

#include "config/config.hpp"
#include "control/server.hpp"
#include "engine/engine.hpp"
#include "runtime/bus_names.hpp"
#include "runtime/checkpoint.hpp"
#include "runtime/fd_store.hpp"
#include "runtime/foreground.hpp"
#include "runtime/found.hpp"
#include "runtime/generators.hpp"
#include "runtime/guards.hpp"
#include "runtime/health_runs.hpp"
#include "runtime/live_settings.hpp"
#include "runtime/log_process.hpp"
#include "runtime/notify_sockets.hpp"
#include "runtime/outer_notify.hpp"
#include "runtime/paths.hpp"
#include "runtime/probes.hpp"
#include "runtime/scopes.hpp"
#include "runtime/sockets.hpp"
#include "runtime/sources.hpp"
#include "runtime/state_dir.hpp"
#include "runtime/views.hpp"
#include "sys/clock.hpp"
#include "sys/epoll_loop.hpp"
#include "sys/far_files.hpp"
#include "sys/mounts.hpp"
#include "sys/place.hpp"
#include "sys/signals.hpp"
#include "unit/install_links.hpp"
#include "unit/loader.hpp"
#include "unit/verify.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace monoinit::runtime {

class Operations;

/// In the number of a request that the bus has made; those of clients have it not.
inline constexpr std::uint64_t bus_request_mark = std::uint64_t{1} << 63;

/// What main() hands over.
struct Invocation {
    int argc = 0;
    char** argv = nullptr;
    char** environment = nullptr;
    int resume_checkpoint = -1; ///< the checkpoint of the image before, -1 at boot
    base::Moment started;
};

/// The environment block as strings.
std::vector<std::string> environment_strings(char** environment);

/// The first thing a PID 1 does: what arrives from here on waits for its signalfd. The kernel drops a SIGTERM for a PID 1 that
/// neither blocks nor handles it.
void hold_signals();

/// The answer of a binary that is asked whether it can take over (exec/candidate.hpp): tries to read the copy of a checkpoint that is
/// open as `descriptor`, and changes nothing. Returns the exit status. reexec.cpp.
int answer_take_over(std::string_view descriptor);

class Runtime {
  public:
    static base::Result<std::unique_ptr<Runtime>> create(const Invocation& invocation, config::Loaded config,
                                                         std::vector<std::string> command);
    ~Runtime();
    /// Runs until the container ends; returns its exit status.
    int run();

    // For the parts of the shell.
    void feed(engine::Event event);
    engine::Engine& engine() { return *engine_; }
    /// Loads a unit and everything it names, and tells the engine. Returns its id, 0 if the name is not valid.
    base::UnitId load(const std::string& name);
    /// Runs the generators, reads the unit files again, calls `done`.
    /// `done` gets an error where files could not be read now: then all units stay as they were.
    void daemon_reload(std::function<void(base::Result<void>)> done);
    /// Where put_unit() keeps unit files; empty: nowhere.
    std::string transient_directory() const;
    void look_at_unit_files(); ///< one has come, or is another now
    void forget_unit(base::UnitId unit);
    /// Streams of a client for its transient service, which has them until it is down.
    void lend_streams(base::UnitId unit, std::vector<sys::UniqueFd>& descriptors) { store_->lend(unit, descriptors); }
    void take_back_streams(base::UnitId unit); ///< if the unit is down
    bool is_privileged(const control::Peer& peer) const { return control::is_privileged(peer, {manager_.uid, std::nullopt}); }
    base::Duration shutdown_budget() const { return config_.shutdown_timeout; }
    /// Executes what is now at the path we were started from, if that says it can take over: `begins` is called right before, `refused`
    /// when it cannot, and nothing has changed then. reexec.cpp.
    void daemon_reexec(std::function<void()> begins, std::function<void(const base::Error&)> refused);
    /// Begins the end (or, when it has begun already, hurries it).
    void shut_down(engine::Shutdown::Kind kind, const std::string& reason, std::optional<int> status, base::Duration budget);
    ViewContext view();
    control::ManagerInfo info();
    control::PropertyList properties(bool with_environment, base::TimestampStyle timestamps); ///< of the manager; manager_properties.cpp
    const unit::Loader& loader() const { return *loader_; }
    LogProcess& log() { return *log_; }
    Guards& guards() { return *guards_; }
    Probes& probes() { return *probes_; }
    Scopes& scopes() { return *scopes_; }
    const StateDir& state_dir() const { return dir_; }
    std::array<std::uint8_t, 16> invocation_id(base::UnitId unit) const;
    bool booted() const { return ready_after_.has_value(); }
    /// The answer to `initctl health`; also decides when READY=1 goes out. health_verdict.cpp.
    control::HealthReply health(supervise::HealthQuestion question, const std::vector<base::UnitId>& units) const;
    exec::ManagerContext& manager_context() { return manager_; }

    // What clients may set while it runs; set_properties.cpp.
    LiveSettings& settings() { return settings_; }
    void save_settings();
    base::Result<void> set_own_property(std::string_view name, std::string_view value);
    base::Result<void> set_unit_property(base::UnitId unit, std::string_view name, std::string_view value);
    void thaw_for_signal(base::UnitId unit);

  private:
    Runtime(const Invocation& invocation, config::Loaded config, std::vector<std::string> command);

    // boot.cpp
    base::Result<void> set_up();
    void set_up_place();
    void note_inherited(); // manager_properties.cpp
    void set_up_cgroups();
    void listen_for_control();
    void set_up_control();
    void set_up_control_later(const base::Error& error);
    void boot();
    void boot_units();
    unit::GeneratorDirectories generator_directories() const;
    void set_up_generators();
    base::Result<void> reload_units();
    void resume();
    void restore_descriptors(const std::vector<FdEntry>& kept, const std::unordered_map<std::uint32_t, std::string>& names);
    void restore_records(const Records& records);
    void say_how_it_came();
    void start_logger();
    void make_seed();
    // lost_state.cpp
    base::Result<void> adopt_checkpoint();
    void find_again();
    void take_up_streams();
    void take_up_guards();
    void complete_boot();
    std::size_t count_masked() const;
    std::string place_words() const;
    void forget_old_transient_units();
    void forget_old_credentials();
    void report_boot_problems();
    void say_what_is_not_enabled();
    const std::vector<std::string>& not_enabled();
    std::string file_state(const std::string& name);
    void forget_files();
    std::string boot_target_name() const;
    unit::Environment unit_environment() const;

    // runtime.cpp
    std::string name_of(base::UnitId unit) const;
    void perform(const engine::Effect& effect);
    void on_unit_changed(const engine::UnitChanged& changed);
    void perform_action(const engine::UnitAction& action);
    void remove_directories(base::UnitId unit, bool runtime);
    void remove_files(base::UnitId unit, Probes::Make make);
    bool perform_socket_action(const engine::UnitAction& action); // socket_units.cpp
    void set_up_sockets();
    bool perform_path_action(const engine::UnitAction& action); // path_units.cpp
    void set_up_paths();
    void on_reply(const engine::RequestReply& reply);
    void on_job_finished(const engine::JobFinished& finished);
    void set_up_bus(); // bus_units.cpp
    void activate_for_bus(const std::string& name);
    void bus_request_over(std::uint64_t request, bool failed, const std::string& why);
    void watch_bus_name(base::UnitId unit, bool on);
    void resume_bus_names();
    PassedSockets sockets_for(base::UnitId service) const;
    void perform_check(const engine::HealthAction& action); // health_verdict.cpp
    void check_conditions(base::UnitId unit);
    base::Result<std::vector<engine::ConfigPtr>> load_all(const std::vector<std::string>& roots); // loading.cpp
    std::vector<engine::ConfigPtr> load_insisting(const std::vector<std::string>& roots);
    void report_unread();
    void load_new(const std::vector<engine::ConfigPtr>& configs);
    unit::Allowed allowed() const { return {!manager_.group_controllers.empty(), manager_.may_mount}; }
    using Limits = base::StringMap<std::vector<unit::CgroupSetting>>;
    Limits limits() const; // limits.cpp
    void change_limits(const Limits& before);
    void enter_phase(unit::Phase phase);
    void read_mounts(base::Result<std::vector<sys::Mount>> table); // mounts.cpp
    void watch_mounts();
    void load_mount_units();
    void look_at_mounts(bool given = false);
    void forget_unmounted();
    void look_at_device(base::UnitId unit);
    void stamp(base::UnitId unit, base::Duration wall); // timers.cpp
    void tell_origin();
    void watch_clock();
    void hold_zone_watch();
    void on_zone_event();
    void save_dirty();
    void forget_traces(base::UnitId unit);
    base::Result<void> set_frozen(base::UnitId unit, bool frozen); // set_properties.cpp
    void settings_follow(base::UnitId unit, supervise::ActiveState before, supervise::ActiveState after);
    void restore_settings(std::string_view bytes);
    void save_facts();
    void note_names(const std::vector<engine::ConfigPtr>& configs);
    void start_command();
    std::string counts() const;
    void tell_outside();
    void on_signal(const signalfd_siginfo& info); // signals.cpp
    void obey(int signal);
    void act_on(int signal);
    void reap();
    void on_boot_finished(const engine::BootFinished& finished);
    void begin_stopping(base::Duration budget);
    void on_shutdown_began(const engine::ShutdownBegan& began);
    void on_exit_effect(int status);
    void leave_if_done();
    void prove_oneself(); // reexec.cpp
    void hand_over(sys::UniqueFd binary);
    std::string path_started_from() const;
    void report_units(const std::vector<engine::ConfigPtr>& configs);
    base::Instant next_wakeup() const;
    void turn();
    void hold_reserves();
    void out_of_memory();

    Invocation invocation_;
    config::InitConfig config_;
    std::vector<config::Problem> config_problems_;
    std::vector<std::string> command_;
    bool is_pid1_ = false;

    sys::UniqueFd exe_, previous_exe_;
    std::string started_from_; ///< the binary's path, as the first image knew it
    std::optional<LostState> lost_; ///< nothing of the checkpoint is to be had
    base::StringMap<OldInvocation> old_invocations_; ///< by unit
    StateDir dir_;
    std::optional<Checkpoint> checkpoint_;
    std::optional<sys::EpollLoop> loop_;
    std::optional<sys::SignalFd> signals_;
    std::optional<sys::Timer> timer_;
    std::optional<sys::ClockWatch> clock_watch_;
    sys::UniqueFd zone_watch_, mount_watch_;
    base::Instant looked_at_mounts_{}, look_at_mounts_at_ = base::never;
    std::vector<std::string> unmounted_; ///< units of what is mounted no more
    sys::FarFiles files_;
    sys::Place place_;
    std::string cgroup_complaint_; ///< said once the log is there
    std::unique_ptr<unit::Loader> loader_;
    std::unique_ptr<engine::Engine> engine_;
    exec::ManagerContext manager_;
    LiveSettings settings_;
    unit::Inherited inherited_;
    std::unique_ptr<LogProcess> log_;
    std::unique_ptr<Guards> guards_;
    std::unique_ptr<NotifySockets> notify_;
    std::unique_ptr<Probes> probes_;
    std::unique_ptr<Generators> generators_;
    std::unique_ptr<Sockets> sockets_;
    std::unique_ptr<Scopes> scopes_;
    std::unique_ptr<FdStore> store_;
    std::unique_ptr<Paths> paths_;
    std::unique_ptr<Sources> sources_;
    std::unique_ptr<BusNames> bus_;
    std::unordered_map<std::uint64_t, std::string> bus_requests_; ///< jobs that the bus has asked for: number -> the name it used
    std::uint64_t next_bus_request_ = 1;
    std::unique_ptr<HealthRuns> health_;
    std::unique_ptr<Operations> operations_;
    std::unique_ptr<control::Server> server_;
    std::unique_ptr<Foreground> foreground_;
    OuterNotify outer_;

    std::deque<engine::Event> queue_;
    bool feeding_ = false, reap_again_ = false, settled_ = false, said_short_ = false, said_polling_ = false, said_turning_away_ = false, reserves_held_ = false;
    std::vector<std::string> loaded_names_;
    std::unordered_set<std::string> known_names_;
    base::UnitId unknown_; ///< the last name asked for that is no unit's
    std::unordered_set<std::string> reported_; ///< units whose problems were said
    std::uint64_t seed_[2] = {};               ///< of invocation ids
    base::UnitId boot_target_;
    sys::UniqueFd control_listener_; ///< until the server has it
    base::Instant control_at_ = base::never; ///< when it is tried again
    std::uint32_t masked_ = 0;
    // As of the last look at the files; too dear for every question.
    std::optional<std::vector<std::string>> not_enabled_;
    std::optional<unit::EnablingLinks> enabling_links_;
    std::optional<base::Duration> ready_after_;
    bool stopping_ = false, hurried_ = false, units_down_ = false, killed_leftovers_ = false, draining_ = false, left_ = false;
    bool command_started_ = false;
    bool boot_began_ = false; ///< the boot target's start was asked for
    bool unit_ends_ = false; ///< a unit has brought the end about: its status counts, not CMD's
    bool asked_to_end_ = false; ///< somebody outside wants it too
    int exit_status_ = 0;
    base::Instant drain_until_ = base::never, next_watchdog_ = base::never, stop_deadline_ = base::never,
                  leftovers_deadline_ = base::never;
    std::uint64_t orphans_ = 0;
    std::string told_outside_; ///< the last STATUS=
    bool said_ready_ = false;  ///< READY=1 went out: the boot target is reached and every check has succeeded
};

} // namespace monoinit::runtime
