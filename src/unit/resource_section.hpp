#pragma once
// What systemd.resource-control(5) lets a unit ask for, as plain data; see config.hpp. What the kernel is told of it:
// unit/cgroup_settings.hpp. Tested by tests/unit/unit/resources_test.cpp.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace monoinit::unit {

/// Bytes or tasks, a share of all there are, or no bound.
struct Bound {
    static constexpr std::uint64_t infinity = ~std::uint64_t{0};
    std::uint64_t number = infinity; ///< hundredths of a percent if `relative`
    bool relative = false;
    bool operator==(const Bound&) const = default;
};

/// One line of IOReadBandwidthMax= and kin: what a device, or the one that a path lies on, may do.
enum class IoKind : std::uint8_t { ReadBandwidth, WriteBandwidth, ReadOperations, WriteOperations, Weight, Latency };
struct IoRule {
    IoKind kind;
    std::string path;
    std::uint64_t value = Bound::infinity; ///< bytes or operations a second, weight, microseconds
    bool operator==(const IoRule&) const = default;
};

/// Startup…=: what holds instead while the container boots and while it stops.
struct StartupResources {
    std::optional<Bound> memory_low, memory_high, memory_max, memory_swap_max, memory_zswap_max;
    std::optional<std::uint32_t> cpu_weight, io_weight;
    std::vector<std::uint16_t> allowed_cpus, allowed_memory_nodes;
};

struct ResourceSection {
    std::optional<Bound> memory_min, memory_low, memory_high, memory_max, memory_swap_max, memory_zswap_max, tasks_max;
    std::optional<std::uint32_t> cpu_weight, io_weight; ///< 0 = idle (CPU only)
    std::optional<std::uint32_t> cpu_quota;             ///< hundredths of a percent of one CPU
    std::chrono::microseconds cpu_quota_period{};       ///< 0 = the default
    std::vector<std::uint16_t> allowed_cpus, allowed_memory_nodes;
    std::vector<IoRule> io_rules;
    StartupResources startup;
    bool delegate = false;
    std::string slice; ///< empty: system.slice
};

} // namespace monoinit::unit
