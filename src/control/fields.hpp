#pragma once
// Each structure of api.hpp as a table of its fields: name on the wire and member. Writing, reading and the test that
// compares them with io.monoinit.Manager.varlink all go through these tables. Only codec.cpp and tests include this.

#include "base/enum_names.hpp"
#include "control/api.hpp"

#include <string_view>
#include <tuple>

namespace monoinit::control {

template <class T, class M> struct Field {
    std::string_view name;
    M T::*member;
};
template <class T, class M> constexpr Field<T, M> field(std::string_view name, M T::*member) { return {name, member}; }

/// The fields of T: a tuple of Field.
template <class T> inline constexpr auto fields = nullptr;
template <class T>
inline constexpr bool has_fields = !std::is_same_v<std::remove_cv_t<decltype(fields<T>)>, std::nullptr_t>;

inline constexpr auto verb_names = base::enum_names<Verb>({{Verb::Start, "start"},
                                                           {Verb::Stop, "stop"},
                                                           {Verb::Restart, "restart"},
                                                           {Verb::TryRestart, "try-restart"},
                                                           {Verb::Reload, "reload"},
                                                           {Verb::ReloadOrRestart, "reload-or-restart"},
                                                           {Verb::TryReloadOrRestart, "try-reload-or-restart"},
                                                           {Verb::Isolate, "isolate"}});

// clang-format off
#define MONOINIT_FIELD(Type, name) field(#name, &Type::name)

template <> inline constexpr auto fields<UnitSummary> = std::tuple(
    MONOINIT_FIELD(UnitSummary, name), MONOINIT_FIELD(UnitSummary, description), MONOINIT_FIELD(UnitSummary, load_state),
    MONOINIT_FIELD(UnitSummary, active_state), MONOINIT_FIELD(UnitSummary, sub_state), MONOINIT_FIELD(UnitSummary, result),
    MONOINIT_FIELD(UnitSummary, health), MONOINIT_FIELD(UnitSummary, job), MONOINIT_FIELD(UnitSummary, job_id),
    MONOINIT_FIELD(UnitSummary, main_pid), MONOINIT_FIELD(UnitSummary, guards), MONOINIT_FIELD(UnitSummary, processes), MONOINIT_FIELD(UnitSummary, restarts),
    MONOINIT_FIELD(UnitSummary, state_changed), MONOINIT_FIELD(UnitSummary, next_attempt), MONOINIT_FIELD(UnitSummary, note),
    MONOINIT_FIELD(UnitSummary, triggers), MONOINIT_FIELD(UnitSummary, listens), MONOINIT_FIELD(UnitSummary, watches), MONOINIT_FIELD(UnitSummary, next_elapse), MONOINIT_FIELD(UnitSummary, last_trigger),
    MONOINIT_FIELD(UnitSummary, machine_masked), MONOINIT_FIELD(UnitSummary, builtin), MONOINIT_FIELD(UnitSummary, finished));
template <> inline constexpr auto fields<Dependency> = std::tuple(
    MONOINIT_FIELD(Dependency, kind), MONOINIT_FIELD(Dependency, unit), MONOINIT_FIELD(Dependency, active_state),
    MONOINIT_FIELD(Dependency, sub_state), MONOINIT_FIELD(Dependency, load_state));
template <> inline constexpr auto fields<ExecRecord> = std::tuple(
    MONOINIT_FIELD(ExecRecord, directive), MONOINIT_FIELD(ExecRecord, command), MONOINIT_FIELD(ExecRecord, pid),
    MONOINIT_FIELD(ExecRecord, started), MONOINIT_FIELD(ExecRecord, exited), MONOINIT_FIELD(ExecRecord, code),
    MONOINIT_FIELD(ExecRecord, status));
template <> inline constexpr auto fields<CheckInfo> = std::tuple(
    MONOINIT_FIELD(CheckInfo, kind), MONOINIT_FIELD(CheckInfo, state), MONOINIT_FIELD(CheckInfo, streak), MONOINIT_FIELD(CheckInfo, retries),
    MONOINIT_FIELD(CheckInfo, last_run), MONOINIT_FIELD(CheckInfo, ok), MONOINIT_FIELD(CheckInfo, text), MONOINIT_FIELD(CheckInfo, output));
template <> inline constexpr auto fields<UnitHealth> = std::tuple(
    MONOINIT_FIELD(UnitHealth, unit), MONOINIT_FIELD(UnitHealth, health), MONOINIT_FIELD(UnitHealth, text));
template <> inline constexpr auto fields<UnitDetail> = std::tuple(
    MONOINIT_FIELD(UnitDetail, summary), MONOINIT_FIELD(UnitDetail, names), MONOINIT_FIELD(UnitDetail, documentation),
    MONOINIT_FIELD(UnitDetail, fragment_path), MONOINIT_FIELD(UnitDetail, source_path), MONOINIT_FIELD(UnitDetail, drop_in_paths),
    MONOINIT_FIELD(UnitDetail, load_error), MONOINIT_FIELD(UnitDetail, file_state), MONOINIT_FIELD(UnitDetail, preset),
    MONOINIT_FIELD(UnitDetail, type), MONOINIT_FIELD(UnitDetail, restart), MONOINIT_FIELD(UnitDetail, user),
    MONOINIT_FIELD(UnitDetail, group), MONOINIT_FIELD(UnitDetail, control_pid), MONOINIT_FIELD(UnitDetail, status_text),
    MONOINIT_FIELD(UnitDetail, last_failure), MONOINIT_FIELD(UnitDetail, memory), MONOINIT_FIELD(UnitDetail, cpu_usec),
    MONOINIT_FIELD(UnitDetail, tasks), MONOINIT_FIELD(UnitDetail, active_enter), MONOINIT_FIELD(UnitDetail, active_exit),
    MONOINIT_FIELD(UnitDetail, inactive_enter), MONOINIT_FIELD(UnitDetail, inactive_exit),
    MONOINIT_FIELD(UnitDetail, invocation_id), MONOINIT_FIELD(UnitDetail, freezer_state), MONOINIT_FIELD(UnitDetail, history), MONOINIT_FIELD(UnitDetail, checks), MONOINIT_FIELD(UnitDetail, dependencies),
    MONOINIT_FIELD(UnitDetail, notices), MONOINIT_FIELD(UnitDetail, condition_failed), MONOINIT_FIELD(UnitDetail, condition_time),
    MONOINIT_FIELD(UnitDetail, loaded), MONOINIT_FIELD(UnitDetail, why),
    MONOINIT_FIELD(UnitDetail, next), MONOINIT_FIELD(UnitDetail, can_reload), MONOINIT_FIELD(UnitDetail, needs_daemon_reload));
template <> inline constexpr auto fields<ManagerInfo> = std::tuple(
    MONOINIT_FIELD(ManagerInfo, version), MONOINIT_FIELD(ManagerInfo, pid), MONOINIT_FIELD(ManagerInfo, system_state),
    MONOINIT_FIELD(ManagerInfo, uptime), MONOINIT_FIELD(ManagerInfo, ready_after), MONOINIT_FIELD(ManagerInfo, started),
    MONOINIT_FIELD(ManagerInfo, place), MONOINIT_FIELD(ManagerInfo, boot_target), MONOINIT_FIELD(ManagerInfo, unit_path),
    MONOINIT_FIELD(ManagerInfo, masked), MONOINIT_FIELD(ManagerInfo, not_enabled), MONOINIT_FIELD(ManagerInfo, failed),
    MONOINIT_FIELD(ManagerInfo, units), MONOINIT_FIELD(ManagerInfo, jobs), MONOINIT_FIELD(ManagerInfo, runtime_directory),
    MONOINIT_FIELD(ManagerInfo, log_source));
template <> inline constexpr auto fields<JobInfo> = std::tuple(
    MONOINIT_FIELD(JobInfo, id), MONOINIT_FIELD(JobInfo, unit), MONOINIT_FIELD(JobInfo, type), MONOINIT_FIELD(JobInfo, state),
    MONOINIT_FIELD(JobInfo, age), MONOINIT_FIELD(JobInfo, waits_for));
template <> inline constexpr auto fields<JobOutcome> = std::tuple(
    MONOINIT_FIELD(JobOutcome, unit), MONOINIT_FIELD(JobOutcome, result), MONOINIT_FIELD(JobOutcome, refusal),
    MONOINIT_FIELD(JobOutcome, job_id), MONOINIT_FIELD(JobOutcome, took), MONOINIT_FIELD(JobOutcome, pid),
    MONOINIT_FIELD(JobOutcome, active_state), MONOINIT_FIELD(JobOutcome, sub_state), MONOINIT_FIELD(JobOutcome, text),
    MONOINIT_FIELD(JobOutcome, changed), MONOINIT_FIELD(JobOutcome, transaction));
template <> inline constexpr auto fields<WaitState> = std::tuple(
    MONOINIT_FIELD(WaitState, unit), MONOINIT_FIELD(WaitState, reached), MONOINIT_FIELD(WaitState, state), MONOINIT_FIELD(WaitState, text));

template <> inline constexpr auto fields<EnvironmentEntry> = std::tuple(
    MONOINIT_FIELD(EnvironmentEntry, kind), MONOINIT_FIELD(EnvironmentEntry, name), MONOINIT_FIELD(EnvironmentEntry, value),
    MONOINIT_FIELD(EnvironmentEntry, source));

template <> inline constexpr auto fields<Empty> = std::tuple();
template <> inline constexpr auto fields<ListReply> = std::tuple(MONOINIT_FIELD(ListReply, units));
template <> inline constexpr auto fields<StatusReply> = std::tuple(MONOINIT_FIELD(StatusReply, unit));
template <> inline constexpr auto fields<PropertiesReply> = std::tuple(MONOINIT_FIELD(PropertiesReply, properties));
template <> inline constexpr auto fields<DependenciesReply> = std::tuple(MONOINIT_FIELD(DependenciesReply, dependencies));
template <> inline constexpr auto fields<JobsReply> = std::tuple(MONOINIT_FIELD(JobsReply, jobs));
template <> inline constexpr auto fields<EnvironmentReply> = std::tuple(
    MONOINIT_FIELD(EnvironmentReply, variables), MONOINIT_FIELD(EnvironmentReply, entries));
template <> inline constexpr auto fields<OperateReply> = std::tuple(MONOINIT_FIELD(OperateReply, outcomes));
template <> inline constexpr auto fields<WaitReply> = std::tuple(
    MONOINIT_FIELD(WaitReply, result), MONOINIT_FIELD(WaitReply, units), MONOINIT_FIELD(WaitReply, took));
template <> inline constexpr auto fields<UnitEvent> = std::tuple(
    MONOINIT_FIELD(UnitEvent, unit), MONOINIT_FIELD(UnitEvent, before), MONOINIT_FIELD(UnitEvent, active_state),
    MONOINIT_FIELD(UnitEvent, sub_state), MONOINIT_FIELD(UnitEvent, when), MONOINIT_FIELD(UnitEvent, text), MONOINIT_FIELD(UnitEvent, health));
template <> inline constexpr auto fields<HealthReply> = std::tuple(
    MONOINIT_FIELD(HealthReply, verdict), MONOINIT_FIELD(HealthReply, units), MONOINIT_FIELD(HealthReply, text));

template <> inline constexpr auto fields<PlannedStop> = std::tuple(
    MONOINIT_FIELD(PlannedStop, unit), MONOINIT_FIELD(PlannedStop, wave), MONOINIT_FIELD(PlannedStop, share),
    MONOINIT_FIELD(PlannedStop, killed_after), MONOINIT_FIELD(PlannedStop, timeout), MONOINIT_FIELD(PlannedStop, note));
template <> inline constexpr auto fields<ShutdownPlanReply> = std::tuple(
    MONOINIT_FIELD(ShutdownPlanReply, budget), MONOINIT_FIELD(ShutdownPlanReply, stops));

template <> inline constexpr auto fields<InfoRequest> = std::tuple();
template <> inline constexpr auto fields<ListRequest> = std::tuple(MONOINIT_FIELD(ListRequest, all));
template <> inline constexpr auto fields<StatusRequest> = std::tuple(MONOINIT_FIELD(StatusRequest, unit), MONOINIT_FIELD(StatusRequest, pid));
template <> inline constexpr auto fields<PropertiesRequest> = std::tuple(MONOINIT_FIELD(PropertiesRequest, unit), MONOINIT_FIELD(PropertiesRequest, only), MONOINIT_FIELD(PropertiesRequest, timestamp));
template <> inline constexpr auto fields<DependenciesRequest> = std::tuple(MONOINIT_FIELD(DependenciesRequest, unit), MONOINIT_FIELD(DependenciesRequest, kinds));
template <> inline constexpr auto fields<JobsRequest> = std::tuple();
template <> inline constexpr auto fields<HealthRequest> = std::tuple(MONOINIT_FIELD(HealthRequest, kind), MONOINIT_FIELD(HealthRequest, units));
template <> inline constexpr auto fields<EnvironmentRequest> = std::tuple(MONOINIT_FIELD(EnvironmentRequest, unit));
template <> inline constexpr auto fields<OperateRequest> = std::tuple(
    MONOINIT_FIELD(OperateRequest, verb), MONOINIT_FIELD(OperateRequest, units), MONOINIT_FIELD(OperateRequest, mode),
    MONOINIT_FIELD(OperateRequest, no_block), MONOINIT_FIELD(OperateRequest, show_transaction));
template <> inline constexpr auto fields<KillRequest> = std::tuple(
    MONOINIT_FIELD(KillRequest, units), MONOINIT_FIELD(KillRequest, who), MONOINIT_FIELD(KillRequest, signal),
    MONOINIT_FIELD(KillRequest, value));
template <> inline constexpr auto fields<ResetFailedRequest> = std::tuple(MONOINIT_FIELD(ResetFailedRequest, units));
template <> inline constexpr auto fields<CancelRequest> = std::tuple(MONOINIT_FIELD(CancelRequest, jobs));
template <> inline constexpr auto fields<DaemonReloadRequest> = std::tuple();
template <> inline constexpr auto fields<DaemonReexecRequest> = std::tuple();
template <> inline constexpr auto fields<ExitRequest> = std::tuple(
    MONOINIT_FIELD(ExitRequest, status), MONOINIT_FIELD(ExitRequest, force), MONOINIT_FIELD(ExitRequest, within_budget));
template <> inline constexpr auto fields<ShutdownPlanRequest> = std::tuple();
template <> inline constexpr auto fields<PutUnitRequest> = std::tuple(MONOINIT_FIELD(PutUnitRequest, name), MONOINIT_FIELD(PutUnitRequest, text));
template <> inline constexpr auto fields<AdoptRequest> = std::tuple(MONOINIT_FIELD(AdoptRequest, name), MONOINIT_FIELD(AdoptRequest, text), MONOINIT_FIELD(AdoptRequest, pids));
template <> inline constexpr auto fields<WaitRequest> = std::tuple(
    MONOINIT_FIELD(WaitRequest, condition), MONOINIT_FIELD(WaitRequest, units), MONOINIT_FIELD(WaitRequest, any),
    MONOINIT_FIELD(WaitRequest, timeout));
template <> inline constexpr auto fields<MuteRequest> = std::tuple(MONOINIT_FIELD(MuteRequest, units), MONOINIT_FIELD(MuteRequest, muted));
template <> inline constexpr auto fields<SetEnvironmentRequest> = std::tuple(
    MONOINIT_FIELD(SetEnvironmentRequest, assign), MONOINIT_FIELD(SetEnvironmentRequest, unset));
template <> inline constexpr auto fields<SetPropertiesRequest> = std::tuple(
    MONOINIT_FIELD(SetPropertiesRequest, unit), MONOINIT_FIELD(SetPropertiesRequest, assign));
template <> inline constexpr auto fields<SubscribeRequest> = std::tuple(MONOINIT_FIELD(SubscribeRequest, units));

#undef MONOINIT_FIELD

/// The method of a request and the kind of its answer.
template <class T> struct Method;
template <> struct Method<InfoRequest> { static constexpr std::string_view name = "Info"; using Answer = ManagerInfo; };
template <> struct Method<ListRequest> { static constexpr std::string_view name = "List"; using Answer = ListReply; };
template <> struct Method<StatusRequest> { static constexpr std::string_view name = "Status"; using Answer = StatusReply; };
template <> struct Method<PropertiesRequest> { static constexpr std::string_view name = "Properties"; using Answer = PropertiesReply; };
template <> struct Method<DependenciesRequest> { static constexpr std::string_view name = "Dependencies"; using Answer = DependenciesReply; };
template <> struct Method<JobsRequest> { static constexpr std::string_view name = "Jobs"; using Answer = JobsReply; };
template <> struct Method<HealthRequest> { static constexpr std::string_view name = "Health"; using Answer = HealthReply; };
template <> struct Method<EnvironmentRequest> { static constexpr std::string_view name = "Environment"; using Answer = EnvironmentReply; };
template <> struct Method<OperateRequest> { static constexpr std::string_view name = "Operate"; using Answer = OperateReply; };
template <> struct Method<KillRequest> { static constexpr std::string_view name = "Kill"; using Answer = Empty; };
template <> struct Method<ResetFailedRequest> { static constexpr std::string_view name = "ResetFailed"; using Answer = Empty; };
template <> struct Method<CancelRequest> { static constexpr std::string_view name = "CancelJobs"; using Answer = Empty; };
template <> struct Method<DaemonReloadRequest> { static constexpr std::string_view name = "DaemonReload"; using Answer = Empty; };
template <> struct Method<DaemonReexecRequest> { static constexpr std::string_view name = "DaemonReexec"; using Answer = Empty; };
template <> struct Method<ExitRequest> { static constexpr std::string_view name = "Exit"; using Answer = Empty; };
template <> struct Method<ShutdownPlanRequest> { static constexpr std::string_view name = "ShutdownPlan"; using Answer = ShutdownPlanReply; };
template <> struct Method<PutUnitRequest> { static constexpr std::string_view name = "PutUnit"; using Answer = Empty; };
template <> struct Method<AdoptRequest> { static constexpr std::string_view name = "Adopt"; using Answer = Empty; };
template <> struct Method<WaitRequest> { static constexpr std::string_view name = "Wait"; using Answer = WaitReply; };
template <> struct Method<MuteRequest> { static constexpr std::string_view name = "Mute"; using Answer = Empty; };
template <> struct Method<SetEnvironmentRequest> { static constexpr std::string_view name = "SetEnvironment"; using Answer = Empty; };
template <> struct Method<SetPropertiesRequest> { static constexpr std::string_view name = "SetProperties"; using Answer = Empty; };
template <> struct Method<SubscribeRequest> { static constexpr std::string_view name = "Subscribe"; using Answer = UnitEvent; };
// clang-format on

} // namespace monoinit::control
