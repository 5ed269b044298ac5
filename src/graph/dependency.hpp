#pragma once
// What each dependency kind of systemd.unit(5) does, as one table: a relation (each directive and its inverse) is a set
// of atoms, and jobs, transactions and state changes ask for atoms, never for directives by name.
// Tested by tests/unit/graph.

#include "unit/config.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace monoinit::graph {

/// Directives and their inverses. An edge a -Requires-> b always has its mirror b -RequiredBy-> a.
enum class Relation : std::uint8_t {
    Requires, RequiredBy, Requisite, RequisiteOf, Wants, WantedBy, BindsTo, BoundBy, PartOf, ConsistsOf, Upholds,
    UpheldBy, Conflicts, ConflictedBy, Before, After, OnFailure, OnFailureOf, OnSuccess, OnSuccessOf,
    PropagatesReloadTo, ReloadPropagatedFrom, PropagatesStopTo, StopPropagatedFrom, JoinsNamespaceOf, Triggers,
    TriggeredBy,
};
inline constexpr std::size_t relation_count = 27;

/// One effect of a relation of this unit to another. "Jobs": when a transaction is built; "changes": when a unit
/// changes state without a job asking for it; "results": when a job ends.
enum class Atom : std::uint8_t {
    // jobs: starting this unit ...
    PullInStart,        ///< starts the other; if that cannot be, this is not started
    PullInStartIgnored, ///< starts the other if it can be
    PullInVerify,       ///< needs the other to be active already
    PullInStop,         ///< stops the other
    PullInStopIgnored,  ///< stops the other if it can be
    // jobs: stopping, restarting, reloading this unit does the same to the other
    PropagateStop, PropagateRestart, PropagateReload,
    // results: a failed start or stop of this unit fails the other's job
    PropagateStartFailure, PropagateStopFailure,
    PropagateInactiveStart, ///< a start that ends well but not active (condition) counts as failure too
    // changes
    RetroactiveStartReplace, RetroactiveStartFail, ///< this came up by itself: the other is started
    RetroactiveStopOnStart, RetroactiveStopOnStop, ///< this came up/went down by itself: the other is stopped
    CannotBeActiveWithout, ///< this stops when the other is not active
    BindsOther,            ///< the other must be looked at for CannotBeActiveWithout
    StartSteadily,         ///< the other, while active, wants this to be active always
    UpholdsOther,          ///< the other must be looked at for StartSteadily
    PinsStopWhenUnneeded,  ///< the other's activity keeps this needed (StopWhenUnneeded=)
    MayUnpinOther,         ///< the other may have become unneeded
    OnFailure, OnSuccess,
    // ordering
    Before, After,
    Triggers, TriggeredBy,
};

struct Atoms {
    std::uint32_t bits = 0;
    constexpr Atoms() = default;
    template <class... A> constexpr Atoms(A... atoms) : bits((0U | ... | bit(atoms))) {}
    constexpr bool has(Atom atom) const { return (bits & bit(atom)) != 0; }
    static constexpr std::uint32_t bit(Atom atom) { return 1U << static_cast<unsigned>(atom); }
};

std::string_view name(Relation relation); ///< "Requires", "RequiredBy"
Relation inverse(Relation relation);
Atoms atoms_of(Relation relation);
/// All relations that hold this atom, as a bit set by Relation.
std::uint32_t relations_with(Atom atom);
constexpr std::uint32_t relation_bit(Relation relation) { return 1U << static_cast<unsigned>(relation); }

/// The relation that a directive declares; nothing for the by-path kinds, which the loader resolves.
std::optional<Relation> relation_of(unit::DependencyKind kind);

} // namespace monoinit::graph
