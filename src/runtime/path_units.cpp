// What the engine asks for path units and X-Watch=. Tested by tests/system/paths.py and tests/system/x_watch.py.
#include "runtime/runtime.hpp"

#include "base/fmt.hpp"
#include "unit/name.hpp"

namespace monoinit::runtime {

void Runtime::set_up_paths() {
    const auto feed_it = [this](engine::Event event) { feed(std::move(event)); };
    const auto status = [this](base::UnitId unit) { return engine_->status(unit); };
    const auto warn = [this](base::UnitId unit, const std::string& text) {
        const auto config = engine_->status(unit).config;
        if (config)
            log_->say(4, config->name, fmt::format("{}: {}", unit::short_name(config->name), text));
    };
    paths_ = std::make_unique<Paths>(Paths::Links{*loop_, *probes_, feed_it, status, warn});
    sources_ = std::make_unique<Sources>(Sources::Links{*loop_, *checkpoint_, feed_it, status, warn});
}

bool Runtime::perform_path_action(const engine::UnitAction& action) {
    if (const auto* look = std::get_if<supervise::LookAtPaths>(&action.action))
        paths_->look(action.unit, look->make_directories);
    else if (std::holds_alternative<supervise::DropPaths>(action.action))
        paths_->drop(action.unit);
    else if (const auto* sources = std::get_if<supervise::WatchSources>(&action.action))
        sources_->watch(action.unit, sources->on);
    else
        return false;
    return true;
}

} // namespace monoinit::runtime
