// See far_files.hpp. Tested by tests/unit/sys/far_files_test.cpp.
#include "sys/far_files.hpp"

#include "sys/clock.hpp"
#include "sys/process_title.hpp"
#include "sys/signals.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <linux/openat2.h>
#include <optional>
#include <poll.h>
#include <unistd.h>

namespace monoinit::sys {

namespace {

using base::DirEntry;
using base::Errc;

constexpr base::Duration patience = std::chrono::seconds(1); ///< of PID 1, for each file system that hangs
constexpr std::size_t most_silent = 4;                       ///< with more than that, nothing far is asked any more

bool is_below(std::string_view path, std::string_view directory) {
    return directory == "/" || (path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/'));
}

/// The child's answer: a mark, the bytes, and an end by which a child that was killed is known.
constexpr char good = '+', bad = '-', end_mark = '\n';

std::string encode(const base::Result<std::string>& result) {
    std::string bytes(1, result ? good : bad);
    if (result)
        bytes += *result;
    else
        bytes.append(1, static_cast<char>(result.error().code)).append(result.error().what);
    return bytes += end_mark;
}

base::Result<std::string> decode(std::string bytes) {
    if (bytes.size() < 2 || bytes.back() != end_mark)
        return base::fail(Errc::System, "cannot be read");
    bytes.pop_back();
    if (bytes.front() == good)
        return bytes.substr(1);
    if (bytes.size() < 2)
        return base::fail(Errc::System, "cannot be read");
    return base::fail(static_cast<Errc>(bytes[1]), bytes.substr(2));
}

[[noreturn]] void answer(const std::function<base::Result<std::string>()>& work, int out) {
    reset_signal_handlers();
    std::array<int, 1> kept{out};
    close_all_but(kept);
    set_title("monoinit: files");
    unblock_all_signals();
    const std::string bytes = encode(work());
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t size = ::write(out, bytes.data() + done, bytes.size() - done);
        if (size <= 0)
            ::_exit(1);
        done += static_cast<std::size_t>(size);
    }
    ::_exit(0);
}

/// Everything up to the end of file, or nothing when that did not come in time.
std::optional<std::string> read_in_time(int fd) {
    const base::Instant end = now() + patience;
    std::string bytes;
    std::array<char, 16 << 10> buffer;
    for (;;) {
        const ssize_t size = ::read(fd, buffer.data(), buffer.size());
        if (size == 0)
            return bytes;
        if (size > 0) {
            bytes.append(buffer.data(), static_cast<std::size_t>(size));
            continue;
        }
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - now()).count();
        pollfd waiting{fd, POLLIN, 0};
        if (errno != EAGAIN || left <= 0 || ::poll(&waiting, 1, static_cast<int>(left) + 1) < 0)
            return std::nullopt;
    }
}

std::string pack(const std::vector<DirEntry>& entries) {
    std::string bytes;
    for (const DirEntry& entry : entries)
        bytes.append(1, static_cast<char>(entry.kind)).append(entry.name).append(1, '\0');
    return bytes;
}

std::vector<DirEntry> unpack(std::string_view bytes) {
    std::vector<DirEntry> entries;
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\0', 1); // the kind before the name may be zero
        entries.push_back({std::string(bytes.substr(1, end - 1)), static_cast<DirEntry::Kind>(bytes.front())});
        bytes.remove_prefix(end + 1);
    }
    return entries;
}

} // namespace

void FarFiles::look_around() {
    if (auto table = mounts())
        know(std::move(*table));
}

void FarFiles::know(std::vector<Mount> mounts) {
    silent_.clear();
    mounts_.clear();
    if (std::ranges::any_of(mounts, [](const Mount& mount) { return mount.may_hang && mount.point != "/"; }))
        mounts_ = std::move(mounts);
    for (Mount& mount : mounts_)
        mount.may_hang = mount.may_hang && mount.point != "/";
}

