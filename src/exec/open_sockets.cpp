// Sockets of socket units. See open_sockets.hpp.
#include "exec/open_sockets.hpp"

#include "base/strings.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace monoinit::exec {

namespace {

using unit::AddressFamily;
using unit::ListenAddress;
using unit::ListenKind;

#ifndef SO_PASSPIDFD
constexpr int SO_PASSPIDFD = 76;
#endif

union SocketAddress {
    sockaddr any;
    sockaddr_un un;
    sockaddr_in in;
    sockaddr_in6 in6;
    sockaddr_vm vm;
    sockaddr_nl nl;
    sockaddr_storage storage;
};

/// "Address already in use", without the number that other places add.
std::string reason(int error) {
    const char* const text = ::strerrordesc_np(error);
    return text != nullptr ? text : "error " + std::to_string(error);
}

class Opener {
  public:
    explicit Opener(const SocketsPlan& plan) : plan_(plan), section_(plan.section) {}

    /// The descriptors, or `error`.
    std::vector<sys::UniqueFd> open_all() {
        std::vector<sys::UniqueFd> fds;
        for (const ListenAddress& address : section_.listen) {
            sys::UniqueFd fd = open_one(address);
            if (!fd && !error.empty())
                return {};
            made += fd ? '1' : '0';
            if (fd)
                fds.push_back(std::move(fd));
        }
        if (fds.empty())
            fail(section_.listen.front().text(), EAFNOSUPPORT);
        link_all();
        return fds;
    }

    std::string error;
    std::string made; ///< "101": which of the addresses there is a descriptor for
    std::vector<std::string> warnings;

  private:
    sys::UniqueFd fail(const std::string& where, int number) {
        error = "cannot listen on " + where + ": " + reason(number);
        return {};
    }

    sys::UniqueFd open_one(const ListenAddress& address) {
        switch (address.kind) {
        case ListenKind::Stream:
        case ListenKind::Datagram:
        case ListenKind::SequentialPacket:
        case ListenKind::Netlink:
            return open_socket(address);
        case ListenKind::Fifo:
            return open_fifo(address);
        case ListenKind::Special:
            return open_special(address);
        case ListenKind::MessageQueue:
            return open_queue(address);
        }
        return {};
    }

    /// Directories above it, as DirectoryMode= says.
    void make_parents(const std::string& path) {
        const mode_t before = ::umask(~section_.directory_mode & 0777);
        for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
            ::mkdir(path.substr(0, slash).c_str(), section_.directory_mode);
        ::umask(before);
    }

    bool give_to_owner(const std::string& path, int fd, bool is_socket) {
        if (!plan_.uid && !plan_.gid)
            return true;
        const uid_t uid = plan_.uid.value_or(static_cast<uid_t>(-1));
        const gid_t gid = plan_.gid.value_or(static_cast<gid_t>(-1));
        return (is_socket ? ::fchownat(AT_FDCWD, path.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) : ::fchown(fd, uid, gid)) == 0;
    }

    // ---- sockets ----

    static int domain_of(AddressFamily family) {
        switch (family) {
        case AddressFamily::Path:
        case AddressFamily::Abstract: return AF_UNIX;
        case AddressFamily::Inet: return AF_INET;
        case AddressFamily::Inet6:
        case AddressFamily::Port: return AF_INET6;
        case AddressFamily::Vsock: return AF_VSOCK;
        case AddressFamily::Netlink: return AF_NETLINK;
        }
        return AF_UNSPEC;
    }

    static int type_of(ListenKind kind) {
        return kind == ListenKind::Stream ? SOCK_STREAM : kind == ListenKind::SequentialPacket ? SOCK_SEQPACKET
                                                       : kind == ListenKind::Netlink          ? SOCK_RAW
                                                                                              : SOCK_DGRAM;
    }

