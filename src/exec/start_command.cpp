// What the guard does between its fork and the command's exec: everything that may touch paths the unit names. It builds
// the child's plain pointers, so that the vfork child has nothing to compute. Tested by tests/unit/exec/guard_test.cpp.
#include "exec/guard.hpp"

#include "base/fmt.hpp"
#include "exec/build_plan.hpp"
#include "exec/command_group.hpp"
#include "exec/credential_files.hpp"
#include "exec/directories.hpp"
#include "exec/environment.hpp"
#include "exec/lookup.hpp"
#include "exec/mount_command.hpp"
#include "exec/streams.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"
#include "unit/command_line.hpp"
#include "unit/directives.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

StartOutcome failed(Stage stage, const base::Error& error) {
    return StartOutcome{0, {stage, error.errnum}, error.what, {}};
}

std::optional<StartOutcome> make_directories(const Plan& plan) {
    for (const DirectoryPlan& directory : plan.directories)
        if (const base::Result<void> made = make_directory(directory, plan.directory_uid, plan.directory_gid);
            !made)
            return failed(stage_of(directory.kind), made.error());
    return std::nullopt;
}

/// Everything the child points into. Lives until execve().
struct Prepared {
    std::vector<std::string> environment, arguments, programs;
    std::vector<std::string_view> search_paths;
    std::vector<char*> envp, argv;
    std::vector<const char*> candidates;
    std::vector<int> listen_fds;
    std::vector<sys::UniqueFd> moved_fds;
    std::vector<ChildLimit> limits;
    Streams streams;
    std::string oom_score_adjust;
    ChildSpec spec;
};

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
    std::vector<char*> pointers;
    pointers.reserve(strings.size() + 1);
    for (std::string& each : strings)
        pointers.push_back(each.data());
    pointers.push_back(nullptr);
    return pointers;
}

/// The child's pid is known only in the child: it writes the digits over these.
constexpr std::string_view pid_placeholder = "0000000000";

void add_pid_variables(const Plan& plan, Prepared& prepared) {
    const std::pair<bool, const char*> variables[] = {
        {plan.pids.listen, "LISTEN_PID"}, {plan.pids.watchdog, "WATCHDOG_PID"}, {plan.pids.systemd, "SYSTEMD_EXEC_PID"}};
    for (const auto& [wanted, name] : variables)
        if (wanted)
            set_variable(prepared.environment, std::string(name) + "=" + std::string(pid_placeholder));
}

void find_pid_digits(Prepared& prepared) {
    std::size_t used = 0;
    for (std::string& each : prepared.environment)
        if (used < std::size(prepared.spec.pid_digits) && each.ends_with(pid_placeholder) &&
            (each.starts_with("LISTEN_PID=") || each.starts_with("WATCHDOG_PID=") || each.starts_with("SYSTEMD_EXEC_PID=")))
            prepared.spec.pid_digits[used++] = each.data() + each.size() - pid_placeholder.size();
}

base::Result<void> prepare_environment(const Plan& plan, Prepared& prepared) {
    prepared.environment = plan.environment;
    add_pid_variables(plan, prepared);
    TRY(add_environment_files(prepared.environment, plan.environment_files));
    unset_variables(prepared.environment, plan.unset_environment);
    find_pid_digits(prepared);
    prepared.envp = pointers_to(prepared.environment);
    prepared.spec.envp = prepared.envp.data();
    return {};
}

void prepare_command(const Plan& plan, Prepared& prepared) {
    prepared.arguments = unit::expand_argv(
        plan.command, [&](std::string_view name) { return find_variable(prepared.environment, name); });
    prepared.argv = pointers_to(prepared.arguments);
    prepared.search_paths = {find_variable(prepared.environment, "PATH").value_or(""), plan.fallback_path, default_path};
    prepared.programs = find_program(plan.command.path, prepared.search_paths);
    for (const std::string& program : prepared.programs)
        prepared.candidates.push_back(program.c_str());
    prepared.candidates.push_back(nullptr);
    prepared.spec.argv = prepared.argv.data();
    prepared.spec.candidates = prepared.candidates.data();
}

base::Result<void> prepare_descriptors(const Plan& plan, Prepared& prepared) {
    const int above = 3 + static_cast<int>(plan.listen_fds.size());
    for (const int fd : plan.listen_fds) {
        prepared.moved_fds.emplace_back(fd >= above ? -1 : sys::duplicate(fd, above));
        const int moved = fd >= above ? fd : prepared.moved_fds.back().get();
        if (moved < 0)
            return base::fail_errno(errno, "cannot duplicate a descriptor");
        prepared.listen_fds.push_back(moved);
    }
    prepared.spec.listen_fds = prepared.listen_fds.data();
    prepared.spec.listen_count = prepared.listen_fds.size();
    prepared.spec.socket_count = plan.socket_count;
    prepared.spec.non_blocking = plan.non_blocking;
    return {};
}

