// See real_files.hpp. Tested by tests/unit/sys/real_files_test.cpp.

#include "sys/real_files.hpp"

#include "base/strings.hpp"
#include "sys/reserve.hpp"
#include "sys/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::sys {

namespace {

using base::DirEntry;
using base::Errc;

constexpr int most_links = 40;

base::Error failed(int errnum, const std::string& what) {
    base::Error error = base::fail_errno(errnum, what);
    if (errnum == ENOENT || errnum == ENOTDIR)
        error.code = Errc::NotFound;
    else if (errnum == EEXIST || errnum == ENOTEMPTY)
        error.code = Errc::Exists;
    else if (errnum == EACCES || errnum == EPERM || errnum == EROFS)
        error.code = Errc::Denied;
    return error;
}

DirEntry::Kind kind_of(mode_t mode) {
    if (S_ISREG(mode))
        return DirEntry::Kind::Regular;
    if (S_ISDIR(mode))
        return DirEntry::Kind::Directory;
    return S_ISLNK(mode) ? DirEntry::Kind::Symlink : DirEntry::Kind::Other;
}

DirEntry::Kind kind_of_entry(int directory, const dirent& entry) {
    switch (entry.d_type) {
    case DT_REG:
        return DirEntry::Kind::Regular;
    case DT_DIR:
        return DirEntry::Kind::Directory;
    case DT_LNK:
        return DirEntry::Kind::Symlink;
    case DT_UNKNOWN: { // some file systems do not say
        struct stat info {};
        return ::fstatat(directory, entry.d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 ? kind_of(info.st_mode) : DirEntry::Kind::Other;
    }
    default:
        return DirEntry::Kind::Other;
    }
}

base::Result<std::string> link_target(const std::string& path) {
    std::string target(256, '\0');
    for (;;) {
        const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
        if (length < 0) {
            base::Error error = failed(errno, "cannot be read as a link");
            if (errno == EINVAL)
                error.code = Errc::Invalid;
            return error;
        }
        if (static_cast<std::size_t>(length) < target.size()) {
            target.resize(static_cast<std::size_t>(length));
            return target;
        }
        target.resize(target.size() * 2);
    }
}

/// At most `limit` bytes; one more means the file grew past it.
base::Result<std::string> read_all(int fd, std::size_t expected, std::size_t limit) {
    std::string text;
    text.resize(std::min(expected, limit) + 1);
    std::size_t used = 0;
    for (;;) {
        const ssize_t got = ::read(fd, text.data() + used, text.size() - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failed(errno, "cannot be read");
        if (got == 0)
            break;
        used += static_cast<std::size_t>(got);
        if (used > limit)
            return base::fail(Errc::TooLarge, "too large");
        if (used == text.size())
            text.resize(std::min(used * 2, limit + 1));
    }
    text.resize(used);
    return text;
}

} // namespace

RealFiles::RealFiles(std::string root) : root_(std::move(root)) {
    while (root_.ends_with('/'))
        root_.pop_back();
}

/// Without a root, the path itself: the kernel follows links. With one, links are followed here, below the root.
base::Result<std::string> RealFiles::real_path(const std::string& path, bool follow_last) const {
    if (path.find('\0') != std::string::npos)
        return base::fail(Errc::Invalid, "a NUL in a path");
    if (root_.empty())
        return path;
    std::vector<std::string> open; // components still to go, last first
    const auto push = [&](std::string_view text) {
        std::vector<std::string_view> parts = base::split(text, '/');
        for (auto part = parts.rbegin(); part != parts.rend(); ++part)
            open.emplace_back(*part);
    };
    push(path);
    std::string done; // below the root, without links
    for (int links = 0; !open.empty();) {
        const std::string part = std::move(open.back());
        open.pop_back();
        if (part.empty() || part == ".")
            continue;
        if (part == "..") {
            done.resize(done.empty() ? 0 : done.rfind('/'));
            continue;
        }
        const std::string next = done + "/" + part;
        const bool last = std::ranges::all_of(open, [](const std::string& rest) { return rest.empty() || rest == "."; });
        const auto target = last && !follow_last ? base::Result<std::string>(base::fail(Errc::Invalid, "")) : link_target(root_ + next);
        if (!target) {
            done = next;
            continue;
        }
        if (++links > most_links)
            return failed(ELOOP, "cannot be read");
        if (target->starts_with('/'))
            done.clear();
        push(*target);
    }
    return root_ + (done.empty() ? "/" : done);
}

base::Result<std::vector<DirEntry>> RealFiles::list(const std::string& directory) const {
    const std::string path = TRY(real_path(directory, true));
    UniqueFd fd(open_briefly(path.c_str(), O_RDONLY | O_DIRECTORY | O_NONBLOCK));
    DIR* stream = fd ? ::fdopendir(fd.get()) : nullptr;
    if (!stream)
        return failed(errno, directory + " cannot be listed");
    (void)fd.release(); // closedir() closes it
    std::vector<DirEntry> entries;
    while (const dirent* entry = ::readdir(stream)) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..")
            entries.push_back({std::string(name), kind_of_entry(::dirfd(stream), *entry)});
    }
    ::closedir(stream);
    std::ranges::sort(entries, {}, &DirEntry::name);
    return entries;
}

base::Result<std::string> RealFiles::read(const std::string& path, std::size_t limit) const {
    const std::string real = TRY(real_path(path, true));
    // Looked at first: opening a device, even without blocking, can do something.
    struct stat info {};
    if (::stat(real.c_str(), &info) != 0)
        return failed(errno, "cannot be read");
    if (!S_ISREG(info.st_mode))
        return base::fail(Errc::Invalid, "not a regular file");
    if (info.st_size > 0 && static_cast<std::uint64_t>(info.st_size) > limit)
        return base::fail(Errc::TooLarge, "too large");
    const UniqueFd fd(open_briefly(real.c_str(), O_RDONLY | O_NONBLOCK));
    if (!fd || ::fstat(fd.get(), &info) != 0)
        return failed(errno, "cannot be read");
    if (!S_ISREG(info.st_mode)) // exchanged meanwhile
        return base::fail(Errc::Invalid, "not a regular file");
    return read_all(fd.get(), static_cast<std::size_t>(std::max<off_t>(info.st_size, 0)), limit);
}

base::Result<std::string> RealFiles::read_link(const std::string& path) const {
    return link_target(TRY(real_path(path, false)));
}

base::Result<DirEntry::Kind> RealFiles::kind(const std::string& path) const {
    const std::string real = TRY(real_path(path, false));
    struct stat info {};
    if (::lstat(real.c_str(), &info) != 0)
        return failed(errno, path + " cannot be looked at");
    return kind_of(info.st_mode);
}

std::uint64_t RealFiles::stamp(const std::string& directory) const {
    const auto real = real_path(directory, true);
    struct stat info {};
    if (!real || ::stat(real->c_str(), &info) != 0)
        return 0;
    // The time may be as coarse as a clock tick; where the size of a directory tells of its entries, it helps.
    std::uint64_t mixed = 1;
    for (const auto part : {static_cast<std::uint64_t>(info.st_mtim.tv_sec), static_cast<std::uint64_t>(info.st_mtim.tv_nsec),
                            static_cast<std::uint64_t>(info.st_size), static_cast<std::uint64_t>(info.st_ino)})
        mixed = (mixed ^ part) * 0x9e3779b97f4a7c15ULL;
    return mixed | 1;
}

base::Result<void> RealFiles::make_directory(const std::string& path) {
    const std::string real = TRY(real_path(path, true));
    for (std::size_t slash = real.find('/', 1);; slash = real.find('/', slash + 1)) {
        const std::string part = real.substr(0, slash);
        if (::mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) {
            struct stat info {};
            const int error = errno; // EROFS, EACCES also where it exists
            if (::stat(part.c_str(), &info) != 0)
                return failed(error, "Failed to create directory " + path);
        }
        if (slash == std::string::npos)
            return {};
    }
}

base::Result<void> RealFiles::symlink(const std::string& target, const std::string& path) {
    const std::string real = TRY(real_path(path, false));
    if (::symlink(target.c_str(), real.c_str()) != 0)
        return failed(errno, "Failed to create symlink " + path);
    return {};
}

base::Result<void> RealFiles::remove(const std::string& path) {
    const std::string real = TRY(real_path(path, false));
    if (::unlink(real.c_str()) != 0)
        return failed(errno, "Failed to remove " + path);
    return {};
}

base::Result<void> RealFiles::remove_directory(const std::string& path) {
    const std::string real = TRY(real_path(path, false));
    if (::rmdir(real.c_str()) != 0)
        return failed(errno, "Failed to remove " + path);
    return {};
}

base::Result<void> RealFiles::write(const std::string& path, std::string_view text) {
    TRY(make_directory(path.substr(0, path.rfind('/'))));
    const std::string real = TRY(real_path(path, false));
    const std::string beside = real.substr(0, real.rfind('/') + 1) + ".#" + real.substr(real.rfind('/') + 1) + std::to_string(::getpid());
    const UniqueFd fd(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!fd)
        return failed(errno, "Failed to write " + path);
    bool written = ::fchmod(fd.get(), 0644) == 0; // whatever the umask
    while (written && !text.empty()) {
        const ssize_t count = ::write(fd.get(), text.data(), text.size());
        written = count > 0 || (count < 0 && errno == EINTR);
        text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    }
    if (written && ::rename(beside.c_str(), real.c_str()) == 0)
        return {};
    const int error = errno;
    ::unlink(beside.c_str());
    return failed(error, "Failed to write " + path);
}

base::Result<base::Duration> RealFiles::changed_at(const std::string& path) const {
    base::Duration latest{};
    for (const bool follow : {false, true}) {
        const std::string real = TRY(real_path(path, follow));
        struct stat info {};
        if (::lstat(real.c_str(), &info) != 0)
            return failed(errno, path + " cannot be looked at");
        latest = std::max(latest, base::Duration(std::int64_t{info.st_ctim.tv_sec} * 1'000'000 + info.st_ctim.tv_nsec / 1000));
    }
    return latest;
}

} // namespace monoinit::sys
