#pragma once
// Where a test may make PID 1 crash: before each call of the seam, each effect, each save and each half of a checkpoint's write. Nothing of it is in
// a release. Tested by tests/system/crash_points.py.

namespace monoinit::sys {

#ifndef NDEBUG
/// MONOINIT_TEST_CRASH=N: the N-th point from here on that this process passes is a SIGSEGV. Children pass theirs unharmed.
void crash_as_asked();
void crash_point();
#else
inline void crash_as_asked() {}
inline void crash_point() {}
#endif

} // namespace monoinit::sys
