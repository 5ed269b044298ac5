#pragma once
// What is said about how starting and stopping went; pure, so that the texts can be tested against the real systemctl's.
// Tested by tests/unit/cli/operate_test.cpp.

#include "cli/context.hpp"
#include "control/codec.hpp"

#include <string>
#include <string_view>

namespace monoinit::cli {

/// "web: restarted in 12 ms (pid 57)", "web: not started: docker-entrypoint failed (exit 3); it is in Requires=".
std::string outcome_line(control::Verb verb, const control::JobOutcome& outcome);
bool succeeded(const control::JobOutcome& outcome);
int initctl_status(const control::JobOutcome& outcome);

/// systemctl's sentences and exit status; `service_result` is the unit's Result=.
std::string systemctl_failure(std::string_view verb, const control::JobOutcome& outcome, std::string_view service_result);
int systemctl_status(const control::JobOutcome& outcome);

/// Does it and says how it went; for `enable --now` too.
int operate_units(Context& context, control::Verb verb, const Names& units);

} // namespace monoinit::cli