/// The mount that a path begins in, links aside; the last one over a place is on top.
const Mount& FarFiles::home_of(const std::string& path) const {
    static const Mount root{"/", false};
    const Mount* home = &root;
    for (const Mount& mount : mounts_)
        if (is_below(path, mount.point) && mount.point.size() >= home->point.size())
            home = &mount;
    return *home;
}

bool FarFiles::is_far(const std::string& path, bool follow_last) const {
    if (mounts_.empty() || !path.starts_with('/'))
        return false;
    const Mount& home = home_of(path);
    for (const Mount& mount : mounts_)
        if (mount.may_hang && is_below(home.point, mount.point))
            return true;
    const UniqueFd start(open_file(home.point.c_str(), O_PATH | O_DIRECTORY));
    std::string rest = path.substr(std::min(home.point == "/" ? 1 : home.point.size() + 1, path.size()));
    if (rest.empty())
        rest = ".";
    const UniqueFd there(start ? open_at2(start.get(), rest.c_str(), O_PATH | (follow_last ? 0 : O_NOFOLLOW), RESOLVE_NO_XDEV) : -1);
    return !there && errno == EXDEV; // an old kernel: the name alone decides
}

bool FarFiles::is_given_up(const std::string& path) const {
    return silent_.size() >= most_silent ||
           std::ranges::any_of(silent_, [&](const std::string& silent) { return is_below(path, silent); });
}

base::Result<std::string> FarFiles::ask(const std::string& path, const std::function<base::Result<std::string>()>& work) const {
    const base::Error unanswered = base::fail(Errc::Busy, "does not answer (a hung mount?)");
    if (is_given_up(path))
        return unanswered;
    Pipe pipe = TRY(make_pipe_pair());
    TRY(set_nonblocking(pipe.read.get(), true));
    pid_t pid = 0;
    {
        const SignalsBlocked blocked;
        pid = fork_process();
        if (pid == 0)
            answer(work, pipe.write.get());
    }
    if (pid < 0)
        return base::fail_errno(errno, "cannot fork to read it");
    pipe.write.reset();
    if (auto bytes = read_in_time(pipe.read.get()))
        return decode(std::move(*bytes));
    send_signal(pid, SIGKILL); // not reaped so far, so the number is its own
    const Mount& home = home_of(path);
    silent_.push_back(home.may_hang ? home.point : path);
    return unanswered;
}

base::Result<std::vector<DirEntry>> FarFiles::list(const std::string& directory) const {
    if (!is_far(directory, true))
        return real_.list(directory);
    const auto work = [&]() -> base::Result<std::string> { return pack(TRY(real_.list(directory))); };
    return unpack(TRY(ask(directory, work)));
}

base::Result<std::string> FarFiles::read(const std::string& path, std::size_t limit) const {
    if (!is_far(path, true))
        return real_.read(path, limit);
    return ask(path, [&] { return real_.read(path, limit); });
}

base::Result<std::string> FarFiles::read_link(const std::string& path) const {
    if (!is_far(path, false))
        return real_.read_link(path);
    return ask(path, [&] { return real_.read_link(path); });
}

base::Result<DirEntry::Kind> FarFiles::kind(const std::string& path) const {
    if (!is_far(path, false))
        return real_.kind(path);
    const auto work = [&]() -> base::Result<std::string> { return std::string(1, static_cast<char>(TRY(real_.kind(path)))); };
    const std::string byte = TRY(ask(path, work));
    return byte.empty() ? DirEntry::Kind::Other : static_cast<DirEntry::Kind>(byte.front());
}

std::uint64_t FarFiles::stamp(const std::string& directory) const {
    if (!is_far(directory, true))
        return real_.stamp(directory);
    const auto digits = ask(directory, [&]() -> base::Result<std::string> { return std::to_string(real_.stamp(directory)); });
    return digits ? std::strtoull(digits->c_str(), nullptr, 10) : 0;
}

} // namespace monoinit::sys
