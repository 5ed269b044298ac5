// Making /dev/log and the journal's sockets. Tested by tests/unit/log/collector_sockets_test.cpp.

#include "log/collector_sockets.hpp"

#include "sys/socket.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace monoinit::log {
namespace {

constexpr int wanted_buffer = 8 << 20; ///< journald's

/// One level, ours, and nobody else may write to it.
bool make_directory(const std::string& path) {
    struct stat info {};
    (void)::mkdir(path.c_str(), 0755);
    return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::geteuid() && (info.st_mode & 022) == 0;
}

bool somebody_answers(const std::string& path, int type) { return sys::connect_unix(path, type | SOCK_NONBLOCK).has_value(); }

sys::UniqueFd make_socket(const std::string& path, int type) {
    if (somebody_answers(path, type))
        return {};
    auto made = sys::bind_unix(path, type | SOCK_NONBLOCK, 0666);
    if (!made || (type == SOCK_DGRAM && !sys::pass_credentials(made->get())))
        return {};
    if (type == SOCK_DGRAM && ::setsockopt(made->get(), SOL_SOCKET, SO_RCVBUFFORCE, &wanted_buffer, sizeof wanted_buffer) != 0)
        (void)::setsockopt(made->get(), SOL_SOCKET, SO_RCVBUF, &wanted_buffer, sizeof wanted_buffer); // the default does, too
    return std::move(*made);
}

/// /dev/log is a link to the journal's place, as on a machine; where that could not be made it is the socket itself.
sys::UniqueFd make_syslog(const std::string& place, const std::string& link, const std::string& target) {
    sys::UniqueFd fd = make_socket(place, SOCK_DGRAM);
    if (somebody_answers(link, SOCK_DGRAM))
        return fd; // it leads here already, or to somebody who was here before us
    if (!fd)
        return make_socket(link, SOCK_DGRAM);
    (void)::unlink(link.c_str());
    if (::symlink(target.c_str(), link.c_str()) != 0)
        fd.reset();
    return fd;
}

} // namespace

CollectorFds make_collector_fds(const std::string& root) {
    const std::string directory = "/run/systemd/journal";
    CollectorFds fds;
    if (make_directory(root + "/run/systemd") && make_directory(root + directory)) {
        fds.journal = make_socket(root + directory + "/socket", SOCK_DGRAM);
        fds.stream = make_socket(root + directory + "/stdout", SOCK_STREAM);
        // The name of syslog.socket, with nobody behind it: rsyslog takes it over where it finds it, instead of /dev/log.
        (void)make_socket(root + directory + "/syslog", SOCK_DGRAM);
        fds.syslog = make_syslog(root + directory + "/dev-log", root + "/dev/log", root + directory + "/dev-log");
    } else {
        fds.syslog = make_socket(root + "/dev/log", SOCK_DGRAM);
    }
    return fds;
}

} // namespace monoinit::log
