// The one table of dependency semantics. A row says what an edge of this relation means for the unit that has it.
// The inverse rows matter as much as the directives: `b Requires a` is felt by a's stop job through RequiredBy.
// Tested by tests/unit/graph.

#include "graph/dependency.hpp"

#include <array>

namespace monoinit::graph {

namespace {

using unit::DependencyKind;

struct Row {
    Relation relation;
    std::string_view name;
    Relation inverse;
    std::optional<DependencyKind> directive;
    Atoms atoms;
};

// clang-format off
constexpr std::array<Row, relation_count> rows{{
    {Relation::Requires, "Requires", Relation::RequiredBy, DependencyKind::Requires,
     {Atom::PullInStart, Atom::RetroactiveStartReplace, Atom::MayUnpinOther}},
    {Relation::RequiredBy, "RequiredBy", Relation::Requires, {},
     {Atom::PropagateStop, Atom::PropagateRestart, Atom::PropagateStartFailure, Atom::PinsStopWhenUnneeded}},
    {Relation::Requisite, "Requisite", Relation::RequisiteOf, DependencyKind::Requisite,
     {Atom::PullInVerify, Atom::MayUnpinOther}},
    {Relation::RequisiteOf, "RequisiteOf", Relation::Requisite, {},
     {Atom::PropagateStop, Atom::PropagateRestart, Atom::PropagateStartFailure, Atom::PropagateInactiveStart,
      Atom::PinsStopWhenUnneeded}},
    {Relation::Wants, "Wants", Relation::WantedBy, DependencyKind::Wants,
     {Atom::PullInStartIgnored, Atom::RetroactiveStartFail, Atom::MayUnpinOther}},
    {Relation::WantedBy, "WantedBy", Relation::Wants, {}, {Atom::PinsStopWhenUnneeded}},
    {Relation::BindsTo, "BindsTo", Relation::BoundBy, DependencyKind::BindsTo,
     {Atom::PullInStart, Atom::RetroactiveStartReplace, Atom::CannotBeActiveWithout, Atom::MayUnpinOther}},
    {Relation::BoundBy, "BoundBy", Relation::BindsTo, {},
     {Atom::PropagateStop, Atom::PropagateRestart, Atom::PropagateStartFailure, Atom::RetroactiveStopOnStop,
      Atom::BindsOther, Atom::PinsStopWhenUnneeded}},
    {Relation::PartOf, "PartOf", Relation::ConsistsOf, DependencyKind::PartOf, {}},
    {Relation::ConsistsOf, "ConsistsOf", Relation::PartOf, {}, {Atom::PropagateStop, Atom::PropagateRestart}},
    {Relation::Upholds, "Upholds", Relation::UpheldBy, DependencyKind::Upholds,
     {Atom::PullInStartIgnored, Atom::RetroactiveStartReplace, Atom::UpholdsOther, Atom::MayUnpinOther}},
    {Relation::UpheldBy, "UpheldBy", Relation::Upholds, {}, {Atom::StartSteadily, Atom::PinsStopWhenUnneeded}},
    {Relation::Conflicts, "Conflicts", Relation::ConflictedBy, DependencyKind::Conflicts,
     {Atom::PullInStop, Atom::RetroactiveStopOnStart}},
    {Relation::ConflictedBy, "ConflictedBy", Relation::Conflicts, {},
     {Atom::PullInStopIgnored, Atom::RetroactiveStopOnStart, Atom::PropagateStopFailure}},
    {Relation::Before, "Before", Relation::After, DependencyKind::Before, {Atom::Before}},
    {Relation::After, "After", Relation::Before, DependencyKind::After, {Atom::After}},
    {Relation::OnFailure, "OnFailure", Relation::OnFailureOf, DependencyKind::OnFailure, {Atom::OnFailure}},
    {Relation::OnFailureOf, "OnFailureOf", Relation::OnFailure, {}, {}},
    {Relation::OnSuccess, "OnSuccess", Relation::OnSuccessOf, DependencyKind::OnSuccess, {Atom::OnSuccess}},
    {Relation::OnSuccessOf, "OnSuccessOf", Relation::OnSuccess, {}, {}},
    {Relation::PropagatesReloadTo, "PropagatesReloadTo", Relation::ReloadPropagatedFrom,
     DependencyKind::PropagatesReloadTo, {Atom::PropagateReload}},
    {Relation::ReloadPropagatedFrom, "ReloadPropagatedFrom", Relation::PropagatesReloadTo,
     DependencyKind::ReloadPropagatedFrom, {}},
    {Relation::PropagatesStopTo, "PropagatesStopTo", Relation::StopPropagatedFrom, DependencyKind::PropagatesStopTo,
     {Atom::PropagateStop, Atom::RetroactiveStopOnStop}},
    {Relation::StopPropagatedFrom, "StopPropagatedFrom", Relation::PropagatesStopTo,
     DependencyKind::StopPropagatedFrom, {}},
    {Relation::JoinsNamespaceOf, "JoinsNamespaceOf", Relation::JoinsNamespaceOf, DependencyKind::JoinsNamespaceOf, {}},
    {Relation::Triggers, "Triggers", Relation::TriggeredBy, DependencyKind::Triggers,
     {Atom::Triggers, Atom::MayUnpinOther}},
    {Relation::TriggeredBy, "TriggeredBy", Relation::Triggers, {}, {Atom::TriggeredBy, Atom::PinsStopWhenUnneeded}},
}};
// clang-format on

constexpr const Row& row(Relation relation) {
    return rows[static_cast<std::size_t>(relation)];
}

constexpr bool well_formed() {
    for (std::size_t i = 0; i < rows.size(); i++)
        if (static_cast<std::size_t>(rows[i].relation) != i || row(rows[i].inverse).inverse != rows[i].relation)
            return false;
    return true;
}
static_assert(well_formed(), "rows in enum order, each the inverse of its inverse");

constexpr std::size_t atom_count = static_cast<std::size_t>(Atom::TriggeredBy) + 1;
static_assert(atom_count <= 32);

constexpr std::array<std::uint32_t, atom_count> relations_by_atom = [] {
    std::array<std::uint32_t, atom_count> sets{};
    for (std::size_t atom = 0; atom < atom_count; atom++)
        for (const Row& each : rows)
            if (each.atoms.has(static_cast<Atom>(atom)))
                sets[atom] |= relation_bit(each.relation);
    return sets;
}();

} // namespace

std::string_view name(Relation relation) {
    return row(relation).name;
}

Relation inverse(Relation relation) {
    return row(relation).inverse;
}

Atoms atoms_of(Relation relation) {
    return row(relation).atoms;
}

std::uint32_t relations_with(Atom atom) {
    return relations_by_atom[static_cast<std::size_t>(atom)];
}

std::optional<Relation> relation_of(DependencyKind kind) {
    for (const Row& each : rows)
        if (each.directive == kind)
            return each.relation;
    return std::nullopt;
}

} // namespace monoinit::graph
