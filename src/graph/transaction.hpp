#pragma once
// A transaction: the jobs that one request means, with everything its dependencies add, free of contradictions and
// ordering cycles. Planning is pure and changes nothing; the engine installs the plan or reports the refusal. The steps
// are systemd's: expand, (isolate/triggering additions), mark what matters to the request, minimise impact (mode fail),
// drop what is redundant, merge jobs of one unit, break cycles, check for destruction of queued jobs.
// Tested by tests/unit/graph/transaction_test.cpp.

#include "graph/graph.hpp"
#include "graph/job.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::graph {

/// What planning needs to know of a unit; the engine answers.
struct UnitFacts {
    std::string_view name;
    unit::LoadState load = unit::LoadState::Loaded;
    std::string_view load_error;
    Activity activity = Activity::Inactive;
    bool can_reload = false;
    bool allow_isolate = false, ignore_on_isolate = false;
    std::optional<JobType> job; ///< installed, if any
    bool job_irreversible = false, job_ignores_order = false;
};

class World {
  public:
    virtual ~World() = default;
    virtual const Graph& graph() const = 0;
    virtual UnitFacts facts(UnitId unit) const = 0;
    /// Every unit that is not down or has a job; for isolate. In a stable order.
    virtual std::vector<UnitId> occupied() const = 0;
};

struct PlanRequest {
    JobType type = JobType::Start;
    UnitId unit;
    unit::JobMode mode = unit::JobMode::Replace;
};

struct PlannedJob {
    UnitId unit;
    JobType type = JobType::Start;
    bool irreversible = false, ignore_order = false;
};

/// A job that the plan had to do without, for the log and for "Why".
struct Dropped {
    enum class Kind : std::uint8_t {
        Missing,  ///< the unit cannot be loaded; somebody only wanted it
        Needs,    ///< it needs a unit that cannot be loaded
        Cycle,    ///< sacrificed to break an ordering cycle
        Conflict, ///< contradicted a job that matters more
    } kind = Kind::Missing;
    UnitId unit;
    JobType type = JobType::Start;
    UnitId cause;       ///< Needs: the unit that this one's directive names
    std::string text;   ///< "Requires= (web.service:5)" for Needs; the whole sentence for Cycle and Conflict
};

struct Plan {
    RefusalReason refusal = RefusalReason::None;
    std::string text; ///< for people, when refused
    std::vector<PlannedJob> jobs; ///< the request's own first; nothing if it came to no job at all
    std::vector<Dropped> dropped;
    bool cancels_others = false; ///< isolate, flush: installed jobs of other units are cancelled
    explicit operator bool() const { return refusal == RefusalReason::None; }
};

Plan plan(const World& world, const PlanRequest& request);

/// Why a unit that is not loaded cannot have a job; None when it can.
RefusalReason refusal_of(unit::LoadState state);
/// "web.service not found", "web.service is masked (…)".
std::string describe_unloadable(const UnitFacts& facts);

} // namespace monoinit::graph
