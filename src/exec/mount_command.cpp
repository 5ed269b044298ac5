// See mount_command.hpp.
#include "exec/mount_command.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "sys/unique_fd.hpp"
#include "unit/mounts.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

struct FlagRow {
    std::string_view word;
    unsigned long set, clear;
    bool propagation = false;
};

// clang-format off
constexpr auto flag_rows = std::to_array<FlagRow>({
    {"ro", MS_RDONLY, 0}, {"rw", 0, MS_RDONLY}, {"nosuid", MS_NOSUID, 0}, {"suid", 0, MS_NOSUID}, {"nodev", MS_NODEV, 0},
    {"dev", 0, MS_NODEV}, {"noexec", MS_NOEXEC, 0}, {"exec", 0, MS_NOEXEC}, {"sync", MS_SYNCHRONOUS, 0},
    {"async", 0, MS_SYNCHRONOUS}, {"dirsync", MS_DIRSYNC, 0}, {"noatime", MS_NOATIME, 0}, {"atime", 0, MS_NOATIME},
    {"nodiratime", MS_NODIRATIME, 0}, {"diratime", 0, MS_NODIRATIME}, {"relatime", MS_RELATIME, 0}, {"norelatime", 0, MS_RELATIME},
    {"strictatime", MS_STRICTATIME, 0}, {"lazytime", MS_LAZYTIME, 0}, {"silent", MS_SILENT, 0}, {"remount", MS_REMOUNT, 0},
    {"bind", MS_BIND, 0}, {"rbind", MS_BIND | MS_REC, 0}, {"move", MS_MOVE, 0},
    {"private", MS_PRIVATE, 0, true}, {"rprivate", MS_PRIVATE | MS_REC, 0, true}, {"shared", MS_SHARED, 0, true},
    {"rshared", MS_SHARED | MS_REC, 0, true}, {"slave", MS_SLAVE, 0, true}, {"rslave", MS_SLAVE | MS_REC, 0, true},
    {"unbindable", MS_UNBINDABLE, 0, true}, {"runbindable", MS_UNBINDABLE | MS_REC, 0, true},
});
// clang-format on

base::Result<void> make_directories(const std::string& path, mode_t mode) {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
        ::mkdir(path.substr(0, slash).c_str(), mode);
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
        return base::fail_errno(errno, "the mount point " + path + " cannot be made");
    return {};
}

/// Not realpath(3): a guard has no malloc().
std::string real_path(const std::string& path) {
    const sys::UniqueFd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
    std::string real(4096, 0);
    const ssize_t size = place ? ::readlink(("/proc/self/fd/" + std::to_string(place.get())).c_str(), real.data(), real.size()) : -1;
    real.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return real;
}

void say(const std::string& text) { (void)!::write(STDERR_FILENO, text.data(), text.size()); }

bool is_bind(const unit::MountSection& mount) {
    return unit::has_option(mount, "bind") || unit::has_option(mount, "rbind") || mount.type == "bind";
}

int complain(const unit::MountSection& mount, const char* program, int error) {
    say(fmt::format("{}: {}: {}\n", program, mount.where, ::strerrordesc_np(error)));
    constexpr int mount_failure = 32; // as mount(8)
    return mount_failure;
}

} // namespace

base::Result<void> make_mount_point(const unit::MountSection& mount) {
    const auto mode = static_cast<mode_t>(mount.directory_mode);
    struct stat what {};
    if (is_bind(mount)) {
        if (::stat(mount.what.c_str(), &what) != 0)
            TRY(make_directories(mount.what, mode));
        else if (!S_ISDIR(what.st_mode) && mount.where.rfind('/') > 0)
            TRY(make_directories(mount.where.substr(0, mount.where.rfind('/')), mode));
    }
    if (what.st_mode != 0 && !S_ISDIR(what.st_mode))
        sys::UniqueFd(::open(mount.where.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644)).reset();
    else
        TRY(make_directories(mount.where, mode));
    const std::string real = real_path(mount.where);
    if (!real.empty() && mount.where != real)
        return base::fail(base::Errc::Invalid, fmt::format("Where={} leads to {} by a symbolic link: the unit must be named for that", mount.where, real));
    return {};
}

MountFlags mount_flags(const unit::MountSection& mount) {
    MountFlags all;
    const std::string options = unit::options_for_mounting(mount);
    for (const std::string_view word : base::split(options, ',')) {
        const auto row = std::ranges::find(flag_rows, word, &FlagRow::word);
        if (row != flag_rows.end())
            (row->propagation ? all.propagation : all.flags) = ((row->propagation ? all.propagation : all.flags) | row->set) & ~row->clear;
        else if (word == "loop" || word.starts_with("loop=") || word.starts_with("offset=") || word.starts_with("X-"))
            all.needs_program = word;
        else if (word != "_netdev" && !word.empty())
            all.data += (all.data.empty() ? "" : ",") + std::string(word);
    }
    return all;
}

int mount_by_call(const unit::MountSection& mount, unit::ExecList list) {
    if (list == unit::ExecList::Stop)
        return ::umount2(mount.where.c_str(), (mount.lazy_unmount ? MNT_DETACH : 0) | (mount.force_unmount ? MNT_FORCE : 0)) == 0
                   ? 0
                   : complain(mount, "umount", errno);
    MountFlags how = mount_flags(mount);
    if (mount.type == "bind")
        how.flags |= MS_BIND;
    if (list == unit::ExecList::Reload)
        how.flags = (how.flags | MS_REMOUNT) & ~static_cast<unsigned long>(MS_REC);
    const bool typeless = (how.flags & (MS_BIND | MS_MOVE | MS_REMOUNT)) != 0;
    if (!how.needs_program.empty() || (!typeless && mount.type.empty())) {
        say(fmt::format("mount: {}: {} needs mount(8), which this image does not have\n", mount.where,
                        how.needs_program.empty() ? "a missing Type=" : how.needs_program));
        return 1;
    }
    const bool binds = (how.flags & MS_BIND) != 0 && (how.flags & MS_REMOUNT) == 0;
    constexpr unsigned long with_bind = MS_BIND | MS_REC | MS_SILENT; // the kernel ignores the others until the second call
    const unsigned long first = binds ? how.flags & with_bind : how.flags;
    if (::mount(mount.what.c_str(), mount.where.c_str(), mount.type.c_str(), first, how.data.empty() ? nullptr : how.data.c_str()) != 0)
        return complain(mount, "mount", errno);
    const unsigned long rest = how.flags & ~with_bind;
    if (binds && rest != 0 && ::mount(nullptr, mount.where.c_str(), nullptr, MS_REMOUNT | MS_BIND | rest, nullptr) != 0)
        return complain(mount, "mount", errno);
    if (how.propagation != 0 && ::mount(nullptr, mount.where.c_str(), nullptr, how.propagation, nullptr) != 0)
        return complain(mount, "mount", errno);
    return 0;
}

std::string mount_outside(const unit::MountSection& mount) {
    const std::string option = mount.type == "tmpfs"  ? "--tmpfs " + mount.where
                               : is_bind(mount)       ? fmt::format("-v {}:{}", mount.what, mount.where)
                                                      : "-v VOLUME:" + mount.where;
    return fmt::format("mounting needs CAP_SYS_ADMIN, which this container does not have; make {} a volume in its run command ({})", mount.where, option);
}

} // namespace monoinit::exec
