// See health_probe.hpp. No getaddrinfo(): in a static binary it would load libraries of the container's. Names are
// "localhost" and what /etc/hosts says, which is where a container's own services are.
// Tested by tests/unit/exec/health_probe_test.cpp.
#include "exec/health_probe.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "exec/glob.hpp"
#include "sys/clock.hpp"
#include "sys/socket.hpp"
#include "sys/syscalls.hpp"
#include "unit/health_target.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace monoinit::exec {

namespace {

constexpr std::size_t answer_limit = 4096, hosts_limit = 256 << 10;

struct Address {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

std::optional<Address> numeric_address(const std::string& host, std::uint16_t port) {
    Address address;
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        address.size = sizeof *v4;
        return address;
    }
    if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        address.size = sizeof *v6;
        return address;
    }
    return std::nullopt;
}

std::string read_hosts() {
    std::string text;
    const sys::UniqueFd fd(sys::open_file("/etc/hosts", O_RDONLY | O_NONBLOCK));
    char buffer[4096];
    while (fd && text.size() < hosts_limit) {
        const ssize_t size = ::read(fd.get(), buffer, sizeof buffer);
        if (size <= 0)
            break;
        text.append(buffer, static_cast<std::size_t>(size));
    }
    return text;
}

std::vector<Address> addresses_of(const unit::TcpTarget& target) {
    std::vector<Address> found;
    const auto add = [&](const std::string& host) {
        if (auto address = numeric_address(host, target.port))
            found.push_back(*address);
    };
    add(target.host);
    if (!found.empty())
        return found;
    const std::string hosts = read_hosts();
    for (const std::string_view line : base::split(hosts, '\n')) {
        std::string_view rest = line.substr(0, line.find('#'));
        std::string first;
        bool named = false;
        while (!rest.empty()) {
            const auto begin = rest.find_first_not_of(" \t\r");
            if (begin == rest.npos)
                break;
            const auto end = std::min(rest.find_first_of(" \t\r", begin), rest.size());
            const std::string_view word = rest.substr(begin, end - begin);
            named = named || (!first.empty() && word == target.host);
            if (first.empty())
                first = word;
            rest.remove_prefix(end);
        }
        if (named)
            add(first);
    }
    if (found.empty() && target.host == "localhost") {
        add("127.0.0.1");
        add("::1");
    }
    return found;
}

/// Milliseconds until then, for poll(); 0 when it has passed.
int left_until(base::Instant deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - sys::now()).count();
    constexpr std::int64_t most = 1 << 30;
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, most));
}

/// 0 when ready, else an errno.
int wait_for(int fd, short events, base::Instant deadline) {
    for (;;) {
        pollfd polled{fd, events, 0};
        const int ready = ::poll(&polled, 1, left_until(deadline));
        if (ready > 0)
            return 0;
        if (ready == 0)
            return ETIMEDOUT;
        if (errno != EINTR)
            return errno;
    }
}

/// Connects within the time; 0, or an errno.
int connect_within(int fd, const sockaddr* address, socklen_t size, base::Instant deadline) {
    if (::connect(fd, address, size) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    if (const int error = wait_for(fd, POLLOUT, deadline); error != 0)
        return error;
    int error = 0;
    socklen_t length = sizeof error;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0 ? errno : error;
}

std::string trouble(int error, const std::string& target) {
    if (error == ECONNREFUSED)
        return "connection refused by " + target;
    if (error == ETIMEDOUT)
        return "no answer from " + target;
    const char* const words = ::strerrordesc_np(error);
    return target + ": " + (words != nullptr ? words : "unknown error");
}

struct Connection {
    sys::UniqueFd fd;
    std::string text; ///< why there is none
};

/// The first address that takes the connection.
Connection connect_to(const unit::TcpTarget& target, const std::string& words, base::Instant deadline) {
    Connection connection;
    connection.text = words + ": " + target.host + " is not in /etc/hosts (names of the network are not looked up here)";
    for (const Address& address : addresses_of(target)) {
        sys::UniqueFd fd(sys::open_socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK));
        const int error = !fd ? errno : connect_within(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size, deadline);
        if (error == 0)
            return {std::move(fd), {}};
        connection.text = trouble(error, words);
    }
    return connection;
}

ProbeOutcome failed(std::string text) { return {false, std::move(text), {}}; }

ProbeOutcome file_exists(const std::string& path) {
    if (has_glob(path) ? !glob_paths(path).empty() : ::access(path.c_str(), F_OK) == 0)
        return {true, {}, {}};
    return failed(has_glob(path) ? "nothing matches " + path : trouble(errno, path));
}

