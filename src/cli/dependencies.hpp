#pragma once
// The tree of list-dependencies as text. Tested by tests/unit/cli/dependencies_test.cpp.

#include <functional>
#include <string>
#include <vector>

namespace monoinit::cli {

struct Neighbour {
    std::string name, active_state;
};
using NeighboursOf = std::function<std::vector<Neighbour>(const std::string& unit)>;
struct TreeOptions {
    bool all = false;   ///< expand every unit, not only targets
    bool plain = false; ///< no dots, no lines, each unit expanded once
    bool json = false;  ///< an object with a flat list in the order drawn
    bool color = false;
};

/// systemctl's form; a cycle ends in "...".
std::string draw_dependencies(const std::string& root, const NeighboursOf& neighbours_of, const TreeOptions& options);

} // namespace monoinit::cli
