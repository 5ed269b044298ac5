#pragma once
// What PID 1 keeps for shortages: a descriptor, given up for the moment in which a file has to be read although there are no
// more, and memory (sys/heap.hpp), given up when there is none, so that what is under way comes to its end and can be told.
// Tested by tests/unit/sys and tests/system/promise_06_shortage.py.

namespace monoinit::sys {

/// Takes what is missing of the descriptor, as far as it is to be had. At each turn of PID 1's loop; cheap when nothing is missing.
/// Others have no reserve.
void hold_descriptor();
/// In the child of a fork: the reserve is the parent's.
void forget_descriptor();
/// open(2), close-on-exec, of what is closed again before the loop goes on: may use the reserve. -1 and errno.
int open_briefly(const char* path, int flags);

} // namespace monoinit::sys
