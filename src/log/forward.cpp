// Tested by tests/unit/log/forward_test.cpp and tests/system/forward.py.

#include "log/forward.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "base/time_text.hpp"
#include "log/format.hpp"
#include "log/stored_record.hpp"
#include "sys/clock.hpp"
#include "sys/local_zone.hpp"
#include "sys/socket.hpp"
#include "sys/thread.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

namespace monoinit::log {
namespace {

constexpr std::size_t queue_limit = 1 << 20;
constexpr std::size_t stack_size = 128 * 1024;
constexpr std::int64_t retry_us = 1'000'000;
constexpr int patience_ms = 5000; ///< with a peer that takes nothing
constexpr std::size_t longest_datagram = 8192; ///< what receivers of RFC 5424 should take is 2,048

constexpr struct {
    std::string_view scheme;
    ForwardTarget::Kind kind;
    bool path;
} schemes[] = {
    {"file:", ForwardTarget::Kind::File, true},     {"syslog:", ForwardTarget::Kind::Syslog, true},
    {"unix:", ForwardTarget::Kind::Unix, true},     {"udp:", ForwardTarget::Kind::Udp, false},
    {"tcp:", ForwardTarget::Kind::Tcp, false},
};

int priority_value(const Record& record) { return record.facility * 8 + record.priority; }

std::string_view sender_of(const Record& record) { return record.identifier.empty() ? short_unit_name(record.unit) : record.identifier; }

/// Names in a header: printable ASCII without blanks, of a limited length; "-" when nothing is left.
std::string header_word(std::string_view text, std::size_t longest) {
    std::string word;
    for (const char c : text.substr(0, longest))
        word += c > ' ' && c < 0x7f ? c : '_';
    return word.empty() ? "-" : word;
}

struct Address {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

std::optional<Address> address_of(const ForwardTarget& target) {
    Address address;
    const auto port = static_cast<std::uint16_t>(std::strtoul(target.port.c_str(), nullptr, 10));
    auto* const v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    if (::inet_pton(AF_INET, target.host.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        address.size = sizeof *v4;
    } else if (::inet_pton(AF_INET6, target.host.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        address.size = sizeof *v6;
    } else {
        return std::nullopt;
    }
    return address;
}

bool write_whole(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t size = ::write(fd, bytes.data(), bytes.size());
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN) {
            pollfd waiting{fd, POLLOUT, 0};
            if (::poll(&waiting, 1, patience_ms) <= 0)
                return false;
            continue;
        }
        if (size <= 0)
            return false;
        bytes.remove_prefix(static_cast<std::size_t>(size));
    }
    return true;
}

} // namespace

base::Result<ForwardTarget> parse_forward_target(std::string_view text) {
    ForwardTarget target;
    const std::string_view all = text;
    const auto is_scheme = [](std::string_view rest) {
        return std::ranges::any_of(schemes, [&](const auto& row) { return rest.starts_with(row.scheme); });
    };
    if (const std::size_t equals = text.find('='); !is_scheme(text) && equals != std::string_view::npos) {
        target.unit = text.substr(0, equals);
        if (target.unit.find('.') == std::string::npos && target.unit.find_first_of("*?[") == std::string::npos)
            target.unit += ".service";
        text.remove_prefix(equals + 1);
    }
    for (const auto& row : schemes) {
        if (!text.starts_with(row.scheme))
            continue;
        target.kind = row.kind;
        text.remove_prefix(row.scheme.size());
        if (row.path) {
            if (!text.starts_with('/'))
                return base::fail(base::Errc::Invalid, std::string(all) + ": an absolute path is expected");
            target.path = text;
            return target;
        }
        const std::size_t colon = text.rfind(':');
        if (colon == std::string_view::npos)
            return base::fail(base::Errc::Invalid, std::string(all) + ": HOST:PORT is expected");
        target.port = text.substr(colon + 1);
        std::string_view host = text.substr(0, colon);
        if (host.starts_with('[') && host.ends_with(']'))
            host = host.substr(1, host.size() - 2);
        target.host = host == "localhost" ? "127.0.0.1" : host;
        const bool is_port = !target.port.empty() && target.port.size() <= 5 && target.port.find_first_not_of("0123456789") == std::string::npos &&
                             std::stoul(target.port) <= 0xffff && std::stoul(target.port) > 0;
        if (!is_port || !address_of(target))
            return base::fail(base::Errc::Invalid, std::string(all) + ": an address (names are not looked up) and a port are expected");
        return target;
    }
    return base::fail(base::Errc::Invalid, std::string(all) + ": file:PATH, syslog:PATH, unix:PATH, udp:HOST:PORT or tcp:HOST:PORT is expected");
}

std::string as_syslog(const Record& record) {
    const std::string time = format_time(record.wall_us, record.mono_us, TimeForm::Short);
    const std::string pid = record.pid != 0 ? fmt::format("[{}]", record.pid) : "";
    return fmt::format("<{}>{} {}{}: {}", priority_value(record), time, header_word(sender_of(record), 48), pid, record.text);
}

std::string as_rfc5424(const Record& record, std::string_view host_name) {
    static const base::TimeZone utc;
    const std::string time = base::time_text(utc, base::Duration(static_cast<std::int64_t>(record.wall_us)), "%Y-%m-%dT%H:%M:%S");
    return fmt::format("<{}>1 {}.{:06}Z {} {} {} - - {}", priority_value(record), time, record.wall_us % 1000000, header_word(host_name, 255),
                       header_word(sender_of(record), 48), record.pid != 0 ? std::to_string(record.pid) : "-", record.text);
}

void Forwarder::configure(const std::vector<std::string>& targets) {
    if (targets == targets_)
        return;
    problems_.clear();
    std::vector<ForwardTarget> fresh;
    for (const std::string& text : targets)
        if (auto target = parse_forward_target(text))
            fresh.push_back(std::move(*target));
        else
            problems_.push_back(target.error().what);
    targets_ = targets;
    {
        const std::lock_guard lock(mutex_);
        fresh_ = std::move(fresh);
        reconfigured_ = true;
    }
    wake_.notify_one();
    if (started_ || targets_.empty())
        return;
    started_ = sys::start_thread<&Forwarder::run>(*this, stack_size);
    if (!started_)
        problems_.emplace_back("no thread could be made");
}

void Forwarder::take(const Record& record) {
    if (!started_ || targets_.empty() || record.mono_us < nobody_until_us_.load(std::memory_order_relaxed))
        return;
    const std::size_t size = stored_size(record);
    if (pending_.size() + size > queue_limit) {
        lost_++;
        return;
    }
    const std::size_t at = pending_.size();
    pending_.resize(at + size);
    store_record(pending_.data() + at, record);
}

void Forwarder::wake() {
    if (pending_.empty())
        return;
    {
        const std::lock_guard lock(mutex_);
        if (queue_.size() + pending_.size() > queue_limit)
            return; // handed over later, and counted when there is too much of it
        queue_.append(pending_);
        busy_ = true;
    }
    pending_.clear();
    wake_.notify_one();
}

// ---- the thread ------------------------------------------------------------------------------------------------------

void Forwarder::run() {
    char name[256] = {};
    host_name_ = ::gethostname(name, sizeof name - 1) == 0 ? name : "";
    for (std::string batch;;) {
        {
            std::unique_lock lock(mutex_);
            if (queue_.empty())
                busy_ = false;
            wake_.wait(lock, [this] { return reconfigured_ || !queue_.empty(); });
            if (std::exchange(reconfigured_, false)) {
                outputs_.clear();
                for (ForwardTarget& target : fresh_)
                    outputs_.push_back({std::move(target), {}, 0});
                fresh_.clear();
            }
            batch.swap(queue_);
            queue_.clear();
        }
        pass_on(batch);
        batch.clear();
        look_for_listeners();
    }
}

/// Lines for which there is nobody are not even copied; a listener is found within a second.
void Forwarder::look_for_listeners() {
    const bool nobody = std::ranges::all_of(outputs_, [](const Output& output) { return output.target.kind == ForwardTarget::Kind::Syslog && !output.fd; });
    nobody_until_us_ = nobody ? static_cast<std::uint64_t>(sys::monotonic_now().count() + retry_us) : 0;
}

void Forwarder::pass_on(std::string_view batch) {
    while (const auto record = take_stored(batch))
        for (Output& output : outputs_) {
            const std::string& unit = output.target.unit;
            if (!unit.empty() && unit != record->unit && !base::glob_match(unit, record->unit))
                continue;
            if (!send(output, *record))
                dropped_++;
        }
}

bool Forwarder::open(Output& output) {
    const std::int64_t now = sys::monotonic_now().count();
    if (output.fd)
        return true;
    if (now < output.retry_at_us)
        return false;
    output.retry_at_us = now + retry_us;
    const ForwardTarget& target = output.target;
    switch (target.kind) {
    case ForwardTarget::Kind::File:
        output.fd.reset(::open(target.path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0640));
        break;
    case ForwardTarget::Kind::Syslog:
    case ForwardTarget::Kind::Unix:
        if (auto socket = sys::connect_unix(target.path, SOCK_DGRAM))
            output.fd = std::move(*socket);
        break;
    case ForwardTarget::Kind::Udp:
    case ForwardTarget::Kind::Tcp: {
        const auto address = address_of(target);
        const bool stream = target.kind == ForwardTarget::Kind::Tcp;
        sys::UniqueFd fd(address ? ::socket(address->storage.ss_family, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1);
        if (!fd)
            break;
        int error = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address->storage), address->size) == 0 ? 0 : errno;
        if (error == EINPROGRESS) {
            pollfd waiting{fd.get(), POLLOUT, 0};
            socklen_t size = sizeof error;
            if (::poll(&waiting, 1, patience_ms) <= 0 || ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0)
                error = ETIMEDOUT;
        }
        if (error == 0)
            output.fd = std::move(fd);
        break;
    }
    }
    return static_cast<bool>(output.fd);
}

/// False: the line is lost to this target.
bool Forwarder::send(Output& output, const Record& record) {
    for (int tries = 0; tries < 2 && open(output); tries++) {
        bool sent = false;
        switch (output.target.kind) {
        case ForwardTarget::Kind::File: {
            std::string line;
            append_line(line, record, {.format = Format::Json});
            sent = write_whole(output.fd.get(), line);
            break;
        }
        case ForwardTarget::Kind::Syslog:
        case ForwardTarget::Kind::Unix:
        case ForwardTarget::Kind::Udp: {
            std::string line = output.target.kind == ForwardTarget::Kind::Syslog ? as_syslog(record) : as_rfc5424(record, host_name_);
            line.resize(std::min(line.size(), longest_datagram));
            ssize_t size = 0;
            while ((size = ::send(output.fd.get(), line.data(), line.size(), MSG_NOSIGNAL)) < 0 && errno == EINTR) {
            }
            if (size < 0 && errno == ECONNREFUSED && output.target.kind == ForwardTarget::Kind::Udp)
                size = ::send(output.fd.get(), line.data(), line.size(), MSG_NOSIGNAL); // that was the answer to an earlier one
            sent = size >= 0;
            break;
        }
        case ForwardTarget::Kind::Tcp: {
            const std::string line = as_rfc5424(record, host_name_);
            sent = write_whole(output.fd.get(), fmt::format("{} {}", line.size(), line));
            break;
        }
        }
        if (sent)
            return true;
        output.fd.reset(); // a receiver that was started anew has another socket
        output.retry_at_us = 0;
    }
    return output.target.kind == ForwardTarget::Kind::Syslog;
}

} // namespace monoinit::log
