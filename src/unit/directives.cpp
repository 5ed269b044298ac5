// THE table, put together from rows_*.hpp, and the ways to find a row: by name in a section through a hash made at compile
// time, by section for suggestions. Tested by tests/unit/unit/directives_test.cpp.
#include "unit/directives.hpp"

#include "unit/rows_exec.hpp"
#include "unit/rows_health.hpp"
#include "unit/rows_other.hpp"
#include "unit/rows_path.hpp"
#include "unit/rows_resource.hpp"
#include "unit/rows_service.hpp"
#include "unit/rows_socket.hpp"
#include "unit/rows_unit.hpp"

#include <algorithm>

namespace monoinit::unit {

namespace {

template <std::size_t... Sizes> constexpr auto concatenated(const std::array<Directive, Sizes>&... parts) {
    std::array<Directive, (Sizes + ...)> all{};
    std::size_t next = 0;
    const auto append = [&](const auto& part) {
        for (const auto& row : part)
            all[next++] = row;
    };
    (append(parts), ...);
    return all;
}

constexpr auto table =
    concatenated(rows::unit_rows, rows::service_rows, rows::exec_rows, rows::cgroup_rows, rows::socket_rows, rows::path_rows, rows::other_rows, rows::health_rows);

/// What works is documented with an example, what does not says why. (That `parse` and `show` are there is the row
/// builders' doing, and tested at run time: under UBSan g++ 12 cannot compare function addresses in constant expressions.)
consteval bool well_formed() {
    return std::all_of(table.begin(), table.end(), [](const Directive& row) {
        const bool works = !row.type.empty() && !row.example.empty();
        switch (row.support) {
        case Support::Full:
            return works && !row.name.empty() && !row.doc.empty() && row.note.empty();
        case Support::Degraded:
            return works && !row.name.empty() && !row.doc.empty() && !row.note.empty();
        case Support::Ignored:
            return row.type.empty() && !row.name.empty() && !row.doc.empty() && !row.note.empty();
        }
        return false;
    });
}

// ---- by name ------------------------------------------------------------------------------------------------------

constexpr std::size_t slot_count = 2048; ///< a power of two, over twice the rows
static_assert(table.size() * 2 < slot_count && table.size() < Problem::no_row);
constexpr std::uint16_t empty_slot = Problem::no_row;

constexpr std::size_t slot_of(std::string_view name) {
    std::uint32_t hash = 2166136261U; // FNV-1a
    for (const char c : name)
        hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    return (hash ^ hash >> 15U) % slot_count;
}

struct Index {
    std::array<std::uint16_t, slot_count> slots{};
    bool unique = true; ///< no name twice in a group
};

consteval Index make_index() {
    Index index;
    index.slots.fill(empty_slot);
    for (std::size_t row = 0; row < table.size(); row++) {
        std::size_t slot = slot_of(table[row].name);
        for (; index.slots[slot] != empty_slot; slot = (slot + 1) % slot_count) {
            const auto& other = table[index.slots[slot]];
            index.unique = index.unique && (other.name != table[row].name || other.group != table[row].group);
        }
        index.slots[slot] = static_cast<std::uint16_t>(row);
    }
    return index;
}

constexpr Index by_name = make_index();
static_assert(well_formed());
static_assert(by_name.unique);

// ---- sections -----------------------------------------------------------------------------------------------------

constexpr std::uint32_t bit(Group group) { return 1U << static_cast<unsigned>(group); }

struct SectionRow {
    UnitType type;
    std::string_view name;
    std::uint32_t groups;
};

constexpr std::uint32_t process_groups = bit(Group::Exec) | bit(Group::Kill) | bit(Group::Cgroup);
/// By HealthKind.
constexpr std::string_view health_sections[health_kinds] = {"X-Health", "X-HealthStartup", "X-HealthReady", "X-HealthLive"};

/// The section of each unit type that is its own; [Unit] and [Install] belong to all.
constexpr auto own_sections = std::to_array<SectionRow>({
    {UnitType::Service, "Service", bit(Group::Service) | process_groups},
    {UnitType::Service, health_sections[0], bit(Group::Health)},
    {UnitType::Service, health_sections[1], bit(Group::Health)},
    {UnitType::Service, health_sections[2], bit(Group::Health)},
    {UnitType::Service, health_sections[3], bit(Group::Health)},
    {UnitType::Socket, "Socket", bit(Group::Socket) | process_groups},
    {UnitType::Mount, "Mount", bit(Group::Mount) | process_groups},
    {UnitType::Swap, "Swap", bit(Group::Swap) | process_groups},
    {UnitType::Automount, "Automount", bit(Group::Automount)},
    {UnitType::Timer, "Timer", bit(Group::Timer)},
    {UnitType::Path, "Path", bit(Group::Path)},
    {UnitType::Slice, "Slice", bit(Group::Slice) | bit(Group::Cgroup)},
    {UnitType::Scope, "Scope", bit(Group::Scope) | bit(Group::Kill) | bit(Group::Cgroup)},
});

/// Which groups a section of a unit of this type may hold; 0 = no such section.
std::uint32_t groups_of(UnitType type, std::string_view section) {
    if (section == "Unit")
        return bit(Group::Unit);
    if (section == "Install")
        return bit(Group::Install);
    for (const auto& row : own_sections)
        if (row.type == type && row.name == section)
            return row.groups;
    return 0;
}

} // namespace

std::span<const Directive> directives() { return table; }

const Directive* find_directive(UnitType type, std::string_view section, std::string_view name) {
    const std::uint32_t groups = groups_of(type, section);
    for (std::size_t slot = slot_of(name); by_name.slots[slot] != empty_slot; slot = (slot + 1) % slot_count) {
        const Directive& row = table[by_name.slots[slot]];
        if ((bit(row.group) & groups) != 0 && row.name == name)
            return &row;
    }
    return nullptr;
}

std::uint16_t row_index(const Directive& directive) { return static_cast<std::uint16_t>(&directive - table.data()); }

std::string_view limit_directive(int resource) {
    UnitConfig unit; // the row that shows this limit is the one
    unit.exec.edit().limits.push_back({resource, 1, 1});
    for (const Directive& row : table)
        if (row.name.view().starts_with("Limit") && row.show != nullptr && !row.show(unit).empty())
            return row.name;
    return "a limit";
}

std::string place_of(const UnitConfig& unit, std::string_view directive) {
    const std::vector<Place>& places = unit.exec->places;
    for (auto at = places.rbegin(); at != places.rend(); ++at)
        if (table[at->row].name == directive && at->file < unit.files.size())
            return unit.files[at->file] + ":" + std::to_string(at->line);
    return {};
}

std::string property_name(const Directive& directive) {
    std::string name(directive.name);
    if (name.ends_with("Sec") && !name.ends_with("NSec"))
        name.replace(name.size() - 3, 3, "USec");
    return name;
}

std::vector<std::string_view> names_in_section(UnitType type, std::string_view section) {
    const std::uint32_t groups = groups_of(type, section);
    std::vector<std::string_view> names;
    for (const auto& row : table)
        if ((bit(row.group) & groups) != 0)
            names.push_back(row.name);
    return names;
}

std::vector<std::string_view> sections_of(UnitType type) {
    std::vector<std::string_view> names{"Unit", "Install"};
    for (const auto& row : own_sections)
        if (row.type == type)
            names.push_back(row.name);
    return names;
}

std::string_view section_of(Group group) {
    if (group == Group::Unit || group == Group::Install)
        return group == Group::Unit ? "Unit" : "Install";
    for (const auto& row : own_sections)
        if ((row.groups & bit(group)) != 0)
            return row.name; // Exec, Kill and Cgroup: [Service]
    return {};
}

std::optional<HealthKind> health_kind_of(std::string_view section) {
    for (std::size_t i = 0; i < health_kinds; i++)
        if (section == health_sections[i])
            return static_cast<HealthKind>(i);
    return std::nullopt;
}

} // namespace monoinit::unit
