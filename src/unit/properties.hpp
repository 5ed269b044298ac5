#pragma once
// Settings as the properties of systemd's manager: the names, and the forms, in which `systemctl show` prints them. All come
// from the directive table; here stands only where a property looks otherwise than the line in the unit file does.
// Tested by tests/unit/unit/properties_test.cpp.

#include "base/time.hpp"
#include "unit/config.hpp"

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::unit {

/// What a service gets where its file says nothing: taken from the manager.
struct Inherited {
    std::vector<ResourceLimit> limits; ///< by RLIMIT_* number, all of them
    int oom_score_adjust = 0;
};

/// One of a unit's commands, as it went last.
struct CommandRun {
    std::string started, exited; ///< systemd's timestamps; empty: n/a
    int pid = 0;
    std::string_view code;       ///< "exited", "killed", "dumped"; empty: it has not ended
    int status = 0;
};
using RunOf = std::function<CommandRun(ExecList list, const Command& command)>;

/// Takes a property. A value that is a list of structures has one of them a line.
using PropertySink = std::function<void(std::string_view name, std::string value)>;

/// Every setting of a unit that is a property; `secrets` = also the values of Environment= and kin.
void settings_as_properties(const UnitConfig& unit, const Inherited& inherited, bool secrets, const RunOf& run, const PropertySink& sink);

/// What settings mean that no file makes: DefaultTimeoutStartUSec= and kin of the manager.
void defaults_as_properties(const Inherited& inherited, Duration timeout_start, Duration timeout_stop, const PropertySink& sink);

/// Words of a list, those in quotes that a shell would take apart: "man:nginx(8)".
std::string quoted_words(const std::vector<std::string>& words);

} // namespace monoinit::unit
