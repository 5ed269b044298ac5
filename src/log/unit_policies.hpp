#pragma once
// What units' settings ask of their lines, wherever these come in: pipes, datagrams, connections. A unit's settings are known while it
// has a stream, and stay for a while after; others get the defaults. Tested by tests/unit/log/unit_policies_test.cpp and
// tests/system/log_limits.py.

#include "log/multiplexer.hpp"
#include "log/protocol.hpp"
#include "log/rate_limit.hpp"
#include "log/pattern.hpp"

#include <map>
#include <string>
#include <vector>

namespace monoinit::log {

struct UnitPolicy {
    std::string unit;
    std::uint8_t level_max = 7;    ///< LogLevelMax=
    std::uint8_t stdout_level = 7; ///< X-LogStdout=
    bool to_stdout = true;
    std::vector<Pattern> kept, left_out; ///< LogFilterPatterns=
    std::string filter_patterns; ///< what they were made of
    std::string fields;          ///< LogExtraFields=, a list as stored_record.hpp has it
    RateLimit limit{0, 0};
    std::size_t streams = 0;

    bool shows(std::uint8_t priority) const { return to_stdout && priority <= stdout_level; }
};

class UnitPolicies {
  public:
    /// `multiplexer`: gets what there is to say, of dropped lines and bad patterns.
    explicit UnitPolicies(Multiplexer& multiplexer) : multiplexer_(multiplexer) {}

    /// What holds for units that say nothing else.
    void configure(const Config& config);
    /// A stream's unit; the policy stays where it is until release().
    UnitPolicy& adopt(const StreamInfo& info);
    void release(UnitPolicy& policy);
    /// Good until the next call of any of these.
    UnitPolicy& of(std::string_view unit);

    /// Whether a line may go on: level, patterns, then the rate. What a closed interval dropped is said first.
    bool admits(UnitPolicy& policy, const Record& record);
    /// Says what was dropped, now that no more is coming.
    void finish(UnitPolicy& policy);

  private:
    void set_patterns(UnitPolicy& policy, const std::string& patterns);
    void say_dropped(const UnitPolicy& policy, std::uint64_t dropped);
    void forget_some();

    Multiplexer& multiplexer_;
    Config defaults_;
    std::map<std::string, UnitPolicy, std::less<>> policies_;
};

} // namespace monoinit::log
