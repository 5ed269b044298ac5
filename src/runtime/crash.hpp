#pragma once
// A fault in PID 1 re-executes the binary, which takes up the checkpoint; services do not notice. daemon-reexec takes the
// same path on purpose. Tested by tests/system/promise_01_survival.py.

#include "runtime/checkpoint.hpp"

namespace monoinit::runtime {

/// Arms the handlers of all fault signals (own stack, so that a stack overflow is survived too). `exe_fd` is the binary,
/// opened at boot; argv and environment of the new image are this one's, plus "--resume-checkpoint=FD".
void arm_crash_survival(Checkpoint& checkpoint, int exe_fd, int argc, char** argv, char** environment);

/// First thing in main(): lets fault signals through again (the image before was executing their handler).
void unblock_fault_signals();

/// Replaces the image now. Returns only when execveat() failed.
void reexec(int signal);

/// The original argv without our internal option, and the checkpoint's descriptor if this is a resumed image (-1 if not).
int take_resume_argument(int& argc, char** argv);

} // namespace monoinit::runtime
