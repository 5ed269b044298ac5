#pragma once
// What clients have set for as long as the container lives (SetProperties, SetEnvironment): a record of the checkpoint, so that it is in force
// after a crash as well. Tested by tests/unit/runtime/live_settings_test.cpp and tests/system/systemctl_verbs.py.

#include "base/enum_names.hpp"
#include "base/string_map.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::runtime {

enum Mark : unsigned { NeedsReload = 1, NeedsRestart = 2 };
inline constexpr auto mark_names = base::enum_names<Mark>({{NeedsReload, "needs-reload"}, {NeedsRestart, "needs-restart"}});

struct LiveSettings {
    int log_level = 6;             ///< of monoinit's own lines, as syslog(3)
    bool log_nowhere = false;      ///< log-target null
    bool service_watchdogs = true;
    base::StringMap<unsigned> marks; ///< of units: some Mark
    base::StringSet frozen;          ///< units
    std::vector<std::string> assigned, unset; ///< set-environment: "NAME=value"; unset-environment: names

    void assign(std::string_view assignment);
    void unset_name(std::string_view name);
    /// The container's environment as it is with these.
    void apply_to(std::vector<std::string>& environment) const;
    int effective_log_level() const { return log_nowhere ? -1 : log_level; }
    /// "needs-reload needs-restart", as Markers= shows them.
    std::string marks_of(std::string_view unit) const;

    std::string save() const;
    /// Lines that are not understood are of a later version.
    void restore(std::string_view bytes);
};

} // namespace monoinit::runtime
