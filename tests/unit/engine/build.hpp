#pragma once
// Unit configurations by hand, as the loader would make them: service("web").needs("db").after("db").

#include "unit/config.hpp"

#include <memory>
#include <string>
#include <utility>

namespace monoinit::test {

using unit::DependencyKind;

class Build {
  public:
    Build(std::string name, unit::UnitType type) : config_(std::make_shared<unit::UnitConfig>()) {
        config_->name = std::move(name);
        config_->names = {config_->name};
        config_->type = type;
        config_->load_state = unit::LoadState::Loaded;
        config_->files = {"/etc/systemd/system/" + config_->name};
    }
    Build& dep(DependencyKind kind, const std::string& name) {
        config_->unit.dependencies.push_back({kind, unit::Origin::File, 0, ++line_, with_suffix(name)});
        return *this;
    }
    Build& needs(const std::string& name) { return dep(DependencyKind::Requires, name); }
    Build& wants(const std::string& name) { return dep(DependencyKind::Wants, name); }
    Build& after(const std::string& name) { return dep(DependencyKind::After, name); }
    Build& before(const std::string& name) { return dep(DependencyKind::Before, name); }
    Build& conflicts(const std::string& name) { return dep(DependencyKind::Conflicts, name); }
    Build& type(unit::ServiceType type) {
        config_->service.edit().type = type;
        return *this;
    }
    Build& oneshot(bool remain = true) {
        config_->service.edit().remain_after_exit = remain;
        return type(unit::ServiceType::Oneshot);
    }
    Build& restarts(unit::RestartPolicy policy = unit::RestartPolicy::Always) {
        config_->service.edit().restart = policy;
        return *this;
    }
    Build& essential() {
        config_->service.edit().essential = true;
        return *this;
    }
    Build& reloadable() {
        command(unit::ExecList::Reload, "/bin/reload");
        return *this;
    }
    Build& command(unit::ExecList list, const std::string& path) {
        unit::Command command;
        command.path = path;
        command.argv = {path};
        config_->service.edit().commands[static_cast<std::size_t>(list)].push_back(command);
        return *this;
    }
    Build& condition(const std::string& path, bool assertion = false) {
        config_->unit.conditions.push_back({unit::ConditionKind::PathExists, assertion, false, false, path, 0, ++line_});
        return *this;
    }
    /// A check of everything, impatient: no start period, every second, the second failure counts.
    Build& checked(unit::OnUnhealthy what = unit::OnUnhealthy::Restart) {
        auto& check = config_->health.edit().checks[0];
        check.tcp_connect = {"80"};
        check.start_period = {};
        check.interval = check.start_interval = std::chrono::seconds(1);
        check.retries = 2;
        check.on_unhealthy = what;
        return *this;
    }
    Build& after_healthy(const std::string& name) {
        config_->unit.after_healthy.push_back(with_suffix(name));
        return after(name);
    }
    Build& builtin() {
        config_->builtin = true;
        return *this;
    }
    Build& state(unit::LoadState state) {
        config_->load_state = state;
        return *this;
    }
    /// For what has no word of its own.
    template <class Change> Build& with(Change&& change) {
        change(*config_);
        return *this;
    }
    operator std::shared_ptr<const unit::UnitConfig>() const { return config_; }

    static std::string with_suffix(const std::string& name) {
        return name.find('.') == std::string::npos ? name + ".service" : name;
    }

  private:
    std::shared_ptr<unit::UnitConfig> config_;
    std::uint32_t line_ = 1;
};

inline Build service(const std::string& name) {
    return Build(Build::with_suffix(name), unit::UnitType::Service).command(unit::ExecList::Start, "/bin/" + name);
}

inline Build target(const std::string& name) {
    return Build(name + ".target", unit::UnitType::Target).builtin();
}

} // namespace monoinit::test
