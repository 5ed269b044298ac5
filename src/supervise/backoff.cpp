// The two delay rules. Tested by tests/unit/supervise/backoff_test.cpp.

#include "supervise/backoff.hpp"

#include <algorithm>
#include <cmath>

namespace monoinit::supervise {

base::Duration configured_delay(const unit::ServiceSection& service, std::uint32_t attempt) {
    const base::Duration first = service.restart_delay, last = service.restart_max_delay;
    if (attempt <= 1 || service.restart_steps == 0 || last == base::infinity || first >= last)
        return first;
    if (attempt > service.restart_steps)
        return last;
    // A ratio needs a first delay that is not nothing.
    const double from = std::max(1.0, static_cast<double>(first.count()));
    const double share =
        static_cast<double>(attempt - 1) / static_cast<double>(service.restart_steps);
    return base::Duration(
        std::llround(from * std::pow(static_cast<double>(last.count()) / from, share)));
}

base::Duration doubling_delay(base::Duration first, base::Duration max, std::uint32_t step) {
    base::Duration delay = std::min(first, max);
    for (std::uint32_t i = 0; i < step && delay < max && delay.count() > 0; i++)
        delay = delay > max / 2 ? max : delay * 2;
    return delay;
}

} // namespace monoinit::supervise
