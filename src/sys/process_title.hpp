#pragma once
// What ps(1) shows of us. Guards and the logger overwrite the argument area they inherited.
// Tested by tests/unit/sys.

#include <string_view>

namespace monoinit::sys {

/// What a guard's title begins with; the name of its unit follows.
inline constexpr std::string_view guard_title = "guard: ";

/// Once, first thing in main(): remembers where the kernel looks for the command line.
void remember_title_area(int argc, char** argv);
const void* title_area(); ///< null when it is not known
/// Sets comm (15 bytes) and, where the area is known, the command line. Does not allocate.
void set_title(std::string_view title);

} // namespace monoinit::sys
