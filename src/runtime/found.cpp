// What is found where the checkpoint is lost. See found.hpp.
#include "runtime/found.hpp"

#include "exec/spawn.hpp"
#include "runtime/foreground.hpp"
#include "sys/clock.hpp"
#include "sys/proc.hpp"
#include "sys/syscalls.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

constexpr base::Duration guard_answers_within = std::chrono::milliseconds(200), all_answer_within = std::chrono::seconds(2);

/// The path that a Unix socket is bound to; empty: none, or it is none.
std::string bound_to(int fd) {
    sockaddr_un name{};
    socklen_t size = sizeof name;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0 || name.sun_family != AF_UNIX || size <= sizeof name.sun_family)
        return {};
    return std::string(name.sun_path, ::strnlen(name.sun_path, size - sizeof name.sun_family));
}

std::uint64_t number_in(std::string_view path, const std::string& directory) {
    std::uint64_t number = 0;
    if (!path.starts_with(directory + "/"))
        return 0;
    path.remove_prefix(directory.size() + 1);
    return std::from_chars(path.data(), path.data() + path.size(), number).ptr == path.data() + path.size() ? number : 0;
}

} // namespace

std::vector<int> inherited_descriptors(int besides) {
    std::vector<int> found;
    DIR* const directory = ::opendir("/proc/self/fd");
    while (const dirent* const entry = directory == nullptr ? nullptr : ::readdir(directory)) {
        const int fd = std::atoi(entry->d_name);
        if (fd <= STDERR_FILENO || fd == besides || fd == ::dirfd(directory) || (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0)
            continue;
        found.push_back(fd);
    }
    if (directory != nullptr)
        ::closedir(directory);
    return found;
}

std::optional<exec::GuardHello> ask_guard(int fd, base::Duration limit) {
    exec::GuardLink link(base::GuardId{}, sys::UniqueFd(sys::duplicate(fd, 3)));
    link.query(0, true);
    const base::Instant until = sys::now() + limit;
    for (;;) {
        while (const auto report = link.receive())
            if (const auto* hello = std::get_if<exec::GuardHello>(&*report))
                return *hello;
            else if (std::holds_alternative<exec::GuardGone>(*report))
                return std::nullopt;
        const base::Duration left = until - sys::now();
        pollfd ready{link.fd(), POLLIN, 0};
        if (left <= base::Duration{} || ::poll(&ready, 1, static_cast<int>(left.count() / 1000) + 1) <= 0)
            return std::nullopt;
    }
}

Found find_what_runs(const std::vector<int>& descriptors, const StateDir& dir) {
    Found found;
    std::unordered_map<std::string, std::uint32_t> numbers;
    const auto number_of = [&](const std::string& unit) {
        const auto [at, fresh] = numbers.try_emplace(unit, static_cast<std::uint32_t>(numbers.size() + 1));
        if (fresh)
            found.units[at->second] = unit;
        return at->second;
    };
    std::vector<int> others;
    const base::Instant until = sys::now() + all_answer_within;
    for (const int fd : descriptors) {
        if (!exec::is_guard_link(fd)) {
            others.push_back(fd);
            continue;
        }
        const auto hello = ask_guard(fd, std::min<base::Duration>(guard_answers_within, until - sys::now()));
        if (!hello || sys::parent_of(hello->guard_pid) != ::getpid()) {
            found.unknown.emplace_back(fd); // its command has not begun, and now it does not
            continue;
        }
        const bool command = hello->guard.value == Foreground::guard_number;
        found.has_command = found.has_command || command;
        found.kept.push_back({FdKind::Guard, fd, hello->guard.value, command ? 0 : number_of(hello->unit), hello->guard_pid});
        found.guards.push_back(*hello);
    }
    for (const int fd : others) {
        struct stat status{};
        const bool is_pipe = ::fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) && (::fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
        const std::string path = bound_to(fd);
        const std::uint64_t notify = dir.notify.empty() ? 0 : number_in(path, dir.notify);
        const auto owner = std::ranges::find_if(found.guards, [&](const exec::GuardHello& guard) {
            return is_pipe ? guard.output == static_cast<std::uint32_t>(status.st_ino) || guard.error == static_cast<std::uint32_t>(status.st_ino)
                           : notify != 0 && guard.notify == notify;
        });
        if (!path.empty() && path == dir.control) {
            found.kept.push_back({FdKind::Control, fd, 0, 0, 0});
        } else if (owner == found.guards.end() || owner->unit.empty()) {
            found.unknown.emplace_back(fd);
        } else if (is_pipe) {
            const log::StreamKind kind = owner->output == owner->error                                  ? log::StreamKind::Both
                                         : owner->output == static_cast<std::uint32_t>(status.st_ino) ? log::StreamKind::Output
                                                                                                       : log::StreamKind::Error;
            found.streams.push_back({owner->unit, kind, sys::UniqueFd(fd)});
        } else {
            found.kept.push_back({FdKind::Notify, fd, notify, number_of(owner->unit), 0});
        }
    }
    return found;
}

void end_old_logger() {
    for (const pid_t child : sys::children_of(::getpid())) {
        if (!sys::command_name(child).starts_with("monoinit: log"))
            continue;
        const sys::UniqueFd pidfd(sys::pidfd_open(child));
        sys::send_signal(child, SIGKILL);
        pollfd ended{pidfd.get(), POLLIN, 0};
        constexpr int moment_ms = 500;
        (void)::poll(&ended, 1, moment_ms); // two of them would tear the lines apart
    }
}

} // namespace monoinit::runtime
