// From exec of PID 1 to the boot target's start job: descriptors, runtime directory, logger, units, control socket.
// Nothing here is fatal but the lack of memory and descriptors for the loop itself: what is missing is said, once.
#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "exec/spawn.hpp"
#include "runtime/crash.hpp"
#include "runtime/operations.hpp"
#include "runtime/runtime.hpp"
#include "sys/cgroup.hpp"
#include "sys/crash_point.hpp"
#include "sys/mounts.hpp"
#include "sys/patience.hpp"
#include "sys/process_title.hpp"
#include "sys/real_files.hpp"
#include "sys/surroundings.hpp"
#include "sys/syscalls.hpp"
#include "sys/users.hpp"
#include "unit/install.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

constexpr base::Duration control_pause = std::chrono::seconds(1);
constexpr base::Duration boot_probe_limit = std::chrono::seconds(10);

/// The signals that mean something to us; all others but faults stay blocked and unread.
sigset_t handled_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGPWR, SIGHUP, SIGRTMIN + 3, SIGRTMIN + 4})
        sigaddset(&set, signal);
    return set;
}

} // namespace

void hold_signals() {
    const sigset_t set = handled_signals();
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

std::vector<std::string> environment_strings(char** environment) {
    std::vector<std::string> all;
    for (char** at = environment; at != nullptr && *at != nullptr; at++)
        all.emplace_back(*at);
    return all;
}

namespace {

/// Packages' scripts take /run/systemd/system as the sign that systemctl works (sd_booted(3)). Docker and podman inside would
/// expect a bus behind it, so it is made only where `monoinit install --systemctl` has been used.
void mark_booted() {
    char target[4096];
    for (const char* tool : {"/bin/systemctl", "/usr/bin/systemctl"}) {
        const ssize_t length = ::readlink(tool, target, sizeof target);
        if (length <= 0 || !std::string_view(target, static_cast<std::size_t>(length)).ends_with("monoinit"))
            continue;
        ::mkdir("/run/systemd", 0755);
        ::mkdir("/run/systemd/system", 0755);
    }
}

/// Raises our own soft limit; services get back what we found.
void raise_descriptor_limit(exec::ManagerContext& manager) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    manager.own_nofile_soft = limit.rlim_cur;
    manager.own_nofile_hard = limit.rlim_max;
    limit.rlim_cur = std::max(limit.rlim_cur, std::min<rlim_t>(limit.rlim_max, descriptors_at_most));
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// On a mount that somebody else answers for, and perhaps does not: then it is the logger's thread that finds out.
bool may_hang(const std::string& path) {
    const auto mounts = sys::mounts();
    return mounts && std::ranges::any_of(*mounts, [&](const sys::Mount& mount) {
        return mount.may_hang && (path == mount.point || path.starts_with(mount.point + "/"));
    });
}

bool is_usable_directory(const std::string& path) {
    struct stat info {};
    return may_hang(path) || (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && ::access(path.c_str(), W_OK) == 0);
}

/// Where the log store is; empty: there is none.
std::string store_directory(const config::InitConfig& config, const std::string& runtime_dir) {
    const std::string disk = config.log_dir.empty() ? std::string(config::default_log_dir) : config.log_dir;
    const std::string memory = runtime_dir.empty() ? "" : runtime_dir + "/journal";
    switch (config.log_storage) {
    case config::Storage::None: return "";
    case config::Storage::Volatile: return memory;
    case config::Storage::Persistent: return disk;
    case config::Storage::Auto: break;
    }
    return !config.log_dir.empty() || is_usable_directory(disk) ? disk : memory;
}

log::StoreSettings store_settings(const config::InitConfig& config, const std::string& runtime_dir) {
    constexpr std::uint64_t volatile_max = 16U << 20;
    log::StoreSettings made;
    made.directory = store_directory(config, runtime_dir);
    const bool in_memory = !runtime_dir.empty() && made.directory == runtime_dir + "/journal";
    made.limits.max_use = config.log_max.value_or(in_memory ? volatile_max : 0);
    made.limits.keep_free = config.log_keep_free.value_or(0);
    made.limits.max_file = config.log_max_file.value_or(0);
    made.limits.max_files = config.log_max_files;
    made.limits.max_age = config.log_max_age;
    made.limits.max_file_age = config.log_max_file_age;
    made.limits.compress = config.log_compress;
    return made;
}

log::Config log_config(const config::InitConfig& config, const std::string& runtime_dir) {
    log::Config made;
    made.store = store_settings(config, runtime_dir);
    made.forward = config.log_forward;
    if (config.forward_to_syslog && config.syslog_sockets)
        made.forward.emplace_back("syslog:/run/systemd/journal/syslog");
    switch (config.log_format) {
    case config::LogFormat::Text: made.format = log::Format::Short; break;
    case config::LogFormat::Json: made.format = log::Format::Json; break;
    case config::LogFormat::Plain: made.format = log::Format::Plain; break;
    case config::LogFormat::Export: made.format = log::Format::Export; break;
    }
    static_assert(static_cast<int>(log::TimeForm::Iso) == static_cast<int>(config::LogTime::Iso) && static_cast<int>(log::TimeForm::Monotonic) == static_cast<int>(config::LogTime::Monotonic));
    made.time = static_cast<log::TimeForm>(config.log_time);
    made.line_max = static_cast<std::uint32_t>(config.log_line_max);
    made.errors_apart = config.log_stderr == config::LogErrors::Stderr;
    made.to_stdout = config.log_stdout >= 0;
    made.stdout_level = static_cast<std::uint8_t>(std::max(config.log_stdout, 0));
    made.waits = config.log_when_full == config::LogWhenFull::Wait;
    made.rate_burst = config.log_rate_limit_burst;
    made.rate_interval_us = static_cast<std::uint64_t>(std::max<std::int64_t>(config.log_rate_limit_interval.count(), 0));
    switch (config.log_color) {
    case config::Color::Auto: made.color = log::ColorMode::Auto; break;
    case config::Color::Always: made.color = log::ColorMode::Always; break;
    case config::Color::Never: made.color = log::ColorMode::Never; break;
    }
    made.console = config.logs == config::LogsTo::Store ? log::Console::Nowhere : log::Console::Output;
    return made;
}

exec::Account account_of(const sys::User& user) {
    exec::Account account;
    account.uid = user.uid;
    account.gid = user.gid;
    account.name = user.name;
    account.home = user.home;
    account.shell = user.shell;
    account.groups = sys::supplementary_groups(user.name, user.gid);
    return account;
}

} // namespace

base::Result<std::unique_ptr<Runtime>> Runtime::create(const Invocation& invocation, config::Loaded config,
                                                       std::vector<std::string> command) {
    std::unique_ptr<Runtime> made(new Runtime(invocation, std::move(config), std::move(command)));
    if (auto ready = made->set_up(); !ready && invocation.resume_checkpoint >= 0)
        fail_image(base::to_string(ready.error())); // not an end: services run
    else if (!ready)
        return ready.error();
    if (invocation.resume_checkpoint >= 0)
        made->resume();
    else
        made->boot();
    return made;
}

Runtime::Runtime(const Invocation& invocation, config::Loaded config, std::vector<std::string> command)
    : invocation_(invocation), config_(std::move(config.config)), config_problems_(std::move(config.problems)),
      command_(std::move(command)), is_pid1_(::getpid() == 1) {}

base::Result<void> Runtime::set_up() {
    exec::prepare_heap();
    ::prctl(PR_SET_NAME, config_.comm.c_str());
    if (!is_pid1_)
        ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::umask(0022);
    (void)!::chdir("/"); // one that cannot be entered: everything that matters is absolute
    ::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit(manager_);
    if (invocation_.resume_checkpoint >= 0)
        TRY(adopt_checkpoint());
    else
        checkpoint_.emplace(TRY(sys::insist([] { return Checkpoint::create(descriptors_at_most); })));
    for (const FdEntry& entry : checkpoint_->kept())
        if (entry.kind == FdKind::Executable)
            exe_.reset(entry.fd);
        else if (entry.kind == FdKind::PreviousExecutable)
            previous_exe_.reset(entry.fd);
    if (checkpoint_->crash().went_back != 0) { // we are the one before
        checkpoint_->forget(exe_.get());
        exe_ = std::move(previous_exe_);
        checkpoint_->keep({FdKind::Executable, exe_.get(), 0, 0, 0});
    }
    checkpoint_->crash().shutdown_ms = static_cast<std::uint32_t>(std::clamp<std::int64_t>(config_.shutdown_timeout.count() / 1000, 0, 3'600'000));
    if (!exe_) {
        exe_.reset(sys::open_file("/proc/self/exe", O_RDONLY));
        if (!exe_) // no /proc: the path it was started by
            exe_.reset(sys::open_file(invocation_.argv[0], O_RDONLY));
        if (exe_)
            checkpoint_->keep({FdKind::Executable, exe_.get(), 0, 0, 0});
    }
    if (invocation_.resume_checkpoint < 0)
        started_from_ = path_started_from();
    ::fcntl(exe_.get(), F_SETFD, FD_CLOEXEC);
    ::fcntl(previous_exe_.get(), F_SETFD, FD_CLOEXEC);
    ::fcntl(checkpoint_->fd(), F_SETFD, FD_CLOEXEC);
    arm_crash_survival(*checkpoint_, exe_.get(), previous_exe_.get(), invocation_.argc, invocation_.argv, invocation_.environment);
    if (invocation_.resume_checkpoint < 0)
        sys::crash_as_asked();
    loop_.emplace(TRY(sys::insist(sys::EpollLoop::create)));
    timer_.emplace(TRY(sys::insist([] { return sys::Timer::create(); })));
    TRY(loop_->add(timer_->fd(), EPOLLIN, [this](std::uint32_t) { timer_->drain(); }));
    signals_.emplace(TRY(sys::insist([] { return sys::SignalFd::create(handled_signals()); })));
    TRY(loop_->add(signals_->fd(), EPOLLIN,
                   [this](std::uint32_t) { signals_->drain([this](const signalfd_siginfo& info) { on_signal(info); }); }));
    set_up_place();
    if (dir_.other > 0)
        return base::fail(base::Errc::Busy, fmt::format("a monoinit runs here already (pid {}, {}); --socket=PATH starts another beside it",
                                                        dir_.other, dir_.control));
    return {};
}

/// Units get groups of their own where ours may be divided. Another than PID 1 has no group that is its own.
void Runtime::set_up_cgroups() {
    if (!is_pid1_ || config_.cgroups == config::Cgroups::No)
        return;
    const sys::Cgroup group = sys::prepare_cgroup(invocation_.resume_checkpoint < 0);
    manager_.group_root = group.root;
    manager_.group_controllers = group.controllers;
    cgroup_complaint_ = group.complaint;
    struct sysinfo machine {};
    if (::sysinfo(&machine) == 0)
        manager_.capacity.memory = std::uint64_t{machine.totalram} * machine.mem_unit;
    std::uint64_t own = 0;
    if (sys::read_cgroup_number((group.root + "/memory.max").c_str(), {}, own) && own < manager_.capacity.memory)
        manager_.capacity.memory = own;
    if (sys::read_cgroup_number("/proc/sys/kernel/pid_max", {}, own))
        manager_.capacity.tasks = own;
    if (sys::read_cgroup_number((group.root + "/pids.max").c_str(), {}, own) && own < manager_.capacity.tasks)
        manager_.capacity.tasks = own;
}

/// What services and units are told of the place, and the parts of the shell that need no descriptors of before.
void Runtime::set_up_place() {
    manager_.environment = environment_strings(invocation_.environment);
    manager_.inherit_environment = config_.inherit_environment;
    manager_.strict_credentials = config_.strict_credentials;
    manager_.uid = ::geteuid();
    manager_.gid = ::getegid();
    constexpr std::size_t facts_limit = 16 << 10;
    if (const auto rights = sys::RealFiles().read("/proc/self/status", facts_limit))
        manager_.capabilities = sys::parse_rights(*rights).effective;
    if (const auto score = sys::RealFiles().read("/proc/self/oom_score_adj", facts_limit))
        manager_.own_oom_score = std::atoi(score->c_str());
    manager_.own_nice = ::getpriority(PRIO_PROCESS, 0);
    manager_.own_groups.resize(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
    if (!manager_.own_groups.empty() && ::getgroups(static_cast<int>(manager_.own_groups.size()), manager_.own_groups.data()) < 0)
        manager_.own_groups.clear();
    manager_.accounts.user = [](std::string_view name) -> std::optional<exec::Account> {
        const auto user = sys::find_user(name);
        return user ? std::optional(account_of(*user)) : std::nullopt;
    };
    manager_.accounts.group = [](std::string_view name) -> std::optional<gid_t> { return sys::find_group(name); };
    manager_.unit_named = [this](std::string_view name) { return engine_->status(engine_->find(name)).config; };
    place_ = sys::look_around();
    manager_.may_mount = sys::may_mount();
    note_inherited();
    set_up_cgroups();
    if (std::ranges::none_of(manager_.environment, [](const std::string& entry) { return entry.starts_with("LANG="); }))
        manager_.locale = place_.locale.empty() ? "C.UTF-8" : place_.locale;
    dir_ = invocation_.resume_checkpoint >= 0 ? existing_state_dir(config_.socket, ::getenv("XDG_RUNTIME_DIR"))
                                              : prepare_state_dir(config_.socket, ::getenv("XDG_RUNTIME_DIR"));
    manager_.directory_roots = exec::directory_roots(manager_.uid, manager_.environment, dir_.path);
    manager_.credentials_root = (dir_.path.empty() ? manager_.directory_roots[0] : dir_.path) + "/credentials";

    log_ = std::make_unique<LogProcess>(*loop_, *checkpoint_, exe_.get());
    files_.look_around();
    loader_ = std::make_unique<unit::Loader>(files_, unit_environment());
    engine::EngineOptions options;
    options.policy.default_backoff = config_.default_backoff;
    options.policy.restarts = !config_.orchestrated;
    options.orchestrated = config_.orchestrated;
    options.exit_when_done = (config_.exit_when_done || config_.orchestrated) && command_.empty();
    options.shutdown_budget = config_.shutdown_timeout;
    engine_ = std::make_unique<engine::Engine>(options);
    guards_ = std::make_unique<Guards>(Guards::Links{*loop_, *checkpoint_, *log_, manager_, [this](engine::Event event) { feed(std::move(event)); },
                                                     [this](base::UnitId unit) { return engine_->status(unit); },
                                                     [this](base::UnitId unit) { return invocation_id(unit); },
                                                     [this](base::UnitId unit) {
                                                         auto units = engine_->dependencies(unit, unit::DependencyKind::OnFailure, true);
                                                         const auto more = engine_->dependencies(unit, unit::DependencyKind::OnSuccess, true);
                                                         units.insert(units.end(), more.begin(), more.end());
                                                         std::ranges::sort(units);
                                                         units.erase(std::ranges::unique(units).begin(), units.end());
                                                         return units;
                                                     },
                                                     [this](base::UnitId unit) { return sockets_for(unit); }});
    notify_ = std::make_unique<NotifySockets>(*loop_, *checkpoint_, *guards_, [this](base::UnitId unit, supervise::Notified what, std::vector<sys::UniqueFd>& descriptors) {
        what.offer = store_->offer(descriptors);
        feed(engine::NotifyEvent{unit, std::move(what)});
        store_->withdraw_offer();
    });
    notify_->set_directory(dir_.notify);
    guards_->set_notify(*notify_);
    probes_ = std::make_unique<Probes>(*loop_, [this](const std::string& text) { log_->say(4, {}, text); });
    set_up_generators();
    set_up_bus();
    set_up_sockets();
    set_up_paths();
    watch_clock();
    watch_mounts();
    health_ = std::make_unique<HealthRuns>(HealthRuns::Links{*loop_, manager_, *probes_, dir_.logs, [this](engine::Event event) { feed(std::move(event)); },
                                                             [this](base::UnitId unit) { return engine_->status(unit); },
                                                             [this](base::UnitId unit) { return invocation_id(unit); },
                                                             [this](int pid) { return guards_->is_guard(pid) || log_->pid() == pid; }});
    operations_ = std::make_unique<Operations>(*this);
    foreground_ = std::make_unique<Foreground>(*loop_, *checkpoint_,
        [this](int status, const std::string& how) {
            log_->command_has_terminal(false, nullptr);
            log_->say(6, {}, fmt::format("command {}: {}", command_.front(), how));
            if (!unit_ends_)
                exit_status_ = status;
            if (!stopping_)
                shut_down(engine::Shutdown::Kind::Exit, "the command ended", status, config_.shutdown_timeout);
        },
        [this] { leave_if_done(); });
    if (outer_.watchdog_interval() != base::infinity)
        next_watchdog_ = sys::now() + outer_.watchdog_interval();
}

unit::Environment Runtime::unit_environment() const {
    unit::Environment environment;
    const char* unit_path = ::getenv("SYSTEMD_UNIT_PATH");
    environment.unit_path = unit::default_unit_path(unit_path == nullptr ? "" : unit_path, config_.unit_path);
    unit::place_generator_directories(environment.unit_path, generator_directories());
    if (!dir_.path.empty())
        environment.unit_path.push_back(transient_directory());
    environment.uid = manager_.uid;
    environment.gid = manager_.gid;
    environment.user_name = place_.user_name;
    environment.group_name = place_.group_name;
    environment.home = place_.home;
    environment.shell = place_.shell;
    environment.host_name = place_.host_name;
    environment.pretty_host_name = place_.host_name;
    environment.machine_id = place_.machine_id;
    environment.boot_id = place_.boot_id;
    environment.kernel_release = place_.kernel_release;
    environment.architecture = place_.architecture;
    environment.os_id = place_.os_id;
    environment.os_version_id = place_.os_version_id;
    environment.os_build_id = place_.os_build_id;
    environment.os_variant_id = place_.os_variant_id;
    environment.os_image_id = place_.os_image_id;
    environment.os_image_version = place_.os_image_version;
    using unit::DirectoryKind;
    const auto root = [&](DirectoryKind kind) { return manager_.directory_roots[static_cast<std::size_t>(kind)]; };
    environment.runtime_directory_root = root(DirectoryKind::Runtime);
    environment.credentials_root = manager_.credentials_root;
    environment.state_root = root(DirectoryKind::State);
    environment.cache_root = root(DirectoryKind::Cache);
    environment.logs_root = root(DirectoryKind::Logs);
    environment.configuration_root = root(DirectoryKind::Configuration);
    const char* zone = ::getenv("TZ");
    environment.time_zone = zone == nullptr ? "" : zone;
    environment.default_timeout_start = config_.default_timeout_start;
    environment.default_timeout_stop = config_.default_timeout_stop;
    environment.masked_patterns = unit::machine_masks(config_.masked_units);
    return environment;
}

/// Systemd's own, unless /run is not ours alone, as for a monoinit that is not PID 1.
unit::GeneratorDirectories Runtime::generator_directories() const {
    if (is_pid1_ && (::access("/run/systemd", W_OK) == 0 || (::access("/run/systemd", F_OK) != 0 && ::access("/run", W_OK) == 0)))
        return unit::default_generator_directories();
    return unit::generator_directories_in(dir_.path.empty() ? "/nonexistent" : dir_.path);
}

/// Where nobody would look at what they make, none is run.
void Runtime::set_up_generators() {
    generators_ = std::make_unique<Generators>(Generators::Links{*probes_, *log_, files_, *loader_});
    const unit::GeneratorDirectories directories = generator_directories();
    const std::vector<std::string>& path = loader_->environment().unit_path;
    if (std::ranges::find(path, directories.normal) != path.end())
        generators_->set_up(directories, manager_.environment, place_.container, place_.architecture);
}

/// From here on whoever asks something waits for the answer, instead of being told that nobody is here.
void Runtime::listen_for_control() {
    if (dir_.path.empty() || control_listener_ || server_)
        return;
    auto listening = control::listen_at(dir_.control);
    if (!listening)
        return set_up_control_later(listening.error());
    control_listener_ = std::move(*listening);
    checkpoint_->keep({FdKind::Control, control_listener_.get(), 0, 0, 0});
}

/// PID 1 that nobody can ask anything is half of one: however long it takes.
void Runtime::set_up_control_later(const base::Error& error) {
    if (std::exchange(control_at_, sys::now() + control_pause) == base::never)
        log_->say(3, {}, fmt::format("no control socket: {}; trying again", base::to_string(error)));
}

void Runtime::set_up_control() {
    listen_for_control();
    if (!control_listener_ || server_)
        return;
    control::ServerOptions options;
    options.domain = {manager_.uid, sys::find_group("monoinit")};
    options.version = MONOINIT_VERSION;
    auto made = control::Server::create(std::move(control_listener_), *operations_, std::move(options));
    if (!made)
        return set_up_control_later(made.error());
    control_at_ = base::never;
    server_ = std::move(*made);
    operations_->set_server(*server_);
    if (auto added = loop_->add(server_->fd(), EPOLLIN, [this](std::uint32_t) { server_->dispatch(sys::now()); }); !added)
        log_->say(3, {}, fmt::format("control socket: {}", base::to_string(added.error())));
}

std::string Runtime::boot_target_name() const {
    if (!config_.unit.empty())
        return unit::with_suffix(config_.unit, ".target");
    return loader_->fragment_path("default.target").empty() ? "multi-user.target" : "default.target";
}

void Runtime::start_logger() { log_->start(dir_.logs, config_.syslog_sockets, log_config(config_, dir_.path)); }

void Runtime::make_seed() {
    if (::getrandom(seed_, sizeof seed_, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof seed_)) {
        seed_[0] = static_cast<std::uint64_t>(invocation_.started.wall.count());
        seed_[1] = static_cast<std::uint64_t>(invocation_.started.mono.since_boot.count());
    }
}

void Runtime::boot() {
    make_seed();
    tell_origin();
    mark_booted();
    forget_old_credentials();
    if (!dir_.path.empty())
        forget_old_transient_units();
    start_logger();
    save_facts();
    listen_for_control();
    generators_->run([this] { boot_units(); });
}

void Runtime::boot_units() {
    if (stopping_ || boot_began_)
        return;
    boot_began_ = true;
    loader_->rescan_if_outdated();
    const std::string target = boot_target_name();
    read_mounts(sys::insist(sys::mounts));
    const auto configs = load_insisting({target});
    engine_->sync(configs, false, sys::moment_now());
    boot_target_ = engine_->find(target);
    const auto own = std::ranges::count_if(configs, [](const auto& config) {
        return !config->builtin && config->load_state == unit::LoadState::Loaded && config->type == unit::UnitType::Service;
    });
    masked_ = static_cast<std::uint32_t>(count_masked());
    log_->say(6, {}, fmt::format("{} {} in {} ({}); starting {}: {} unit{}, {} masked", MONOINIT_VERSION,
                                 is_pid1_ ? "as PID 1" : fmt::format("as pid {}", ::getpid()), place_.container, place_words(), target, own,
                                 own == 1 ? "" : "s", masked_));
    if (!cgroup_complaint_.empty())
        log_->say(6, {}, "units get cgroups " + cgroup_complaint_ + ": limits of those kinds do not act");
    report_boot_problems();
    report_units(configs);
    note_names(configs);
    save_facts();
    set_up_control();
    if (const base::UnitId scope = load("init.scope")) // what `status 1` shows
        feed(engine::JobRequest{0, graph::JobType::Start, scope, unit::JobMode::Replace, false});
    engine_->set_boot_target(boot_target_);
    look_at_mounts(true);
    feed(engine::JobRequest{0, graph::JobType::Start, boot_target_, unit::JobMode::Replace, false});
    const bool any = std::ranges::any_of(configs, [](const auto& config) { return !config->builtin && config->type != unit::UnitType::Target; });
    if (!any) // one that cannot be loaded has been named above
        say_what_is_not_enabled();
}

std::string Runtime::transient_directory() const { return dir_.path.empty() ? std::string() : dir_.path + "/transient"; }

/// Units of a former start of the container, where the directory is not fresh.
void Runtime::forget_old_transient_units() {
    DIR* const directory = ::opendir(transient_directory().c_str());
    if (directory == nullptr)
        return;
    while (const dirent* const entry = ::readdir(directory))
        if (entry->d_type == DT_REG)
            ::unlinkat(::dirfd(directory), entry->d_name, 0);
    ::closedir(directory);
    loader_->rescan();
}

/// Those of an earlier start of this container, where the runtime directory is on a disk. Out of the way at once, removed
/// while we go on.
void Runtime::forget_old_credentials() {
    const std::string old = manager_.credentials_root + ".old";
    if (!dir_.path.empty() && (::rename(manager_.credentials_root.c_str(), old.c_str()) == 0 || errno == ENOTEMPTY))
        probes_->start([old] { return exec::probe_remove_trees({old}); }, sys::now(), boot_probe_limit, [](const base::Result<std::string>&) {});
}

void Runtime::report_boot_problems() {
    for (const config::Problem& problem : config_problems_)
        log_->say(4, {}, config::to_string(problem));
    if (dir_.path.empty())
        log_->say(3, {}, fmt::format("no usable runtime directory, so no control socket: {}", base::join(dir_.refused, "; ")));
    else if (!dir_.refused.empty() && ::geteuid() == 0)
        log_->say(4, {}, fmt::format("the control socket is {}, since {}", dir_.control, base::join(dir_.refused, "; ")));
}

const std::vector<std::string>& Runtime::not_enabled() {
    if (!not_enabled_)
        not_enabled_ = loader_->not_enabled();
    return *not_enabled_;
}

/// "enabled" as `is-enabled` says it; empty where the client has to ask the files.
std::string Runtime::file_state(const std::string& name) {
    const unit::InstallOptions options;
    if (!enabling_links_)
        enabling_links_ = unit::enabling_links(files_, options);
    const auto state = unit::file_state(files_, *engine_->status(engine_->find(name)).config, *enabling_links_, options);
    return state ? std::string(unit::file_state_name(*state)) : std::string();
}

void Runtime::say_what_is_not_enabled() {
    const std::vector<std::string>& names = not_enabled();
    if (names.empty()) {
        std::vector<std::string> places = loader_->environment().unit_path;
        std::erase(places, transient_directory()); // nobody's to put files in
        log_->say(5, {}, fmt::format("no unit is enabled and there is none to enable; looked in {}. A first one, /etc/systemd/system/web.service: "
                                     "[Service] ExecStart=/usr/bin/env sleep infinity [Install] WantedBy=multi-user.target (each on a line of its own)",
                                     base::join(places, " ")));
        return;
    }
    std::vector<std::string> shorter;
    for (const std::string& name : names)
        shorter.emplace_back(unit::short_name(name));
    log_->say(5, {}, fmt::format("{} unit{} {} [Install] but {} not enabled: {}. Run: initctl enable {}", names.size(), names.size() == 1 ? "" : "s",
                                 names.size() == 1 ? "has" : "have", names.size() == 1 ? "is" : "are", base::join(shorter, " "),
                                 base::join(shorter, " ")));
}

std::string Runtime::place_words() const {
    const std::string who = manager_.uid == 0 ? "root" : fmt::format("uid {}", manager_.uid);
    return fmt::format("{}, {}", who, place_.cgroup_writable ? "cgroup write" : "no cgroup write");
}

std::size_t Runtime::count_masked() const {
    const auto& patterns = loader_->environment().masked_patterns;
    const auto names = loader_->all_names();
    return static_cast<std::size_t>(std::ranges::count_if(names, [&](const std::string& name) {
        return std::ranges::any_of(patterns, [&](const std::string& pattern) { return base::glob_match(pattern, name); }) &&
               loader_->load(name)->machine_masked; // a person's own file of that name is not masked
    }));
}

} // namespace monoinit::runtime
