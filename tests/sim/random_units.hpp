#pragma once
// Units as nobody would write them, but somebody might: every type, every dependency kind, short timeouts.

#include "../unit/engine/build.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace monoinit::sim {

/// The same numbers on every machine (std::uniform_int_distribution is not).
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 1) {}
    std::uint64_t next() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_ * 0x2545f4914f6cdd1dULL;
    }
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() >> 33) % n; }
    bool chance(unsigned percent) { return below(100) < percent; }

  private:
    std::uint64_t state_;
};

using Config = std::shared_ptr<const unit::UnitConfig>;

std::string unit_name(std::size_t index);
/// One set of units; `index` names them, so that a second set is a daemon-reload of the first.
std::vector<Config> random_units(Random& random, std::size_t count);

} // namespace monoinit::sim
