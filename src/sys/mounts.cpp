// Reading mountinfo. See mounts.hpp.
#include "sys/mounts.hpp"

#include "base/strings.hpp"
#include "sys/reserve.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace monoinit::sys {

namespace {

/// Blank, tab, newline and backslash are written as \040 and kin.
std::string unescape(std::string_view field) {
    std::string plain;
    for (std::size_t i = 0; i < field.size(); i++) {
        if (field[i] == '\\' && i + 3 < field.size() && field[i + 1] >= '0' && field[i + 1] <= '3') {
            plain += static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + (field[i + 3] - '0'));
            i += 3;
        } else {
            plain += field[i];
        }
    }
    return plain;
}

/// By the name of the file system's type.
bool may_hang(std::string_view type) {
    constexpr std::string_view types[] = {"fuse", "fuseblk", "nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "afs", "lustre", "autofs"};
    return type.starts_with("fuse.") || std::ranges::find(types, type) != std::end(types);
}

std::string joined_options(std::string_view mount, std::string_view file_system) {
    std::string all(mount);
    for (const std::string_view each : base::split(file_system, ','))
        if (each != "rw" && each != "ro" && !each.empty())
            all += "," + std::string(each);
    return unescape(all);
}

base::Result<std::string> read_mountinfo() {
    const UniqueFd fd(open_briefly("/proc/self/mountinfo", O_RDONLY));
    if (!fd)
        return base::fail_errno(errno, "/proc/self/mountinfo");
    std::string text;
    char buffer[8192];
    ssize_t got;
    while ((got = ::read(fd.get(), buffer, sizeof buffer)) > 0)
        text.append(buffer, static_cast<std::size_t>(got));
    return got == 0 ? base::Result<std::string>(std::move(text)) : base::fail_errno(errno, "/proc/self/mountinfo");
}

} // namespace

std::vector<Mount> parse_mounts(std::string_view mountinfo) {
    std::vector<Mount> all;
    for (const std::string_view line : base::split(mountinfo, '\n')) {
        const auto fields = base::split(line, ' ');
        const auto dash = std::ranges::find(fields, "-"); // behind a changing number of optional fields
        if (fields.size() > 4 && dash != fields.end() && dash + 1 != fields.end())
            all.push_back({unescape(fields[4]), may_hang(dash[1]), dash + 2 < fields.end() ? unescape(dash[2]) : std::string(), std::string(dash[1]),
                           joined_options(fields[5], dash + 3 < fields.end() ? dash[3] : std::string_view())});
    }
    return all;
}

base::Result<std::vector<Mount>> mounts() {
    return parse_mounts(TRY(read_mountinfo()));
}

bool may_mount() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    return ::syscall(SYS_capget, &header, data) == 0 && (data[0].effective >> CAP_SYS_ADMIN & 1U) != 0;
}

std::optional<bool> device_exists(const std::string& path) {
    const std::string root = path.starts_with("/dev/") ? "/dev" : path.starts_with("/sys/") ? "/sys" : "";
    const UniqueFd directory(root.empty() ? -1 : ::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory)
        return std::nullopt;
    const UniqueFd found(open_at2(directory.get(), path.c_str() + root.size() + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC, RESOLVE_BENEATH | RESOLVE_NO_XDEV));
    if (found)
        return true;
    return errno == ENOENT || errno == ENOTDIR ? std::optional(false) : std::nullopt;
}

} // namespace monoinit::sys
