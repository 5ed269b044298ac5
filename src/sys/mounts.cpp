// Reading mountinfo. See mounts.hpp.
#include "sys/mounts.hpp"

#include "base/strings.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

#include <algorithm>
#include <fcntl.h>
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

std::string read_mountinfo() {
    const UniqueFd fd(open_file("/proc/self/mountinfo", O_RDONLY));
    std::string text;
    char buffer[8192];
    for (ssize_t got = fd ? ::read(fd.get(), buffer, sizeof buffer) : 0; got > 0; got = ::read(fd.get(), buffer, sizeof buffer))
        text.append(buffer, static_cast<std::size_t>(got));
    return text;
}

} // namespace

std::vector<Mount> parse_mounts(std::string_view mountinfo) {
    std::vector<Mount> all;
    for (const std::string_view line : base::split(mountinfo, '\n')) {
        const auto fields = base::split(line, ' ');
        const auto dash = std::ranges::find(fields, "-"); // behind a changing number of optional fields
        if (fields.size() > 4 && dash != fields.end() && dash + 1 != fields.end())
            all.push_back({unescape(fields[4]), may_hang(dash[1])});
    }
    return all;
}

std::vector<Mount> mounts() {
    return parse_mounts(read_mountinfo());
}

bool lists_mount_point(std::string_view mountinfo, std::string_view path) {
    while (path.size() > 1 && path.back() == '/')
        path.remove_suffix(1);
    for (const std::string_view line : base::split(mountinfo, '\n')) {
        const auto fields = base::split(line, ' ');
        if (fields.size() > 4 && unescape(fields[4]) == path)
            return true;
    }
    return false;
}

bool is_mount_point(const std::string& path) {
    return lists_mount_point(read_mountinfo(), path);
}

} // namespace monoinit::sys