    /// Size of the filled address, 0 when the text is none.
    static socklen_t fill(const ListenAddress& from, SocketAddress& to) {
        to.storage = {};
        to.any.sa_family = static_cast<sa_family_t>(domain_of(from.family));
        switch (from.family) {
        case AddressFamily::Path:
            std::memcpy(to.un.sun_path, from.host.data(), from.host.size());
            return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + from.host.size() + 1);
        case AddressFamily::Abstract:
            std::memcpy(to.un.sun_path + 1, from.host.data(), from.host.size());
            return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + from.host.size());
        case AddressFamily::Inet:
            to.in.sin_port = htons(static_cast<std::uint16_t>(from.port));
            return ::inet_pton(AF_INET, from.host.c_str(), &to.in.sin_addr) == 1 ? sizeof to.in : 0;
        case AddressFamily::Inet6:
        case AddressFamily::Port:
            to.in6.sin6_port = htons(static_cast<std::uint16_t>(from.port));
            return from.host.empty() || ::inet_pton(AF_INET6, from.host.c_str(), &to.in6.sin6_addr) == 1 ? sizeof to.in6 : 0;
        case AddressFamily::Vsock:
            to.vm.svm_cid = from.cid;
            to.vm.svm_port = from.port;
            return sizeof to.vm;
        case AddressFamily::Netlink:
            to.nl.nl_groups = from.port == 0 || from.port > 32 ? 0 : 1U << (from.port - 1);
            return sizeof to.nl;
        }
        return 0;
    }

    sys::UniqueFd open_socket(const ListenAddress& address) {
        int number = 0;
        sys::UniqueFd fd = bind_socket(address, number);
        // A port alone: by IPv4 where the machine, or this container, has no IPv6.
        if (!fd && address.family == AddressFamily::Port && (number == EAFNOSUPPORT || number == EADDRNOTAVAIL)) {
            ListenAddress by_ipv4 = address;
            by_ipv4.family = AddressFamily::Inet;
            by_ipv4.host = "0.0.0.0";
            fd = bind_socket(by_ipv4, number);
        }
        // As systemd: where there is no IPv6 its addresses are left out.
        if (!fd && address.family == AddressFamily::Inet6 && number == EAFNOSUPPORT) {
            warnings.push_back("not listening on " + address.text() + ": there is no IPv6 here");
            return fd;
        }
        if (!fd)
            return fail(address.text(), number);
        if (address.has_path() && !give_to_owner(address.host, fd.get(), true)) {
            error = "cannot give " + address.host + " to its owner: " + reason(errno);
            return {};
        }
        return fd;
    }

    sys::UniqueFd bind_socket(const ListenAddress& address, int& number) {
        SocketAddress value;
        const socklen_t size = fill(address, value);
        number = EINVAL;
        if (size == 0)
            return {};
        const int protocol = address.family == AddressFamily::Netlink ? static_cast<int>(address.cid) : section_.protocol;
        const bool stream_or_datagram = address.family == AddressFamily::Inet || address.family == AddressFamily::Inet6 || address.family == AddressFamily::Port ||
                                        address.family == AddressFamily::Netlink;
        sys::UniqueFd fd(::socket(value.any.sa_family, type_of(address.kind) | SOCK_CLOEXEC | SOCK_NONBLOCK, stream_or_datagram ? protocol : 0));
        number = errno;
        if (!fd)
            return fd;
        set_options_before(address, fd.get());
        if (address.has_path())
            make_parents(address.host);
        const mode_t before = ::umask(~section_.mode & 0777);
        bool bound = ::bind(fd.get(), &value.any, size) == 0;
        // One left over from before is replaced; who still listens on it has lost it, as with systemd.
        if (!bound && errno == EADDRINUSE && address.has_path() && is_socket(address.host) && ::unlink(address.host.c_str()) == 0)
            bound = ::bind(fd.get(), &value.any, size) == 0;
        // One of ours that a child is still closing.
        for (int i = 0; !bound && errno == EADDRINUSE && address.family == AddressFamily::Abstract && i < 20; i++) {
            ::usleep(10'000);
            bound = ::bind(fd.get(), &value.any, size) == 0;
        }
        number = errno;
        ::umask(before);
        if (!bound)
            return {};
        set_options_after(address, fd.get());
        return fd;
    }

    static bool is_socket(const std::string& path) {
        struct stat status;
        return ::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
    }

    template <class T> void set(int fd, int level, int option, const T& value, const char* directive) {
        if (::setsockopt(fd, level, option, &value, sizeof value) != 0)
            warnings.push_back(std::string(directive) + "= cannot be set: " + reason(errno));
    }
    void set_text(int fd, int level, int option, const std::string& value, const char* directive) {
        if (::setsockopt(fd, level, option, value.c_str(), static_cast<socklen_t>(value.size() + 1)) != 0)
            warnings.push_back(std::string(directive) + "= cannot be set: " + reason(errno));
    }

    void set_options_before(const ListenAddress& address, int fd) {
        const int on = 1;
        const bool ipv6 = address.family == AddressFamily::Inet6 || address.family == AddressFamily::Port;
        const bool internet = ipv6 || address.family == AddressFamily::Inet;
        if (ipv6 && section_.bind_ipv6_only != unit::BindIPv6Only::Default)
            set(fd, IPPROTO_IPV6, IPV6_V6ONLY, section_.bind_ipv6_only == unit::BindIPv6Only::Ipv6Only ? 1 : 0, "BindIPv6Only");
        if (internet) {
            ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
            if (!section_.bind_to_device.empty())
                set_text(fd, SOL_SOCKET, SO_BINDTODEVICE, section_.bind_to_device, "BindToDevice");
            if (section_.reuse_port)
                set(fd, SOL_SOCKET, SO_REUSEPORT, on, "ReusePort");
            if (section_.free_bind)
                ipv6 ? set(fd, IPPROTO_IPV6, IPV6_FREEBIND, on, "FreeBind") : set(fd, IPPROTO_IP, IP_FREEBIND, on, "FreeBind");
            if (section_.transparent)
                ipv6 ? set(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, on, "Transparent") : set(fd, IPPROTO_IP, IP_TRANSPARENT, on, "Transparent");
        }
    }

    void set_options_after(const ListenAddress& address, int fd) {
        const bool ipv6 = address.family == AddressFamily::Inet6 || address.family == AddressFamily::Port;
        const bool internet = ipv6 || address.family == AddressFamily::Inet;
        if (internet && address.kind == ListenKind::Stream)
            set_tcp(fd);
        if (internet)
            set_ip(fd, ipv6);
        const int on = 1;
        if (section_.broadcast)
            set(fd, SOL_SOCKET, SO_BROADCAST, on, "Broadcast");
        if (section_.pass_credentials)
            set(fd, SOL_SOCKET, SO_PASSCRED, on, "PassCredentials");
        if (section_.pass_pidfd)
            set(fd, SOL_SOCKET, SO_PASSPIDFD, on, "PassPIDFD");
        if (section_.pass_security)
            set(fd, SOL_SOCKET, SO_PASSSEC, on, "PassSecurity");
        if (section_.timestamping != unit::Timestamping::Off)
            set(fd, SOL_SOCKET, section_.timestamping == unit::Timestamping::Nanoseconds ? SO_TIMESTAMPNS : SO_TIMESTAMP, on, "Timestamping");
        if (section_.priority)
            set(fd, SOL_SOCKET, SO_PRIORITY, *section_.priority, "Priority");
        if (section_.mark)
            set(fd, SOL_SOCKET, SO_MARK, *section_.mark, "Mark");
        set_buffer(fd, section_.receive_buffer, SO_RCVBUFFORCE, SO_RCVBUF, "ReceiveBuffer");
        set_buffer(fd, section_.send_buffer, SO_SNDBUFFORCE, SO_SNDBUF, "SendBuffer");
    }

    void set_buffer(int fd, std::uint64_t size, int force, int plain, const char* directive) {
        const int bytes = static_cast<int>(size);
        if (bytes != 0 && ::setsockopt(fd, SOL_SOCKET, force, &bytes, sizeof bytes) != 0)
            set(fd, SOL_SOCKET, plain, bytes, directive);
    }

    void set_tcp(int fd) {
        const int on = 1;
        const auto seconds = [](base::Duration span) { return static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(span).count()); };
        if (section_.keep_alive)
            set(fd, SOL_SOCKET, SO_KEEPALIVE, on, "KeepAlive");
        if (section_.keep_alive_time.count() != 0)
            set(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds(section_.keep_alive_time), "KeepAliveTimeSec");
        if (section_.keep_alive_interval.count() != 0)
            set(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds(section_.keep_alive_interval), "KeepAliveIntervalSec");
        if (section_.keep_alive_probes != 0)
            set(fd, IPPROTO_TCP, TCP_KEEPCNT, section_.keep_alive_probes, "KeepAliveProbes");
        if (section_.no_delay)
            set(fd, IPPROTO_TCP, TCP_NODELAY, on, "NoDelay");
        if (section_.defer_accept.count() != 0)
            set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds(section_.defer_accept), "DeferAcceptSec");
        if (!section_.tcp_congestion.empty())
            set_text(fd, IPPROTO_TCP, TCP_CONGESTION, section_.tcp_congestion, "TCPCongestion");
    }

    void set_ip(int fd, bool ipv6) {
        const int on = 1;
        if (section_.ip_tos)
            set(fd, IPPROTO_IP, IP_TOS, *section_.ip_tos, "IPTOS");
        if (section_.ip_ttl)
            ipv6 ? set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, *section_.ip_ttl, "IPTTL") : set(fd, IPPROTO_IP, IP_TTL, *section_.ip_ttl, "IPTTL");
        if (section_.pass_packet_info)
            ipv6 ? set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, on, "PassPacketInfo") : set(fd, IPPROTO_IP, IP_PKTINFO, on, "PassPacketInfo");
    }

    // ---- the others ----

    sys::UniqueFd open_fifo(const ListenAddress& address) {
        make_parents(address.host);
        const mode_t before = ::umask(~section_.mode & 0777);
        const bool there = ::mkfifo(address.host.c_str(), section_.mode) == 0 || errno == EEXIST;
        const int number = errno;
        ::umask(before);
        if (!there)
            return fail(address.host, number);
        sys::UniqueFd fd(::open(address.host.c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW));
        struct stat status;
        if (!fd || ::fstat(fd.get(), &status) != 0)
            return fail(address.host, errno);
        // Somebody else's pipe would tell him what is written to the service's.
        const bool ours = status.st_uid == ::geteuid() || status.st_uid == 0 || status.st_uid == plan_.uid;
        if (!S_ISFIFO(status.st_mode) || !ours)
            return fail(address.host, EEXIST);
        ::fchmod(fd.get(), section_.mode);
        if (!give_to_owner(address.host, fd.get(), false))
            return fail(address.host, errno);
        if (section_.pipe_size != 0 && ::fcntl(fd.get(), F_SETPIPE_SZ, static_cast<int>(section_.pipe_size)) < 0)
            warnings.push_back("PipeSize= cannot be set: " + reason(errno));
        return fd;
    }

    sys::UniqueFd open_special(const ListenAddress& address) {
        sys::UniqueFd fd(::open(address.host.c_str(), (section_.writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW));
        struct stat status;
        if (!fd || ::fstat(fd.get(), &status) != 0)
            return fail(address.host, errno);
        if (!S_ISCHR(status.st_mode) && !S_ISREG(status.st_mode))
            return fail(address.host, EEXIST);
        return fd;
    }

    sys::UniqueFd open_queue(const ListenAddress& address) {
        mq_attr attributes{};
        const bool sized = section_.queue_messages && section_.queue_message_size;
        attributes.mq_maxmsg = section_.queue_messages.value_or(0);
        attributes.mq_msgsize = section_.queue_message_size.value_or(0);
        const mode_t before = ::umask(~section_.mode & 0777);
        sys::UniqueFd fd(::mq_open(address.host.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_CREAT, section_.mode, sized ? &attributes : nullptr));
        const int number = errno;
        ::umask(before);
        if (!fd || !give_to_owner(address.host, fd.get(), false))
            return fail(address.host, fd ? errno : number);
        return fd;
    }

    void link_all() {
        for (const ListenAddress& address : section_.listen)
            for (const std::string& link : address.has_path() ? section_.symlinks : std::vector<std::string>()) {
                make_parents(link);
                struct stat status;
                if (::lstat(link.c_str(), &status) == 0 && S_ISLNK(status.st_mode))
                    ::unlink(link.c_str());
                if (::symlink(address.host.c_str(), link.c_str()) != 0)
                    warnings.push_back("Symlinks=" + link + ": " + reason(errno));
            }
    }

    const SocketsPlan& plan_;
    const unit::SocketSection& section_;
};

