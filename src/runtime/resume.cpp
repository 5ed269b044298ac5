// After a crash or daemon-reexec: takes up descriptors and records. A record whose restoring crashed the image before is
// skipped, so that one bad record cannot make a crash loop. Tested by tests/system/promise_01_survival.py.
#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "runtime/crash.hpp"
#include "runtime/runtime.hpp"
#include "sys/mounts.hpp"
#include "sys/patience.hpp"
#include "sys/socket.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

struct Facts {
    std::unordered_map<std::uint32_t, std::string> units; ///< ids of the image before
    std::vector<std::string> names;
    std::uint64_t seed[2] = {};
    std::string started_from;
    base::Moment started;
    std::optional<base::Duration> ready_after;
    bool boot_began = false, command_started = false, stopping = false, said_ready = false, unit_ends = false, asked_to_end = false;
    base::Instant stop_deadline = base::never;
    int exit_status = 0;
    base::StringMap<OldInvocation> old_invocations;
};

/// The lines of Runtime::save_facts(). Unknown ones are of a later version.
Facts parse_facts(const std::string& bytes) {
    Facts facts;
    const auto number = [](std::string_view text) { return std::strtoll(std::string(text).c_str(), nullptr, 10); };
    for (const std::string_view line : base::split(bytes, '\n')) {
        const auto words = base::split(line, ' ');
        if (words[0] == "seed" && words.size() == 3) {
            facts.seed[0] = std::strtoull(std::string(words[1]).c_str(), nullptr, 10);
            facts.seed[1] = std::strtoull(std::string(words[2]).c_str(), nullptr, 10);
        } else if (words[0] == "started" && words.size() == 3) {
            facts.started = {base::Instant{base::Duration(number(words[1]))}, base::Duration(number(words[2]))};
        } else if (words[0] == "ready" && words.size() == 2) {
            facts.ready_after = base::Duration(number(words[1]));
        } else if (line.starts_with("path ")) {
            facts.started_from = line.substr(line.find(' ') + 1);
        } else if (words[0] == "booted") {
            facts.boot_began = true;
        } else if (words[0] == "command") {
            facts.command_started = true;
        } else if (words[0] == "told") {
            facts.said_ready = true;
        } else if (words[0] == "unit_ends") {
            facts.unit_ends = true;
            facts.asked_to_end = words.size() == 2;
        } else if (words[0] == "stopping" && words.size() == 3) {
            facts.stopping = true;
            facts.stop_deadline = base::Instant{base::Duration(number(words[1]))};
            facts.exit_status = static_cast<int>(number(words[2]));
        } else if (words[0] == "invocation" && words.size() == 3 + sizeof(OldInvocation::id)) {
            OldInvocation& old = facts.old_invocations[std::string(words.back())];
            old.count = static_cast<std::uint64_t>(number(words[1]));
            for (std::size_t i = 0; i < old.id.size(); i++)
                old.id[i] = static_cast<std::uint8_t>(number(words[2 + i]));
        } else if (words[0] == "unit" && words.size() == 3) {
            facts.units[static_cast<std::uint32_t>(number(words[1]))] = words[2];
            facts.names.emplace_back(words[2]);
        }
    }
    return facts;
}

/// The same, where only what runs is known. The boot is over if anything has been started that a boot ends with.
Facts facts_of(const Found& found, base::Moment now, bool wants_command) {
    Facts facts;
    facts.units = found.units;
    for (const auto& [number, name] : found.units)
        facts.names.push_back(name);
    facts.started = now;
    facts.command_started = found.has_command;
    facts.boot_began = wants_command ? found.has_command : !found.guards.empty();
    if (facts.boot_began)
        facts.ready_after = base::Duration{};
    return facts;
}

bool is_hung_up(int fd) {
    pollfd end{fd, POLLIN, 0};
    return ::poll(&end, 1, 0) == 1 && (end.revents & POLLHUP) != 0;
}

/// Whether the signal of a stop went out before the fault, nobody can say; one that is repeated does no harm, one that is missing costs
/// the whole timeout. The same of the wish to hear of a process.
void repeat_signals(const engine::Engine& engine, Guards& guards) {
    using State = supervise::ServiceState;
    for (const base::UnitId unit : engine.units()) {
        const engine::UnitStatus status = engine.status(unit);
        if (status.service == nullptr)
            continue;
        const supervise::Service::Data& service = *status.service;
        const unit::KillSection& kill = *status.config->kill;
        if (service.main_alien && service.main_pid != 0)
            guards.watch({service.main_guard, service.main_pid});
        const bool last = service.state == State::StopSigkill || service.state == State::FinalSigkill;
        if (!last && service.state != State::StopSigterm && service.state != State::FinalSigterm)
            continue;
        const int polite = service.stop_for_restart && kill.restart_kill_signal != 0 ? kill.restart_kill_signal : kill.kill_signal;
        supervise::Signal signal{.signal = last ? SIGKILL : polite, .then_sighup = !last && kill.send_sighup};
        if (kill.mode == unit::KillMode::None)
            continue;
        if (kill.mode == unit::KillMode::Process || (kill.mode == unit::KillMode::Mixed && !last)) {
            signal.scope = supervise::KillScope::Main;
            signal.guard = service.main_guard;
            guards.signal(unit, signal);
            continue;
        }
        for (const base::GuardId guard : service.guards) {
            signal.guard = guard;
            guards.signal(unit, signal);
        }
    }
}

} // namespace

