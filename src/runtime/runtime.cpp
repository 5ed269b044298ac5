// The loop: events in, effects out, signals, reaping, the end. See runtime.hpp.
#include "runtime/runtime.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "runtime/crash.hpp"
#include "runtime/operations.hpp"
#include "sys/crash_point.hpp"
#include "sys/proc.hpp"
#include "sys/syscalls.hpp"
#include "unit/name.hpp"
#include "unit/verify.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace monoinit::runtime {

namespace {

constexpr int reaped_at_once = 1000; ///< then control and guards get their turn, however many orphans there are
constexpr base::Duration probe_limit = std::chrono::seconds(10); ///< for paths that units name
/// What the logger gets for the last lines when the shutdown budget is used up.
constexpr base::Duration drain_at_least = std::chrono::milliseconds(500);
/// How long leftovers of KillMode=process get between SIGTERM and the end.
constexpr base::Duration leftovers_grace = std::chrono::seconds(1);

} // namespace

Runtime::~Runtime() = default;

void Runtime::feed(engine::Event event) {
    queue_.push_back(std::move(event));
    if (feeding_)
        return; // an effect caused it: it comes after the effects before it
    feeding_ = true;
    while (!queue_.empty()) {
        const engine::Event next = std::move(queue_.front());
        queue_.pop_front();
        const std::vector<engine::Effect> effects = engine_->handle(next, sys::moment_now());
        sys::crash_point(); // whoever has told of the event has to tell of it again
        save_dirty();
        for (const engine::Effect& effect : effects)
            perform(effect);
    }
    feeding_ = false;
    sockets_->forget_closed();
    if (!unmounted_.empty())
        forget_unmounted();
    for (const base::UnitId ended : scopes_->take_ended())
        operations_->forget_scope(ended);
    operations_->check_waits();
    tell_outside();
}

void Runtime::save_dirty() {
    const auto dirty = engine_->take_dirty();
    for (const base::UnitId unit : dirty) {
        if (const std::string bytes = engine_->save(unit); !bytes.empty())
            checkpoint_->write(unit.value, bytes);
        else
            forget_traces(unit);
    }
    checkpoint_->write(engine_record, engine_->save_globals());
}

/// Empty where there is none: also one whose last effect this is.
std::string Runtime::name_of(base::UnitId unit) const {
    const auto config = unit ? engine_->status(unit).config : nullptr;
    return config ? config->name : std::string();
}

void Runtime::perform(const engine::Effect& effect) {
    sys::crash_point();
    if (const auto* action = std::get_if<engine::UnitAction>(&effect))
        perform_action(*action);
    else if (const auto* conditions = std::get_if<engine::CheckConditions>(&effect))
        check_conditions(conditions->unit);
    else if (const auto* device = std::get_if<engine::CheckDevice>(&effect))
        look_at_device(device->unit);
    else if (const auto* read = std::get_if<engine::ReadStamp>(&effect))
        stamp(read->unit, {});
    else if (const auto* write = std::get_if<engine::WriteStamp>(&effect))
        stamp(write->unit, write->wall);
    else if (const auto* over = std::get_if<engine::CloseConnection>(&effect))
        sockets_->close_connection(over->service);
    else if (const auto* line = std::get_if<engine::Log>(&effect))
        log_->say(static_cast<int>(line->severity), name_of(line->unit), line->text);
    else if (const auto* changed = std::get_if<engine::UnitChanged>(&effect); changed != nullptr && !name_of(changed->unit).empty())
        on_unit_changed(*changed);
    else if (const auto* reply = std::get_if<engine::RequestReply>(&effect))
        on_reply(*reply);
    else if (const auto* finished = std::get_if<engine::JobFinished>(&effect))
        on_job_finished(*finished);
    else if (const auto* booted = std::get_if<engine::BootFinished>(&effect))
        on_boot_finished(*booted);
    else if (const auto* check = std::get_if<engine::HealthAction>(&effect))
        perform_check(*check);
    else if (const auto* health = std::get_if<engine::HealthChanged>(&effect))
        operations_->health_changed(*health);
    else if (const auto* began = std::get_if<engine::ShutdownBegan>(&effect))
        on_shutdown_began(*began);
    else if (const auto* exit = std::get_if<engine::Exit>(&effect))
        on_exit_effect(exit->status);
}

