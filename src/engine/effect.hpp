#pragma once
// Everything the engine can ask of the shell, as data. The shell performs them in order; none waits for an answer:
// answers come back as events.

#include "engine/event.hpp"

namespace monoinit::engine {

/// One of the machine's process actions (Spawn, Signal, WatchPid, QueryTree, ReadPidFile, RemoveDirectories,
/// RemovePidFile, those of sockets, paths and X-Watch=); the other kinds of supervise::Action never leave the engine.
struct UnitAction { UnitId unit; supervise::Action action; };
/// Run a step of a health check, or end one.
struct HealthAction { UnitId unit; std::variant<supervise::RunCheck, supervise::EndCheck> what; };
/// For subscribers and the outer notify socket.
struct HealthChanged { UnitId unit; supervise::Health before, after; };
struct CheckConditions { UnitId unit; };
/// Whether the path of a device unit is there.
struct CheckDevice { UnitId unit; };
/// The stamp file of a Persistent= timer: read it (a StampRead answers), or set it to this time.
struct ReadStamp { UnitId unit; };
struct WriteStamp { UnitId unit; base::Duration wall{}; };
/// The service that a connection was accepted for is down, or was never started: it is let go of, and the service forgotten.
struct CloseConnection { UnitId service; };
/// A line of monoinit's own: "[monoinit] text"; `unit` 0 = about no unit in particular.
struct Log { supervise::Severity severity = supervise::Severity::Info; UnitId unit; std::string text; };
/// For subscribers (wait, events), the outer notify socket and the checkpoint.
struct UnitChanged { UnitId unit; supervise::ActiveState before, after; };
struct QueuedJob { JobId id; UnitId unit; graph::JobType type = graph::JobType::Start; };
/// Answer to a JobRequest: refused with a reason, or accepted as `job` (0 = nothing to do, done already).
struct RequestReply {
    std::uint64_t request = 0;
    JobId job;
    graph::RefusalReason refusal = graph::RefusalReason::None;
    std::string text;
    std::vector<QueuedJob> transaction{}; ///< all jobs there are for it, its own first
};
struct JobFinished {
    JobId job;
    std::uint64_t request = 0; ///< of every request merged into it, one JobFinished each
    graph::JobType type = graph::JobType::Start;
    UnitId unit;
    graph::JobResult result = graph::JobResult::Done;
    base::Duration took{};
    std::string reason; ///< for people, when it is not Done
};
/// The boot target's jobs are over (once): counts for "ready in …".
struct BootFinished { std::uint32_t running = 0, done = 0, failed = 0; };
/// A shutdown has begun, whoever wanted it. For those a unit brought about this is how the shell hears of them.
struct ShutdownBegan { base::Duration budget{}; int exit_status = 0; };
/// Everything is stopped (or killed): leave with this status.
struct Exit { int status = 0; };

using Effect = std::variant<UnitAction, CheckConditions, CheckDevice, Log, UnitChanged, RequestReply, JobFinished,
                            BootFinished, ShutdownBegan, Exit, HealthAction, HealthChanged, ReadStamp, WriteStamp, CloseConnection>;

} // namespace monoinit::engine
