// See cgroup.hpp. Tested by tests/system/cgroups.py.
#include "sys/cgroup.hpp"

#include "base/strings.hpp"
#include "sys/syscalls.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace monoinit::sys {

namespace {

constexpr auto wanted_controllers = std::to_array<std::string_view>({"memory", "pids", "cpu", "io", "cpuset"});
constexpr std::size_t file_limit = 1 << 20;

std::string slurp(const std::string& path) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    char buffer[4096];
    ssize_t size = 0;
    while (file && text.size() < file_limit && (size = ::read(file.get(), buffer, sizeof buffer)) > 0)
        text.append(buffer, static_cast<std::size_t>(size));
    return text;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

/// Whether we are of the machine's own PID namespace: only there the hierarchy's true root may be ours.
bool is_whole_machine() {
    constexpr ino_t initial_pid_namespace = 0xEFFFFFFC;
    struct stat status {};
    return ::stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == initial_pid_namespace;
}

std::string own_path() {
    const std::string cgroups = slurp("/proc/self/cgroup");
    for (const std::string_view line : base::split(cgroups, '\n'))
        if (line.starts_with("0::"))
            return std::string(line.substr(3));
    return {};
}

/// The directory of our group below a mount of cgroup2, of which there may be one at /sys/fs/cgroup or …/unified.
std::string own_directory(const std::string& own) {
    const std::string mounts = slurp("/proc/self/mountinfo");
    for (const std::string_view line : base::split(mounts, '\n')) {
        if (line.find(" - cgroup2 ") == line.npos)
            continue;
        const auto fields = base::split(line, ' ');
        if (fields.size() < 5)
            continue;
        const std::string root(fields[3] == "/" ? std::string_view() : fields[3]), mount(fields[4]);
        if (!own.starts_with(root) || own.find("/..") != own.npos)
            continue;
        std::string directory = mount + own.substr(root.size());
        if (directory.ends_with('/'))
            directory.pop_back();
        if (exists(directory + "/cgroup.procs"))
            return directory;
    }
    return {};
}

/// Every process we see, ours and those that an exec put beside us. Kernel threads and what dies meanwhile stay.
void move_processes(const std::string& from, const std::string& to) {
    constexpr int rounds = 3; // who forks meanwhile leaves a child behind
    for (int round = 0; round < rounds; round++) {
        const std::string pids = slurp(from + "/cgroup.procs");
        if (pids.empty())
            return;
        for (const std::string_view pid : base::split(pids, '\n'))
            if (!pid.empty() && pid != "0")
                (void)write_cgroup_file(to + "/cgroup.procs", pid);
    }
}

bool is_populated(const std::string& group) {
    std::uint64_t populated = 0;
    return read_cgroup_number((group + "/cgroup.events").c_str(), "populated", populated) && populated != 0;
}

void enable_controllers(Cgroup& group) {
    const std::string there = slurp(group.root + "/cgroup.controllers");
    std::string missing;
    int error = 0;
    for (const std::string_view name : wanted_controllers) {
        const std::string word = "+" + std::string(name);
        bool has = false;
        for (const std::string_view line : base::split(there, '\n'))
            for (const std::string_view each : base::split(line, ' '))
                has = has || each == name;
        if (has && write_cgroup_file(group.root + "/cgroup.subtree_control", word)) {
            group.controllers += (group.controllers.empty() ? "" : " ") + word;
        } else {
            error = has ? errno : error;
            missing += (missing.empty() ? "" : ", ") + std::string(name);
        }
    }
    if (!missing.empty())
        group.complaint = "without " + missing + (error == EBUSY ? " (a process was started in the container's own group)" : "");
}

void remove_stale(const std::string& root) {
    DIR* const directory = ::opendir(root.c_str());
    if (directory == nullptr)
        return;
    while (const dirent* const entry = ::readdir(directory))
        if (entry->d_type == DT_DIR && std::string_view(entry->d_name).ends_with(".slice")) {
            std::string path = root + "/" + entry->d_name;
            remove_cgroup(path.data(), root.size());
        }
    ::closedir(directory);
}

} // namespace

Cgroup find_cgroup() {
    Cgroup group;
    std::string own = own_path();
    // A resumed image finds itself where its predecessor went.
    const std::string tail = "/" + std::string(cgroup_leaf);
    const bool in_leaf = own.ends_with(tail);
    if (in_leaf)
        own.resize(own.size() - tail.size());
    const std::string directory = own.empty() && !in_leaf ? "" : own_directory(own.empty() ? "/" : own);
    if (directory.empty()) {
        group.why_not = "no cgroup v2 is mounted";
        return group;
    }
    if (!exists(directory + "/cgroup.type") && !is_whole_machine())
        group.why_not = "the group is the machine's, not the container's";
    else if (::access(directory.c_str(), W_OK) != 0 ||
             ::access((directory + "/cgroup.procs").c_str(), W_OK) != 0)
        group.why_not = "not writable";
    else
        group.writable = true;
    if (!group.writable)
        return group;
    group.available = std::string(base::trim(slurp(directory + "/cgroup.controllers")));
    if (!in_leaf && is_populated(directory + tail))
        group.why_not = "another monoinit divides it already";
    else
        group.root = directory;
    return group;
}

