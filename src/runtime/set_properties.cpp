// The requests that change live settings, and what puts them in force. Tested by tests/system/systemctl_verbs.py.
#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "runtime/operations.hpp"
#include "runtime/runtime.hpp"
#include "sys/cgroup.hpp"
#include "unit/enums.hpp"
#include "unit/name.hpp"
#include "unit/values.hpp"

#include <csignal>

namespace monoinit::runtime {

namespace {

/// `old` as "needs-reload", "+needs-reload -needs-restart" … make it.
base::Result<unsigned> changed_marks(unsigned old, std::string_view value) {
    bool relative = false;
    unsigned fresh = 0;
    for (const std::string_view word : base::split(value, ' ')) {
        if (word.empty())
            continue;
        const bool signed_word = word.front() == '+' || word.front() == '-';
        const auto mark = base::value_of(mark_names, signed_word ? word.substr(1) : word);
        if (!mark)
            return base::fail(base::Errc::Invalid, "no marker: " + base::printable(word, 80) + " (there are needs-reload and needs-restart)");
        if (signed_word && !relative)
            fresh |= old;
        relative = relative || signed_word;
        fresh = word.front() == '-' ? fresh & ~static_cast<unsigned>(*mark) : fresh | *mark;
    }
    return fresh;
}

} // namespace

/// Puts in force what the image before had been told.
void Runtime::restore_settings(std::string_view bytes) {
    settings_.restore(bytes);
    settings_.apply_to(manager_.environment);
    log_->set_level(settings_.effective_log_level());
    engine_->set_service_watchdogs(settings_.service_watchdogs);
}

void Runtime::save_settings() { checkpoint_->write(settings_record, settings_.save()); }

base::Result<void> Runtime::set_own_property(std::string_view name, std::string_view value) {
    if (name == "LogLevel") {
        const auto level = base::value_of(unit::syslog_level_names, value);
        const bool digit = value.size() == 1 && value[0] >= '0' && value[0] <= '7';
        if (!level && !digit)
            return base::fail(base::Errc::Invalid, "no log level: " + base::printable(value, 80));
        settings_.log_level = level.value_or(digit ? value[0] - '0' : 0);
    } else if (name == "LogTarget") {
        if (value != "console" && value != "null")
            return base::fail(base::Errc::Invalid, "monoinit's lines go to standard output and the log store (console), or nowhere (null)");
        settings_.log_nowhere = value == "null";
    } else if (name == "ServiceWatchdogs") {
        settings_.service_watchdogs = TRY(unit::parse_bool(value));
        engine_->set_service_watchdogs(settings_.service_watchdogs);
    } else {
        return base::fail(base::Errc::Invalid, "not to be set: " + base::printable(name, 80));
    }
    log_->set_level(settings_.effective_log_level());
    return {};
}

/// Where a group is ours the kernel freezes it; else every process below the unit's guards is stopped, which parents inside may see.
base::Result<void> Runtime::set_frozen(base::UnitId unit, bool frozen) {
    const engine::UnitStatus status = engine_->status(unit);
    const std::string& name = status.config->name;
    if (frozen == settings_.frozen.contains(name))
        return {};
    if (!can_freeze(view(), status))
        return base::fail(base::Errc::Invalid, fmt::format("Unit '{}' does not support freezing", name));
    if (frozen && (status.active != supervise::ActiveState::Active || status.job))
        return base::fail(base::Errc::Invalid, status.job ? "Unit has a pending job." : "Unit is not active.");
    const std::string group = group_usage(view(), status).path;
    if (!group.empty() && !sys::write_cgroup_file(group + "/cgroup.freeze", frozen ? "1" : "0"))
        return base::fail_errno(errno, group + "/cgroup.freeze");
    if (group.empty())
        guards_->signal_unit(unit, frozen ? SIGSTOP : SIGCONT);
    if (frozen)
        settings_.frozen.insert(name);
    else
        settings_.frozen.erase(name);
    save_settings();
    return {};
}

/// A frozen unit goes on as soon as a job, or a failure, does something to it; one that is down has nothing to thaw.
/// Marks ask for what now happens.
void Runtime::settings_follow(base::UnitId unit, supervise::ActiveState before, supervise::ActiveState after) {
    const std::string& name = engine_->status(unit).config->name;
    if (settings_.frozen.contains(name))
        if (const auto thawed = set_frozen(unit, false); !thawed)
            log_->say(4, name, fmt::format("could not be thawed: {}", base::to_string(thawed.error())));
    const auto marked = settings_.marks.find(name);
    if (marked == settings_.marks.end())
        return;
    const bool reload = before == supervise::ActiveState::Reloading || after == supervise::ActiveState::Reloading;
    marked->second &= reload ? ~static_cast<unsigned>(NeedsReload) : 0U;
    if (marked->second == 0)
        settings_.marks.erase(marked);
    save_settings();
}

/// Signals of `kill` are not held back by processes that are stopped one by one, as those of a frozen group are.
void Runtime::thaw_for_signal(base::UnitId unit) {
    if (manager_.group_root.empty() && settings_.frozen.contains(engine_->status(unit).config->name))
        (void)set_frozen(unit, false); // no group: nothing can fail
}

base::Result<void> Runtime::set_unit_property(base::UnitId unit, std::string_view name, std::string_view value) {
    if (name == "FreezerState") {
        if (value != "frozen" && value != "running")
            return base::fail(base::Errc::Invalid, "FreezerState= is frozen or running");
        return set_frozen(unit, value == "frozen");
    }
    if (name == "NFileDescriptorStore" && value == "0") { // clean --what=fdstore
        const engine::UnitStatus status = engine_->status(unit);
        if (status.job || (status.active != supervise::ActiveState::Inactive && status.active != supervise::ActiveState::Failed))
            return base::fail(base::Errc::Invalid, "Unit is not inactive or has pending job.");
        store_->release(unit);
        return {};
    }
    if (name != "Markers")
        return base::fail(base::Errc::Invalid, "not to be set: " + base::printable(name, 80));
    const std::string& key = engine_->status(unit).config->name;
    const auto old = settings_.marks.find(key);
    const unsigned marks = TRY(changed_marks(old == settings_.marks.end() ? 0 : old->second, value));
    if (marks == 0)
        settings_.marks.erase(key);
    else
        settings_.marks[key] = marks;
    return {};
}

base::Result<control::Empty> Operations::set_properties(const control::SetPropertiesRequest& request) {
    base::UnitId unit;
    if (!request.unit.empty()) {
        unit = known(request.unit);
        if (!unit || runtime_.engine().status(unit).config->load_state == unit::LoadState::NotFound)
            return base::fail(base::Errc::NotFound, fmt::format("Unit {} not found.", base::printable(request.unit)));
    }
    for (const std::string& assignment : request.assign) {
        const std::string_view name = std::string_view(assignment).substr(0, assignment.find('=')), value = std::string_view(assignment).substr(std::min(name.size() + 1, assignment.size()));
        TRY(unit ? runtime_.set_unit_property(unit, name, value) : runtime_.set_own_property(name, value));
    }
    runtime_.save_settings();
    return control::Empty{};
}

void Operations::set_environment(control::Ticket ticket, const control::SetEnvironmentRequest& request) {
    for (const std::string& assignment : request.assign)
        if (const auto equals = assignment.find('='); equals == 0 || equals == std::string::npos)
            return server_->fail(ticket, base::fail(base::Errc::Invalid, "not of the form NAME=value"));
    LiveSettings& settings = runtime_.settings();
    for (const std::string& assignment : request.assign)
        settings.assign(assignment);
    for (const std::string& name : request.unset)
        settings.unset_name(name);
    settings.apply_to(runtime_.manager_context().environment);
    runtime_.save_settings();
    server_->reply(ticket, control::Empty{});
}

} // namespace monoinit::runtime