std::string open_and_send(const SocketsPlan& plan, int channel) {
    Opener opener(plan);
    const std::vector<sys::UniqueFd> fds = opener.open_all();
    std::vector<int> numbers;
    for (const sys::UniqueFd& fd : fds)
        numbers.push_back(fd.get());
    if (opener.error.empty())
        if (auto sent = sys::send_message(channel, opener.made, numbers, 0); !sent)
            opener.error = "cannot pass the sockets on: " + base::to_string(sent.error());
    std::string answer = "!" + opener.error + "\n";
    for (const std::string& warning : opener.warnings)
        answer += warning + "\n";
    return answer;
}

/// "1.2.3.4:80", whichever family it came in by; `port` and `address` alone too.
std::string internet_name(const SocketAddress& name, std::string& address, std::string& port) {
    char text[INET6_ADDRSTRLEN] = {};
    const bool mapped = name.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&name.in6.sin6_addr);
    if (name.any.sa_family == AF_INET)
        ::inet_ntop(AF_INET, &name.in.sin_addr, text, sizeof text);
    else if (mapped)
        ::inet_ntop(AF_INET, name.in6.sin6_addr.s6_addr + 12, text, sizeof text);
    else
        ::inet_ntop(AF_INET6, &name.in6.sin6_addr, text, sizeof text);
    address = text;
    port = std::to_string(ntohs(name.any.sa_family == AF_INET ? name.in.sin_port : name.in6.sin6_port));
    return address + ":" + port;
}

} // namespace

