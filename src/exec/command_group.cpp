// See command_group.hpp. Tested by tests/system/cgroups.py.
#include "exec/command_group.hpp"

#include "sys/cgroup.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

constexpr int group_id_room = 16;

/// One try; false when a guard that leaves has just removed a directory of the way.
bool make_levels(const Plan& plan, std::string& path) {
    const GroupPlan& group = plan.group;
    path = group.root;
    for (std::size_t i = 0; i < group.path.size(); i++) {
        path += "/" + group.path[i];
        if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
            return false;
        const bool is_unit = i + 1 == group.path.size();
        if ((!is_unit || group.delegate) && !group.controllers.empty())
            (void)sys::write_cgroup_file(path + "/cgroup.subtree_control", group.controllers);
    }
    for (const unit::CgroupSetting& setting : group.settings)
        (void)sys::write_cgroup_file(path + "/" + setting.file, setting.text);
    path += "/" + std::to_string(plan.guard.value);
    return ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST;
}

void hand_over(const Plan& plan, const std::string& path) {
    for (const char* name : {"", "/cgroup.procs", "/cgroup.subtree_control", "/cgroup.threads"})
        (void)!::chown((path + name).c_str(), plan.directory_uid, plan.directory_gid);
}

} // namespace

CommandGroup make_command_group(const Plan& plan) {
    CommandGroup made;
    if (plan.group.root.empty())
        return made;
    constexpr int tries = 10;
    for (int i = 0; i < tries; i++) {
        std::string path;
        if (!make_levels(plan, path)) {
            if (errno == ENOENT)
                continue;
            return made;
        }
        made.procs.reset(::open((path + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
        if (!made.procs)
            continue;
        if (plan.group.delegate)
            hand_over(plan, path);
        made.oom_kills = count_oom_kills(path.c_str());
        made.path = std::move(path);
        return made;
    }
    return made;
}

std::uint64_t count_oom_kills(const char* path) {
    char file[group_path_limit + group_id_room];
    const char* const end = std::strrchr(path, '/'); // the unit's directory counts: its guards have no controllers
    constexpr std::string_view name = "/memory.events";
    if (end == nullptr || static_cast<std::size_t>(end - path) + name.size() >= sizeof file)
        return 0;
    std::memcpy(file, path, static_cast<std::size_t>(end - path));
    std::memcpy(file + (end - path), name.data(), name.size());
    file[static_cast<std::size_t>(end - path) + name.size()] = 0;
    std::uint64_t kills = 0;
    return sys::read_cgroup_number(file, "oom_kill", kills) ? kills : 0;
}

} // namespace monoinit::exec