/// Who lent them waits for the end of file.
void Runtime::take_back_streams(base::UnitId unit) {
    const auto status = engine_->status(unit);
    if (!status.job && (status.active == supervise::ActiveState::Inactive || status.active == supervise::ActiveState::Failed))
        store_->take_back(unit);
}

/// Of clients, and of the bus.
void Runtime::on_reply(const engine::RequestReply& reply) {
    if ((reply.request & bus_request_mark) == 0)
        return operations_->replied(reply);
    const bool refused = reply.refusal != graph::RefusalReason::None;
    if (refused || !reply.job)
        bus_request_over(reply.request, refused, reply.text);
}

void Runtime::on_job_finished(const engine::JobFinished& finished) {
    if ((finished.request & bus_request_mark) == 0)
        return operations_->finished(finished);
    bus_request_over(finished.request, finished.result != graph::JobResult::Done, finished.reason);
}

void Runtime::on_unit_changed(const engine::UnitChanged& changed) {
    take_back_streams(changed.unit);
    if (log_->level() >= 7)
        log_->say(7, name_of(changed.unit), fmt::format("{}: {} -> {}", unit::short_name(name_of(changed.unit)), supervise::name(changed.before), supervise::name(changed.after)));
    settings_follow(changed.unit, changed.before, changed.after);
    operations_->unit_changed(changed);
    bus_->look_again();
}

void Runtime::perform_action(const engine::UnitAction& action) {
    const base::UnitId unit = action.unit;
    if (perform_socket_action(action) || perform_path_action(action))
        return;
    if (std::holds_alternative<supervise::ReadMounts>(action.action))
        return look_at_mounts();
    if (const auto* name = std::get_if<supervise::WatchBusName>(&action.action))
        return watch_bus_name(unit, name->on);
    if (const auto* spawn = std::get_if<supervise::Spawn>(&action.action)) {
        guards_->spawn(unit, *spawn);
    } else if (const auto* signal = std::get_if<supervise::Signal>(&action.action)) {
        guards_->signal(unit, *signal);
    } else if (const auto* watch = std::get_if<supervise::WatchPid>(&action.action)) {
        guards_->watch(*watch);
    } else if (const auto* query = std::get_if<supervise::QueryTree>(&action.action)) {
        guards_->query(*query);
    } else if (const auto* file = std::get_if<supervise::ReadPidFile>(&action.action)) {
        probes_->start([path = file->path] { return exec::probe_pid_file(path); }, sys::now(), probe_limit, [this, unit](base::Result<std::string> bytes) {
            supervise::PidFileRead read;
            const exec::PidFileAnswer answer = exec::pid_file_answer(bytes ? *bytes : "");
            read.error = bytes ? answer.error : "PIDFile=: " + bytes.error().what;
            read.guard = answer.pid != 0 ? guards_->guard_above(unit, answer.pid) : base::GuardId{};
            read.pid = read.guard ? answer.pid : 0;
            if (answer.pid != 0 && !read.guard)
                read.error = fmt::format("pid {} is not one of this unit's processes", answer.pid);
            feed(engine::PidFileEvent{unit, std::move(read)});
        });
    } else if (const auto* directories = std::get_if<supervise::RemoveDirectories>(&action.action)) {
        remove_directories(unit, directories->runtime);
    } else if (const auto* remove = std::get_if<supervise::RemovePidFile>(&action.action)) {
        remove_files(unit, [path = remove->path] { return exec::probe_remove_file(path); });
    }
}