base::Result<Probe> probe_open_sockets(const SocketsPlan& plan, int channel) {
    return Probe::start([&] { return open_and_send(plan, channel); }, channel);
}

SocketsAnswer sockets_answer(const std::string& bytes) {
    SocketsAnswer answer;
    if (bytes.size() < 2 || bytes.front() != '!' || bytes.back() != '\n') {
        answer.error = "the sockets could not be made";
        return answer;
    }
    const std::string_view lines(bytes.data() + 1, bytes.size() - 2);
    bool first = true;
    for (const std::string_view line : base::split(lines, '\n')) {
        if (first)
            answer.error = line;
        else
            answer.warnings.emplace_back(line);
        first = false;
    }
    return answer;
}

base::Result<Probe> probe_remove_sockets(const std::vector<unit::ListenAddress>& addresses, const std::vector<std::string>& symlinks) {
    return Probe::start([&] {
        for (const ListenAddress& address : addresses) {
            if (address.kind == ListenKind::MessageQueue)
                ::mq_unlink(address.host.c_str());
            else if (address.has_path() && address.kind != ListenKind::Special)
                ::unlink(address.host.c_str());
        }
        for (const std::string& link : symlinks) {
            struct stat status;
            if (::lstat(link.c_str(), &status) == 0 && S_ISLNK(status.st_mode))
                ::unlink(link.c_str());
        }
        return std::string("\n");
    });
}

