#pragma once
// What a unit's commands get and where each thing comes from, for `initctl env`. build_plan() says what PID 1 knows; a probe
// adds what lies in files. Secrets are named, never read. Tested by tests/unit/exec/explain_environment_test.cpp.

#include "exec/build_plan.hpp"
#include "exec/probe.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::exec {

struct Explained {
    std::string kind; ///< "variable"; "file": one that could not be read; "credential"; "removed": by UnsetEnvironment=
    std::string name, value, source;
};

/// Reads the files; may hang, so in a probe. `built` was made with CommandContext::explain.
std::vector<Explained> explain_environment(const unit::UnitConfig& unit, const BuiltPlan& built);

base::Result<Probe> probe_explain_environment(const unit::UnitConfig& unit, const BuiltPlan& built);
/// Nothing when the answer is not whole.
base::Result<std::vector<Explained>> explained_answer(const std::string& bytes);

} // namespace monoinit::exec