void Runtime::resume() {
    if (lost_)
        find_again();
    const Records records = lost_ ? Records{} : checkpoint_->read_all();
    const std::vector<FdEntry> kept = lost_ ? lost_->found.kept : checkpoint_->kept();
    for (const FdEntry& entry : kept)
        ::fcntl(entry.fd, F_SETFD, FD_CLOEXEC);
    Facts facts;
    if (lost_) {
        facts = facts_of(lost_->found, sys::moment_now(), !command_.empty());
        facts.seed[0] = seed_[0];
        facts.seed[1] = seed_[1];
    }
    for (const auto& [key, bytes] : records)
        if (key == runtime_record)
            facts = parse_facts(bytes);
        else if (key == settings_record)
            restore_settings(bytes);
    seed_[0] = facts.seed[0];
    seed_[1] = facts.seed[1];
    old_invocations_ = std::move(facts.old_invocations);
    started_from_ = facts.started_from.empty() ? path_started_from() : facts.started_from;
    invocation_.started = facts.started;
    tell_origin();
    ready_after_ = facts.ready_after;
    boot_began_ = facts.boot_began;
    command_started_ = facts.command_started;
    said_ready_ = facts.said_ready;
    stopping_ = facts.stopping;
    stop_deadline_ = facts.stop_deadline;
    exit_status_ = facts.exit_status;
    manager_.phase = ready_after_ && !stopping_ ? unit::Phase::Ordinary : unit::Phase::Startup;
    unit_ends_ = facts.unit_ends;
    asked_to_end_ = facts.asked_to_end;

    if (!lost_) {
        log_->resume(kept, records);
        say_how_it_came();
    }

    const std::string target = boot_target_name();
    std::vector<std::string> roots = facts.names;
    roots.push_back(target);
    read_mounts(sys::insist(sys::mounts));
    const auto configs = load_insisting(roots);
    engine_->sync(configs, false, sys::moment_now());
    boot_target_ = engine_->find(target);
    if (!ready_after_)
        engine_->set_boot_target(boot_target_);
    masked_ = static_cast<std::uint32_t>(count_masked());
    for (const auto& config : configs)
        reported_.insert(config->name); // said before
    // Records first: with its record a unit takes back the number it had, and descriptors are kept under numbers.
    restore_records(records);
    boot_target_ = engine_->find(target);
    if (!lost_ && !ready_after_)
        engine_->repeat_boot_end();
    // It was about to ask for it when the fault came: the engine, whose record is written before anything is done, knows.
    if (!lost_ && engine_->system_state() == engine::Engine::SystemState::Initializing)
        boot_began_ = false;
    restore_descriptors(kept, facts.units);
    take_up_guards();
    engine_->resume_guards([this](base::GuardId guard) { return guards_->knows(guard); });
    if (lost_)
        take_up_streams();
    // Also those whose file is wrong or gone at the moment: what runs of them has to be found by the image after this one, too.
    std::erase_if(facts.names, [&](const std::string& name) { return !engine_->find(name); });
    loaded_names_ = facts.names;
    known_names_ = {loaded_names_.begin(), loaded_names_.end()};
    note_names(configs);
    save_facts();
    listen_for_control();
    set_up_control();
    guards_->resynchronise();
    resume_bus_names();
    reap(); // SIGCHLDs that came while there was nobody to read them
    feed(engine::Tick{}); // commands that had only been noted are begun now; what else is listed and not there was killed
    for (const base::UnitId unit : engine_->units())
        guards_->take_back_lost(unit);
    if (!lost_ && (checkpoint_->crash().signal != 0 || checkpoint_->crash().own != 0))
        repeat_signals(*engine_, *guards_);
    look_at_mounts(lost_.has_value());
    if (lost_ && boot_began_)
        complete_boot();
    notify_->recall(records);
    if (command_started_ && !foreground_->running() && !stopping_) { // its end is recorded before its guard is forgotten: it was not made yet
        command_started_ = false;
        start_command();
    }
    if (const std::uint32_t heard = checkpoint_->crash().heard)
        obey(static_cast<int>(heard));
    sockets_->close_unclaimed();
    sources_->end_unclaimed();
    scopes_->release_unclaimed();
    if (!boot_began_) // it was at the generators
        generators_->run([this] { boot_units(); });
}

