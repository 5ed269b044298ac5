// Choosing and making the runtime directory. A directory in /tmp can be squatted, so owner and kind are checked on the
// descriptor, and stale sockets of an earlier start are recognised by nobody answering on them.
#include "runtime/state_dir.hpp"

#include "base/fmt.hpp"
#include "sys/patience.hpp"
#include "sys/socket.hpp"

#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

/// Makes `path` (one level) and checks that it is a directory of ours that nobody else may write.
base::Result<void> make_safely(const std::string& path, unsigned mode) {
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
        return base::fail_errno(errno, path);
    const sys::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (fd.get() < 0)
        return base::fail_errno(errno, path);
    struct stat st{};
    if (::fstat(fd.get(), &st) != 0)
        return base::fail_errno(errno, path);
    if (st.st_uid != ::geteuid())
        return base::fail(base::Errc::Denied, fmt::format("{}: belongs to uid {}", path, st.st_uid));
    if ((st.st_mode & 07777) != mode && ::fchmod(fd.get(), mode) != 0)
        return base::fail_errno(errno, path);
    // A read-only file system shows only when one writes.
    if (::access(path.c_str(), W_OK) != 0) // faccessat() begins with a call that filters refuse
        return base::fail_errno(errno, path);
    return {};
}

/// The pid of who listens at `socket_path`; 0 = somebody of another PID namespace (a shared /run or /tmp); -1 = nobody.
int who_answers(const std::string& socket_path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_path.size() >= sizeof address.sun_path)
        return -1;
    std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
    const auto made = sys::insist([]() -> base::Result<sys::UniqueFd> {
        sys::UniqueFd socket(sys::open_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK));
        return socket ? base::Result<sys::UniqueFd>(std::move(socket)) : base::fail_errno(errno, "socket");
    });
    if (!made)
        return -1;
    const sys::UniqueFd& fd = *made;
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return errno == EAGAIN ? 0 : -1;
    const auto peer = sys::peer_credentials(fd.get());
    return peer ? peer->pid : 0;
}

void remove_stale(const std::string& directory) {
    DIR* dir = ::opendir(directory.c_str());
    if (dir == nullptr)
        return;
    while (const dirent* entry = ::readdir(dir))
        if (entry->d_type == DT_SOCK)
            ::unlinkat(::dirfd(dir), entry->d_name, 0);
    ::closedir(dir);
}

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

base::Result<void> claim(StateDir& dir, const std::string& path, const std::string& control) {
    TRY(make_safely(path, 0755));
    const int pid = who_answers(control);
    if (pid > 0 && ::getpid() != 1) // PID 1 does not refuse to boot for anybody's sake
        dir.other = pid;
    else if (pid >= 0)
        return base::fail(base::Errc::Busy, fmt::format("{}: another monoinit answers there", control));
    dir.notify = path + "/notify";
    dir.path = path;
    dir.control = control;
    dir.logs = path + "/logs";
    if (dir.other > 0)
        return {};
    TRY(make_safely(dir.notify, 0711));
    remove_stale(path);
    remove_stale(dir.notify);
    return {};
}

/// Directory and control socket, in the order of preference.
std::vector<std::pair<std::string, std::string>> candidates(const std::string& socket_override, const char* xdg_runtime_dir) {
    if (!socket_override.empty())
        return {{parent_of(socket_override), socket_override}};
    std::vector<std::string> places{"/run/monoinit"};
    if (xdg_runtime_dir != nullptr && xdg_runtime_dir[0] == '/')
        places.push_back(std::string(xdg_runtime_dir) + "/monoinit");
    places.push_back(fmt::format("/tmp/monoinit-{}", ::geteuid()));
    places.push_back(fmt::format("/dev/shm/monoinit-{}", ::geteuid()));
    std::vector<std::pair<std::string, std::string>> found;
    for (const auto& place : places)
        found.emplace_back(place, place + "/control");
    return found;
}

} // namespace

StateDir prepare_state_dir(const std::string& socket_override, const char* xdg_runtime_dir) {
    StateDir dir;
    for (const auto& [path, control] : candidates(socket_override, xdg_runtime_dir)) {
        if (auto claimed = claim(dir, path, control); claimed)
            return dir;
        else
            dir.refused.push_back(base::to_string(claimed.error()));
    }
    return StateDir{{}, {}, {}, {}, std::move(dir.refused), 0};
}

StateDir existing_state_dir(const std::string& socket_override, const char* xdg_runtime_dir) {
    for (const auto& [path, control] : candidates(socket_override, xdg_runtime_dir)) {
        struct stat st{};
        if (::lstat(control.c_str(), &st) == 0 && S_ISSOCK(st.st_mode) && st.st_uid == ::geteuid())
            return StateDir{path, control, path + "/logs", path + "/notify", {}, 0};
    }
    return {};
}

} // namespace monoinit::runtime
