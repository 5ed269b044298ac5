// See mounts.hpp. Tested by tests/unit/unit/mounts_test.cpp.
#include "unit/mounts.hpp"

#include "base/strings.hpp"
#include "unit/index.hpp"
#include "unit/name.hpp"

#include <algorithm>

namespace monoinit::unit {

namespace {

using Kind = DependencyKind;

constexpr std::string_view network_file_systems[] = {"nfs",  "nfs4", "cifs",      "smb3",           "smbfs", "sshfs",
                                                     "ceph", "afs",  "glusterfs", "fuse.glusterfs", "gfs2",  "9p"};

bool is_below(std::string_view path, std::string_view directory) {
    return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

void add(UnitConfig& unit, Origin origin, Kind kind, std::string_view name) {
    const auto same = [&](const Dependency& each) { return each.kind == kind && each.name == name; };
    if (name != unit.name && std::ranges::none_of(unit.unit.dependencies, same))
        unit.unit.dependencies.push_back({kind, origin, 0, 0, std::string(name)});
}

bool is_network(const MountSection& mount) {
    return std::ranges::find(network_file_systems, mount.type) != std::end(network_file_systems) || has_option(mount, "_netdev");
}

bool is_bind(const MountSection& mount) { return has_option(mount, "bind") || has_option(mount, "rbind") || mount.type == "bind"; }

Command command(std::string path, std::vector<std::string> arguments) {
    Command made;
    made.argv = std::move(arguments);
    made.argv.insert(made.argv.begin(), path);
    made.path = std::move(path); // looked up in PATH
    made.no_environment = true;
    return made;
}

Command mount_command(const MountSection& mount, std::string options) {
    std::vector<std::string> arguments{mount.what, mount.where};
    if (mount.sloppy_options)
        arguments.emplace_back("-s");
    if (mount.read_write_only)
        arguments.emplace_back("-w");
    if (!mount.type.empty())
        arguments.insert(arguments.end(), {"-t", mount.type});
    if (!options.empty())
        arguments.insert(arguments.end(), {"-o", std::move(options)});
    return command("mount", std::move(arguments));
}

Command unmount_command(const MountSection& mount) {
    std::vector<std::string> arguments{mount.where};
    if (mount.lazy_unmount)
        arguments.emplace_back("-l");
    if (mount.force_unmount)
        arguments.emplace_back("-f");
    return command("umount", std::move(arguments));
}

std::string_view parent_of(std::string_view path) { return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)); }

} // namespace

bool is_api_path(std::string_view path) {
    return is_below(path, "/proc") || is_below(path, "/sys") || is_below(path, "/dev");
}

std::string mount_unit_name(std::string_view path) {
    const bool plain = path.starts_with('/') && path.find("//") == path.npos;
    std::string name = plain ? escape_path(path) : std::string();
    name += name.empty() ? "" : ".mount";
    return is_valid_name(name) ? name : std::string();
}

// ---- what is mounted ------------------------------------------------------------------------------------------------

MountTable::MountTable(const std::vector<MountPoint>& mounts) {
    for (const MountPoint& each : mounts) {
        std::string name = mount_unit_name(each.where);
        if (name.empty())
            continue;
        names_.insert_or_assign(each.where, name);
        by_name_.insert_or_assign(std::move(name), each);
    }
}

const MountPoint* MountTable::find(std::string_view unit_name) const {
    const auto found = by_name_.find(unit_name);
    return found == by_name_.end() ? nullptr : &found->second;
}

const MountPoint* MountTable::at(std::string_view path) const {
    const auto found = names_.find(path);
    return found == names_.end() ? nullptr : find(found->second);
}

void describe_mounted(UnitConfig& unit, const MountPoint& mounted) {
    unit.builtin = true;
    unit.files.emplace_back();
    unit.unit.description = mounted.where;
    unit.unit.default_dependencies = false; // whoever has mounted it rules over it
    MountSection& section = unit.mount.edit();
    section.where = mounted.where;
    section.what = mounted.what;
    section.type = mounted.type;
    section.options = mounted.options;
}

