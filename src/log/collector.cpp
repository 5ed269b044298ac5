// Datagrams and journal streams become lines. Tested by tests/unit/log/logger_test.cpp and tests/system/log_sockets.py.

#include "log/collector.hpp"

#include "log/stored_record.hpp"

#include "log/journal_entry.hpp"
#include "log/syslog.hpp"
#include "sys/clock.hpp"

#include <algorithm>
#include <linux/magic.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace monoinit::log {
namespace {

constexpr std::size_t buffer_size = 256 * 1024; ///< the kernel's default limit of a datagram is below it
constexpr std::size_t largest_entry = 16 << 20; ///< libsystemd asks for 8 MB; beyond it an entry comes as a file
constexpr int datagrams_a_turn = 64, accepts_a_turn = 16;
constexpr std::size_t most_streams = 256, most_streams_of_uid = 64;
constexpr std::size_t longest_header = 4096;
constexpr int header_lines = 7;

/// What an entry too large for a datagram comes in: a memfd or a file of /dev/shm. Anything else might not answer.
std::string read_memory_file(int fd) {
    struct statfs system {};
    struct stat info {};
    if (::fstatfs(fd, &system) != 0 || system.f_type != TMPFS_MAGIC || ::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
        info.st_size < 0)
        return "";
    std::string text(std::min(static_cast<std::size_t>(info.st_size), largest_entry), '\0');
    std::size_t have = 0;
    while (have < text.size()) {
        const ssize_t size = ::pread(fd, text.data() + have, text.size() - have, static_cast<off_t>(have));
        if (size <= 0)
            break;
        have += static_cast<std::size_t>(size);
    }
    text.resize(have);
    return text;
}

bool is_memory_file(int fd) {
    struct statfs system {};
    return ::fstatfs(fd, &system) == 0 && system.f_type == TMPFS_MAGIC;
}

/// What the kernel says of a sender.
std::string owner_fields(const ucred& sender) {
    std::string fields;
    if (sender.pid != 0) {
        append_field(fields, "_UID", std::to_string(sender.uid));
        append_field(fields, "_GID", std::to_string(sender.gid));
    }
    return fields;
}

/// Identifier, unit, priority, whether lines have a priority in front, and three forwards of journald's. The unit it names is only
/// its word. Nothing: not whole.
std::optional<std::size_t> parse_stream_header(std::string_view bytes, StreamInfo& info) {
    std::size_t at = 0;
    for (int line = 0; line < header_lines; line++) {
        const std::size_t end = bytes.find('\n', at);
        if (end == std::string_view::npos)
            return std::nullopt;
        const std::string_view text = bytes.substr(at, end - at);
        if (line == 0)
            info.identifier = text.substr(0, max_name);
        else if (line == 2 && text.size() == 1 && text[0] >= '0' && text[0] <= '7')
            info.default_priority = static_cast<std::uint8_t>(text[0] - '0');
        else if (line == 3)
            info.level_prefix = text == "1";
        at = end + 1;
    }
    return at;
}

void close_refused(sys::UniqueFd fd) {
    std::vector<sys::UniqueFd> refused;
    refused.push_back(std::move(fd));
    (void)sys::close_elsewhere(std::move(refused));
}

} // namespace

Collector::Collector(sys::EpollLoop& loop, Multiplexer& multiplexer, UnitPolicies& policies, CollectorSockets sockets, Attribution attribution, Connected connected,
                     Connections connections)
    : loop_(loop), multiplexer_(multiplexer), policies_(policies), sockets_(sockets), attribution_(std::move(attribution)), connected_(std::move(connected)),
      connections_(std::move(connections)) {}

void Collector::start() {
    if (buffer_)
        return;
    buffer_ = std::make_unique_for_overwrite<char[]>(buffer_size);
    watch(sockets_.syslog, &Collector::read_syslog);
    watch(sockets_.journal, &Collector::read_journal);
    watch(sockets_.stream, &Collector::accept_connections);
}

void Collector::watch(int fd, void (Collector::*read)()) {
    if (fd >= 0)
        (void)loop_.add(fd, EPOLLIN, [this, read](std::uint32_t) { (this->*read)(); }); // else what is for it stays there
}

std::string Collector::unit_of(pid_t pid) { return attribution_.unit_of(pid, sys::monotonic_now()); }

// ---- lines ----------------------------------------------------------------------------------------------------------

/// One entry, however many lines it has; where it is too long, parts of it.
void Collector::take_message(const Sender& sender, std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
        text.remove_suffix(1);
    Record record;
    record.wall_us = static_cast<std::uint64_t>(sys::wall_now().count());
    record.mono_us = static_cast<std::uint64_t>(sys::monotonic_now().count());
    record.priority = sender.priority;
    record.transport = sender.transport;
    record.facility = sender.facility;
    record.pid = sender.pid;
    record.unit = sender.unit.empty() ? stray_unit : sender.unit;
    record.identifier = sender.identifier.empty() ? short_unit_name(record.unit) : sender.identifier;
    record.text = text;
    UnitPolicy& policy = policies_.of(record.unit);
    if (!policies_.admits(policy, record))
        return;
    const std::string fields = std::string(sender.fields) + policy.fields;
    record.fields = fields;
    const std::string prefix = multiplexer_.prefix_for(record.unit, record.identifier, record.pid);
    const Destination destination{prefix, !multiplexer_.is_muted(record.unit) && policy.shows(record.priority)};
    for (bool first = true; first || !text.empty(); first = false) {
        std::size_t size = std::min(text.size(), multiplexer_.line_max());
        while (size < text.size() && size > 1 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80)
            size--; // between characters
        record.text = text.substr(0, size);
        record.continued = !first;
        record.continues = size < text.size();
        (void)multiplexer_.offer(record, destination, Urgency::MustNotWait);
        text.remove_prefix(size);
    }
}

