#pragma once
// Units that are made by a request instead of a file (`initctl run`, systemd-run): the request becomes the text of a unit file, which the
// ordinary parser must take without a complaint. So nothing can be asked for that a file could not say.
// Tested by tests/unit/unit/transient_test.cpp.

#include "base/result.hpp"
#include "unit/loader.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::unit {

struct TransientSpec {
    std::string name;                     ///< full, "vite.service"
    std::string description;              ///< empty: the command
    std::vector<std::string> command;     ///< the program by its absolute path, and its arguments, as they are
    std::string working_directory, user, restart;
    std::vector<std::string> environment; ///< "NAME=value"
    std::vector<std::string> properties;  ///< "Directive=value" of [Unit], [Service] or [Install]; each is one line
    std::string health;                   ///< http://…, [HOST:]PORT, unix:PATH, file:PATH, log:TEXT, exec:COMMAND
    std::string maker = "initctl run";
    bool expand_variables = false; ///< in the command, by the service's environment
    bool literal = false;          ///< a "%" in properties stands for itself
};

/// What starts a transient service (or a unit that is there): a timer, socket or path. Also a scope, which has no command either.
struct TriggerSpec {
    std::string name; ///< full, "backup.timer"
    std::string description;
    std::vector<std::string> properties; ///< "OnCalendar=daily"
    std::string maker = "initctl run";
    bool literal = false;
};

/// The text of the unit file. Invalid, with the parser's own words, where something in it cannot be used.
base::Result<std::string> transient_unit(const Environment& environment, const TransientSpec& spec);
base::Result<std::string> transient_trigger(const Environment& environment, const TriggerSpec& spec);

/// What of a unit's text goes beyond what its user could do alone (files that root would read or write, other units, limits):
/// "EnvironmentFile=", "section [Install]". Nothing: it may be anybody's.
std::optional<std::string> beyond_own_rights(std::string_view text);

/// How names begin that nobody chose: such units are forgotten when they have ended well.
inline constexpr std::string_view nameless_prefix = "run-";

/// Whether a unit file lies where transient ones do.
bool is_transient_path(std::string_view path);

} // namespace monoinit::unit
