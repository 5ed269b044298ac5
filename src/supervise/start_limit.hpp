#pragma once
// StartLimitIntervalSec= and StartLimitBurst=: at most `burst` starts within any `interval`, of
// whatever kind. Tested by tests/unit/supervise/start_limit_test.cpp.

#include "supervise/types.hpp"

#include <vector>

namespace monoinit::supervise {

/// Counts a start at `now` in `recent` (which it prunes); false = too many, not counted.
bool count_start(const unit::StartLimit& limit, std::vector<Instant>& recent, Instant now);

} // namespace monoinit::supervise