// ---- what a file says -----------------------------------------------------------------------------------------------

void fill_mount(UnitConfig& unit) {
    if (unit.mount->where.empty())
        if (auto path = unescape_path(unit.name.substr(0, unit.name.rfind('.'))))
            unit.mount.edit().where = std::move(*path);
    std::string& where = unit.mount.edit().where;
    while (where.size() > 1 && where.back() == '/')
        where.pop_back();
    const MountSection& mount = *unit.mount;
    const std::string options = options_for_mounting(mount);
    auto& lists = unit.service.edit().commands;
    lists[static_cast<std::size_t>(ExecList::Start)] = {mount_command(mount, options)};
    lists[static_cast<std::size_t>(ExecList::Reload)] = {mount_command(mount, options.empty() ? "remount" : "remount," + options)};
    lists[static_cast<std::size_t>(ExecList::Stop)] = {unmount_command(mount)};
    unit.service.edit().timeout_stop = mount.timeout;
}

std::string mount_mistake(const UnitConfig& unit) {
    const MountSection& mount = *unit.mount;
    const std::string fitting = mount_unit_name(mount.where);
    if (mount.what.empty())
        return "no What=: there is nothing to mount";
    if (!mount.where.starts_with('/') || mount.where.find("/../") != std::string::npos || fitting.empty())
        return "Where= is not an absolute path that a unit can have the name of";
    if (std::ranges::find(unit.names, fitting) == unit.names.end())
        return "Where=" + base::printable(mount.where, name_limit) + " does not fit the unit's name: the file must be called " + fitting;
    if (mount.where == "/" || mount.where == "/proc" || mount.where == "/sys" || mount.where == "/dev")
        return mount.where + " is the container's own: it is mounted already";
    return {};
}

// ---- dependencies ---------------------------------------------------------------------------------------------------

MountOrder mount_order(const MountSection& mount) {
    MountOrder order{is_network(mount), "local-fs-pre.target", "local-fs.target"};
    if (order.network) {
        order.after = "remote-fs-pre.target";
        order.before = "remote-fs.target";
    }
    if (has_option(mount, "nofail"))
        order.before = {};
    return order;
}

void add_mount_dependencies(const UnitIndex& index, UnitConfig& unit) {
    const MountSection& mount = *unit.mount;
    if (mount.where.size() > 1)
        require_mounts(index, unit, Kind::Requires, Origin::Implicit, parent_of(mount.where));
    if (unit.builtin)
        return;
    const bool device = mount.what.starts_with("/dev/") && !is_bind(mount);
    if (device) {
        const std::string name = escape_path(mount.what) + ".device";
        if (is_valid_name(name)) {
            add(unit, Origin::Implicit, Kind::Requires, name);
            add(unit, Origin::Implicit, Kind::After, name);
        }
    } else if (!is_network(mount)) {
        require_mounts(index, unit, Kind::Requires, Origin::Implicit, mount.what);
    }
    if (mount.type == "tmpfs" && unit.unit.default_dependencies)
        add(unit, Origin::Default, Kind::After, "swap.target");
}

void require_mounts(const UnitIndex& index, UnitConfig& unit, DependencyKind need, Origin origin, std::string_view path) {
    if (!index.has_mounts() || !path.starts_with('/'))
        return;
    while (path.size() > 1 && path.back() == '/')
        path.remove_suffix(1);
    for (std::size_t end = 1; end != std::string_view::npos && end < path.size();) {
        end = path.find('/', end);
        const std::string mount = index.mount_unit_at(path.substr(0, end));
        if (end != std::string_view::npos)
            end++;
        if (mount.empty() || mount == unit.name)
            continue;
        add(unit, origin, need, mount);
        add(unit, origin, Kind::After, mount);
    }
}

} // namespace monoinit::unit
