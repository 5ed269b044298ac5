// Datagrams and journal streams become lines. Tested by tests/unit/log/logger_test.cpp and tests/system/log_sockets.py.

#include "log/collector.hpp"

#include "log/stored_record.hpp"

#include "base/fmt.hpp"
#include "log/escape.hpp"
#include "log/journal_entry.hpp"
#include "log/line_splitter.hpp"
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
constexpr int header_size = 7;

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

} // namespace

Collector::Collector(sys::EpollLoop& loop, Multiplexer& multiplexer, CollectorSockets sockets, Attribution attribution)
    : loop_(loop), multiplexer_(multiplexer), sockets_(sockets), attribution_(std::move(attribution)) {}

void Collector::start() {
    if (buffer_)
        return;
    buffer_ = std::make_unique_for_overwrite<char[]>(buffer_size);
    watch(sockets_.syslog, &Collector::read_syslog);
    watch(sockets_.journal, &Collector::read_journal);
    watch(sockets_.stream, &Collector::accept_streams);
}

void Collector::watch(int fd, void (Collector::*read)()) {
    if (fd >= 0)
        (void)loop_.add(fd, EPOLLIN, [this, read](std::uint32_t) { (this->*read)(); }); // else what is for it stays there
}

std::string Collector::unit_of(pid_t pid) { return attribution_.unit_of(pid, sys::monotonic_now()); }

// ---- lines ----------------------------------------------------------------------------------------------------------

bool Collector::take_line(const Sender& sender, std::string_view line, Urgency urgency) {
    Record record;
    record.wall_us = static_cast<std::uint64_t>(sys::wall_now().count());
    record.mono_us = static_cast<std::uint64_t>(sys::monotonic_now().count());
    record.priority = sender.priority;
    record.transport = sender.transport;
    record.facility = sender.facility;
    record.pid = sender.pid;
    record.fields = sender.fields;
    record.unit = sender.unit.empty() ? stray_unit : sender.unit;
    record.identifier = sender.identifier.empty() ? short_unit_name(record.unit) : sender.identifier;
    // "[ssh] sshd[12]: text": who spoke is named where it is not the unit itself.
    std::string prefix = multiplexer_.prefix_for(record.unit);
    if (record.identifier != short_unit_name(record.unit)) {
        append_for_terminal(prefix, record.identifier);
        prefix += record.pid != 0 ? fmt::format("[{}]: ", record.pid) : std::string(": ");
    }
    const Destination destination{prefix, !multiplexer_.is_muted(record.unit), true};
    for (bool first = true; first || !line.empty(); first = false) {
        std::size_t size = std::min(line.size(), max_line);
        while (size < line.size() && size > 1 && (static_cast<unsigned char>(line[size]) & 0xC0) == 0x80)
            size--; // between characters
        record.text = line.substr(0, size);
        record.continued = !first;
        record.continues = size < line.size();
        if (!multiplexer_.offer(record, destination, urgency))
            return false; // only the first part can be refused: a stream's line is no longer than one part
        line.remove_prefix(size);
    }
    return true;
}

void Collector::take_message(const Sender& sender, std::string_view text) {
    do {
        const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
        if (end > 0 || end == text.size())
            (void)take_line(sender, text.substr(0, end), Urgency::MustNotWait);
        text.remove_prefix(std::min(end + 1, text.size()));
    } while (!text.empty());
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

// ---- streams --------------------------------------------------------------------------------------------------------

bool Collector::may_connect(uid_t uid) const {
    const auto of_uid = std::count_if(streams_.begin(), streams_.end(), [&](const auto& each) { return each.second.uid == uid; });
    return streams_.size() < most_streams && static_cast<std::size_t>(of_uid) < most_streams_of_uid;
}

void Collector::accept_streams() {
    for (int i = 0; i < accepts_a_turn; i++) {
        auto fd = sys::accept_connection(sockets_.stream);
        if (!fd)
            return;
        const ucred peer = sys::peer_credentials(fd->get()).value_or(ucred{0, static_cast<uid_t>(-1), 0});
        const int number = fd->get();
        if (!may_connect(peer.uid) || !loop_.add(number, EPOLLIN, [this, number](std::uint32_t) { on_stream(number); })) {
            std::vector<sys::UniqueFd> refused;
            refused.push_back(std::move(*fd));
            (void)sys::close_elsewhere(std::move(refused));
            continue;
        }
        Stream stream;
        stream.fd = std::move(*fd);
        stream.uid = peer.uid;
        stream.pid = static_cast<std::uint32_t>(peer.pid);
        stream.unit = unit_of(peer.pid);
        streams_.emplace(number, std::move(stream));
    }
}

/// Identifier, unit, priority, whether lines have a priority in front, and three forwards of journald's.
void Collector::take_header(Stream& stream, std::string_view line) {
    switch (stream.header_lines++) {
    case 0:
        stream.identifier = line.substr(0, max_name);
        return;
    case 2:
        if (line.size() == 1 && line[0] >= '0' && line[0] <= '7')
            stream.priority = static_cast<std::uint8_t>(line[0] - '0');
        return;
    case 3:
        stream.level_prefix = line == "1";
        return;
    default: // the unit it names is only its word
        return;
    }
}

/// False: stdout has no room; the rest is kept.
bool Collector::take_stream_lines(Stream& stream) {
    std::string_view rest = stream.in;
    bool room = true;
    while (!rest.empty()) {
        std::size_t end = rest.find('\n');
        const bool whole = end != std::string_view::npos;
        if (!whole && !stream.ended && rest.size() < max_line)
            break;
        end = std::min({end, rest.size(), max_line});
        std::string_view line = strip_cr(rest.substr(0, end));
        if (stream.header_lines < header_size) {
            take_header(stream, line);
        } else {
            Sender sender{stream.unit, stream.identifier, stream.pid, stream.priority};
            if (stream.level_prefix)
                sender.priority = take_level_prefix(line).value_or(sender.priority);
            room = take_line(sender, line, Urgency::MayWait);
            if (!room)
                break;
        }
        rest.remove_prefix(end + (end < rest.size() && rest[end] == '\n' ? 1 : 0));
    }
    stream.in.erase(0, stream.in.size() - rest.size());
    return room;
}

void Collector::on_stream(int fd) {
    const auto found = streams_.find(fd);
    if (found == streams_.end())
        return;
    Stream& stream = found->second;
    auto received = sys::receive_message(fd, {buffer_.get(), max_line});
    if (!received && received.error().code == base::Errc::Busy)
        return;
    if (received && !received->descriptors.empty())
        (void)sys::close_elsewhere(std::move(received->descriptors));
    if (received)
        stream.in += received->bytes;
    stream.ended = !received || received->bytes.empty();
    stream.waiting = !take_stream_lines(stream);
    if (stream.waiting)
        loop_.remove(fd); // it waits, as on a pipe
    else if (stream.ended)
        drop(fd);
}

void Collector::resume() {
    for (auto it = streams_.begin(); it != streams_.end();) {
        const int fd = it->first;
        Stream& stream = it->second;
        ++it;
        if (!stream.waiting || !take_stream_lines(stream))
            continue;
        stream.waiting = false;
        if (stream.ended || !loop_.add(fd, EPOLLIN, [this, fd](std::uint32_t) { on_stream(fd); }))
            drop(fd);
    }
}

void Collector::drop(int fd) {
    const auto found = streams_.find(fd);
    if (found == streams_.end())
        return;
    loop_.remove(fd);
    streams_.erase(found); // at its end of file, so nothing in it can keep close() waiting
}

} // namespace monoinit::log
