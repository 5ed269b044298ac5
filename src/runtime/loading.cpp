// Unit files become units, at any time: by name, all of them, anew. What cannot be read for a shortage is not taken for absent.
// See runtime.hpp. Tested by tests/system/faults.py and promise_08_one_bad_file.py.
#include "runtime/runtime.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "sys/patience.hpp"
#include "unit/name.hpp"
#include "unit/verify.hpp"

#include <utility>

namespace monoinit::runtime {

base::UnitId Runtime::load(const std::string& name) {
    if (!unit::is_valid_name(name))
        return {};
    const base::UnitId known = engine_->find(name);
    // Names that are no units' do not pile up, however many anybody asks for.
    if (unknown_ && unknown_ != known)
        engine_->forget_unknown(std::exchange(unknown_, {}));
    // A unit that was not there, or was masked, may have come meanwhile; others change by daemon-reload only.
    if (known && engine_->status(known).config->load_state == unit::LoadState::Loaded) {
        if (engine_->status(known).config->type == unit::UnitType::Device)
            look_at_device(known); // nobody tells us of those
        return known;
    }
    if (loader_->rescan_if_outdated())
        forget_files();
    load_new(loader_->load_closure({name}));
    report_unread();
    const base::UnitId found = engine_->find(name);
    if (found && engine_->status(found).config->load_state == unit::LoadState::NotFound)
        unknown_ = found;
    return found;
}

/// `roots` and what they lead to; an error where files are there that cannot be read now.
base::Result<std::vector<engine::ConfigPtr>> Runtime::load_all(const std::vector<std::string>& roots) {
    if (!loader_->take_unread().empty())
        loader_->rescan();
    auto configs = loader_->load_closure(roots);
    for (const base::Error& error : loader_->unread())
        if (base::is_shortage(error.errnum))
            return error;
    return configs;
}

/// At boot and when taking over, where nothing else can be done until units are known.
std::vector<engine::ConfigPtr> Runtime::load_insisting(const std::vector<std::string>& roots) {
    auto configs = sys::insist([&] { return load_all(roots); });
    report_unread();
    return configs ? std::move(*configs) : loader_->load_closure(roots);
}

/// Whatever stands in what could not be read is missing, which has to be known.
void Runtime::report_unread() {
    for (const base::Error& error : loader_->unread())
        if (reported_.insert(error.what).second)
            log_->say(3, {}, error.what + ": what stands there is missing");
    for (const std::string& path : loader_->misnamed())
        if (reported_.insert(path).second)
            log_->say(4, {}, unit::misnamed_line(path));
}

/// Those of a closure that the engine does not have yet.
void Runtime::load_new(const std::vector<engine::ConfigPtr>& configs) {
    std::vector<engine::ConfigPtr> fresh;
    for (const auto& config : configs)
        if (const base::UnitId id = engine_->find(config->name); !id || engine_->status(id).config->load_state != unit::LoadState::Loaded)
            fresh.push_back(config);
    engine_->sync(fresh, false, sys::moment_now());
    report_units(fresh);
    note_names(fresh);
    for (const auto& config : fresh)
        if (config->type == unit::UnitType::Device && config->load_state == unit::LoadState::Loaded)
            look_at_device(engine_->find(config->name));
}

void Runtime::look_at_unit_files() {
    loader_->rescan();
    forget_files();
}

void Runtime::note_names(const std::vector<engine::ConfigPtr>& configs) {
    bool changed = false;
    for (const auto& config : configs)
        if (config->load_state == unit::LoadState::Loaded && known_names_.insert(config->name).second) {
            loaded_names_.push_back(config->name);
            changed = true;
        }
    if (changed)
        save_facts();
}

/// What was worked out from unit files and links is worked out again when asked for.
void Runtime::forget_files() {
    not_enabled_.reset();
    enabling_links_.reset();
}

void Runtime::daemon_reload(std::function<void(base::Result<void>)> done) {
    files_.look_around();
    loader_->rescan_if_outdated(); // the generators' and init scripts' names are looked for there
    generators_->run([this, done = std::move(done)] {
        done(reload_units());
    });
}

/// Units that could not be read now would seem to be gone, so then all stay as they are.
base::Result<void> Runtime::reload_units() {
    loader_->rescan();
    forget_files();
    std::vector<std::string> roots = loaded_names_;
    roots.push_back(boot_target_name());
    auto loaded = load_all(roots);
    if (!loaded) {
        log_->say(3, {}, fmt::format("not reloaded: {}", base::to_string(loaded.error())));
        return loaded.error();
    }
    const std::vector<engine::ConfigPtr> configs = std::move(*loaded);
    const Limits before = limits();
    reported_.clear();
    engine_->sync(configs, true, sys::moment_now());
    save_dirty();
    report_units(configs);
    std::erase_if(loaded_names_, [&](const std::string& name) { return !engine_->find(name); });
    known_names_ = {loaded_names_.begin(), loaded_names_.end()};
    note_names(configs);
    save_facts();
    log_->say(6, {}, fmt::format("reloaded {} units", loaded_names_.size()));
    change_limits(before);
    feed(engine::Tick{}); // new settings may have new deadlines
    return {};
}

void Runtime::report_units(const std::vector<engine::ConfigPtr>& configs) {
    for (const std::string& path : files_.silent())
        if (reported_.insert(path).second)
            log_->say(4, {}, fmt::format("{} does not answer (a hung mount?): unit files there are left out until daemon-reload", path));
    report_unread();
    for (const auto& config : configs) {
        if (config->builtin || !reported_.insert(config->name).second)
            continue;
        for (const std::string& line : unit::log_lines(*config, allowed()))
            log_->say(4, config->name, line);
    }
}

} // namespace monoinit::runtime
