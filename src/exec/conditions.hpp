#pragma once
// Condition…= and Assert…= of systemd.unit(5). Kinds that touch a path the unit names are evaluated in a probe; the others,
// and paths that are surely local, inline. Tested by tests/unit/exec.

#include "unit/config.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::exec {

/// What the answer depends on besides the file system.
struct ConditionContext {
    bool first_boot = false;
    std::vector<std::string> environment; ///< the manager's
    std::string host_name, machine_id;
};

std::string condition_name(const unit::Condition& condition); ///< "ConditionPathExists", "AssertUser"

/// Whether evaluating this kind touches a path named by the unit.
bool needs_probe(unit::ConditionKind kind);

/// One condition, negation applied. May block on a hung mount when needs_probe().
bool evaluate(const unit::Condition& condition, const ConditionContext& context);

/// The same without ever blocking: nothing when only a probe can tell (the path leaves the root file system).
std::optional<bool> evaluate_inline(const unit::Condition& condition, const ConditionContext& context);

struct ConditionsAnswer {
    bool ok = true;
    bool assertion_failed = false;
    std::string failed; ///< "ConditionPathExists=/x" (of the first that failed), with file:line where known
};

/// All of a unit's conditions: those without "|" must all hold, of those with "|" at least one; assertions apart.
/// Inline: nothing as soon as one of them needs a probe.
ConditionsAnswer evaluate_all(const std::vector<unit::Condition>& conditions, const std::vector<std::string>& files,
                              const ConditionContext& context);
std::optional<ConditionsAnswer> evaluate_all_inline(const std::vector<unit::Condition>& conditions,
                                                    const std::vector<std::string>& files,
                                                    const ConditionContext& context);

} // namespace monoinit::exec
