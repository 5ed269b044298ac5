#pragma once
// The runtime directory: control socket, log socket, notify sockets. The first usable of /run/monoinit,
// $XDG_RUNTIME_DIR/monoinit, /tmp/monoinit-UID, /dev/shm/monoinit-UID, made safely (owner, mode, no symlink).
// Tested by tests/unit/runtime.

#include "base/result.hpp"
#include "sys/unique_fd.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::runtime {

struct StateDir {
    std::string path;        ///< "/run/monoinit"; empty = none usable
    std::string control;     ///< path of the control socket
    std::string logs;        ///< path of the logger's socket
    std::string notify;      ///< directory of the notify sockets
    std::vector<std::string> refused; ///< "why" for each candidate passed over, for the boot log
    int other = 0;           ///< pid of another monoinit of this uid and PID namespace that has the directory: not ours to take
};

/// `socket_override` is --socket=: its directory becomes the runtime directory. Never fails: path is empty at worst.
StateDir prepare_state_dir(const std::string& socket_override, const char* xdg_runtime_dir);

/// The same without touching what is there: after a re-exec.
StateDir existing_state_dir(const std::string& socket_override, const char* xdg_runtime_dir);

} // namespace monoinit::runtime
