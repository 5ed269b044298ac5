#pragma once
// Where the checkpoint is lost: what PID 1 still holds open and what its children are, found again from the kernel and the guards.
// Tested by tests/system/crashes.py.

#include "exec/guard_link.hpp"
#include "log/protocol.hpp"
#include "runtime/checkpoint.hpp"
#include "runtime/state_dir.hpp"

namespace monoinit::runtime {

/// Descriptors that came through the execution without FD_CLOEXEC, 0 to 2 and `besides` left out.
std::vector<int> inherited_descriptors(int besides);

/// Who a guard is, asked over its socket; nothing if it does not say within `limit` (it has not begun its command yet). What it says
/// besides is asked for again later, so nothing is lost.
std::optional<exec::GuardHello> ask_guard(int fd, base::Duration limit);

struct FoundStream {
    std::string unit;
    log::StreamKind kind = log::StreamKind::Both;
    sys::UniqueFd read_end;
};

struct Found {
    std::vector<FdEntry> kept;                             ///< with numbers of units made up for `units`
    std::unordered_map<std::uint32_t, std::string> units;
    std::vector<exec::GuardHello> guards;
    std::vector<FoundStream> streams;
    std::vector<sys::UniqueFd> unknown;                    ///< whatever nobody can say any more what it is
    bool has_command = false;                              ///< CMD runs
};
Found find_what_runs(const std::vector<int>& descriptors, const StateDir& dir);

/// An image that has lost the state.
struct LostState {
    std::string why;
    std::vector<int> inherited; ///< what came through the execution
    Found found;                ///< and what that is
};

/// What commands of a start have been told, where it cannot be derived any more (Runtime::invocation_id()).
struct OldInvocation {
    std::uint64_t count = 0;
    std::array<std::uint8_t, 16> id{};
};

/// The logger of the image before, which nobody can talk to any more, is ended: its successor gets the streams.
void end_old_logger();

} // namespace monoinit::runtime
