// See command_group.hpp. Tested by tests/system/cgroups.py.
#include "exec/command_group.hpp"

#include "base/fmt.hpp"
#include "sys/cgroup.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

constexpr int group_id_room = 16;

/// One try; false when a guard that leaves has just removed a directory of the way.
bool make_levels(const Plan& plan, std::string& path, std::string& complaint) {
    const GroupPlan& group = plan.group;
    path = group.root;
    for (const GroupPlan::Level& level : group.levels) {
        path += "/" + level.name;
        const bool made = ::mkdir(path.c_str(), 0755) == 0;
        if (!made && errno != EEXIST)
            return false;
        const bool is_unit = &level == &group.levels.back();
        if ((!is_unit || group.delegate) && !group.controllers.empty())
            (void)sys::write_cgroup_file(path + "/cgroup.subtree_control", group.controllers);
        if (made || is_unit) // a slice that is there has its own already
            if (std::string wrong = apply_settings(path, level.settings); !wrong.empty())
                complaint = std::move(wrong);
    }
    path += "/" + std::to_string(plan.guard.value);
    return ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST;
}

bool has_limits(const Plan& plan) {
    return std::ranges::any_of(plan.group.levels, [](const GroupPlan::Level& level) { return !level.settings.empty(); });
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
        made.complaint.clear();
        if (!make_levels(plan, path, made.complaint)) {
            if (errno == ENOENT)
                continue;
            break;
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
    made.complaint = has_limits(plan) ? fmt::format("its limits do not act, since its cgroup cannot be made: {}", ::strerrordesc_np(errno)) : "";
    return made;
}

std::string apply_settings(const std::string& group, const std::vector<unit::CgroupSetting>& settings) {
    std::string complaint;
    for (const unit::CgroupSetting& setting : settings) {
        std::string text = setting.text;
        if (!setting.device.empty()) {
            const std::string number = sys::block_device_of(setting.device);
            if (number.empty()) {
                complaint = fmt::format("{} lies on no block device, so {} does not act on it", setting.device, setting.file);
                continue;
            }
            text = number + " " + text;
        }
        // A controller that is not there has been named at boot.
        if (!sys::write_cgroup_file(group + "/" + setting.file, text) && errno != ENOENT)
            complaint = fmt::format("{} cannot be set: {}", setting.file, ::strerrordesc_np(errno));
    }
    return complaint;
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
