#pragma once
// Who may do what (a pure function, so that the whole rule is one table in a test). Root and monoinit's own uid: everything.
// The uid that a unit's User= names: start, stop, restart, reload and kill that unit, unless it has `+`/`!` commands.
// Members of a group "monoinit": every verb on existing units. People (uids 1000 to 59999): run services as themselves.
// Everybody: look, but not at environments.
// Tested by tests/unit/control/authorize_test.cpp.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::control {

/// The other end of a connection as the kernel knows it (SO_PEERCRED, SO_PEERGROUPS), at the time it connected.
struct Peer {
    unsigned uid = 0, gid = 0;
    int pid = 0;
    std::vector<unsigned> groups;
};

/// What the rule needs to know of a unit.
struct UnitFacts {
    std::string name;                  ///< full name
    bool exists = false;               ///< loaded from a file (or built in)
    std::string user;                  ///< User= as written
    std::optional<unsigned> user_uid;  ///< resolved; unset: no User=, or it does not exist
    bool privileged_commands = false;  ///< any "+", "!" or "!!" command
};

/// Rights of the place.
struct Domain {
    unsigned own_uid = 0;                ///< monoinit's
    std::optional<unsigned> group;       ///< gid of the group "monoinit", if there is one
};

/// What is asked for, in the classes the rule knows.
enum class Action : std::uint8_t {
    Look,        ///< list, status, show without environments, wait, events
    Environment, ///< environments of units and of the manager
    Operate,     ///< start, stop, restart, reload, kill, reset-failed of one unit
    Manage,      ///< daemon-reload, isolate, cancel jobs, mute: all units, no new power over the container
    Control,     ///< exit, daemon-reexec, set-environment
    Run,         ///< a service of one's own, as oneself
};

/// Root and monoinit's own uid.
bool is_privileged(const Peer& peer, const Domain& domain);

/// Nothing when allowed; else one line that names the uid, the rule and the command that works.
/// `verb` is as typed ("restart"); `unit` null where the action is about none in particular.
std::optional<std::string> authorize(const Peer& peer, Action action, std::string_view verb, const UnitFacts* unit,
                                     const Domain& domain);

} // namespace monoinit::control
