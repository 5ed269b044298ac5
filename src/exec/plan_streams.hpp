#pragma once
// StandardInput=, StandardOutput= and StandardError= -> the streams of a Plan. Part of build_plan().

#include "exec/build_plan.hpp"

namespace monoinit::exec {

/// Fills in input, output and error of `plan`.
std::optional<PlanFailure> plan_streams(const unit::ExecSection& exec, const CommandContext& context, Plan& plan);

} // namespace monoinit::exec
