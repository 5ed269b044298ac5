#pragma once
// How far a unit is up, in the words of `systemctl show` (systemd(1), "Units"). One table: machines, client and checkpoint use it.

#include "base/enum_names.hpp"

#include <cstdint>

namespace monoinit::unit {

enum class ActiveState : std::uint8_t { Inactive, Activating, Active, Reloading, Deactivating, Failed };
inline constexpr auto active_state_names = base::enum_names<ActiveState>({
    {ActiveState::Inactive, "inactive"},
    {ActiveState::Activating, "activating"},
    {ActiveState::Active, "active"},
    {ActiveState::Reloading, "reloading"},
    {ActiveState::Deactivating, "deactivating"},
    {ActiveState::Failed, "failed"},
});
constexpr std::string_view name(ActiveState state) { return base::name_of(active_state_names, state); } ///< "inactive"

} // namespace monoinit::unit
