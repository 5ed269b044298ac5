#pragma once
// Jobs: what is to be done to a unit (systemd.unit(5), systemctl(1)). Merging rules and names are systemd's.
// Tested by tests/unit/graph.

#include "base/ids.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace monoinit::graph {

enum class JobType : std::uint8_t {
    Start, VerifyActive, Stop, Reload, Restart,
    // These collapse to one of the above (or nothing) when the transaction is built:
    ReloadOrStart, TryRestart, TryReload, ReloadOrRestart, TryReloadOrRestart, Nop,
};
enum class JobState : std::uint8_t { Waiting, Running };
enum class JobResult : std::uint8_t { Done, Canceled, Timeout, Failed, Dependency, Skipped, Invalid, Assert, Unsupported, Collected, Once };
/// Why a request was refused before any job was made; maps to systemctl's exit statuses and words.
enum class RefusalReason : std::uint8_t {
    None, NotFound, Masked, BadSetting, LoadError, NotApplicable, Manual, Destructive, Cycle, Isolate, Shutdown, Conflict,
};

std::string_view name(JobType type);     ///< "start"
std::string_view name(JobState state);   ///< "waiting"
std::string_view name(JobResult result); ///< "done"
std::string_view name(RefusalReason reason); ///< "not-found"

/// What one job does that does the work of both; nothing when they contradict each other (start and stop). Only the
/// five basic types; ReloadOrStart may come out.
std::optional<JobType> merge(JobType a, JobType b);
/// `b` changes nothing about `a`.
bool is_superset(JobType a, JobType b);
bool is_conflicting(JobType a, JobType b);

/// A unit's activity as jobs see it; the same words and order as supervise::ActiveState (engine/ asserts that).
enum class Activity : std::uint8_t { Inactive, Activating, Active, Reloading, Deactivating, Failed };
constexpr bool is_up(Activity a) { return a == Activity::Active || a == Activity::Reloading; }
constexpr bool is_up_or_coming(Activity a) { return is_up(a) || a == Activity::Activating; }
constexpr bool is_down(Activity a) { return a == Activity::Inactive || a == Activity::Failed; }
constexpr bool is_down_or_going(Activity a) { return is_down(a) || a == Activity::Deactivating; }

/// The basic type (or Nop) that a type means for a unit in this state.
JobType collapse(JobType type, Activity activity, bool can_reload);
/// The unit is already where the job would bring it.
bool is_redundant(JobType type, Activity activity);

/// Of two jobs whose units are ordered, `first` before `second`: which goes first. Stopping goes before everything,
/// and stops go in reverse order.
enum class Order : std::uint8_t { Any, FirstUnit, SecondUnit };
Order order_of(JobType first, JobType second);

} // namespace monoinit::graph
