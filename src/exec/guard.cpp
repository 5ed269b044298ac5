// From fork to the guard's loop: become a guard, start the command, report, forget PID 1's memory. Up to heap::drop() this
// may allocate and read, since PID 1 has a single thread. Tested by tests/unit/exec/guard_test.cpp.
#include "exec/guard.hpp"

#include "sys/heap.hpp"
#include "sys/process_title.hpp"
#include "sys/signals.hpp"
#include "sys/syscalls.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <climits>
#include <cstring>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace monoinit::exec {

namespace {

std::vector<int> kept_descriptors(const Plan& plan, const GuardDescriptors& descriptors) {
    std::vector<int> kept = plan.listen_fds;
    kept.push_back(descriptors.socket);
    for (const int fd : descriptors.streams)
        if (fd >= 0)
            kept.push_back(fd);
    return kept;
}

/// People see it in ps(1), and the logger knows by it whose messages it reads (log/attribution.hpp).
void set_guard_title(std::string_view unit) {
    char title[sys::guard_title.size() + unit::name_limit];
    const std::size_t size = std::min(unit.size(), unit::name_limit);
    std::memcpy(title, sys::guard_title.data(), sys::guard_title.size());
    std::memcpy(title + sys::guard_title.size(), unit.data(), size);
    sys::set_title(std::string_view(title, sys::guard_title.size() + size));
}

template <std::size_t N>
void copy_text(char (&target)[N], std::string_view text) {
    std::memcpy(target, text.data(), std::min(text.size(), N - 1));
}

/// Of a log pipe; 0 of anything else.
std::uint32_t pipe_of(const StreamPlan& stream, int fd) {
    struct stat status;
    return stream.is_log && fd >= 0 && ::fstat(fd, &status) == 0 ? static_cast<std::uint32_t>(status.st_ino) : 0;
}

HelloMessage hello_of(const Plan& plan, const GuardDescriptors& descriptors) {
    HelloMessage hello;
    hello.header.guard = plan.guard.value;
    std::copy(plan.invocation.begin(), plan.invocation.end(), hello.invocation);
    hello.list = static_cast<std::uint8_t>(plan.list);
    hello.index = plan.index;
    copy_text(hello.unit, plan.unit);
    hello.notify = plan.notify;
    hello.output = pipe_of(plan.output, descriptors.streams[1]);
    hello.error = plan.error.kind == StreamPlan::Kind::SameAsStdout ? hello.output : pipe_of(plan.error, descriptors.streams[2]);
    return hello;
}

StartResultMessage result_of(const Plan& plan, const StartOutcome& outcome) {
    StartResultMessage result;
    result.header.guard = plan.guard.value;
    result.pid = outcome.pid;
    if (outcome.pid != 0) {
        copy_text(result.detail, outcome.detail);
        return result;
    }
    const Stage stage = outcome.failure.stage;
    result.stage = static_cast<std::uint8_t>(stage);
    result.error = outcome.failure.error;
    result.exit_status = exit_status_of(stage);
    std::string detail = outcome.detail;
    if (detail.empty()) {
        detail = "failed while " + std::string(traits(stage).doing) + ": ";
        const char* const reason = ::strerrordesc_np(outcome.failure.error);
        detail += reason != nullptr ? reason : "unknown error";
    }
    copy_text(result.detail, detail);
    return result;
}

} // namespace

void run_guard(const Plan& plan, const GuardDescriptors& descriptors) {
    const int socket = descriptors.socket;
    sys::reset_signal_handlers();
    std::vector<int> kept = kept_descriptors(plan, descriptors);
    sys::close_all_but(kept);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    set_guard_title(plan.unit);
    HelloMessage hello = hello_of(plan, descriptors);
    StartResultMessage start;
    GuardGroup group;
    {
        const StartOutcome outcome = start_command(plan, descriptors.streams);
        start = result_of(plan, outcome);
        group = outcome.group;
    }
    // At once: PID 1 goes on with what waits for this start while we tidy up. If the socket does not take it, the loop does.
    const bool told = sys::send_bytes(socket, &start, sizeof start, MSG_DONTWAIT) >= 0;
    // Pipes above all: whoever reads the log has to see their end when the command is gone.
    sys::close_between(0, static_cast<unsigned>(socket) - 1);
    sys::close_from(static_cast<unsigned>(socket) + 1);
    // Changing the user in the vfork child made our memory "not dumpable" too; /proc/PID of a guard stays readable.
    ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    sys::heap::drop();
    guard_loop(socket, hello, start, told, group);
}

} // namespace monoinit::exec
