// See cgroup_settings.hpp. Tested by tests/unit/unit/resources_test.cpp.
#include "unit/cgroup_settings.hpp"

#include "base/strings.hpp"
#include "unit/config.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <array>

namespace monoinit::unit {

namespace {

using Text = std::optional<std::string>; ///< unset: nothing is written
using Section = ResourceSection;

template <std::optional<Bound> Section::*Member, std::uint64_t Capacity::*Whole>
Text bound(const UnitConfig&, const Section& section, const Capacity& whole) {
    const std::optional<Bound>& wanted = section.*Member;
    if (!wanted)
        return std::nullopt;
    if (!wanted->relative)
        return wanted->number == Bound::infinity ? "max" : std::to_string(wanted->number);
    // Multiplied last: a percentage of many exabytes must not run over.
    constexpr std::uint64_t all = 10000;
    const std::uint64_t of = whole.*Whole;
    return of == 0 ? "max" : std::to_string(of / all * wanted->number + of % all * wanted->number / all);
}

template <std::optional<std::uint32_t> Section::*Member> Text weight(const UnitConfig&, const Section& section, const Capacity&) {
    const std::optional<std::uint32_t>& wanted = section.*Member;
    return wanted && *wanted != 0 ? Text(std::to_string(*wanted)) : std::nullopt;
}

Text idle(const UnitConfig&, const Section& section, const Capacity&) { return section.cpu_weight == 0U ? Text("1") : std::nullopt; }

Text quota(const UnitConfig&, const Section& section, const Capacity&) {
    if (!section.cpu_quota)
        return std::nullopt;
    // The kernel takes periods of 1 ms to 1 s and quotas from 1 ms.
    const auto wanted = static_cast<std::uint64_t>(section.cpu_quota_period.count());
    const std::uint64_t period = wanted == 0 ? 100'000 : std::clamp<std::uint64_t>(wanted, 1000, 1'000'000);
    const std::uint64_t run = std::max<std::uint64_t>(period * *section.cpu_quota / 10000, 1000);
    return std::to_string(run) + " " + std::to_string(period);
}

template <std::vector<std::uint16_t> Section::*Member> Text numbers(const UnitConfig&, const Section& section, const Capacity&) {
    std::vector<std::string> words;
    for (const std::uint16_t number : section.*Member)
        words.push_back(std::to_string(number));
    return words.empty() ? Text() : Text(base::join(words, ","));
}

Text oom_group(const UnitConfig& unit, const Section&, const Capacity&) {
    return unit.type == UnitType::Service && unit.service->oom_policy == OomPolicy::Kill ? Text("1") : std::nullopt;
}

struct File {
    std::string_view name;
    Text (*text)(const UnitConfig&, const Section&, const Capacity&);
    std::string_view unset; ///< what the kernel begins with
};

// clang-format off
constexpr auto files = std::to_array<File>({
    {"memory.min",       bound<&Section::memory_min, &Capacity::memory>, "0"},
    {"memory.low",       bound<&Section::memory_low, &Capacity::memory>, "0"},
    {"memory.high",      bound<&Section::memory_high, &Capacity::memory>, "max"},
    {"memory.max",       bound<&Section::memory_max, &Capacity::memory>, "max"},
    {"memory.swap.max",  bound<&Section::memory_swap_max, &Capacity::memory>, "max"},
    {"memory.zswap.max", bound<&Section::memory_zswap_max, &Capacity::memory>, "max"},
    {"memory.oom.group", oom_group, "0"},
    {"pids.max",         bound<&Section::tasks_max, &Capacity::tasks>, "max"},
    {"cpu.weight",       weight<&Section::cpu_weight>, "100"},
    {"cpu.idle",         idle, "0"},
    {"cpu.max",          quota, "max 100000"},
    {"io.weight",        weight<&Section::io_weight>, "100"},
    {"cpuset.cpus",      numbers<&Section::allowed_cpus>, "\n"},
    {"cpuset.mems",      numbers<&Section::allowed_memory_nodes>, "\n"},
});

struct IoRow {
    IoKind kind;
    std::string_view file, key, unset;
};
constexpr auto io_rows = std::to_array<IoRow>({
    {IoKind::ReadBandwidth,   "io.max", "rbps=", "max"},
    {IoKind::WriteBandwidth,  "io.max", "wbps=", "max"},
    {IoKind::ReadOperations,  "io.max", "riops=", "max"},
    {IoKind::WriteOperations, "io.max", "wiops=", "max"},
    {IoKind::Weight,          "io.weight", "", "default"},
    {IoKind::Latency,         "io.latency", "target=", "0"},
});
constexpr auto kernels_own = std::to_array<std::string_view>({
    "_", ".", "cgroup.", "cpu.", "cpuset.", "memory.", "io.", "pids.", "hugetlb.", "rdma.", "misc.", "irq."});
// clang-format on

constexpr std::string_view slice_suffix = ".slice", root_slice = "-.slice", default_slice = "system.slice";

template <class T> void replace(std::optional<T>& value, const std::optional<T>& by) {
    if (by)
        value = by;
}

template <class T> void replace(std::vector<T>& value, const std::vector<T>& by) {
    if (!by.empty())
        value = by;
}

Section in_startup(Section section) {
    const StartupResources startup = section.startup;
    replace(section.memory_low, startup.memory_low);
    replace(section.memory_high, startup.memory_high);
    replace(section.memory_max, startup.memory_max);
    replace(section.memory_swap_max, startup.memory_swap_max);
    replace(section.memory_zswap_max, startup.memory_zswap_max);
    replace(section.cpu_weight, startup.cpu_weight);
    replace(section.io_weight, startup.io_weight);
    replace(section.allowed_cpus, startup.allowed_cpus);
    replace(section.allowed_memory_nodes, startup.allowed_memory_nodes);
    return section;
}

std::string_view key_of(const CgroupSetting& setting) {
    return std::string_view(setting.text).substr(0, setting.device.empty() ? 0 : setting.text.find('=') + 1);
}

bool is_same(const CgroupSetting& one, const CgroupSetting& other) {
    return one.file == other.file && one.device == other.device && key_of(one) == key_of(other);
}

CgroupSetting undone(const CgroupSetting& setting) {
    CgroupSetting back = setting;
    if (setting.device.empty()) {
        back.text = std::ranges::find(files, setting.file, &File::name)->unset;
        return back;
    }
    const auto row = std::ranges::find_if(io_rows, [&](const IoRow& each) { return each.file == setting.file && each.key == key_of(setting); });
    back.text = std::string(row->key) + std::string(row->unset);
    return back;
}

} // namespace

std::vector<CgroupSetting> cgroup_settings(const UnitConfig& unit, const Capacity& whole, Phase phase) {
    const Section section = phase == Phase::Startup ? in_startup(*unit.resources) : *unit.resources;
    std::vector<CgroupSetting> settings;
    for (const File& file : files)
        if (Text text = file.text(unit, section, whole))
            settings.push_back({std::string(file.name), std::move(*text)});
    for (const IoRule& rule : section.io_rules) {
        const IoRow& row = io_rows[static_cast<std::size_t>(rule.kind)];
        const std::string value = rule.value == Bound::infinity ? std::string(row.unset) : std::to_string(rule.value);
        settings.push_back({std::string(row.file), std::string(row.key) + value, rule.path});
    }
    return settings;
}

std::vector<CgroupSetting> cgroup_changes(const std::vector<CgroupSetting>& before, const std::vector<CgroupSetting>& after) {
    std::vector<CgroupSetting> changes;
    for (const CgroupSetting& old : before)
        if (std::ranges::none_of(after, [&](const CgroupSetting& each) { return is_same(each, old); }))
            changes.push_back(undone(old));
    for (const CgroupSetting& fresh : after)
        if (std::ranges::find(before, fresh) == before.end())
            changes.push_back(fresh);
    return changes;
}

std::string slice_of(const UnitConfig& unit) {
    switch (unit.type) {
    case UnitType::Slice: {
        const std::size_t dash = unit.name.rfind('-');
        return unit.name == root_slice ? std::string() : dash == std::string::npos ? std::string(root_slice) : unit.name.substr(0, dash) + std::string(slice_suffix);
    }
    case UnitType::Service:
    case UnitType::Socket:
    case UnitType::Mount:
    case UnitType::Swap:
    case UnitType::Scope:
        if (!unit.resources->slice.empty())
            return unit.resources->slice;
        return is_instance(unit.name) ? "system-" + escape(prefix_of(unit.name)) + std::string(slice_suffix) : std::string(default_slice);
    case UnitType::Target:
    case UnitType::Device:
    case UnitType::Automount:
    case UnitType::Timer:
    case UnitType::Path:
        return {};
    }
    return {};
}

std::vector<std::string> slices_down_to(std::string_view slice) {
    std::vector<std::string> path;
    if (slice.empty() || slice == root_slice)
        return path;
    const std::string_view stem = slice.substr(0, slice.size() - slice_suffix.size());
    for (std::size_t dash = stem.find('-', 1);; dash = stem.find('-', dash + 1)) {
        path.push_back(std::string(stem.substr(0, dash)) + std::string(slice_suffix));
        if (dash == stem.npos)
            return path;
    }
}

std::string cgroup_name(std::string name) {
    const bool clashes = std::ranges::any_of(kernels_own, [&name](std::string_view start) { return name.starts_with(start); });
    return clashes ? "_" + name : name;
}

std::vector<std::string> cgroup_path(const UnitConfig& unit) {
    std::vector<std::string> path = slices_down_to(unit.type == UnitType::Slice ? std::string_view(unit.name) : std::string_view(slice_of(unit)));
    if (unit.type != UnitType::Slice)
        path.push_back(unit.name);
    for (std::string& each : path)
        each = cgroup_name(std::move(each));
    return path;
}

} // namespace monoinit::unit
