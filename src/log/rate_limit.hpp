#pragma once
// LogRateLimitIntervalSec= and LogRateLimitBurst= of systemd.exec(5), as journald counts: so many lines of a unit from the
// first on, until the interval is over; what comes beyond is dropped, and counted. Tested by tests/unit/log/rate_limit_test.cpp.

#include <cstdint>

namespace monoinit::log {

class RateLimit {
  public:
    /// A burst or an interval of 0: no limit.
    RateLimit(std::uint64_t interval_us, std::uint32_t burst) : interval_us_(interval_us), burst_(burst) {}

    /// Whether a line that comes at `now_us` may pass.
    bool allow(std::uint64_t now_us) {
        if (interval_us_ == 0 || burst_ == 0)
            return true;
        if (began_us_ == 0 || now_us - began_us_ >= interval_us_) {
            began_us_ = now_us;
            passed_ = 0;
        }
        if (passed_ < burst_) {
            passed_++;
            return true;
        }
        dropped_++;
        return false;
    }
    /// A line that passed has not been taken, and will be asked for again.
    void take_back() { passed_ -= passed_ > 0 ? 1 : 0; }
    /// Other limits from now on; what was counted stays.
    void set(std::uint64_t interval_us, std::uint32_t burst) {
        interval_us_ = interval_us;
        burst_ = burst;
    }
    std::uint64_t interval_us() const { return interval_us_; }
    std::uint32_t burst() const { return burst_; }
    /// How many were dropped since this was asked last; 0 while the interval in which they came goes on.
    std::uint64_t take_dropped(std::uint64_t now_us) {
        if (dropped_ == 0 || now_us - began_us_ < interval_us_)
            return 0;
        return take_dropped();
    }
    std::uint64_t take_dropped() {
        const std::uint64_t dropped = dropped_;
        dropped_ = 0;
        return dropped;
    }

  private:
    std::uint64_t interval_us_;
    std::uint32_t burst_;
    std::uint64_t began_us_ = 0, dropped_ = 0;
    std::uint32_t passed_ = 0;
};

} // namespace monoinit::log