void Runtime::remove_directories(base::UnitId unit, bool runtime) {
    const auto config = engine_->status(unit).config;
    if (runtime)
        remove_files(unit, [paths = exec::directory_paths(*config->exec, unit::DirectoryKind::Runtime, manager_)] { return exec::probe_remove_trees(paths); });
    if (!config->exec->credentials->empty())
        remove_files(unit, [root = manager_.credentials_root, name = config->name, start = guards_->credentials_of(unit)] {
            return exec::probe_remove_credentials(root, name, start);
        });
}

/// The unit's next command waits for it.
void Runtime::remove_files(base::UnitId unit, Probes::Make make) {
    guards_->hold_back(unit);
    probes_->start(std::move(make), sys::now(), probe_limit, [this, unit](const base::Result<std::string>& answer) {
        if (!answer)
            log_->say(4, name_of(unit), "files of its run may be left: " + answer.error().what);
        guards_->go_on(unit);
    });
}

void Runtime::check_conditions(base::UnitId unit) {
    const auto config = engine_->status(unit).config;
    exec::ConditionContext context;
    context.environment = manager_.environment;
    context.host_name = loader_->environment().host_name;
    context.machine_id = loader_->environment().machine_id;
    const auto tell = [this, unit](const exec::ConditionsAnswer& answer) {
        feed(engine::ConditionsChecked{unit, answer.ok, answer.assertion_failed, answer.failed});
    };
    if (const auto known = exec::evaluate_all_inline(config->unit.conditions, config->files, context))
        return tell(*known);
    probes_->start([config, context] { return exec::probe_conditions(config->unit.conditions, config->files, context); }, sys::now(), probe_limit,
                   [tell](const base::Result<std::string>& bytes) {
                       const auto answer = exec::conditions_answer(bytes ? *bytes : "");
                       tell(answer ? *answer : exec::ConditionsAnswer{false, false, "a condition could not be looked at: " + (bytes ? answer.error() : bytes.error()).what + "; it"});
                   });
}

/// Its file is gone, or another takes its place; nothing of it runs.
void Runtime::forget_unit(base::UnitId unit) {
    const std::string name = engine_->status(unit).config->name;
    engine_->unlist(unit);
    known_names_.erase(name);
    std::erase(loaded_names_, name);
    save_dirty();
    if (!engine_->status(unit).config)
        forget_traces(unit);
    save_facts();
}

/// The engine does not know it any more, so nobody may be left to.
void Runtime::forget_traces(base::UnitId unit) {
    checkpoint_->erase(unit.value);
    guards_->forget(unit);
    notify_->remove(unit);
    store_->forget(unit);
    paths_->drop(unit);
    sources_->drop(unit);
}

/// Everything of the shell's own that a resumed image cannot find out by itself: one line a fact.
void Runtime::save_facts() {
    std::string bytes = fmt::format("seed {} {}\nstarted {} {}\n", seed_[0], seed_[1], invocation_.started.mono.since_boot.count(),
                                    invocation_.started.wall.count());
    if (started_from_.find('\n') == std::string::npos)
        bytes += fmt::format("path {}\n", started_from_);
    if (boot_began_)
        bytes += "booted\n";
    if (ready_after_)
        bytes += fmt::format("ready {}\n", ready_after_->count());
    if (command_started_)
        bytes += "command\n";
    if (said_ready_)
        bytes += "told\n";
    if (stopping_)
        bytes += fmt::format("stopping {} {}\n", stop_deadline_.since_boot.count(), exit_status_);
    if (unit_ends_)
        bytes += asked_to_end_ ? "unit_ends asked\n" : "unit_ends\n";
    for (const auto& [name, old] : old_invocations_) {
        bytes += fmt::format("invocation {} ", old.count);
        for (const std::uint8_t byte : old.id)
            bytes += fmt::format("{} ", byte);
        bytes += name + "\n";
    }
    for (const std::string& name : loaded_names_)
        bytes += fmt::format("unit {} {}\n", engine_->find(name).value, name);
    checkpoint_->write(runtime_record, bytes);
}

