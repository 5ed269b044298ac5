#pragma once
// Everything a guard needs to run one command, as PID 1 resolved it without touching a path that a unit names (those may
// lie on a hung mount: the guard opens them). Made by exec/build_plan.hpp, used up by exec/spawn.hpp.

#include "base/ids.hpp"
#include "exec/health_probe.hpp"
#include "unit/cgroup_settings.hpp"
#include "unit/config.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace monoinit::exec {

using base::GuardId;

/// Where standard input, output or error comes from. `fd` is borrowed: open in PID 1 while the guard is forked.
struct StreamPlan {
    enum class Kind : std::uint8_t {
        Null,      ///< /dev/null
        Fd,        ///< dup of `fd`: log pipe, fd:NAME, socket, or PID 1's own 0/1/2 for CMD
        Terminal,  ///< `path`; becomes the controlling terminal (standard input only)
        Data,      ///< `text` (StandardInputText=)
        File,      ///< `path`, `flags` of open(2); a Unix socket at the path is connected to
        SameAsStdin,
        SameAsStdout,
    } kind = Kind::Null;
    int fd = -1;
    int flags = 0;
    std::string path;
    std::string text;
    bool force_terminal = false; ///< tty-force: take it from whoever has it
    bool is_terminal = false;    ///< TERM= is then set; of standard input: it becomes the controlling terminal
    bool is_socket = false;      ///< `fd` is a socket of a socket unit: made blocking
    bool is_log = false;         ///< `fd` is a log pipe (JOURNAL_STREAM= is then set)
};

/// One RuntimeDirectory= … entry: `root`/`path`, with symlinks to it at `root`/`links`.
struct DirectoryPlan {
    unit::DirectoryKind kind = unit::DirectoryKind::Runtime;
    std::string root; ///< exists or is made (mode 0755)
    std::string path; ///< relative, no ".."
    std::vector<std::string> links;
    mode_t mode = 0755;
};

struct CredentialsPlan {
    std::optional<uid_t> uid;
    std::optional<gid_t> gid;
    std::optional<std::vector<gid_t>> groups; ///< unset: leave as they are
    bool optional_groups = false;             ///< without the right to set them, go on (the user does not change)
    std::optional<std::uint64_t> bounding;    ///< capabilities kept
    std::uint64_t ambient = 0;
    std::optional<int> secure_bits;
    bool no_new_privileges = false;
};

/// LoadCredential= and kin: files for the unit (CredentialsPlan is about users and rights).
struct SecretsPlan {
    unit::Shared<unit::CredentialSection> wanted;
    std::vector<std::string> places; ///< credential_places(): where names are looked for, the first wins
    std::string root;                ///< the unit's directory lies below it
};

/// A guard keeps the path of its group in its one page.
inline constexpr std::size_t group_path_limit = 640;

/// Where the command's cgroup is made, see exec/command_group.hpp.
struct GroupPlan {
    std::string root;              ///< empty = none
    std::string controllers;       ///< "+memory +pids"
    struct Level {
        std::string name; ///< of the directory
        std::vector<unit::CgroupSetting> settings;
    };
    std::vector<Level> levels; ///< below the root: slices, then the unit
    bool delegate = false;
};

/// Which pid-valued variables the child fills in with its own pid.
struct PidVariables {
    bool listen = false;   ///< LISTEN_PID
    bool watchdog = false; ///< WATCHDOG_PID
    bool systemd = true;   ///< SYSTEMD_EXEC_PID
};

struct Plan {
    // identity
    GuardId guard;
    std::string unit;
    std::array<std::uint8_t, 16> invocation{};
    unit::ExecList list = unit::ExecList::Start;
    std::uint16_t index = 0;
    std::uint32_t notify = 0; ///< number of the notify socket it is given, 0 = none

    // the command
    unit::Command command;     ///< variables not yet put in
    std::string fallback_path; ///< the container's PATH, tried after the unit's
    std::optional<unit::MountSection> mount; ///< of a mount unit: without mount(8) its work is done by ourselves
    std::optional<HealthProbe> probe; ///< in the command's place: our own code, in a fork of the guard

    // environment
    std::vector<std::string> environment; ///< merged, later wins: manager, ours, PassEnvironment=, Environment=
    std::vector<unit::EnvironmentFile> environment_files; ///< read by the guard, on top of it
    std::vector<std::string> unset_environment;           ///< names or NAME=value, last
    PidVariables pids;

    // streams and descriptors
    StreamPlan input, output, error;
    std::vector<int> listen_fds; ///< borrowed; become 3, 4, …
    std::size_t socket_count = SIZE_MAX; ///< so many of them are made blocking or not
    bool non_blocking = false;
    bool foreground_terminal = false; ///< CMD: keep 0, 1, 2 and take the terminal they are
    bool tty_reset = false, tty_vhangup = false;

    // files
    std::vector<DirectoryPlan> directories;
    uid_t directory_uid = 0; ///< their owner: User=, also for "+" and "!" commands
    gid_t directory_gid = 0;
    SecretsPlan secrets;
    std::string working_directory = "/";
    bool working_directory_optional = false;
    std::string root_directory; ///< chroot, empty = none
    mode_t umask = 0022;

    // the process
    GroupPlan group;
    CredentialsPlan credentials;
    std::vector<unit::ResourceLimit> limits;
    unit::Shared<unit::SchedulingSection> scheduling;
    bool ignore_sigpipe = true;

    bool uses_terminal() const {
        return foreground_terminal || input.is_terminal || output.is_terminal || error.is_terminal;
    }
};

} // namespace monoinit::exec
