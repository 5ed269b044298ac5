// Units by id and by name. Tested by tests/unit/engine and tests/sim.

#include "engine/unit_table.hpp"

namespace monoinit::engine {

namespace {

constexpr std::size_t rest_of_an_id = 4096; ///< removals that must come after its own

} // namespace

UnitId UnitTable::find(std::string_view name) const {
    const auto at = names_.find(name);
    return at == names_.end() ? UnitId{} : at->second;
}

void UnitTable::index_names(const Unit& unit) {
    // The main name wins over another unit's alias: a file of its own says more than a link.
    names_[unit.config->name] = unit.id;
    for (const std::string& name : unit.config->names)
        names_.try_emplace(name, unit.id);
}

void UnitTable::unindex_names(const Unit& unit) {
    const auto drop = [&](const std::string& name) {
        const auto at = names_.find(name);
        if (at != names_.end() && at->second == unit.id)
            names_.erase(at);
    };
    drop(unit.config->name);
    for (const std::string& name : unit.config->names)
        drop(name);
}

Unit& UnitTable::add(ConfigPtr config) {
    auto unit = std::make_unique<Unit>();
    while (vacant_.size() > rest_of_an_id) {
        const UnitId id = vacant_.front();
        vacant_.pop_front();
        if (id.value > slots_.size() || slots_[id.value - 1])
            continue; // a resumed unit has taken its old number back
        unit->id = id;
        unit->config = std::move(config);
        slots_[id.value - 1] = std::move(unit);
        size_++;
        index_names(*slots_[id.value - 1]);
        return *slots_[id.value - 1];
    }
    unit->id = UnitId{static_cast<std::uint32_t>(slots_.size() + 1)};
    unit->config = std::move(config);
    slots_.push_back(std::move(unit));
    size_++;
    index_names(*slots_.back());
    return *slots_.back();
}

void UnitTable::replace(Unit& unit, ConfigPtr config) {
    unindex_names(unit);
    unit.config = std::move(config);
    index_names(unit);
}

void UnitTable::remove(UnitId id) {
    if (const Unit* unit = get(id)) {
        unindex_names(*unit);
        slots_[id.value - 1].reset();
        vacant_.push_back(id);
        size_--;
    }
}

void UnitTable::forget_newest(UnitId id) {
    remove(id);
    if (id.value != slots_.size())
        return;
    slots_.pop_back();
    if (!vacant_.empty() && vacant_.back() == id)
        vacant_.pop_back();
}

void UnitTable::renumber(Unit& unit, UnitId id) {
    if (unit.id == id)
        return;
    if (id.value > slots_.size())
        slots_.resize(id.value);
    const UnitId old = unit.id;
    Unit* other = get(id);
    unindex_names(unit);
    if (other != nullptr)
        unindex_names(*other);
    std::swap(slots_[old.value - 1], slots_[id.value - 1]);
    unit.id = id;
    if (other != nullptr) {
        other->id = old;
        index_names(*other);
    }
    index_names(unit);
}

} // namespace monoinit::engine
