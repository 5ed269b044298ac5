// Conditions on paths. The plain tests may block and run in a probe. The local ones answer the common case without a fork:
// openat2() that crosses no mount point can only reach the root file system, from which this program itself runs.
// Tested by tests/unit/exec.
#include "exec/condition_tests.hpp"
#include "exec/glob.hpp"
#include "sys/directory_reader.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

using unit::ConditionKind;

bool is_filled_file(const struct stat& status) {
    return S_ISREG(status.st_mode) && status.st_size > 0;
}

bool is_program(const struct stat& status) {
    return S_ISREG(status.st_mode) && (status.st_mode & 0111) != 0;
}

/// File systems whose answer may come over a network or from a process. Asked once: the root does not change.
bool root_is_local() {
    static const bool local = [] {
        constexpr auto remote = std::to_array<std::uint64_t>({
            0x6969, 0x65735546, 0x01021997, 0x00c36400, 0xfe534d42, 0xff534d42, 0x517b, 0x5346414f, 0x0bd00bd0});
        struct statfs status;
        return ::statfs("/", &status) == 0 &&
               std::find(remote.begin(), remote.end(), static_cast<std::uint64_t>(status.f_type)) == remote.end();
    }();
    return local;
}

std::optional<bool> answer_of(ConditionKind kind, const struct stat& status) {
    switch (kind) {
    case ConditionKind::PathExists:
        return true;
    case ConditionKind::PathIsDirectory:
        return S_ISDIR(status.st_mode);
    case ConditionKind::PathIsSymbolicLink:
        return S_ISLNK(status.st_mode);
    case ConditionKind::FileNotEmpty:
        return is_filled_file(status);
    case ConditionKind::FileIsExecutable:
        return is_program(status);
    case ConditionKind::PathExistsGlob:
    case ConditionKind::PathIsMountPoint:
    case ConditionKind::PathIsReadWrite:
    case ConditionKind::PathIsEncrypted:
    case ConditionKind::DirectoryNotEmpty:
    case ConditionKind::Architecture:
    case ConditionKind::Firmware:
    case ConditionKind::Virtualization:
    case ConditionKind::Host:
    case ConditionKind::KernelCommandLine:
    case ConditionKind::KernelVersion:
    case ConditionKind::Credential:
    case ConditionKind::Environment:
    case ConditionKind::Security:
    case ConditionKind::Capability:
    case ConditionKind::AcPower:
    case ConditionKind::NeedsUpdate:
    case ConditionKind::FirstBoot:
    case ConditionKind::User:
    case ConditionKind::Group:
    case ConditionKind::ControlGroupController:
    case ConditionKind::Memory:
    case ConditionKind::Cpus:
    case ConditionKind::CpuFeature:
    case ConditionKind::OsRelease:
    case ConditionKind::MemoryPressure:
    case ConditionKind::CpuPressure:
    case ConditionKind::IoPressure:
    case ConditionKind::Version:
        break;
    }
    return std::nullopt;
}

} // namespace

bool path_exists(const std::string& path, const ConditionContext&) {
    return ::access(path.c_str(), F_OK) == 0;
}

bool path_exists_glob(const std::string& pattern, const ConditionContext&) {
    return !glob_paths(pattern).empty();
}

bool path_is_directory(const std::string& path, const ConditionContext&) {
    struct stat status;
    return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool path_is_symbolic_link(const std::string& path, const ConditionContext&) {
    struct stat status;
    return ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

bool path_is_mount_point(const std::string& path, const ConditionContext&) {
    struct statx status;
    if (::statx(AT_FDCWD, path.c_str(), AT_NO_AUTOMOUNT, STATX_TYPE, &status) == 0 &&
        (status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0)
        return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    // Kernels before 5.8: another device than the parent's, or the root of all.
    struct stat own, parent;
    if (::stat(path.c_str(), &own) != 0 || ::stat((path + "/..").c_str(), &parent) != 0)
        return false;
    return own.st_dev != parent.st_dev || own.st_ino == parent.st_ino;
}

bool path_is_read_write(const std::string& path, const ConditionContext&) {
    struct statvfs status;
    return ::statvfs(path.c_str(), &status) == 0 && (status.f_flag & ST_RDONLY) == 0;
}

bool path_is_encrypted(const std::string&, const ConditionContext&) {
    return false; // the block devices below a container are out of its sight
}

bool directory_not_empty(const std::string& path, const ConditionContext&) {
    return sys::DirectoryReader(sys::UniqueFd(sys::open_file(path.c_str(), O_RDONLY | O_DIRECTORY))).next() != nullptr;
}

bool file_not_empty(const std::string& path, const ConditionContext&) {
    struct stat status;
    return ::stat(path.c_str(), &status) == 0 && is_filled_file(status);
}

bool file_is_executable(const std::string& path, const ConditionContext&) {
    struct stat status;
    return ::stat(path.c_str(), &status) == 0 && is_program(status);
}

std::optional<bool> test_path_locally(ConditionKind kind, const std::string& path) {
    struct stat status{};
    if (!answer_of(kind, status) || !path.starts_with('/') || !root_is_local())
        return std::nullopt;
    const int link = kind == ConditionKind::PathIsSymbolicLink ? O_NOFOLLOW : 0;
    const sys::UniqueFd fd(
        sys::open_at2(AT_FDCWD, path.c_str(), O_PATH | link, RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS));
    if (!fd)
        return errno == ENOENT || errno == ENOTDIR ? std::optional(false) : std::nullopt;
    if (::fstat(fd.get(), &status) != 0)
        return std::nullopt;
    return answer_of(kind, status);
}

} // namespace monoinit::exec
