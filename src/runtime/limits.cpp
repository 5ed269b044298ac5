// Limits of what runs already: they change with a daemon-reload, and Startup… settings come into force and go. The kernel's files are
// written by a child, since a limit below what is used makes the writer wait. Tested by tests/system/cgroups.py.
#include "runtime/runtime.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "exec/command_group.hpp"
#include "unit/name.hpp"

namespace monoinit::runtime {

namespace {

constexpr base::Duration apply_limit = std::chrono::seconds(10);

struct Change {
    std::string name, group;
    std::vector<unit::CgroupSetting> settings;
};

} // namespace

/// By unit, of those that have any.
Runtime::Limits Runtime::limits() const {
    Limits all;
    if (manager_.group_root.empty())
        return all;
    for (const base::UnitId unit : engine_->units()) {
        const auto config = engine_->status(unit).config;
        if (auto settings = unit::cgroup_settings(*config, manager_.capacity, manager_.phase); !settings.empty())
            all.emplace(config->name, std::move(settings));
    }
    return all;
}

/// Makes what is in force what is wanted now. Groups that are not there get theirs when they are made.
void Runtime::change_limits(const Limits& before) {
    Limits after = limits();
    for (const auto& [name, settings] : before)
        after.try_emplace(name); // none any more
    std::vector<Change> changes;
    for (const auto& [name, settings] : after) {
        const auto old = before.find(name);
        auto wanted = unit::cgroup_changes(old == before.end() ? std::vector<unit::CgroupSetting>() : old->second, settings);
        const auto config = engine_->status(engine_->find(name)).config;
        if (!wanted.empty() && config)
            changes.push_back({name, manager_.group_root + "/" + base::join(unit::cgroup_path(*config), "/"), std::move(wanted)});
    }
    if (changes.empty())
        return;
    const auto work = [changes] {
        std::string said;
        for (const Change& change : changes)
            if (const std::string wrong = exec::apply_settings(change.group, change.settings); !wrong.empty())
                said += std::string(unit::short_name(change.name)) + ": " + wrong + "\n";
        return said + "\n";
    };
    probes_->start([work] { return exec::Probe::start(work); }, sys::now(), apply_limit, [this](const base::Result<std::string>& said) {
        const std::string text = said ? *said : "changing limits: " + said.error().what;
        for (const std::string_view line : base::split(text, '\n'))
            if (!line.empty())
                log_->say(4, {}, std::string(line));
    });
}

void Runtime::enter_phase(unit::Phase phase) {
    if (manager_.phase == phase)
        return;
    const Limits before = limits();
    manager_.phase = phase;
    change_limits(before);
}

} // namespace monoinit::runtime
