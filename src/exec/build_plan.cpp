// From a unit's configuration to the Plan of one command: who it runs as, what it is told, where its streams go. Decides
// and resolves, opens nothing. Tested by tests/unit/exec.
#include "exec/build_plan.hpp"

#include "base/strings.hpp"
#include "exec/credential_files.hpp"
#include "exec/environment.hpp"
#include "exec/plan_streams.hpp"
#include "unit/directives.hpp"
#include "unit/values.hpp"

#include <algorithm>
#include <cstdlib>
#include <cerrno>
#include <linux/capability.h>
#include <sys/resource.h>

namespace monoinit::exec {

namespace {


// clang-format off
constexpr std::array<std::string_view, unit::directory_kinds> directory_variables{
    "RUNTIME_DIRECTORY", "STATE_DIRECTORY", "CACHE_DIRECTORY", "LOGS_DIRECTORY", "CONFIGURATION_DIRECTORY"};
constexpr auto never_inherited = std::to_array<std::string_view>({
    "NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM", "MAINPID", "CREDENTIALS_DIRECTORY", "SYSTEMD_EXEC_PID",
    "MANAGERPID"});
constexpr auto never_inherited_prefixes = std::to_array<std::string_view>({"LISTEN_", "WATCHDOG_", "MONOINIT_"});
// clang-format on

std::string hex(const std::array<std::uint8_t, 16>& bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

class Builder {
  public:
    Builder(const unit::UnitConfig& unit, const unit::Command& command, const ManagerContext& manager,
            const CommandContext& context)
        : unit_(unit), exec_(*unit.exec), command_(command), manager_(manager), context_(context) {}

    BuiltPlan build() {
        describe();
        note_priorities();
        resolve_streams();
        resolve_user();
        resolve_group();
        resolve_supplementary_groups();
        resolve_privileges();
        list_directories();
        list_credentials();
        place_group();
        set_environment();
        return std::move(built_);
    }

  private:
    Plan& plan() { return built_.plan; }
    void set(std::string_view name, std::string_view value, std::string_view directive = {}) {
        set_variable(plan().environment, std::string(name) + "=" + std::string(value));
        note_source(name, directive);
    }
    /// Empty: ours. A word without "=" is no directive.
    void note_source(std::string_view name, std::string_view source) {
        if (!context_.explain)
            return;
        std::erase_if(built_.sources, [name](const auto& earlier) { return earlier.first == name; });
        if (source.empty())
            return;
        std::string text(source);
        if (const std::string place = text.ends_with('=') ? unit::place_of(unit_, source.substr(0, source.size() - 1)) : ""; !place.empty())
            text += " (" + place + ")";
        built_.sources.emplace_back(name, std::move(text));
    }
    void fail(Stage stage, int error, std::string detail) {
        if (!built_.failure)
            built_.failure = PlanFailure{stage, error, std::move(detail)};
    }
    bool privileged() const { return manager_.uid == 0; }
    /// "!" and "+" leave the user alone, "!!" does so only on kernels without ambient capabilities: none of ours.
    bool changes_user() const { return !command_.full_privileges && !command_.no_setuid; }

    bool streams_are_socket() const {
        return exec_.standard_input == unit::StdinKind::Socket || exec_.standard_output.kind == unit::StdoutKind::Socket ||
               exec_.standard_error.kind == unit::StdoutKind::Socket;
    }

    void describe() {
        Plan& p = plan();
        p.guard = context_.guard;
        p.unit = unit_.name;
        p.invocation = context_.invocation;
        p.list = context_.list;
        p.index = context_.index;
        if (const std::size_t slash = context_.notify_socket.rfind('/'); slash != std::string::npos)
            p.notify = static_cast<std::uint32_t>(std::strtoul(context_.notify_socket.c_str() + slash + 1, nullptr, 10));
        p.command = command_;
        p.fallback_path = find_variable(manager_.environment, "PATH").value_or("");
        if (unit_.type == unit::UnitType::Mount)
            p.mount = *unit_.mount;
        p.environment_files = exec_.environment_files;
        p.unset_environment = exec_.unset_environment;
        if (!streams_are_socket()) // then that one is passed as the stream alone
            p.listen_fds = context_.listen_fds;
        p.socket_count = context_.socket_count;
        p.non_blocking = unit_.service->non_blocking;
        p.umask = static_cast<mode_t>(exec_.umask);
        p.limits = exec_.limits;
        p.scheduling = exec_.scheduling;
        p.ignore_sigpipe = exec_.ignore_sigpipe;
        p.tty_reset = exec_.tty_reset;
        p.tty_vhangup = exec_.tty_vhangup;
        if (!unit_.service->root_directory_start_only || context_.list == unit::ExecList::Start)
            p.root_directory = exec_.root_directory;
        const auto is_nofile = [](const unit::ResourceLimit& limit) { return limit.resource == RLIMIT_NOFILE; };
        if (manager_.own_nofile_hard != 0 && std::none_of(p.limits.begin(), p.limits.end(), is_nofile))
            p.limits.push_back({RLIMIT_NOFILE, manager_.own_nofile_soft, manager_.own_nofile_hard});
    }

    /// As under systemd the command runs all the same (child.cpp).
    void note_priorities() {
        const auto lacks = [&](int capability) { return (manager_.capabilities >> capability & 1) == 0; };
        const auto note = [&](std::string_view name, std::optional<int> wanted, int own, int capability, std::string_view need) {
            if (wanted && *wanted < own && lacks(capability))
                built_.notices.push_back(std::string(name) + "=" + std::to_string(*wanted) + " needs " + std::string(need) + ", which this container has not");
        };
        note("OOMScoreAdjust", exec_.scheduling->oom_score_adjust, manager_.own_oom_score, CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE");
        note("Nice", exec_.scheduling->nice, manager_.own_nice, CAP_SYS_NICE, "CAP_SYS_NICE");
    }

    void resolve_streams() {
        std::optional<PlanFailure> failure = plan_streams(exec_, context_, plan());
        if (failure)
            fail(failure->stage, failure->error, std::move(failure->detail));
    }

    void resolve_user() {
        Plan& p = plan();
        if (!exec_.user.empty()) {
            account_ = manager_.accounts.user(exec_.user);
            if (!account_)
                fail(Stage::User, ESRCH, "user \"" + base::printable(exec_.user, 64) + "\" not found");
        }
        p.working_directory = exec_.working_directory.empty() ? "/" : exec_.working_directory;
        p.working_directory_optional = exec_.working_directory_optional;
        if (p.working_directory == "~")
            p.working_directory =
                account_ ? account_->home : std::string(find_variable(manager_.environment, "HOME").value_or("/"));
        p.directory_uid = account_ ? account_->uid : manager_.uid;
        p.directory_gid = account_ ? account_->gid : manager_.gid;
        if (!account_ || !changes_user() || account_->uid == manager_.uid)
            return;
        if (privileged())
            p.credentials.uid = account_->uid;
        else
            fail(Stage::User,
                 EPERM,
                 "User=" + account_->name + " needs root; monoinit runs as uid " + std::to_string(manager_.uid));
    }

    void resolve_group() {
        std::optional<gid_t> gid;
        if (!exec_.group.empty()) {
            gid = manager_.accounts.group(exec_.group);
            if (!gid)
                return fail(Stage::Group, ESRCH, "group \"" + base::printable(exec_.group, 64) + "\" not found");
        } else if (account_) {
            gid = account_->gid;
        }
        if (!gid)
            return;
        group_ = gid;
        if (privileged())
            plan().directory_gid = *gid;
        if (!changes_user() || *gid == manager_.gid)
            return;
        if (privileged())
            plan().credentials.gid = gid;
        else if (!exec_.group.empty())
            out_of_reach("Group=" + exec_.group);
    }

    /// A group that a non-root init cannot give: degraded, or 216/GROUP with strict_credentials.
    void out_of_reach(const std::string& what) {
        std::string text = what + " is out of reach for uid " + std::to_string(manager_.uid);
        if (manager_.strict_credentials)
            fail(Stage::Group, EPERM, std::move(text));
        else
            built_.notices.push_back(text + ", ignored");
    }

    void resolve_supplementary_groups() {
        std::vector<gid_t> groups = account_ ? account_->groups : std::vector<gid_t>();
        for (const std::string& name : exec_.supplementary_groups) {
            const std::optional<gid_t> gid = manager_.accounts.group(name);
            if (!gid)
                return fail(Stage::Group, ESRCH, "SupplementaryGroups=: group \"" + base::printable(name, 64) + "\" not found");
            if (!privileged() && *gid != manager_.gid &&
                std::find(manager_.own_groups.begin(), manager_.own_groups.end(), *gid) == manager_.own_groups.end())
                out_of_reach("SupplementaryGroups=" + name);
            groups.push_back(*gid);
        }
        if (!privileged() || !changes_user() || (!account_ && exec_.supplementary_groups.empty()))
            return;
        if (group_)
            groups.push_back(*group_);
        std::sort(groups.begin(), groups.end());
        groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
        std::vector<gid_t> own = manager_.own_groups;
        own.push_back(manager_.gid);
        std::sort(own.begin(), own.end());
        own.erase(std::unique(own.begin(), own.end()), own.end());
        // Root to root in a container without CAP_SETGID: nothing to change, so nothing that can fail.
        if (groups != own || plan().credentials.uid)
            plan().credentials.groups = std::move(groups);
    }

    void resolve_privileges() {
        if (command_.full_privileges)
            return;
        CredentialsPlan& credentials = plan().credentials;
        credentials.bounding = exec_.capability_bounding_set;
        credentials.ambient = exec_.ambient_capabilities & manager_.capabilities;
        const std::string lacking = unit::format_capabilities(exec_.ambient_capabilities & ~manager_.capabilities);
        if (!lacking.empty())
            built_.notices.push_back("AmbientCapabilities=" + lacking + ": not this container's, left out");
        credentials.secure_bits = exec_.secure_bits;
        credentials.no_new_privileges = exec_.no_new_privileges;
        credentials.optional_groups = !credentials.uid;
    }

    void list_directories() {
        for (std::size_t i = 0; i < unit::directory_kinds; i++) {
            const auto kind = static_cast<unit::DirectoryKind>(i);
            const unit::ExecDirectory& wanted = exec_.directories[i];
            for (const std::string& entry : wanted.paths)
                add_directory(kind, entry, static_cast<mode_t>(wanted.mode));
        }
    }

    void add_directory(unit::DirectoryKind kind, const std::string& entry, mode_t mode) {
        const std::size_t colon = entry.find(':');
        DirectoryPlan directory;
        directory.kind = kind;
        directory.root = manager_.directory_roots[static_cast<std::size_t>(kind)];
        directory.path = entry.substr(0, colon);
        directory.mode = mode;
        if (colon != entry.npos && colon + 1 < entry.size())
            directory.links.push_back(entry.substr(colon + 1));
        plan().directories.push_back(std::move(directory));
    }

    /// Files are made up to the start; the commands after it find them there.
    void list_credentials() {
        if (exec_.credentials->empty())
            return;
        credentials_directory_ = manager_.credentials_root + "/" + unit_.name;
        if (!exec_.root_directory.empty())
            built_.notices.push_back("credentials are in " + credentials_directory_ + ", outside RootDirectory=");
        if (context_.list > unit::ExecList::StartPost)
            return;
        plan().secrets.wanted = exec_.credentials;
        plan().secrets.places = credential_places(manager_.environment);
        plan().secrets.root = manager_.credentials_root;
    }

    std::vector<unit::CgroupSetting> settings_of(const unit::UnitConfig& unit) const {
        return unit::cgroup_settings(unit, manager_.capacity, manager_.phase);
    }

    void place_group() {
        if (manager_.group_root.empty())
            return;
        GroupPlan group{manager_.group_root, manager_.group_controllers, {}, unit_.resources->delegate};
        for (const std::string& slice : unit::slices_down_to(unit::slice_of(unit_))) {
            const auto config = manager_.unit_named ? manager_.unit_named(slice) : nullptr;
            group.levels.push_back({unit::cgroup_name(slice), config ? settings_of(*config) : std::vector<unit::CgroupSetting>()});
        }
        group.levels.push_back({unit::cgroup_name(unit_.name), settings_of(unit_)});
        constexpr std::size_t id_room = 16;
        std::size_t size = group.root.size() + id_room;
        for (const GroupPlan::Level& level : group.levels)
            size += level.name.size() + 1;
        if (size < group_path_limit)
            plan().group = std::move(group);
        else
            built_.notices.push_back("its cgroup would lie too deep, so it gets none");
    }

    // The order is systemd's: the manager's, ours, PassEnvironment=, Environment=; files come on top in the guard.
    void set_environment() {
        Plan& p = plan();
        if (manager_.inherit_environment)
            p.environment = inherited_environment(manager_.environment, p.uses_terminal());
        for (const std::string_view variable : p.environment)
            note_source(variable.substr(0, variable.find('=')), "container");
        if (!find_variable(p.environment, "PATH"))
            set("PATH", default_path);
        if (!manager_.locale.empty() && !find_variable(p.environment, "LANG"))
            set("LANG", manager_.locale);
        set_account_variables();
        set_service_variables();
        if (!credentials_directory_.empty())
            set("CREDENTIALS_DIRECTORY", credentials_directory_, "credentials");
        for (std::size_t i = 0; i < unit::directory_kinds; i++) {
            const auto kind = static_cast<unit::DirectoryKind>(i);
            const auto paths = directory_paths(exec_, kind, manager_);
            if (!paths.empty())
                set(directory_variables[i], base::join(paths, ":"), std::string(traits(stage_of(kind)).directive) + "=");
        }
        for (const std::string& name : exec_.pass_environment)
            if (const auto value = find_variable(manager_.environment, name))
                set(name, *value, "PassEnvironment=");
        for (const std::string_view variable : exec_.environment)
            set(variable.substr(0, variable.find('=')), variable.substr(variable.find('=') + 1), "Environment=");
    }

    void set_account_variables() {
        if (plan().uses_terminal() && !find_variable(plan().environment, "TERM"))
            set("TERM", find_variable(manager_.environment, "TERM").value_or("vt220"));
        if (!account_)
            return;
        set("HOME", account_->home, "User=");
        set("LOGNAME", account_->name, "User=");
        set("USER", account_->name, "User=");
        set("SHELL", account_->shell.empty() ? "/bin/sh" : account_->shell, "User=");
    }

    void set_service_variables() {
        Plan& p = plan();
        set("INVOCATION_ID", hex(context_.invocation));
        if (!context_.journal_stream.empty() && (p.output.is_log || p.error.is_log))
            set("JOURNAL_STREAM", context_.journal_stream);
        if (!context_.notify_socket.empty())
            set("NOTIFY_SOCKET", context_.notify_socket);
        // Debian's init scripts hand over to systemctl unless their parent is PID 1; here it is the guard.
        if (command_.path.starts_with("/etc/init.d/"))
            set("SYSTEMCTL_SKIP_REDIRECT", "1");
        if (context_.watchdog.count() > 0) {
            set("WATCHDOG_USEC", std::to_string(context_.watchdog.count()));
            p.pids.watchdog = true;
        }
        if (!p.listen_fds.empty()) {
            set("LISTEN_FDS", std::to_string(p.listen_fds.size()));
            set("LISTEN_FDNAMES", base::join(context_.listen_names, ":"));
            p.pids.listen = true;
        }
        if (context_.main_pid > 0)
            set("MAINPID", std::to_string(context_.main_pid));
        if (!unit_.service->pid_file.empty())
            set("PIDFILE", unit_.service->pid_file);
        if (!context_.monitored_unit.empty())
            set("MONITOR_INVOCATION_ID", hex(context_.monitored_invocation));
        const std::pair<std::string_view, const std::string*> texts[] = {
            {"SERVICE_RESULT", &context_.outcome.service_result},
            {"EXIT_CODE", &context_.outcome.exit_code},
            {"EXIT_STATUS", &context_.outcome.exit_status},
            {"MONITOR_SERVICE_RESULT", &context_.monitored.service_result},
            {"MONITOR_EXIT_CODE", &context_.monitored.exit_code},
            {"MONITOR_EXIT_STATUS", &context_.monitored.exit_status},
            {"MONITOR_UNIT", &context_.monitored_unit},
            {"TRIGGER_UNIT", &context_.trigger_unit},
            {"TRIGGER_PATH", &context_.trigger_path},
            {"TRIGGER_TIMER_REALTIME_USEC", &context_.trigger_realtime},
            {"TRIGGER_TIMER_MONOTONIC_USEC", &context_.trigger_monotonic},
            {"REMOTE_ADDR", &context_.remote_address},
            {"REMOTE_PORT", &context_.remote_port}};
        for (const auto& [name, text] : texts)
            if (!text->empty())
                set(name, *text);
    }

    const unit::UnitConfig& unit_;
    const unit::ExecSection& exec_;
    const unit::Command& command_;
    const ManagerContext& manager_;
    const CommandContext& context_;
    std::optional<Account> account_;
    std::optional<gid_t> group_;
    std::string credentials_directory_; ///< empty = the unit asks for none
    BuiltPlan built_;
};

std::string variable_or(const std::vector<std::string>& environment, std::string_view name, std::string otherwise) {
    const auto value = find_variable(environment, name);
    return value && value->starts_with('/') ? std::string(*value) : otherwise;
}

} // namespace

BuiltPlan build_plan(const unit::UnitConfig& unit, const unit::Command& command, const ManagerContext& manager,
                     const CommandContext& context) {
    return Builder(unit, command, manager, context).build();
}

std::vector<std::string> inherited_environment(const std::vector<std::string>& environment, bool terminal) {
    const auto is_ours = [terminal](std::string_view variable) {
        const std::string_view name = variable.substr(0, variable.find('='));
        return name.size() == variable.size() || name.empty() || (name == "TERM" && !terminal) ||
               std::find(never_inherited.begin(), never_inherited.end(), name) != never_inherited.end() ||
               std::any_of(never_inherited_prefixes.begin(),
                           never_inherited_prefixes.end(),
                           [name](std::string_view prefix) { return name.starts_with(prefix); });
    };
    std::vector<std::string> inherited;
    inherited.reserve(environment.size() + 16);
    std::remove_copy_if(environment.begin(), environment.end(), std::back_inserter(inherited), is_ours);
    return inherited;
}

std::array<std::string, unit::directory_kinds> directory_roots(uid_t uid, const std::vector<std::string>& environment,
                                                               const std::string& runtime_fallback) {
    if (uid == 0)
        return {"/run", "/var/lib", "/var/cache", "/var/log", "/etc"};
    const std::string home = variable_or(environment, "HOME", runtime_fallback);
    const std::string state = variable_or(environment, "XDG_STATE_HOME", home + "/.local/state");
    return {variable_or(environment, "XDG_RUNTIME_DIR", runtime_fallback), state,
            variable_or(environment, "XDG_CACHE_HOME", home + "/.cache"), state + "/log",
            variable_or(environment, "XDG_CONFIG_HOME", home + "/.config")};
}

namespace {

/// "LoadCredential=token: …": there may be many, so the one with that name.
std::string credential_line(const unit::UnitConfig& unit, std::string_view detail) {
    const std::string_view id = detail.substr(std::min(detail.find('='), detail.size() - 1) + 1);
    for (const auto* list : {&unit.exec->credentials->load, &unit.exec->credentials->set})
        for (const unit::Credential& one : *list)
            if (one.id == id.substr(0, id.find(':')) && one.file < unit.files.size())
                return unit.files[one.file] + ":" + std::to_string(one.line);
    return {};
}

} // namespace

std::string blamed_line(const unit::UnitConfig& unit, const unit::Command& command, Stage stage, std::string_view detail) {
    if (const std::string line = stage == Stage::Credentials ? credential_line(unit, detail) : ""; !line.empty())
        return " (" + line + ")";
    std::string place = unit::place_of(unit, detail.substr(0, detail.find('=')));
    if (const std::string_view directive = traits(stage).directive; place.empty() && !directive.empty())
        place = unit::place_of(unit, directive);
    else if (place.empty() && command.file < unit.files.size() && command.line != 0)
        place = unit.files[command.file] + ":" + std::to_string(command.line);
    return place.empty() ? place : " (" + place + ")";
}

std::vector<std::string> directory_paths(const unit::ExecSection& exec, unit::DirectoryKind kind,
                                         const ManagerContext& manager) {
    std::vector<std::string> paths;
    const auto index = static_cast<std::size_t>(kind);
    for (const std::string& entry : exec.directories[index].paths)
        paths.push_back(manager.directory_roots[index] + "/" + entry.substr(0, entry.find(':')));
    return paths;
}

Plan command_plan(GuardId guard, std::vector<std::string> argv, const ManagerContext& manager, bool terminal) {
    Plan plan;
    plan.guard = guard;
    plan.unit = "command";
    plan.command.path = argv.empty() ? std::string() : argv.front();
    plan.command.argv = std::move(argv);
    plan.command.no_environment = true;
    plan.environment = inherited_environment(manager.environment, true);
    plan.pids.systemd = false;
    plan.foreground_terminal = terminal;
    for (int fd = 0; StreamPlan* const stream : {&plan.input, &plan.output, &plan.error}) {
        stream->kind = StreamPlan::Kind::Fd;
        stream->fd = fd++;
    }
    plan.working_directory = manager.start_directory.empty() ? "/" : manager.start_directory;
    plan.umask = manager.own_umask;
    if (manager.own_nofile_hard != 0)
        plan.limits.push_back({RLIMIT_NOFILE, manager.own_nofile_soft, manager.own_nofile_hard});
    plan.ignore_sigpipe = false;
    return plan;
}

} // namespace monoinit::exec
