// PID 1's side of making a guard. The fork happens with all signals blocked, so that no handler of PID 1 (its crash
// handler above all) can run in the child before the child has reset it. Tested by tests/unit/exec/spawn_test.cpp.
#include "exec/spawn.hpp"

#include "exec/guard.hpp"
#include "sys/signals.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"

#include <cerrno>
#include <unistd.h>

namespace monoinit::exec {

base::Result<GuardChannel> make_guard_channel() {
    sys::SocketPair pair = TRY(sys::make_socket_pair(SOCK_SEQPACKET, true, false));
    return GuardChannel{std::move(pair.first), std::move(pair.second)};
}

base::Result<pid_t> spawn_guard(const Plan& plan, GuardChannel& channel) {
    remember_heap_start();
    const sys::UniqueFd guards = std::move(channel.guards);
    const sys::SignalsBlocked blocked;
    const pid_t pid = sys::fork_process();
    if (pid == 0)
        run_guard(plan, guards.get());
    if (pid < 0)
        return base::fail_errno(errno, "cannot fork");
    return pid;
}

} // namespace monoinit::exec
