#pragma once
// Codecs of systemd.resource-control(5). Included by rows_resource.hpp only. Tested by tests/unit/unit/resources_test.cpp.

#include "unit/codecs.hpp"

#include <algorithm>

namespace monoinit::unit::codec {

Result<void> parse_io_rule(ParseContext& context, Value value, IoKind kind, std::vector<IoRule>& field);
std::string show_io_rules(const std::vector<IoRule>& field, IoKind kind);

/// MemoryMax= and kin: "512M", "20%" of the memory there is, "infinity".
struct MemoryBound {
    static constexpr base::Literal type = "size, percentage or infinity";
    static Result<void> parse(ParseContext& context, Value value, Bound& field);
    static std::string show(const Bound& field);
};

/// TasksMax=: a number, "10%" of what the kernel takes, "infinity".
struct TaskBound {
    static constexpr base::Literal type = "number, percentage or infinity";
    static Result<void> parse(ParseContext& context, Value value, Bound& field);
    static std::string show(const Bound& field) { return MemoryBound::show(field); }
};

/// CPUWeight=: 1 to 10000, or idle.
struct CpuWeight {
    static constexpr base::Literal type = "1 to 10000, or idle";
    static Result<void> parse(ParseContext& context, Value value, std::uint32_t& field);
    static std::string show(std::uint32_t field) { return field == 0 ? "idle" : std::to_string(field); }
};

/// CPUQuota=: "150%" is one and a half CPUs.
struct Percentage {
    static constexpr base::Literal type = "percentage";
    static Result<void> parse(ParseContext& context, Value value, std::uint32_t& field);
    static std::string show(std::uint32_t field);
};

/// Delegate=: yes, no, or controllers (then yes: all that there are).
struct Delegation {
    static constexpr base::Literal type = "yes, no or controllers";
    static Result<void> parse(ParseContext& context, Value value, bool& field);
    static std::string show(bool field) { return field ? "yes" : "no"; }
};

/// CPUShares= and BlockIOWeight= of old: in other units than today's.
template <std::uint32_t Least, std::uint32_t Most, std::uint32_t Usual> struct OldWeight {
    static constexpr base::Literal type = "number";
    static Result<void> parse(ParseContext&, Value value, std::uint32_t& field) {
        const auto shares = static_cast<std::uint64_t>(TRY(parse_integer(value, Least, Most)));
        field = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(shares * 100 / Usual, 1, 10000));
        return {};
    }
    static std::string show(std::uint32_t field) { return std::to_string(field); }
};

/// IOReadBandwidthMax= and kin: "/dev/vda 5M", or a path on the device; an empty value takes all of the kind back.
template <IoKind Kind> struct IoRules {
    static constexpr base::Literal type = "path and number";
    static Result<void> parse(ParseContext& context, Value value, std::vector<IoRule>& field) { return parse_io_rule(context, value, Kind, field); }
    static std::string show(const std::vector<IoRule>& field) { return show_io_rules(field, Kind); }
};

struct SliceName {
    static constexpr base::Literal type = "slice";
    static Result<void> parse(ParseContext& context, Value value, std::string& field);
    static std::string show(const std::string& field) { return field; }
};

} // namespace monoinit::unit::codec