Cgroup prepare_cgroup(bool fresh) {
    Cgroup group = find_cgroup();
    if (group.root.empty())
        return group;
    const std::string leaf = group.root + "/" + std::string(cgroup_leaf);
    if ((::mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) || !write_cgroup_file(leaf + "/cgroup.procs", "0")) {
        group.why_not = std::string("cannot be divided: ") + std::strerror(errno);
        group.root.clear();
        return group;
    }
    move_processes(group.root, leaf);
    if (fresh)
        remove_stale(group.root);
    enable_controllers(group);
    return group;
}

bool write_cgroup_file(const std::string& path, std::string_view text) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool read_cgroup_number(const char* path, std::string_view key, std::uint64_t& number) {
    const int file = ::open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    char text[1024];
    const ssize_t size = ::read(file, text, sizeof text - 1);
    ::close(file);
    if (size <= 0)
        return false;
    text[size] = 0;
    const char* at = text;
    while (!key.empty() && (std::strncmp(at, key.data(), key.size()) != 0 || at[key.size()] != ' ')) {
        at = std::strchr(at, '\n');
        if (at == nullptr)
            return false;
        at++;
    }
    at += key.empty() ? 0 : key.size() + 1;
    if (*at < '0' || *at > '9')
        return false; // "max"
    number = 0; // not strtoull(): it looks at the locale, which a guard has dropped
    for (; *at >= '0' && *at <= '9'; at++)
        number = number * 10 + static_cast<std::uint64_t>(*at - '0');
    return true;
}

std::vector<int> cgroup_members(const std::string& group) {
    std::vector<int> pids;
    const std::string procs = slurp(group + "/cgroup.procs");
    for (const std::string_view line : base::split(procs, '\n')) {
        int pid = 0;
        if (std::from_chars(line.data(), line.data() + line.size(), pid).ec == std::errc{} && pid > 1)
            pids.push_back(pid);
    }
    return pids;
}

std::string block_device_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0)
        return {};
    const dev_t number = S_ISBLK(status.st_mode) ? status.st_rdev : status.st_dev;
    const std::string name = std::to_string(major(number)) + ":" + std::to_string(minor(number));
    const std::string entry = "/sys/dev/block/" + name;
    if (!exists(entry))
        return {};
    // Limits are those of disks, not of partitions.
    return exists(entry + "/partition") ? std::string(base::trim(slurp(entry + "/../dev"))) : name;
}

void remove_cgroups_below(int directory, int depth) {
    struct Entry {
        std::uint64_t inode;
        std::int64_t next;
        unsigned short size;
        unsigned char type;
        char name[1];
    };
    alignas(8) char buffer[1024];
    constexpr int depth_limit = 8, passes = 64; // entries vanish under the reading, so it begins again
    for (int pass = 0; depth < depth_limit && pass < passes; pass++) {
        bool removed = false;
        ::lseek(directory, 0, SEEK_SET);
        long size = 0;
        while ((size = ::syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0)
            for (long at = 0; at < size;) {
                const auto* const entry = reinterpret_cast<const Entry*>(buffer + at);
                const char* const name = buffer + at + offsetof(Entry, name);
                at += entry->size;
                if (entry->type != DT_DIR || name[0] == '.')
                    continue;
                if (::unlinkat(directory, name, AT_REMOVEDIR) != 0) {
                    const int below = ::openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                    if (below < 0)
                        continue;
                    remove_cgroups_below(below, depth + 1);
                    ::close(below);
                    if (::unlinkat(directory, name, AT_REMOVEDIR) != 0)
                        continue;
                }
                removed = true;
            }
        if (!removed)
            return;
    }
}

void remove_cgroup(char* path, std::size_t root_size) {
    if (::rmdir(path) != 0 && errno != ENOENT) {
        const int directory = ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (directory >= 0) {
            remove_cgroups_below(directory, 0);
            ::close(directory);
        }
        if (::rmdir(path) != 0)
            return;
    }
    for (char* slash = std::strrchr(path, '/'); slash != nullptr && slash > path + root_size; slash = std::strrchr(path, '/')) {
        *slash = 0;
        if (::rmdir(path) != 0 && errno != ENOENT)
            return; // others are in it
    }
}

} // namespace monoinit::sys