bool wants_listen(const unit::ListenAddress& address) {
    return address.kind == ListenKind::Stream || address.kind == ListenKind::SequentialPacket;
}

ConnectionNames name_connection(int fd, std::uint32_t number) {
    ConnectionNames names;
    names.instance = std::to_string(number);
    SocketAddress local{}, remote{};
    socklen_t local_size = sizeof local, remote_size = sizeof remote;
    const bool known = ::getsockname(fd, &local.any, &local_size) == 0 && ::getpeername(fd, &remote.any, &remote_size) == 0;
    if (known && (local.any.sa_family == AF_INET || local.any.sa_family == AF_INET6)) {
        std::string unused_address, unused_port;
        names.instance += "-" + internet_name(local, unused_address, unused_port) + "-" + internet_name(remote, names.address, names.port);
    } else if (known && local.any.sa_family == AF_VSOCK) {
        names.instance += "-" + std::to_string(local.vm.svm_cid) + ":" + std::to_string(local.vm.svm_port) + "-" + std::to_string(remote.vm.svm_cid) + ":" +
                          std::to_string(remote.vm.svm_port);
        names.address = "vsock:" + std::to_string(remote.vm.svm_cid);
        names.port = std::to_string(remote.vm.svm_port);
    } else if (auto peer = sys::peer_credentials(fd)) {
        names.instance += "-" + std::to_string(peer->pid) + "-" + std::to_string(peer->uid);
        names.source = "uid " + std::to_string(peer->uid);
    } else {
        names.instance += "-unknown";
    }
    if (!names.address.empty())
        names.source = names.address;
    return names;
}

} // namespace monoinit::exec
