#pragma once
// Standard input, output and error of a command, opened in the guard. Tested by tests/unit/exec.

#include "base/result.hpp"
#include "exec/plan.hpp"
#include "exec/stage.hpp"
#include "sys/unique_fd.hpp"

#include <array>
#include <optional>

namespace monoinit::exec {

struct Streams {
    std::array<sys::UniqueFd, 3> owned; ///< what was opened here
    std::array<int, 3> fds{-1, -1, -1}; ///< to become 0, 1, 2; all >= `above`
};

struct StreamFailure {
    Stage stage = Stage::None;
    base::Error error;
};

/// Opens what the plan names; `given` are the descriptors of its Fd streams. Every descriptor is moved to `above` or higher, out of the way of dup2().
std::optional<StreamFailure> open_streams(const Plan& plan, const std::array<int, 3>& given, int above,
                                          Streams& streams);

} // namespace monoinit::exec
