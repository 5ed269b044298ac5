#pragma once
// How long to wait before a restart. Two rules: systemd's (RestartSec=, RestartSteps=,
// RestartMaxDelaySec=), and our default for units that set none of them: from 100 ms doubling to 30
// s, beginning anew after 60 s up. Tested by tests/unit/supervise/backoff_test.cpp.

#include "supervise/types.hpp"

namespace monoinit::supervise {

/// systemd's delay before the `attempt`th automatic restart (from 1): RestartSec=, growing
/// geometrically so that it reaches RestartMaxDelaySec= after RestartSteps= steps.
base::Duration configured_delay(const unit::ServiceSection& service, std::uint32_t attempt);

/// `first` doubled `step` times, at most `max`.
base::Duration doubling_delay(base::Duration first, base::Duration max, std::uint32_t step);

} // namespace monoinit::supervise
