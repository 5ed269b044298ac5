// PID 1's side of making a guard. The fork happens with all signals blocked, so that no handler of PID 1 (its crash
// handler above all) can run in the child before the child has reset it. Tested by tests/unit/exec.
#include "exec/spawn.hpp"

#include "exec/guard.hpp"
#include "exec/spawn_slots.hpp"
#include "sys/heap.hpp"
#include "sys/signals.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"

#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace monoinit::exec {

base::Result<GuardChannel> make_guard_channel() {
    sys::SocketPair pair = TRY(sys::make_socket_pair(SOCK_SEQPACKET, true, false));
    mark_guard_link(pair.first.get());
    return GuardChannel{std::move(pair.first), std::move(pair.second)};
}

namespace {

constexpr int guard_priority = 5; ///< of no effect on a Unix socket

} // namespace

void mark_guard_link(int fd) {
    (void)::setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &guard_priority, sizeof guard_priority); // only missed when all else is lost
}

bool is_guard_link(int fd) {
    int type = 0, priority = 0;
    socklen_t size = sizeof type;
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET)
        return false;
    size = sizeof priority;
    sockaddr_un peer{};
    socklen_t length = sizeof peer;
    const auto maker = sys::peer_credentials(fd);
    return ::getsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, &size) == 0 && priority == guard_priority && maker && maker->pid == ::getpid() &&
           ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0 && peer.sun_family == AF_UNIX && length == sizeof peer.sun_family;
}

namespace {

GuardDescriptors descriptors_of(const Plan& plan, int socket) {
    GuardDescriptors descriptors{socket, {plan.input.fd, plan.output.fd, plan.error.fd}};
    const std::array<const StreamPlan*, 3> streams{&plan.input, &plan.output, &plan.error};
    for (std::size_t i = 0; i < streams.size(); i++)
        if (streams[i]->kind != StreamPlan::Kind::Fd)
            descriptors.streams[i] = -1;
    return descriptors;
}

pid_t fork_guard(const Plan& plan, const GuardDescriptors& descriptors, bool lean) {
    const sys::SignalsBlocked blocked;
    if (!lean)
        sys::heap::include_in_fork();
    // Sockets passed on may be many: they take the plain way.
    const std::optional<SpawnSlot> slot = plan.listen_fds.empty() ? take_slot(descriptors) : std::nullopt;
    const pid_t pid = slot ? fork_with_slot(*slot, plan.guard) : sys::fork_lean();
    if (pid != 0)
        return pid;
    if (slot)
        detach_slot(*slot);
    if (lean)
        sys::heap::enter_child();
    run_guard(plan, slot ? slot->descriptors : descriptors);
}

/// Copies share what is copy on write; the guard of a lean fork can only read what lies beside the plan.
void own_everything(Plan& plan) {
    if (!plan.scheduling.is_default())
        plan.scheduling.edit();
    if (!plan.secrets.wanted.is_default())
        plan.secrets.wanted.edit();
}

pid_t fork_guard_beside_heap(const Plan& plan, const GuardDescriptors& descriptors) {
    const sys::heap::Scope beside_the_heap;
    Plan copy = plan;
    own_everything(copy);
    const bool lean = beside_the_heap.complete() && sys::heap::exclude_from_fork();
    return fork_guard(copy, descriptors, lean);
}

} // namespace

void prepare_heap() {
    sys::heap::prepare();
}

base::Result<pid_t> spawn_guard(const Plan& plan, GuardChannel& channel) {
    const sys::UniqueFd guards = std::move(channel.guards);
    const pid_t pid = fork_guard_beside_heap(plan, descriptors_of(plan, guards.get()));
    if (pid < 0)
        return base::fail_errno(errno, "cannot fork");
    return pid;
}

} // namespace monoinit::exec
