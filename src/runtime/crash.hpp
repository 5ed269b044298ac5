#pragma once
// A fault in PID 1 re-executes the binary, which takes up the checkpoint; services do not notice. daemon-reexec takes the
// same path on purpose. A fault signal that somebody has sent does the same, but counts for no crash of ours.
// Tested by tests/system/promise_01_survival.py and tests/unit/runtime/crash_test.cpp.

#include "base/time.hpp"
#include "runtime/checkpoint.hpp"

#include <string>

namespace monoinit::runtime {

/// What the image before has left to this one.
struct Resume {
    int checkpoint = -1; ///< descriptor; -1: this is the container's start
    bool bare = false;   ///< an image crashed before it could take the checkpoint up: nothing of it is to be read
    bool again = false;  ///< memory was short for the image before this one, which was to take up the same
    bool operator==(const Resume&) const = default;
};

/// Takes our internal option out of argv. `argv` then is what the container was started with.
Resume take_resume_argument(int& argc, char** argv);

/// In an image that follows another: until arm_crash_survival() a fault executes the binary once more, to go on bare, and fault
/// signals that are sent are ignored.
void arm_early(const Resume& resume, int argc, char** argv, char** environment);

/// The checkpoint has another descriptor now: for whom arm_early() has armed.
void follow_checkpoint(int checkpoint);

/// Arms the handlers of all fault signals (own stack, so that a stack overflow is survived too). `exe_fd` is the binary,
/// `previous_fd` the one that handed over to it (-1: it has proved itself); argv and environment of the next image are this
/// one's, plus our internal option.
void arm_crash_survival(Checkpoint& checkpoint, int exe_fd, int previous_fd, int argc, char** argv, char** environment);

/// First thing in main(): lets fault signals through again (the image before was executing their handler).
void unblock_fault_signals();

/// The loop turns: a fault from now on is one of this image, and there is no going back to the one before. Until then fault
/// signals that are sent wait.
void settled();

/// When a fault signal that was sent is to be obeyed: a flood of them comes to one re-execution in a tenth of a second.
base::Instant obey_sent_at();

/// Replaces the image now, on purpose (signal 0) or because of a signal that was sent and had to wait. Returns only when
/// execveat() failed. `exe_fd`: another binary than the one armed; -1 = that one.
void reexec(int exe_fd = -1);
void obey_sent_signal();

/// The same with an event half done: what the checkpoint says was to be done is done again. Returns only when it failed.
void reexec_in_the_middle();

/// From minimal mode to the whole of the binary again. Returns only when execveat() failed.
void end_rest();

/// Ours have come too fast one after the other: the next image is to rest in minimal mode. For how long, zero = not at all.
base::Duration rest_after(const CrashNote& note);

/// This image cannot go on, as if it had crashed.
[[noreturn]] void fail_image(const std::string& why);

/// What an exception that nobody caught has said: for the successor to say, or on stderr in a process that is no init. A want of
/// memory while the state is taken up costs another image that does it once more, and ends one that has nothing yet to lose.
void note_uncaught();

/// The sentence for the log, and the backtrace as addresses relative to where we are loaded (empty: there is none).
std::string describe_crash(const CrashNote& note);
std::string describe_frames(const CrashNote& note);

} // namespace monoinit::runtime
