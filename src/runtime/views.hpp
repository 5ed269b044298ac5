#pragma once
// From the engine's snapshots to what the control API shows: summaries, details, properties, dependencies.
// Reads only. Tested by tests/unit/runtime and the system tests.

#include "base/timestamp.hpp"
#include "control/api.hpp"
#include "engine/engine.hpp"
#include "exec/build_plan.hpp"
#include "runtime/live_settings.hpp"
#include "unit/properties.hpp"
#include "unit/verify.hpp"

#include <functional>
#include <string>

namespace monoinit::runtime {

/// What a view needs beyond the engine.
struct ViewContext {
    const engine::Engine& engine;
    base::Moment now;
    std::function<std::vector<int>(base::UnitId)> scope_pids;         ///< processes of a scope
    std::function<std::vector<int>(base::UnitId)> guard_pids;         ///< of the unit's living guards
    std::function<std::string(base::UnitId)> invocation_id;            ///< 32 hex digits, empty if never started
    std::function<std::vector<control::ExecRecord>(base::UnitId)> history;
    std::function<std::vector<std::string>(base::UnitId)> notices;     ///< degraded at run time (credentials …)
    std::function<std::string(const std::string&)> file_state;         ///< "enabled", by unit name
    std::function<std::size_t(base::UnitId)> stored;                   ///< descriptors in the unit's store
    std::string group_root;                                            ///< sys::Cgroup; empty = units have no groups
    unit::Allowed allowed;
    const unit::Inherited& inherited;                                  ///< what services get where their files say nothing
    std::function<const unit::MountPoint*(std::string_view name)> mounted; ///< by the name of its unit; null = nothing is
    const LiveSettings& settings;
    const exec::AccountLookup& accounts;
    base::TimestampStyle timestamps = base::TimestampStyle::Pretty; ///< of properties
};

/// What the cgroup of a unit knows; nothing where there is none. The files of cgroupfs answer at once.
struct GroupUsage {
    std::string path; ///< empty = none
    std::optional<std::uint64_t> memory, cpu_usec, tasks;
};
GroupUsage group_usage(const ViewContext& context, const engine::UnitStatus& status);

/// Services with and without groups of their own; scopes and slices with.
bool can_freeze(const ViewContext& context, const engine::UnitStatus& status);
/// "running", "freezing" (the kernel has not stopped all yet), "frozen".
std::string_view freezer_state(const ViewContext& context, const engine::UnitStatus& status);

control::UnitSummary summarise(const ViewContext& context, const engine::UnitStatus& status);
control::UnitDetail describe(const ViewContext& context, const engine::UnitStatus& status);
/// Every property `systemctl show` of ours knows; `with_environment` = also values of Environment= and kin. When all of `only`
/// (empty: everything) are there, no more are made: there may be some on top.
control::PropertyList properties_of(const ViewContext& context, const engine::UnitStatus& status, bool with_environment,
                                    const std::vector<std::string>& only);
std::vector<control::Dependency> dependencies_of(const ViewContext& context, base::UnitId unit,
                                                 const std::vector<std::string>& kinds);

bool can_reload(const unit::UnitConfig& config); ///< it has ExecReload=, or is Type=notify-reload
std::string_view name(unit::LoadState state); ///< "loaded", "not-found" …
/// "Sun 2026-11-22 08:34:03 UTC", in the container's zone; empty for no time.
std::string format_timestamp(base::Moment moment, base::TimestampStyle style = base::TimestampStyle::Pretty);

} // namespace monoinit::runtime