std::optional<StartOutcome> prepare_streams(const Plan& plan, const std::array<int, 3>& given, Prepared& prepared) {
    ChildSpec& spec = prepared.spec;
    spec.take_terminal = plan.foreground_terminal || plan.input.is_terminal;
    spec.force_terminal = plan.input.force_terminal;
    if (plan.foreground_terminal)
        return std::nullopt; // 0, 1 and 2 stay what they are
    const int above = 3 + static_cast<int>(plan.listen_fds.size());
    if (const std::optional<StreamFailure> failure = open_streams(plan, given, above, prepared.streams))
        return failed(failure->stage, failure->error);
    const StreamPlan* const planned[3] = {&plan.input, &plan.output, &plan.error};
    for (std::size_t i = 0; i < 3; i++) {
        spec.streams[i] = prepared.streams.fds[i];
        if (planned[i]->is_socket && !sys::set_nonblocking(spec.streams[i], plan.non_blocking))
            return failed(Stage::Descriptors, base::fail_errno(errno, "cannot make a socket blocking"));
    }
    return std::nullopt;
}

void prepare_limits(const Plan& plan, Prepared& prepared) {
    for (const unit::ResourceLimit& limit : plan.limits)
        prepared.limits.push_back({limit.resource, {limit.soft, limit.hard}});
    prepared.spec.limits = prepared.limits.data();
    prepared.spec.limit_count = prepared.limits.size();
}

template <class T>
bool take(const std::optional<T>& wanted, T& target) {
    if (wanted)
        target = *wanted;
    return wanted.has_value();
}

void prepare_scheduling(const Plan& plan, Prepared& prepared) {
    if (plan.scheduling.is_default())
        return;
    const unit::SchedulingSection& wanted = *plan.scheduling;
    ChildSpec& spec = prepared.spec;
    if (wanted.oom_score_adjust) {
        prepared.oom_score_adjust = std::to_string(*wanted.oom_score_adjust);
        spec.oom_score_adjust = prepared.oom_score_adjust.c_str();
    }
    spec.set_nice = take(wanted.nice, spec.nice);
    const bool has_priority = take(wanted.cpu_priority, spec.cpu_priority);
    spec.set_policy = take(wanted.cpu_policy, spec.policy) || has_priority || wanted.reset_on_fork;
    spec.reset_on_fork = wanted.reset_on_fork;
    const bool has_io_class = take(wanted.io_class, spec.io_class);
    const bool has_io_priority = take(wanted.io_priority, spec.io_priority);
    constexpr int best_effort = 2, io_default = 4;
    if (!has_io_class)
        spec.io_class = best_effort;
    if (!has_io_priority)
        spec.io_priority = spec.io_class == best_effort || spec.io_class == 1 ? io_default : 0;
    spec.set_io = has_io_class || has_io_priority;
    spec.set_slack = take(wanted.timer_slack_nsec, spec.timer_slack);
    for (const std::uint16_t cpu : wanted.cpu_affinity)
        if (cpu < CPU_SETSIZE)
            CPU_SET(cpu, &spec.affinity);
    spec.set_affinity = !wanted.cpu_affinity.empty();
}

void prepare_credentials(const Plan& plan, ChildSpec& spec) {
    const CredentialsPlan& wanted = plan.credentials;
    spec.set_uid = take(wanted.uid, spec.uid);
    spec.set_gid = take(wanted.gid, spec.gid);
    spec.set_groups = wanted.groups.has_value();
    if (wanted.groups) {
        spec.groups = wanted.groups->data();
        spec.group_count = wanted.groups->size();
        spec.optional_groups = wanted.optional_groups;
    }
    spec.limit_bounding = take(wanted.bounding, spec.bounding);
    spec.ambient = wanted.ambient;
    spec.set_secure_bits = take(wanted.secure_bits, spec.secure_bits);
    spec.no_new_privileges = wanted.no_new_privileges;
}

void prepare_rest(const Plan& plan, Prepared& prepared) {
    ChildSpec& spec = prepared.spec;
    spec.guard = ::getpid();
    spec.root_directory = plan.root_directory.empty() ? nullptr : plan.root_directory.c_str();
    spec.working_directory = plan.working_directory.empty() ? "/" : plan.working_directory.c_str();
    spec.working_directory_optional = plan.working_directory_optional;
    spec.ignore_sigpipe = plan.ignore_sigpipe;
    prepare_limits(plan, prepared);
    prepare_scheduling(plan, prepared);
    prepare_credentials(plan, spec);
}

std::string explain(const Plan& plan, const Prepared& prepared, const ChildFailure& failure) {
    const std::string doing = "failed while " + std::string(traits(failure.stage).doing);
    const char* const described = ::strerrordesc_np(failure.error);
    const std::string reason = described != nullptr ? described : "unknown error";
    if (failure.stage == Stage::Exec)
        return explain_exec_failure(plan.command.path, prepared.programs, prepared.search_paths, failure.error);
    if (failure.stage == Stage::WorkingDirectory)
        return "WorkingDirectory=" + plan.working_directory + ": " + reason;
    if (failure.stage == Stage::User)
        return "cannot change to uid " + std::to_string(prepared.spec.uid) + ": " + reason;
    if (failure.stage == Stage::Group)
        return "cannot change to gid " + std::to_string(prepared.spec.gid) + ": " + reason;
    if (failure.stage == Stage::Limits)
        return std::string(unit::limit_directive(failure.resource)) + "= cannot be set: " + reason;
    if (failure.stage == Stage::Root)
        return "RootDirectory=" + plan.root_directory + ": " + reason;
    return doing + ": " + reason;
}

