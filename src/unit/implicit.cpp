// See implicit.hpp. Tested by tests/unit/unit/loader_test.cpp.

#include "unit/implicit.hpp"

#include "unit/cgroup_settings.hpp"
#include "unit/mounts.hpp"
#include "unit/name.hpp"
#include "unit/values.hpp"

#include <algorithm>
#include <unordered_set>

namespace monoinit::unit {

namespace {

using Kind = DependencyKind;

/// What DefaultDependencies= means for a type. One row each; empty = nothing of that sort.
struct DefaultRow {
    UnitType type;
    bool needs_sysinit;             ///< Requires=, After=sysinit.target
    std::string_view after;         ///< After=
    std::string_view before;        ///< Before=: what waits for units of this type
    std::string_view conflicts;     ///< Conflicts=, Before=: what ends them
};

// clang-format off
constexpr DefaultRow default_rows[] = {
    {UnitType::Service,   true,  "basic.target",        "",                "shutdown.target"},
    {UnitType::Socket,    true,  "",                    "sockets.target",  "shutdown.target"},
    {UnitType::Target,    false, "",                    "",                "shutdown.target"},
    {UnitType::Device,    false, "",                    "",                ""},
    {UnitType::Mount,     false, "",                    "",                "umount.target"}, // and mount_order()
    {UnitType::Automount, false, "local-fs-pre.target", "local-fs.target", "umount.target"},
    {UnitType::Swap,      false, "",                    "swap.target",     "umount.target"},
    {UnitType::Timer,     true,  "",                    "timers.target",   "shutdown.target"},
    {UnitType::Path,      true,  "",                    "paths.target",    "shutdown.target"},
    {UnitType::Slice,     false, "",                    "",                "shutdown.target"},
    {UnitType::Scope,     false, "",                    "",                "shutdown.target"},
};
// clang-format on
constexpr bool in_order() {
    for (std::size_t i = 0; i < std::size(default_rows); i++)
        if (static_cast<std::size_t>(default_rows[i].type) != i)
            return false;
    return true;
}
static_assert(in_order() && std::size(default_rows) == static_cast<std::size_t>(UnitType::Scope) + 1);

void add(UnitConfig& unit, Origin origin, Kind kind, std::string_view name) {
    if (name != unit.name)
        unit.unit.dependencies.push_back({kind, origin, 0, 0, std::string(name)});
}

void add_default_dependencies(UnitConfig& unit) {
    const DefaultRow& row = default_rows[static_cast<std::size_t>(unit.type)];
    std::string_view after = row.after, before = row.before;
    if (unit.type == UnitType::Mount) {
        const MountOrder order = mount_order(*unit.mount);
        after = order.after;
        before = order.before;
        if (order.network) {
            add(unit, Origin::Default, Kind::After, "network.target");
            add(unit, Origin::Default, Kind::After, "network-online.target");
            add(unit, Origin::Default, Kind::Wants, "network-online.target");
        }
    }
    if (row.needs_sysinit) {
        add(unit, Origin::Default, Kind::Requires, "sysinit.target");
        add(unit, Origin::Default, Kind::After, "sysinit.target");
    }
    if (!after.empty())
        add(unit, Origin::Default, Kind::After, after);
    if (unit.type == UnitType::Timer && !unit.timer->calendars.empty())
        for (const std::string_view clock : {"time-set.target", "time-sync.target"})
            add(unit, Origin::Default, Kind::After, clock);
    if (!before.empty())
        add(unit, Origin::Default, Kind::Before, before);
    if (!row.conflicts.empty()) {
        add(unit, Origin::Default, Kind::Conflicts, row.conflicts);
        add(unit, Origin::Default, Kind::Before, row.conflicts);
    }
}

void resolve_mount_dependencies(const UnitIndex& index, UnitConfig& unit) {
    std::vector<Dependency> named = std::move(unit.unit.dependencies);
    unit.unit.dependencies.clear();
    std::vector<Dependency> paths;
    for (Dependency& dependency : named) {
        const bool is_path = dependency.kind == Kind::RequiresMountsFor || dependency.kind == Kind::WantsMountsFor;
        (is_path ? paths : unit.unit.dependencies).push_back(std::move(dependency));
    }
    for (const Dependency& path : paths)
        require_mounts(index, unit, path.kind == Kind::RequiresMountsFor ? Kind::Requires : Kind::Wants, path.origin, path.name);
    for (const ListenAddress& address : unit.socket->listen)
        if (address.has_path())
            require_mounts(index, unit, Kind::Requires, Origin::Implicit, address.host);
    for (const WatchedPath& each : unit.path->paths)
        require_mounts(index, unit, Kind::Requires, Origin::Implicit, each.path);
    if (unit.exec.is_default() || !index.has_mounts())
        return;
    constexpr std::string_view roots[] = {"/run/", "/var/lib/", "/var/cache/", "/var/log/", "/etc/"};
    for (std::size_t kind = 0; kind < directory_kinds; kind++)
        for (const std::string& path : unit.exec->directories[kind].paths)
            require_mounts(index, unit, Kind::Requires, Origin::Implicit, std::string(roots[kind]) + path);
    require_mounts(index, unit, Kind::Requires, Origin::Implicit, unit.exec->root_directory);
    if (!unit.exec->working_directory_optional)
        require_mounts(index, unit, Kind::Requires, Origin::Implicit, unit.exec->working_directory);
}

/// What is in a slice is stopped with it. system.slice and the root are always there and are never stopped, so that nobody has to
/// name them.
void add_slice_dependencies(UnitConfig& unit) {
    const std::string slice = slice_of(unit);
    if (slice.empty() || slice == "-.slice" || slice == "system.slice")
        return;
    add(unit, Origin::Implicit, Kind::Requires, slice);
    add(unit, Origin::Implicit, Kind::After, slice);
}

void add_service_dependencies(const UnitIndex& index, UnitConfig& unit) {
    for (const std::string& socket : unit.service->sockets) {
        add(unit, Origin::Implicit, Kind::Wants, socket);
        add(unit, Origin::Implicit, Kind::After, socket);
    }
    if (unit.service->type != ServiceType::Dbus)
        return;
    // Without a bus in the image the service may still work, and it says so itself if it does not.
    if (index.locate("dbus.socket").kind == Located::Kind::File)
        add(unit, Origin::Implicit, Kind::Requires, "dbus.socket");
    add(unit, Origin::Implicit, Kind::After, "dbus.socket");
}

/// Sockets, timers and paths start a unit: the one they name, else the service of their own name. What a socket with
/// Accept=yes starts is known when a connection comes.
void add_trigger(UnitConfig& unit) {
    if (unit.type == UnitType::Socket && unit.socket->accept)
        return;
    std::vector<std::string> triggered;
    for (const Dependency& dependency : unit.unit.dependencies)
        if (dependency.kind == Kind::Triggers)
            triggered.push_back(dependency.name);
    if (unit.type == UnitType::Timer && !unit.timer->unit.empty()) {
        triggered = {unit.timer->unit};
        add(unit, Origin::Implicit, Kind::Triggers, triggered.back());
    } else if (unit.type == UnitType::Path && !unit.path->unit.empty()) {
        triggered = {unit.path->unit};
        add(unit, Origin::Implicit, Kind::Triggers, triggered.back());
    } else if (unit.type == UnitType::Socket && !unit.socket->service.empty()) {
        triggered = {unit.socket->service};
        add(unit, Origin::Implicit, Kind::Triggers, triggered.back());
    } else if (triggered.empty()) {
        const std::string stem = unit.name.substr(0, unit.name.rfind('.'));
        triggered.push_back(stem + ".service");
        add(unit, Origin::Implicit, Kind::Triggers, triggered.back());
    }
    for (const std::string& name : triggered)
        add(unit, Origin::Implicit, Kind::Before, name);
}


void refuse(UnitConfig& unit, std::uint16_t file, std::uint32_t line, std::string why) {
    unit.load_state = LoadState::BadSetting;
    unit.load_error = why;
    const std::string path = file < unit.files.size() ? unit.files[file] : unit.name;
    unit.problems.push_back({Problem::Kind::BadValue, path, line, std::move(why), {}, {}, "The unit cannot be started."});
}

void check_socket(UnitConfig& unit) {
    const SocketSection& socket = *unit.socket;
    const bool streams_only = std::ranges::all_of(socket.listen, [](const ListenAddress& address) {
        return address.kind == ListenKind::Stream || address.kind == ListenKind::SequentialPacket;
    });
    const auto paths = std::ranges::count_if(socket.listen, &ListenAddress::has_path);
    if (socket.listen.empty())
        refuse(unit, 0, 0, "no Listen…= that can be used: there is nothing to listen on");
    else if (socket.accept && !streams_only)
        refuse(unit, 0, 0, "Accept=yes goes with ListenStream= and ListenSequentialPacket= only");
    else if (socket.accept && socket.max_connections == 0)
        refuse(unit, 0, 0, "MaxConnections=0 would refuse every connection");
    else if (socket.accept && !socket.service.empty())
        refuse(unit, 0, 0, "Service= does not go with Accept=yes, which starts instances of the socket's own name");
    else if (!socket.symlinks.empty() && paths != 1)
        refuse(unit, 0, 0, "Symlinks= needs exactly one socket or FIFO in the file system to point to");
}

/// Relative patterns are below WorkingDirectory=; where that is none, they cannot be watched.
void resolve_watch(UnitConfig& unit) {
    if (unit.watch.is_default())
        return;
    WatchSection& watch = unit.watch.edit();
    const std::string& base = unit.exec->working_directory;
    const auto complain = [&](std::string text, std::string consequence) {
        unit.problems.push_back({Problem::Kind::Note, unit.files.empty() ? unit.name : unit.files[0], 0, std::move(text), {}, {}, std::move(consequence)});
    };
    std::erase_if(watch.patterns, [&](std::string& pattern) {
        if (!pattern.starts_with('/') && !base.starts_with('/')) {
            complain("X-Watch=" + pattern + " is relative, and WorkingDirectory= is not an absolute path", "Nothing is watched for it.");
            return true;
        }
        pattern = simplify_path(pattern.starts_with('/') ? pattern : base + "/" + pattern);
        return false;
    });
    const bool reloads = !unit.service->list(ExecList::Reload).empty() || unit.service->type == ServiceType::NotifyReload;
    if (watch.action == WatchAction::Reload && !watch.patterns.empty() && !reloads)
        complain("X-WatchAction=reload, and there is no ExecReload=", "It is restarted instead.");
}

} // namespace

bool orders_target(DependencyKind kind) {
    return kind == Kind::Wants || kind == Kind::Requires || kind == Kind::Requisite || kind == Kind::BindsTo ||
           kind == Kind::Upholds;
}

void fill_defaults(const Environment& environment, UnitConfig& unit) {
    if (unit.type == UnitType::Mount)
        return fill_mount(unit);
    if (unit.type != UnitType::Service)
        return;
    ServiceSection& service = unit.service.edit();
    if (!service.type_set) {
        if (!service.bus_name.empty())
            service.type = ServiceType::Dbus;
        else if (service.list(ExecList::Start).empty())
            service.type = ServiceType::Oneshot;
        else
            service.type = ServiceType::Simple;
    }
    const bool notifies = service.type == ServiceType::Notify || service.type == ServiceType::NotifyReload;
    if (service.notify_access == NotifyAccess::None && (notifies || service.watchdog.count() > 0 || service.file_descriptor_store_max > 0))
        service.notify_access.reset(); // it must be heard to work at all
    if (!service.timeout_start && service.type != ServiceType::Oneshot &&
        environment.default_timeout_start != std::chrono::seconds(90))
        service.timeout_start = environment.default_timeout_start;
}

void check_settings(UnitConfig& unit) {
    if (unit.load_state != LoadState::Loaded || unit.builtin)
        return;
    if (unit.type == UnitType::Timer && unit.timer->empty())
        return refuse(unit, 0, 0, "no On…= that can be used: the timer would never elapse");
    if (unit.type == UnitType::Socket)
        return check_socket(unit);
    if (unit.type == UnitType::Mount)
        if (std::string mistake = mount_mistake(unit); !mistake.empty())
            return refuse(unit, 0, 0, std::move(mistake));
    if (unit.type == UnitType::Path && unit.path->paths.empty())
        return refuse(unit, 0, 0, "no Path…= or DirectoryNotEmpty= that can be used: there is nothing to watch");
    if (unit.type != UnitType::Service)
        return;
    resolve_watch(unit);
    const ServiceSection& service = *unit.service;
    const auto& starts = service.list(ExecList::Start);
    const bool oneshot = service.type == ServiceType::Oneshot;
    const bool acts_on_success = unit.unit.success_action != EmergencyAction::None;
    if (starts.empty() && service.list(ExecList::Stop).empty() && !acts_on_success)
        refuse(unit, 0, 0, "no ExecStart=, ExecStop= or SuccessAction=: the service has nothing to do");
    else if (starts.empty() && !oneshot && !acts_on_success)
        refuse(unit, 0, 0, "no ExecStart=: only Type=oneshot may leave it out");
    else if (starts.empty() && !service.remain_after_exit && !acts_on_success)
        refuse(unit, 0, 0, "no ExecStart=: then RemainAfterExit=yes or SuccessAction= must be set");
    else if (starts.size() > 1 && !oneshot)
        refuse(unit, starts[1].file, starts[1].line, "a second ExecStart=: only Type=oneshot may have several");
    else if (oneshot && (service.restart == RestartPolicy::Always || service.restart == RestartPolicy::OnSuccess))
        refuse(unit, 0, 0, "Restart=always and on-success do not go with Type=oneshot: it would never end");
    else if (oneshot && service.exit_type == ExitType::Cgroup)
        refuse(unit, 0, 0, "ExitType=cgroup does not go with Type=oneshot");
    else if (service.type == ServiceType::Dbus && service.bus_name.empty())
        refuse(unit, 0, 0, "Type=dbus needs BusName=");
}

void add_dependencies(const UnitIndex& index, UnitConfig& unit) {
    resolve_mount_dependencies(index, unit);
    add_slice_dependencies(unit);
    if (unit.type == UnitType::Service)
        add_service_dependencies(index, unit);
    else if (unit.type == UnitType::Mount)
        add_mount_dependencies(index, unit);
    else if (unit.type == UnitType::Socket || unit.type == UnitType::Timer || unit.type == UnitType::Path)
        if (!unit.builtin)
            add_trigger(unit);
    if (unit.unit.default_dependencies)
        add_default_dependencies(unit);
    unit.unit.dependencies.shrink_to_fit();
}

void order_target(UnitConfig& target, const UnitsByName& units) {
    if (target.type != UnitType::Target || target.load_state != LoadState::Loaded || !target.unit.default_dependencies)
        return;
    std::unordered_set<std::string_view> ordered; // already, or the other way round
    std::vector<std::string_view> pulled;
    for (const Dependency& dependency : target.unit.dependencies) {
        if (dependency.kind == Kind::Before || dependency.kind == Kind::After)
            ordered.insert(dependency.name);
        else if (orders_target(dependency.kind))
            pulled.push_back(dependency.name);
    }
    const auto is_own_name = [&](const std::string& name) { return std::ranges::find(target.names, name) != target.names.end(); };
    std::vector<std::string_view> after;
    for (const std::string_view name : pulled) {
        const auto found = units.find(name);
        if (found == units.end() || found->second.get() == &target)
            continue;
        const UnitConfig& other = *found->second;
        if (other.load_state != LoadState::Loaded || !other.unit.default_dependencies)
            continue;
        const bool waits = std::ranges::any_of(other.unit.dependencies, [&](const Dependency& dependency) {
            return dependency.kind == Kind::After && is_own_name(dependency.name);
        });
        if (!waits && !ordered.contains(other.name) && ordered.insert(name).second)
            after.push_back(name);
    }
    std::vector<Dependency>& dependencies = target.unit.dependencies;
    std::vector<Dependency> all; // the names above are views into the old list
    all.reserve(dependencies.size() + after.size());
    for (const std::string_view name : after)
        all.push_back({Kind::After, Origin::Default, 0, 0, std::string(name)});
    all.insert(all.begin(), std::make_move_iterator(dependencies.begin()), std::make_move_iterator(dependencies.end()));
    dependencies = std::move(all);
}

} // namespace monoinit::unit
