// The directory of a unit's credentials. Which start it belongs to is noted beside it, in a symlink that leads nowhere: so the
// commands of one start share the files, and the removal that a stop began cannot hit those of the start after it. A lock on
// the root orders the two. Tested by tests/unit/exec/credential_files_test.cpp.
#include "exec/credential_files.hpp"

#include "exec/directories.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

using sys::UniqueFd;
using Invocation = std::array<std::uint8_t, 16>;

constexpr const char* notes = ".of"; ///< no unit is called so: it has no suffix

base::Error cannot(std::string what) {
    return base::fail_errno(errno, std::move(what));
}

std::string hex(const Invocation& bytes) {
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

/// The root, locked until the descriptor is closed.
base::Result<UniqueFd> open_locked(const std::string& root) {
    UniqueFd fd(sys::open_file(root.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    struct stat status;
    if (!fd || ::fstat(fd.get(), &status) != 0)
        return cannot(root);
    if (status.st_uid != ::geteuid())
        return base::fail(base::Errc::Denied, root + " belongs to uid " + std::to_string(status.st_uid));
    while (::flock(fd.get(), LOCK_EX) != 0)
        if (errno != EINTR)
            return cannot(root);
    return fd;
}

std::string note_path(const std::string& unit) {
    return std::string(notes) + "/" + unit;
}

bool belongs_to(int root, const std::string& unit, const Invocation& invocation) {
    char text[64];
    const ssize_t size = ::readlinkat(root, note_path(unit).c_str(), text, sizeof text);
    return size > 0 && std::string_view(text, static_cast<std::size_t>(size)) == hex(invocation);
}

base::Result<void> write_file(int directory, const LoadedCredential& credential, uid_t uid, gid_t gid) {
    const UniqueFd fd(sys::open_file_at(directory, credential.id.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    if (!fd)
        return cannot(credential.id);
    for (std::string_view rest = credential.data; !rest.empty();) {
        const ssize_t size = ::write(fd.get(), rest.data(), rest.size());
        if (size < 0 && errno != EINTR)
            return cannot(credential.id);
        rest.remove_prefix(size > 0 ? static_cast<std::size_t>(size) : 0);
    }
    // Before the owner changes: after that we may not without CAP_FOWNER.
    if (::fchmod(fd.get(), 0400) != 0 || (uid != ::geteuid() && ::fchown(fd.get(), uid, gid) != 0))
        return cannot("giving " + credential.id + " to uid " + std::to_string(uid));
    return {};
}

base::Result<void> fill(int root, const std::string& unit, const std::vector<LoadedCredential>& credentials, uid_t uid, gid_t gid) {
    if (::mkdirat(root, unit.c_str(), 0700) != 0)
        return cannot(unit);
    const UniqueFd directory(sys::open_file_at(root, unit.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!directory)
        return cannot(unit);
    for (const LoadedCredential& each : credentials)
        TRY(write_file(directory.get(), each, uid, gid));
    if (::fchmod(directory.get(), 0500) != 0 || (uid != ::geteuid() && ::fchown(directory.get(), uid, gid) != 0))
        return cannot("giving them to uid " + std::to_string(uid));
    return {};
}

base::Result<void> make_anew(const Plan& plan, const std::vector<LoadedCredential>& credentials) {
    const std::string& root_path = plan.secrets.root;
    const std::string path = root_path + "/" + plan.unit;
    const UniqueFd root = TRY(open_locked(root_path));
    const std::string note = note_path(plan.unit);
    ::mkdirat(root.get(), notes, 0700); // fails if it is there; what matters is the link
    ::unlinkat(root.get(), note.c_str(), 0);
    TRY(remove_tree(path));
    base::Result<void> filled = fill(root.get(), plan.unit, credentials, plan.directory_uid, plan.directory_gid);
    if (filled && ::symlinkat(hex(plan.invocation).c_str(), root.get(), note.c_str()) != 0)
        filled = cannot(note);
    if (!filled)
        (void)remove_tree(path); // the first failure is the one to tell
    return filled;
}

} // namespace

base::Result<void> provide_credentials(const Plan& plan) {
    if (plan.secrets.wanted.is_default() || plan.secrets.wanted->empty()) // making the default object takes malloc(), which a guard lacks
        return {};
    if (::mkdir(plan.secrets.root.c_str(), 0755) != 0 && errno != EEXIST)
        return cannot(plan.secrets.root);
    if (const UniqueFd root = TRY(open_locked(plan.secrets.root)); belongs_to(root.get(), plan.unit, plan.invocation))
        return {};
    // Not under the lock: a source may hang, and other units want theirs.
    return make_anew(plan, TRY(gather_credentials(plan.secrets, plan.unit)));
}

base::Result<void> remove_credentials(const std::string& root_path, const std::string& unit, const Invocation& invocation) {
    const base::Result<UniqueFd> root = open_locked(root_path);
    if (!root)
        return root.error().errnum == ENOENT ? base::Result<void>() : base::Result<void>(root.error());
    if (!belongs_to(root->get(), unit, invocation))
        return {};
    ::unlinkat(root->get(), note_path(unit).c_str(), 0);
    return remove_tree(root_path + "/" + unit);
}

} // namespace monoinit::exec
