#pragma once
// What PID 1 is when the rest of it keeps crashing: it reaps, passes the end on to services in the reverse order of their start, and
// tells whoever asks what it is. No units, no engine, no settings are read. After a rest it tries to be all of itself again.
// Tested by tests/system/promise_01_survival.py.

#include "runtime/crash.hpp"

namespace monoinit::runtime {

/// The image before has crashed too soon after another crash, or before it had taken up anything.
bool wants_minimal_mode(const Resume& resume);

/// Runs until the container ends, and returns its exit status; or executes the whole of the binary again after the rest.
int minimal_mode(const Resume& resume, int argc, char** argv, char** environment);

} // namespace monoinit::runtime