void Runtime::shut_down(engine::Shutdown::Kind kind, const std::string& reason, std::optional<int> status, base::Duration budget) {
    if (status)
        exit_status_ = *status;
    if (unit_ends_ && !asked_to_end_ && budget > base::Duration{}) { // the first of those outside: no reason to kill, but to be in time
        asked_to_end_ = true;
        stop_deadline_ = budget == base::infinity ? stop_deadline_ : std::min(stop_deadline_, sys::now() + budget);
        save_facts();
        return feed(engine::Shutdown{kind, budget, status.value_or(0), reason});
    }
    if (stopping_) {
        if (!hurried_)
            log_->say(5, {}, fmt::format("{} again: killing what is left", reason));
        hurried_ = true;
        foreground_->stop(SIGKILL);
        stop_deadline_ = std::min(stop_deadline_, sys::now() + drain_at_least);
        feed(engine::ShutdownNow{});
        return;
    }
    begin_stopping(budget);
    feed(engine::Shutdown{kind, budget, exit_status_, reason});
    if (budget == base::Duration{})
        feed(engine::ShutdownNow{});
}

void Runtime::begin_stopping(base::Duration budget) {
    stopping_ = true;
    enter_phase(unit::Phase::Startup);
    stop_deadline_ = budget == base::infinity ? base::never : sys::now() + budget;
    save_facts();
    outer_.stopping();
    log_->begin_shutdown();
    foreground_->stop(SIGTERM);
    generators_->abandon();
}

void Runtime::on_shutdown_began(const engine::ShutdownBegan& began) {
    if (stopping_)
        return; // it is the one asked for
    unit_ends_ = true;
    exit_status_ = began.exit_status;
    begin_stopping(began.budget);
}

/// Units are all down. What may still run: CMD, leftovers of KillMode=process, strays. Then the last lines go out.
void Runtime::on_exit_effect(int status) {
    units_down_ = true;
    // CMD's own status wins over the default; an explicit status of a unit wins over both.
    if (status != 0 || unit_ends_)
        exit_status_ = status;
    if (guards_->count() > 0)
        guards_->signal_all(SIGTERM);
    guards_->end_strays();
    leftovers_deadline_ = std::min(stop_deadline_, sys::now() + leftovers_grace);
    leave_if_done();
}

void Runtime::leave_if_done() {
    if (!units_down_ || draining_)
        return;
    const base::Instant now = sys::now();
    if (foreground_->running() && now < stop_deadline_)
        return;
    const bool leftovers = guards_->count() > 0 || guards_->strays_left() || foreground_->running();
    if (leftovers && !killed_leftovers_) {
        if (now < leftovers_deadline_ && !hurried_)
            return;
        killed_leftovers_ = true;
        foreground_->stop(SIGKILL);
        guards_->signal_all(SIGKILL);
        guards_->end_strays();
        leftovers_deadline_ = now + drain_at_least;
        return;
    }
    // Nor do credentials and runtime directories stay behind.
    if ((leftovers || !probes_->idle()) && now < leftovers_deadline_)
        return;
    draining_ = true;
    drain_until_ = std::max(stop_deadline_ == base::never ? now + config_.shutdown_timeout : stop_deadline_, now + drain_at_least);
    log_->begin_drain(drain_until_, [this] { left_ = true; });
}

void Runtime::on_boot_finished(const engine::BootFinished& finished) {
    if (ready_after_)
        return;
    ready_after_ = sys::now() - invocation_.started.mono;
    told_outside_ = fmt::format("{} running, {} done, {} failed", finished.running, finished.done, finished.failed);
    log_->say(6, {}, fmt::format("ready in {} s: {}", base::decimal(static_cast<std::uint64_t>(ready_after_->count()), 1'000'000, 2), told_outside_));
    enter_phase(unit::Phase::Ordinary);
    save_facts();
    start_command();
}