void Runtime::restore_descriptors(const std::vector<FdEntry>& kept, const std::unordered_map<std::uint32_t, std::string>& names) {
    for (const FdEntry& old : kept) {
        FdEntry entry = old;
        if (entry.kind == FdKind::Guard && entry.pid == 0 && is_hung_up(entry.fd)) { // the fault came before the fork
            checkpoint_->forget(entry.fd);
            ::close(entry.fd);
            continue;
        }
        if (entry.unit != 0) {
            const auto name = names.find(entry.unit);
            const base::UnitId unit = name == names.end() ? base::UnitId{} : engine_->find(name->second);
            entry.unit = unit.value;
            checkpoint_->keep(entry);
        }
        const bool of_units = entry.kind == FdKind::Socket || entry.kind == FdKind::Connection || entry.kind == FdKind::Stored ||
                              entry.kind == FdKind::SourceWatcher || entry.kind == FdKind::ScopeProcess || entry.kind == FdKind::Notify ||
                              (entry.kind == FdKind::Guard && entry.id != Foreground::guard_number);
        if (of_units && entry.unit == 0) { // its unit is gone; a guard ends its tree when nobody holds the other end
            checkpoint_->forget(entry.fd);
            std::vector<sys::UniqueFd> gone;
            gone.emplace_back(entry.fd);
            sys::close_elsewhere(std::move(gone));
        }
        if (entry.kind == FdKind::Control) {
            control_listener_.reset(entry.fd);
        } else if (entry.kind == FdKind::Notify && entry.unit != 0) {
            notify_->adopt(base::UnitId{entry.unit}, entry.id, sys::UniqueFd(entry.fd));
        } else if ((entry.kind == FdKind::Socket || entry.kind == FdKind::Connection) && entry.unit != 0) {
            sockets_->adopt(entry, sys::UniqueFd(entry.fd));
        } else if (entry.kind == FdKind::Stored && entry.unit != 0) {
            store_->adopt(entry, sys::UniqueFd(entry.fd));
        } else if (entry.kind == FdKind::SourceWatcher && entry.unit != 0) {
            sources_->adopt(entry, sys::UniqueFd(entry.fd));
        } else if (entry.kind == FdKind::ScopeProcess && entry.unit != 0) {
            scopes_->resume(entry, sys::UniqueFd(entry.fd));
        } else if (entry.kind == FdKind::Guard && entry.id == Foreground::guard_number) {
            foreground_->adopt(entry, sys::UniqueFd(entry.fd));
        } else if (entry.kind == FdKind::Guard && entry.unit != 0) {
            guards_->adopt(entry, sys::UniqueFd(entry.fd));
        }
    }
}

/// Each of the two ways, and what is lost.
void Runtime::say_how_it_came() {
    CrashNote& crash = checkpoint_->crash();
    if (crash.signal == 0) {
        log_->say(5, {}, fmt::format("{} took over; services were not touched", MONOINIT_VERSION));
    } else {
        log_->say(2, {}, describe_crash(crash));
        if (crash.own != 0 && crash.rests != 0)
            log_->say(3, {}, "this was after a rest in minimal mode; services that ended meanwhile are looked after now");
        if (const std::string frames = describe_frames(crash); !frames.empty())
            log_->say(3, {}, frames);
    }
    crash.text = {};
    if (crash.went_back != 0)
        log_->say(2, {}, fmt::format("the new binary crashed before it had taken over; {} went on", MONOINIT_VERSION));
    const Checkpoint::Damage& damage = checkpoint_->damage();
    if (damage.any())
        log_->say(3, {}, fmt::format("the checkpoint was damaged: {} record{} lost, {} taken from an older copy, {} descriptor{} not known any more",
                                     damage.lost, damage.lost == 1 ? "" : "s", damage.older, damage.descriptors, damage.descriptors == 1 ? "" : "s"));
}

void Runtime::restore_records(const Records& records) {
    CrashNote& crash = checkpoint_->crash();
    const std::uint32_t poisonous = crash.own == 0 || crash.went_back != 0 ? 0 : crash.restoring; // another binary's fault is its own
    for (const auto& [key, bytes] : records) {
        if (key >= unit_records_end)
            continue;
        if (key + 1 == poisonous) {
            checkpoint_->erase(key); // else the next one would be met with this one still there
            log_->say(3, {}, "the state of one unit could not be restored: restoring it crashed PID 1");
            continue;
        }
        crash.restoring = key + 1;
        const auto restored = key == engine_record ? engine_->restore_globals(bytes, sys::moment_now()) : engine_->restore(bytes, sys::moment_now());
        if (!restored)
            log_->say(3, {}, fmt::format("a record of the checkpoint is unusable: {}", base::to_string(restored.error())));
    }
    crash.restoring = 0;
    save_dirty();
    // Old records carry old ids as keys; each unit writes itself anew under its id of now. Those that are nobody's go last, so
    // that a fault on the way finds all of them.
    std::unordered_set<std::uint32_t> now;
    for (const base::UnitId unit : engine_->units()) {
        checkpoint_->write(unit.value, engine_->save(unit));
        now.insert(unit.value);
    }
    for (const auto& [key, bytes] : records)
        if (key != engine_record && key < unit_records_end && !now.contains(key))
            checkpoint_->erase(key);
}

} // namespace monoinit::runtime
