#pragma once
// What a look at the paths of a path unit has found. Tested by tests/unit/exec/watch_paths_test.cpp.

#include <cstdint>
#include <string>
#include <vector>

namespace monoinit::unit {

struct PathsSeen {
    std::string error;                          ///< why they could not be looked at, empty: they were
    std::vector<std::uint64_t> files, contents; ///< by path: marks of which file it is (0: none) and of what is in it
    std::string good;                           ///< the first path that is as it should be, of those of which that counts
    bool shortage = false;                      ///< why `error` is: it passes
};

} // namespace monoinit::unit