std::string Runtime::counts() const {
    unsigned running = 0, done = 0, failed = 0;
    for (const base::UnitId unit : engine_->units()) {
        const auto status = engine_->status(unit);
        if (status.service == nullptr)
            continue;
        failed += status.active == supervise::ActiveState::Failed ? 1U : 0U;
        running += status.active == supervise::ActiveState::Active && status.sub == "running" ? 1U : 0U;
        done += status.active == supervise::ActiveState::Active && status.sub == "exited" ? 1U : 0U;
    }
    return fmt::format("{} running, {} done, {} failed", running, done, failed);
}

/// STATUS= to the supervisor outside, when it has changed.
void Runtime::tell_outside() {
    if (!outer_.active() || !ready_after_ || stopping_)
        return;
    if (!said_ready_) {
        if (health(supervise::HealthQuestion::Ready, {}).verdict != "healthy")
            return;
        said_ready_ = true;
        save_facts();
        return outer_.ready(told_outside_);
    }
    if (std::string now = counts(); now != told_outside_) {
        told_outside_ = std::move(now);
        outer_.status(told_outside_);
    }
}

/// CMD begins when the boot target's jobs are over, failed ones included; Ctrl-C begins it at once.
void Runtime::start_command() {
    if (command_.empty() || command_started_ || stopping_)
        return;
    command_started_ = true;
    save_facts();
    const bool takes_terminal = Foreground::has_terminal() && config_.logs != config::LogsTo::Stdout;
    if (takes_terminal)
        log_->command_has_terminal(true, [this] { foreground_->start(command_, manager_); });
    else
        foreground_->start(command_, manager_);
}

void Runtime::reap() {
    reap_again_ = false;
    for (int i = 0; i < reaped_at_once; i++) {
        int status = 0;
        const pid_t pid = sys::wait_for(-1, &status, WNOHANG, nullptr);
        if (pid <= 0)
            return leave_if_done();
        if (pid == log_->pid())
            log_->died();
        else if (!guards_->child_exited(pid, status) && !health_->child_exited(pid))
            orphans_++;
    }
    reap_again_ = true;
}

base::Instant Runtime::next_wakeup() const {
    base::Instant next = std::min({engine_->next_deadline(), probes_->next_deadline(), operations_->next_deadline(), paths_->next_deadline(),
                                   log_->next_deadline(), bus_->next_deadline(), next_watchdog_, control_at_, look_at_mounts_at_,
                                   obey_sent_at()});
    if (draining_)
        next = std::min(next, drain_until_);
    else if (units_down_)
        next = std::min(next, leftovers_deadline_);
    if (stopping_ && foreground_->running())
        next = std::min(next, stop_deadline_);
    return next;
}

void Runtime::turn() {
    const base::Instant now = sys::now();
    if (engine_->next_deadline() <= now)
        feed(engine::Tick{});
    if (look_at_mounts_at_ <= now)
        look_at_mounts();
    probes_->expire(now);
    paths_->resume_reading(now);
    log_->retry(now);
    bus_->retry(now);
    if (control_at_ <= now)
        set_up_control();
    if (operations_->next_deadline() <= now)
        operations_->expire(now);
    if (next_watchdog_ <= now) {
        outer_.watchdog();
        next_watchdog_ = now + outer_.watchdog_interval();
    }
    leave_if_done();
    if (draining_ && drain_until_ <= now) {
        left_ = true;
        return;
    }
    hold_reserves();
    if (reap_again_)
        reap();
    guards_->let_leave();
    (void)timer_->set(next_wakeup()); // a timer that cannot be set fires late: the loop below still turns on events
    if (auto ran = loop_->run_once(reap_again_ ? base::Duration{} : base::infinity); !ran)
        log_->say(3, {}, base::to_string(ran.error()));
    if (!std::exchange(settled_, true))
        prove_oneself();
    if (obey_sent_at() <= sys::now())
        obey_sent_signal();
}

int Runtime::run() {
    while (!left_) {
        try {
            turn();
        } catch (const std::bad_alloc&) {
            out_of_memory();
        }
    }
    if (!is_pid1_)
        for (const int child : sys::children_of(::getpid()))
            sys::send_signal(child, SIGKILL);
    return exit_status_;
}

} // namespace monoinit::runtime
