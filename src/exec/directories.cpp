// Making and removing directories one component at a time, each opened with O_NOFOLLOW relative to the last: a service that
// owns a parent cannot lead root elsewhere with a symlink. One symlink is followed: the last component, when root made it
// (an administrator moved /var/lib/x to another disk). Tested by tests/unit/exec.
#include "exec/directories.hpp"

#include "base/strings.hpp"
#include "sys/directory_reader.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

using sys::UniqueFd;

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
constexpr int depth_limit = 256;

base::Error failed(const std::string& path) {
    return base::fail_errno(errno, path);
}

/// Makes the root of a kind (/run, /var/lib …) when it is not there; it may be reached through symlinks.
base::Result<UniqueFd> open_root(const std::string& root) {
    for (std::size_t slash = root.find('/', 1);; slash = root.find('/', slash + 1)) {
        const std::string part = root.substr(0, slash);
        if (::mkdir(part.c_str(), 0755) != 0 && errno != EEXIST && slash == root.npos)
            return failed(root);
        if (slash == root.npos)
            break;
    }
    UniqueFd fd(sys::open_file(root.c_str(), O_RDONLY | O_DIRECTORY));
    if (!fd)
        return failed(root);
    return fd;
}

/// A symlink that root owns may stand for the directory.
bool is_trusted_link(int parent, const std::string& name) {
    struct stat status;
    return ::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode) &&
           (status.st_uid == 0 || status.st_uid == ::geteuid());
}

base::Result<UniqueFd> enter(int parent, const std::string& name, mode_t mode, bool& made) {
    made = ::mkdirat(parent, name.c_str(), mode) == 0;
    if (!made && errno != EEXIST)
        return failed(name);
    UniqueFd fd(sys::open_file_at(parent, name.c_str(), directory_flags));
    if (!fd && (errno == ELOOP || errno == ENOTDIR) && is_trusted_link(parent, name))
        fd.reset(sys::open_file_at(parent, name.c_str(), O_RDONLY | O_DIRECTORY));
    if (!fd)
        return failed(name);
    return fd;
}

struct Owner {
    uid_t uid;
    gid_t gid;
};

base::Result<void> change_owner_below(UniqueFd top, Owner owner, int depth) {
    if (depth > depth_limit)
        return base::fail(base::Errc::TooLarge, "directories nested too deeply");
    sys::DirectoryReader reader(std::move(top));
    while (const char* const name = reader.next()) {
        if (::fchownat(reader.fd(), name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0)
            return failed(name);
        UniqueFd child(sys::open_file_at(reader.fd(), name, directory_flags));
        if (child)
            TRY(change_owner_below(std::move(child), owner, depth + 1));
    }
    return {};
}

base::Result<void> own_directory(int fd, const DirectoryPlan& plan, Owner owner) {
    struct stat status;
    if (::fstat(fd, &status) != 0)
        return failed(plan.path);
    const mode_t mode = plan.mode & 07777;
    const bool other_owner = status.st_uid != owner.uid || status.st_gid != owner.gid;
    if (other_owner) {
        UniqueFd copy(sys::open_file_at(fd, ".", directory_flags));
        if (!copy)
            return failed(plan.path);
        TRY(change_owner_below(std::move(copy), owner, 0));
        if (::fchown(fd, owner.uid, owner.gid) != 0)
            return failed(plan.path);
    }
    // After chown, which takes set-id bits away.
    if ((other_owner || (status.st_mode & 07777) != mode) && ::fchmod(fd, mode) != 0)
        return failed(plan.path);
    return {};
}

base::Result<void> make_links(int root, const DirectoryPlan& plan) {
    for (const std::string& link : plan.links) {
        std::string target; // relative, so that it holds inside and outside of a root directory
        for (std::size_t at = link.find('/'); at != link.npos; at = link.find('/', at + 1))
            target += "../";
        target += plan.path;
        if (::symlinkat(target.c_str(), root, link.c_str()) != 0 && errno != EEXIST)
            return failed(link);
    }
    return {};
}

base::Result<void> remove_at(int parent, const char* name, dev_t device, int depth) {
    if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return {};
    if (errno != EISDIR && errno != EPERM)
        return failed(name);
    UniqueFd fd(sys::open_file_at(parent, name, directory_flags));
    if (!fd)
        return failed(name);
    struct stat status;
    if (::fstat(fd.get(), &status) != 0)
        return failed(name);
    if (status.st_dev != device)
        return base::fail(base::Errc::Busy, std::string(name) + " is a mount point");
    if (depth > depth_limit)
        return base::fail(base::Errc::TooLarge, "directories nested too deeply");
    if (status.st_uid == ::geteuid() && (status.st_mode & 0700) != 0700)
        ::fchmod(fd.get(), 0700); // without privilege one's own read-only directory cannot be emptied
    sys::DirectoryReader reader(std::move(fd));
    for (int pass = 0; pass < 3; pass++) { // some file systems skip names while others are being removed
        while (const char* const entry = reader.next())
            TRY(remove_at(reader.fd(), entry, device, depth + 1));
        if (::unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return {};
        if (errno != ENOTEMPTY)
            break;
        reader.rewind();
    }
    return failed(name);
}

} // namespace

base::Result<void> make_directory(const DirectoryPlan& plan, uid_t uid, gid_t gid) {
    UniqueFd root = TRY(open_root(plan.root));
    UniqueFd at(sys::duplicate(root.get(), 3));
    if (!at)
        return base::fail_errno(errno, plan.root);
    const std::vector<std::string_view> parts = base::split(plan.path, '/');
    for (std::size_t i = 0; i < parts.size(); i++) {
        const bool last = i + 1 == parts.size();
        if (parts[i].empty() || parts[i] == ".")
            continue;
        if (parts[i] == "..")
            return base::fail(base::Errc::Invalid, plan.path + " leaves " + plan.root);
        bool made = false;
        base::Result<UniqueFd> next = enter(at.get(), std::string(parts[i]), last ? plan.mode & 0777 : 0755, made);
        if (!next)
            return base::fail_errno(next.error().errnum, plan.root + "/" + plan.path);
        at = std::move(*next);
        if (last && (plan.kind != unit::DirectoryKind::Configuration || made))
            TRY(own_directory(at.get(), plan,
                              plan.kind == unit::DirectoryKind::Configuration ? Owner{::geteuid(), ::getegid()}
                                                                              : Owner{uid, gid}));
    }
    return make_links(root.get(), plan);
}

base::Result<void> remove_tree(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == path.npos || slash + 1 == path.size())
        return base::fail(base::Errc::Invalid, path + " is no path to remove");
    const UniqueFd parent(sys::open_file(path.substr(0, slash + 1).c_str(), O_RDONLY | O_DIRECTORY));
    if (!parent)
        return errno == ENOENT ? base::Result<void>() : failed(path);
    struct stat status;
    if (::fstat(parent.get(), &status) != 0)
        return failed(path);
    return remove_at(parent.get(), path.c_str() + slash + 1, status.st_dev, 0);
}

} // namespace monoinit::exec