StartOutcome execute(const Plan& plan, Prepared& prepared) {
    constexpr std::size_t stack_size = 32768;
    const std::unique_ptr<char[]> stack(new char[stack_size]); // not cleared: only what the child uses becomes a page
    ChildFailure failure;
    ChildArguments arguments{&prepared.spec, &failure};
    char* const top = stack.get() + stack_size;
    const pid_t pid =
        sys::vfork_process(run_child, top - reinterpret_cast<std::uintptr_t>(top) % 16, &arguments);
    if (pid < 0)
        return StartOutcome{0, {Stage::Fork, errno}, {}, {}};
    if (failure.stage == Stage::None)
        return StartOutcome{pid, failure, {}, {}};
    while (sys::wait_for(pid, nullptr, 0, nullptr) < 0 && errno == EINTR) {
    }
    return StartOutcome{0, failure, explain(plan, prepared, failure), {}};
}

/// Work of ours in the command's place. It may take long, so it cannot share our memory as a vfork child does; a step that
/// fails before it shows as the exit status of that step.
StartOutcome execute_instead(Prepared& prepared, int (*work)(const void*), const void* argument) {
    prepared.spec.instead = work;
    prepared.spec.instead_argument = argument;
    const pid_t pid = sys::fork_process();
    if (pid == 0) {
        ChildFailure failure;
        ChildArguments arguments{&prepared.spec, &failure};
        ::_exit(run_child(&arguments));
    }
    return pid < 0 ? StartOutcome{0, {Stage::Fork, errno}, {}, {}} : StartOutcome{pid, {}, {}, {}};
}

bool has_program(const Prepared& prepared) {
    return std::ranges::any_of(prepared.programs, [](const std::string& path) { return ::access(path.c_str(), X_OK) == 0; });
}

StartOutcome execute_any(const Plan& plan, Prepared& prepared) {
    if (plan.probe)
        return execute_instead(prepared, [](const void* probe) { return probe_command(*static_cast<const HealthProbe*>(probe)); }, &*plan.probe);
    if (plan.mount && !has_program(prepared))
        return execute_instead(
            prepared,
            [](const void* argument) {
                const Plan& mounting = *static_cast<const Plan*>(argument);
                return mount_by_call(*mounting.mount, mounting.list);
            },
            &plan);
    return execute(plan, prepared);
}

GuardGroup kept_group(const Plan& plan, const CommandGroup& group) {
    GuardGroup kept;
    std::copy(group.path.begin(), group.path.end(), kept.path);
    kept.root_size = static_cast<std::uint32_t>(plan.group.root.size());
    kept.oom_kills = group.oom_kills;
    return kept;
}

} // namespace

StartOutcome start_command(const Plan& plan, const std::array<int, 3>& streams) {
    Prepared prepared;
    if (const base::Result<void> done = prepare_environment(plan, prepared); !done)
        return failed(Stage::EnvironmentFile, done.error());
    ::umask(0022);
    if (std::optional<StartOutcome> failure = make_directories(plan))
        return std::move(*failure);
    if (const base::Result<void> done = provide_credentials(plan); !done)
        return failed(Stage::Credentials, done.error());
    if (plan.mount && plan.list == unit::ExecList::Start)
        if (const base::Result<void> done = make_mount_point(*plan.mount); !done)
            return failed(Stage::MountPoint, done.error());
    ::umask(plan.umask); // for files opened as streams too; the child inherits it
    if (!plan.probe)
        prepare_command(plan, prepared);
    if (!plan.probe && prepared.arguments.empty())
        return StartOutcome{0, {Stage::Expand, EINVAL}, "the command line is empty", {}};
    if (const base::Result<void> done = prepare_descriptors(plan, prepared); !done)
        return failed(Stage::Descriptors, done.error());
    if (std::optional<StartOutcome> failure = prepare_streams(plan, streams, prepared))
        return std::move(*failure);
    prepare_rest(plan, prepared);
    const CommandGroup group = make_command_group(plan);
    prepared.spec.group_procs = group.procs.get();
    StartOutcome outcome = execute_any(plan, prepared);
    outcome.group = kept_group(plan, group);
    if (outcome.pid != 0)
        outcome.detail = outcome.failure.group_error == 0
                             ? group.complaint
                             : fmt::format("its limits do not act, since it could not enter its cgroup: {}", ::strerrordesc_np(outcome.failure.group_error));
    return outcome;
}

} // namespace monoinit::exec
