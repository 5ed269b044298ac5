#pragma once
// Everything that can happen to the engine, as data. handle(event, now) -> effects.

#include "base/string_map.hpp"
#include "base/time_zone.hpp"
#include "graph/job.hpp"
#include "supervise/health.hpp"

#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace monoinit::engine {

using base::GuardId;
using base::JobId;
using base::UnitId;

/// A request by a person, a program or the boot. Units must be loaded (Engine::sync) before.
struct JobRequest {
    std::uint64_t request = 0; ///< the caller's number; 0 = nobody waits
    graph::JobType type = graph::JobType::Start;
    UnitId unit;
    unit::JobMode mode = unit::JobMode::Replace;
    bool by_person = true; ///< RefuseManualStart=/Stop= apply; the restart counter is cleared
};
struct CancelJob { JobId job; };
struct ResetFailed { UnitId unit; }; ///< unit 0 = all
struct KillUnit { UnitId unit; int who = 2; int signal = 15; }; ///< who: supervise::Service::KillWho
/// Answers of the shell to effects.
struct ConditionsChecked {
    UnitId unit;
    bool ok = true, assertion_failed = false;
    std::string failed; ///< "ConditionPathExists=/x (a.service:3)"
};
struct GuardEvent {
    UnitId unit;
    std::variant<supervise::SpawnResult, supervise::CommandExited, supervise::TreeEmpty, supervise::GuardLost,
                 supervise::TreeListed>
        what;
};
struct PidFileEvent { UnitId unit; supervise::PidFileRead what; };
struct NotifyEvent { UnitId unit; supervise::Notified what; };
struct BusNameEvent { UnitId unit; supervise::BusNameChanged what; };
/// What is mounted now, by the names of the units: at the beginning (`given`), whenever it has changed, and as the answer to ReadMounts.
struct MountsRead { base::StringSet mounted; bool given = false; };
/// The shell has processes for a scope unit, which is loaded; or none of them is left.
struct ScopeAdopted { UnitId unit; };
struct ScopeEmptied { UnitId unit; };
/// Answer to CheckDevice, and whenever it was looked at.
struct DeviceSeen { UnitId unit; bool present = false; };
/// How a step of a health check went, or that its guard is gone.
struct HealthEvent { UnitId unit; std::variant<supervise::CheckResult, supervise::CheckGone> what; };
/// Answer to ReadStamp: when a Persistent= timer last elapsed, 0 = never.
struct StampRead { UnitId unit; base::Duration wall{}; };
/// Answer to OpenSockets: empty, or what is wrong.
struct SocketsOpened { UnitId unit; std::string error; };
/// A watched descriptor of a socket unit is readable. `shortage`: a connection could not be accepted for want of something.
struct SocketReady { UnitId unit; bool shortage = false; };
/// Accept=yes: the shell holds a connection for `service`, an instance that is loaded. CloseConnection says when not any more.
struct ConnectionAccepted { UnitId socket, service; std::string peer; /**< its address, without port */ };
/// Answer to LookAtPaths; also unasked, when the look before was given up.
struct PathsLookedAt { UnitId unit; supervise::PathsSeen what; };
/// Something has happened to this of the paths; beyond the last: around them.
struct PathsChanged { UnitId unit; std::size_t which = SIZE_MAX; };
/// X-Watch=: this file has changed, and so many more.
struct SourcesChanged { UnitId unit; std::string path; std::uint32_t more = 0; };
/// The wall clock was set.
struct ClockChanged {};
/// The local time zone is another one.
struct ZoneChanged { base::TimeZonePtr zone; };
/// next_deadline() has passed.
struct Tick {};
/// Ordered stop of everything. `budget`: time until nothing may be left (infinity: the units' own timeouts).
struct Shutdown {
    enum class Kind : std::uint8_t { Exit, Signal, Emergency } kind = Kind::Signal;
    base::Duration budget = base::infinity;
    int exit_status = 0;
    std::string reason; ///< "SIGTERM"
};
/// A second signal: SIGKILL everything now.
struct ShutdownNow {};

using Event = std::variant<JobRequest, CancelJob, ResetFailed, KillUnit, ConditionsChecked, GuardEvent, PidFileEvent,
                           NotifyEvent, BusNameEvent, MountsRead, DeviceSeen, ScopeAdopted, ScopeEmptied, HealthEvent, StampRead, SocketsOpened, SocketReady,
                           ConnectionAccepted, PathsLookedAt, PathsChanged, SourcesChanged, ClockChanged, ZoneChanged, Tick, Shutdown, ShutdownNow>;

} // namespace monoinit::engine
