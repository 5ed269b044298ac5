// From this image to the next one on purpose, and back where that one does not get anywhere. Tested by tests/system/crashes.py.
#include "base/fmt.hpp"
#include "runtime/crash.hpp"
#include "runtime/runtime.hpp"

#include <cerrno>

namespace monoinit::runtime {

void Runtime::daemon_reexec() {
    log_->say(6, {}, "re-executing");
    save_dirty();
    save_facts();
    reexec();
    log_->say(3, {}, fmt::format("could not re-execute: {}", base::to_string(base::fail_errno(errno, "execveat"))));
}

/// The state was taken up and the loop has turned: from here on the binary that handed over to us is not gone back to.
void Runtime::prove_oneself() {
    settled();
    if (previous_exe_) {
        checkpoint_->forget(previous_exe_.get());
        previous_exe_.reset();
    }
}

} // namespace monoinit::runtime