ProbeOutcome unix_connect(const std::string& path, base::Instant deadline) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return failed(path + ": longer than 107 bytes");
    std::memcpy(address.sun_path, path.data(), path.size());
    int error = EPROTOTYPE;
    for (const int type : {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM}) {
        const sys::UniqueFd fd(sys::open_socket(AF_UNIX, type | SOCK_NONBLOCK));
        error = !fd ? errno : connect_within(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address, deadline);
        if (error != EPROTOTYPE)
            break;
    }
    if (error == EAGAIN)
        return failed(path + ": takes no more connections");
    return error == 0 ? ProbeOutcome{true, {}, {}} : failed(trouble(error, path));
}

ProbeOutcome tcp_connect(const std::string& text, base::Instant deadline) {
    const auto target = unit::parse_tcp_target(text);
    if (!target)
        return failed("TcpConnect=: not of the form HOST:PORT or PORT");
    const Connection connection = connect_to(*target, target->host + ":" + std::to_string(target->port), deadline);
    return connection.fd ? ProbeOutcome{true, {}, {}} : failed(connection.text);
}

/// Sends all of it; 0, or an errno.
int send_within(int fd, std::string_view bytes, base::Instant deadline) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0)
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        else if (errno != EAGAIN && errno != EINTR)
            return errno;
        else if (const int error = wait_for(fd, POLLOUT, deadline); error != 0)
            return error;
    }
    return 0;
}

/// Reads until the first line is there and, where more is wanted, the end or the limit.
int receive_within(int fd, std::string& answer, base::Instant deadline) {
    char buffer[answer_limit];
    while (answer.size() < answer_limit) {
        if (const int error = wait_for(fd, POLLIN, deadline); error != 0)
            return error;
        const ssize_t size = ::recv(fd, buffer, answer_limit - answer.size(), 0);
        if (size == 0)
            return 0;
        if (size < 0 && errno != EAGAIN && errno != EINTR)
            return errno;
        if (size > 0)
            answer.append(buffer, static_cast<std::size_t>(size));
        const auto line = answer.find('\n');
        const bool good = line != answer.npos && answer.size() > 9 && (answer[9] == '2' || answer[9] == '3');
        if (good)
            return 0; // its body is of no interest
    }
    return 0;
}

/// "HTTP/1.1 200 OK" -> 200; 0 for what is no HTTP.
int http_status(std::string_view answer) {
    const std::string_view line = answer.substr(0, answer.find('\n'));
    if (!line.starts_with("HTTP/1.") || line.size() < 12 || line[8] != ' ')
        return 0;
    int status = 0;
    for (const char c : line.substr(9, 3)) {
        if (c < '0' || c > '9')
            return 0;
        status = status * 10 + (c - '0');
    }
    return status;
}

ProbeOutcome http_get(const std::string& url, base::Instant deadline) {
    const auto target = unit::parse_http_target(url);
    if (!target)
        return failed("HttpGet=: not of the form http://HOST[:PORT][/PATH]");
    const Connection connection = connect_to(target->address, url, deadline);
    if (!connection.fd)
        return failed(connection.text);
    const std::string request = "GET " + target->path + " HTTP/1.1\r\nHost: " + target->host +
                                "\r\nUser-Agent: monoinit/" MONOINIT_VERSION "\r\nAccept: */*\r\nConnection: close\r\n\r\n";
    std::string answer;
    int error = send_within(connection.fd.get(), request, deadline);
    if (error == 0)
        error = receive_within(connection.fd.get(), answer, deadline);
    const int status = http_status(answer);
    constexpr int good = 200, bad = 400;
    if (status >= good && status < bad)
        return {true, {}, {}};
    if (status != 0)
        return {false, fmt::format("HTTP {} from {}", status, url), std::move(answer)};
    if (error != 0)
        return failed(trouble(error, url));
    return {false, answer.empty() ? "empty answer from " + url : "no HTTP answer from " + url, std::move(answer)};
}

} // namespace

ProbeOutcome run_probe(const HealthProbe& probe) {
    const base::Instant deadline = sys::now() + probe.timeout;
    switch (probe.kind) {
    case unit::HealthStepKind::FileExists:
        return file_exists(probe.target);
    case unit::HealthStepKind::UnixConnect:
        return unix_connect(probe.target, deadline);
    case unit::HealthStepKind::TcpConnect:
        return tcp_connect(probe.target, deadline);
    case unit::HealthStepKind::HttpGet:
        return http_get(probe.target, deadline);
    case unit::HealthStepKind::LogLine: // the logger's to answer
    case unit::HealthStepKind::Exec:    // a command
        break;
    }
    return failed("this kind of check is not done here");
}

int probe_command(const HealthProbe& probe) {
    const ProbeOutcome outcome = run_probe(probe);
    if (outcome.ok)
        return 0;
    const std::string text = outcome.text + "\n" + outcome.answer;
    (void)!::write(STDOUT_FILENO, text.data(), text.size()); // a pipe takes that much at once; nobody there to read: nothing lost
    return 1;
}

} // namespace monoinit::exec
