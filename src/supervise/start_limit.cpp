// A sliding window. Tested by tests/unit/supervise/start_limit_test.cpp.

#include "supervise/start_limit.hpp"

namespace monoinit::supervise {

bool count_start(const unit::StartLimit& limit, std::vector<Instant>& recent, Instant now) {
    if (limit.interval.count() <= 0 || limit.burst == 0) { // no limit, nothing to remember
        recent.clear();
        return true;
    }
    std::erase_if(recent, [&](Instant start) { return now - start >= limit.interval; });
    if (recent.size() >= limit.burst)
        return false;
    recent.push_back(now);
    return true;
}

} // namespace monoinit::supervise