// ---- datagrams ------------------------------------------------------------------------------------------------------

/// One datagram, into `buffer_` or, when it is larger, into `large`.
base::Result<sys::Received> Collector::receive(int socket, std::string& large) {
    int size = 0;
    if (::ioctl(socket, FIONREAD, &size) == 0 && static_cast<std::size_t>(size) > buffer_size) {
        large.resize(std::min(static_cast<std::size_t>(size), largest_entry));
        return sys::receive_message(socket, large);
    }
    return sys::receive_message(socket, {buffer_.get(), buffer_size});
}

void Collector::read_syslog() {
    for (int i = 0; i < datagrams_a_turn; i++) {
        std::string large;
        auto received = receive(sockets_.syslog, large);
        if (!received)
            return;
        if (!received->descriptors.empty())
            (void)sys::close_elsewhere(std::move(received->descriptors));
        const SyslogMessage message = parse_syslog(received->bytes);
        const ucred sender = received->sender.value_or(ucred{0, static_cast<uid_t>(-1), 0});
        const std::string unit = unit_of(sender.pid);
        const auto pid = static_cast<std::uint32_t>(sender.pid);
        take_message({unit, message.identifier, message.pid != 0 ? message.pid : pid, message.priority, Transport::Syslog, message.facility, owner_fields(sender)},
                     message.text);
    }
}

void Collector::read_journal() {
    for (int i = 0; i < datagrams_a_turn; i++) {
        std::string large;
        auto received = receive(sockets_.journal, large);
        if (!received)
            return;
        const ucred sender = received->sender.value_or(ucred{0, static_cast<uid_t>(-1), 0});
        if (!received->bytes.empty()) {
            take_journal(received->bytes, sender);
        } else if (received->descriptors.size() == 1 && is_memory_file(received->descriptors.front().get())) {
            take_journal(read_memory_file(received->descriptors.front().get()), sender);
            received->descriptors.clear(); // nothing that could keep close() waiting
        }
        if (!received->descriptors.empty())
            (void)sys::close_elsewhere(std::move(received->descriptors));
    }
}

void Collector::take_journal(std::string_view bytes, const ucred& sender) {
    const std::string unit = unit_of(sender.pid);
    const std::string owner = owner_fields(sender);
    while (auto entry = take_journal_entry(bytes))
        if (entry->message) {
            entry->others += owner;
            const auto pid = static_cast<std::uint32_t>(sender.pid);
            take_message({unit, entry->identifier, entry->pid != 0 ? entry->pid : pid, entry->priority, Transport::Journal, entry->facility, entry->others}, *entry->message);
        }
}

void Collector::drain() {
    if (!buffer_)
        return;
    if (sockets_.syslog >= 0)
        read_syslog();
    if (sockets_.journal >= 0)
        read_journal();
}

// ---- connections ----------------------------------------------------------------------------------------------------

bool Collector::may_connect(std::uint32_t uid) const {
    auto [all, of_uid] = connections_(uid);
    all += waiting_.size();
    of_uid += static_cast<std::size_t>(std::ranges::count_if(waiting_, [&](const auto& each) { return each.second.peer.uid == uid; }));
    return all < most_streams && of_uid < most_streams_of_uid;
}

void Collector::accept_connections() {
    for (int i = 0; i < accepts_a_turn; i++) {
        auto fd = sys::accept_connection(sockets_.stream);
        if (!fd)
            return;
        const ucred peer = sys::peer_credentials(fd->get()).value_or(ucred{0, static_cast<uid_t>(-1), 0});
        const int number = fd->get();
        // Looked at without being taken, until it is whole: so each change is told once.
        if (!may_connect(peer.uid) || !loop_.add(number, EPOLLIN | EPOLLRDHUP | EPOLLET, [this, number](std::uint32_t events) { read_header(number, events); })) {
            close_refused(std::move(*fd));
            continue;
        }
        waiting_.emplace(number, Waiting{std::move(*fd), peer});
    }
}

void Collector::read_header(int fd, std::uint32_t events) {
    const auto found = waiting_.find(fd);
    if (found == waiting_.end())
        return;
    const ssize_t size = ::recv(fd, buffer_.get(), longest_header, MSG_PEEK | MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    StreamInfo info;
    const auto header = parse_stream_header({buffer_.get(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))}, info);
    if (!header) {
        if (size <= 0 || static_cast<std::size_t>(size) == longest_header || (events & (EPOLLRDHUP | EPOLLHUP)) != 0)
            drop(fd);
        return;
    }
    Waiting taken = std::move(found->second);
    loop_.remove(fd);
    waiting_.erase(found);
    if (auto received = sys::receive_message(fd, {buffer_.get(), *header}); received && !received->descriptors.empty())
        (void)sys::close_elsewhere(std::move(received->descriptors));
    info.kind = StreamKind::Connection;
    info.unit = unit_of(taken.peer.pid);
    if (info.unit.empty())
        info.unit = stray_unit;
    info.pid = static_cast<std::uint32_t>(taken.peer.pid);
    info.uid = taken.peer.uid;
    connected_(std::move(info), std::move(taken.fd));
}

void Collector::drop(int fd) {
    const auto found = waiting_.find(fd);
    if (found == waiting_.end())
        return;
    loop_.remove(fd);
    close_refused(std::move(found->second.fd));
    waiting_.erase(found);
}

} // namespace monoinit::log
