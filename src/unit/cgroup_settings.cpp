// See cgroup_settings.hpp. Tested by tests/unit/unit/resources_test.cpp.
#include "unit/cgroup_settings.hpp"

#include "base/strings.hpp"
#include "unit/config.hpp"

#include <algorithm>
#include <array>

namespace monoinit::unit {

namespace {

using Text = std::optional<std::string>; ///< unset: nothing is written

template <std::optional<Bound> ResourceSection::*Member, std::uint64_t Capacity::*Whole>
Text bound(const UnitConfig& unit, const Capacity& whole) {
    const std::optional<Bound>& wanted = (*unit.resources).*Member;
    if (!wanted)
        return std::nullopt;
    if (!wanted->relative)
        return wanted->number == Bound::infinity ? "max" : std::to_string(wanted->number);
    // Multiplied last: a percentage of many exabytes must not run over.
    constexpr std::uint64_t all = 10000;
    const std::uint64_t of = whole.*Whole;
    return of == 0 ? "max" : std::to_string(of / all * wanted->number + of % all * wanted->number / all);
}

template <std::optional<std::uint32_t> ResourceSection::*Member> Text weight(const UnitConfig& unit, const Capacity&) {
    const std::optional<std::uint32_t>& wanted = (*unit.resources).*Member;
    return wanted && *wanted != 0 ? Text(std::to_string(*wanted)) : std::nullopt;
}

Text idle(const UnitConfig& unit, const Capacity&) {
    return unit.resources->cpu_weight == 0U ? Text("1") : std::nullopt;
}

Text quota(const UnitConfig& unit, const Capacity&) {
    if (!unit.resources->cpu_quota)
        return std::nullopt;
    // The kernel takes periods of 1 ms to 1 s and quotas from 1 ms.
    const auto wanted = static_cast<std::uint64_t>(unit.resources->cpu_quota_period.count());
    const std::uint64_t period = wanted == 0 ? 100'000 : std::clamp<std::uint64_t>(wanted, 1000, 1'000'000);
    const std::uint64_t run = std::max<std::uint64_t>(period * *unit.resources->cpu_quota / 10000, 1000);
    return std::to_string(run) + " " + std::to_string(period);
}

template <std::vector<std::uint16_t> ResourceSection::*Member> Text numbers(const UnitConfig& unit, const Capacity&) {
    std::vector<std::string> words;
    for (const std::uint16_t number : (*unit.resources).*Member)
        words.push_back(std::to_string(number));
    return words.empty() ? Text() : Text(base::join(words, ","));
}

Text oom_group(const UnitConfig& unit, const Capacity&) {
    return unit.type == UnitType::Service && unit.service->oom_policy == OomPolicy::Kill ? Text("1") : std::nullopt;
}

struct File {
    std::string_view name;
    Text (*text)(const UnitConfig&, const Capacity&);
};

// clang-format off
constexpr auto files = std::to_array<File>({
    {"memory.min",       bound<&ResourceSection::memory_min, &Capacity::memory>},
    {"memory.low",       bound<&ResourceSection::memory_low, &Capacity::memory>},
    {"memory.high",      bound<&ResourceSection::memory_high, &Capacity::memory>},
    {"memory.max",       bound<&ResourceSection::memory_max, &Capacity::memory>},
    {"memory.swap.max",  bound<&ResourceSection::memory_swap_max, &Capacity::memory>},
    {"memory.zswap.max", bound<&ResourceSection::memory_zswap_max, &Capacity::memory>},
    {"memory.oom.group", oom_group},
    {"pids.max",         bound<&ResourceSection::tasks_max, &Capacity::tasks>},
    {"cpu.weight",       weight<&ResourceSection::cpu_weight>},
    {"cpu.idle",         idle},
    {"cpu.max",          quota},
    {"io.weight",        weight<&ResourceSection::io_weight>},
    {"cpuset.cpus",      numbers<&ResourceSection::allowed_cpus>},
    {"cpuset.mems",      numbers<&ResourceSection::allowed_memory_nodes>},
});
constexpr auto kernels_own = std::to_array<std::string_view>({
    "_", ".", "cgroup.", "cpu.", "cpuset.", "memory.", "io.", "pids.", "hugetlb.", "rdma.", "misc.", "irq."});
// clang-format on

std::string escaped(std::string name) {
    const bool clashes = std::ranges::any_of(kernels_own, [&name](std::string_view start) { return name.starts_with(start); });
    return clashes ? "_" + name : name;
}

} // namespace

std::vector<CgroupSetting> cgroup_settings(const UnitConfig& unit, const Capacity& whole) {
    std::vector<CgroupSetting> settings;
    for (const File& file : files)
        if (Text text = file.text(unit, whole))
            settings.push_back({std::string(file.name), std::move(*text)});
    return settings;
}

std::vector<std::string> cgroup_path(const UnitConfig& unit) {
    constexpr std::string_view suffix = ".slice";
    std::vector<std::string> path;
    const std::string slice = unit.resources->slice.empty() ? "system.slice" : unit.resources->slice;
    const std::string stem = slice.substr(0, slice.size() - suffix.size());
    if (stem != "-") // the root
        for (std::size_t dash = stem.find('-', 1); ; dash = stem.find('-', dash + 1)) {
            path.push_back(escaped(stem.substr(0, dash) + std::string(suffix)));
            if (dash == stem.npos)
                break;
        }
    path.push_back(escaped(unit.name));
    return path;
}

} // namespace monoinit::unit
