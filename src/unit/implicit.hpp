#pragma once
// What a unit says without saying it: default and implicit dependencies, defaults that depend on other settings, and the
// checks that make a unit "bad-setting". systemd.service(5), systemd.target(5), … "Automatic Dependencies".
// Tested by tests/unit/unit/loader_test.cpp.

#include "base/string_map.hpp"
#include "unit/config.hpp"
#include "unit/index.hpp"
#include "unit/loader.hpp"

#include <memory>
#include <string>

namespace monoinit::unit {

/// Settings that follow from others: Type= without a Type=, time limits of the manager.
void fill_defaults(const Environment& environment, UnitConfig& unit);

/// Refuses combinations that cannot run: sets load_state to BadSetting, load_error, and a Problem naming file and line.
void check_settings(UnitConfig& unit);

/// By type: implicit ones always, default ones unless DefaultDependencies=no; RequiresMountsFor= becomes mount units.
void add_dependencies(const UnitIndex& index, UnitConfig& unit);

/// Whether a target comes after the units it names in this way.
bool orders_target(DependencyKind kind);

/// A target is reached after everything it pulls in. Needs those units, loaded, by the names the target uses.
using UnitsByName = base::StringMap<std::shared_ptr<UnitConfig>>;
void order_target(UnitConfig& target, const UnitsByName& units);

} // namespace monoinit::unit
