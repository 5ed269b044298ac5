#pragma once
// Codecs of systemd.resource-control(5). Included by rows_resource.hpp only. Tested by tests/unit/unit/resources_test.cpp.

#include "unit/codecs.hpp"

namespace monoinit::unit::codec {

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

struct SliceName {
    static constexpr base::Literal type = "slice";
    static Result<void> parse(ParseContext& context, Value value, std::string& field);
    static std::string show(const std::string& field) { return field; }
};

} // namespace monoinit::unit::codec
