// Tested by tests/unit/log/unit_policies_test.cpp and tests/system/log_limits.py.

#include "log/unit_policies.hpp"

#include "base/fmt.hpp"
#include "base/time.hpp"
#include "log/stored_record.hpp"
#include "sys/clock.hpp"

#include <algorithm>

namespace monoinit::log {
namespace {

constexpr std::size_t most_known = 1024; ///< with those that have no stream any more: instances come and go under ever new names

} // namespace

void UnitPolicies::configure(const Config& config) {
    defaults_ = config;
    std::erase_if(policies_, [](const auto& entry) { return entry.second.streams == 0; });
}

UnitPolicy& UnitPolicies::of(std::string_view unit) {
    if (const auto found = policies_.find(unit); found != policies_.end())
        return found->second;
    forget_some();
    UnitPolicy& policy = policies_[std::string(unit)];
    policy.unit = unit;
    policy.stdout_level = defaults_.stdout_level;
    policy.to_stdout = defaults_.to_stdout;
    policy.limit.set(defaults_.rate_interval_us, defaults_.rate_burst);
    return policy;
}

UnitPolicy& UnitPolicies::adopt(const StreamInfo& info) {
    UnitPolicy& policy = of(info.unit);
    policy.streams++;
    if (info.kind == StreamKind::Connection)
        return policy; // whoever connects says nothing of the unit's settings
    policy.level_max = info.level_max;
    policy.stdout_level = info.stdout_level;
    policy.to_stdout = info.to_console;
    policy.limit.set(info.rate_interval_us, info.rate_burst);
    policy.fields.clear();
    for (std::string_view rest = info.extra_fields; !rest.empty();) {
        const std::string_view field = rest.substr(0, rest.find('\0'));
        if (const std::size_t equals = field.find('='); equals != std::string_view::npos)
            append_field(policy.fields, field.substr(0, equals), field.substr(equals + 1));
        rest.remove_prefix(std::min(field.size() + 1, rest.size()));
    }
    if (policy.filter_patterns != info.filter_patterns)
        set_patterns(policy, info.filter_patterns);
    return policy;
}

void UnitPolicies::release(UnitPolicy& policy) { policy.streams--; }

void UnitPolicies::forget_some() {
    if (policies_.size() >= most_known)
        std::erase_if(policies_, [](const auto& entry) { return entry.second.streams == 0; });
}

void UnitPolicies::set_patterns(UnitPolicy& policy, const std::string& patterns) {
    policy.filter_patterns = patterns;
    policy.kept.clear();
    policy.left_out.clear();
    for (std::string_view rest = patterns; !rest.empty();) {
        const std::string_view text = rest.substr(0, rest.find('\0'));
        const bool without = text.starts_with('~');
        if (auto pattern = Pattern::compile(std::string(text.substr(without ? 1 : 0)), false))
            (without ? policy.left_out : policy.kept).push_back(std::move(*pattern));
        else
            multiplexer_.own_line_now(4, policy.unit, fmt::format("{}: LogFilterPatterns: {}", short_unit_name(policy.unit), pattern.error().what));
        rest.remove_prefix(std::min(text.size() + 1, rest.size()));
    }
}

bool UnitPolicies::admits(UnitPolicy& policy, const Record& record) {
    const auto matches = [&](const Pattern& pattern) { return pattern.matches(record.text); };
    if (record.priority > policy.level_max || (!policy.kept.empty() && std::ranges::none_of(policy.kept, matches)) ||
        std::ranges::any_of(policy.left_out, matches))
        return false;
    if (policy.limit.burst() == 0)
        return true;
    if (const std::uint64_t dropped = policy.limit.take_dropped(record.mono_us); dropped != 0)
        say_dropped(policy, dropped);
    return policy.limit.allow(record.mono_us);
}

void UnitPolicies::finish(UnitPolicy& policy) {
    if (const std::uint64_t dropped = policy.limit.take_dropped(); dropped != 0)
        say_dropped(policy, dropped);
}

void UnitPolicies::say_dropped(const UnitPolicy& policy, std::uint64_t dropped) {
    const auto interval = base::human_time_span(base::Duration(policy.limit.interval_us()));
    multiplexer_.own_line_now(4, policy.unit, fmt::format("{}: {} lines dropped: more than LogRateLimitBurst={} in {}", short_unit_name(policy.unit), dropped,
                                                          policy.limit.burst(), interval));
}

} // namespace monoinit::log
