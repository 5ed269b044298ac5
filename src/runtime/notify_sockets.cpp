// Notify sockets: receive, place the sender, pass on. See notify_sockets.hpp.
#include "runtime/notify_sockets.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "sys/proc.hpp"
#include "sys/socket.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <unistd.h>

namespace monoinit::runtime {

namespace {

constexpr std::size_t message_limit = 4096; // as systemd's manager
constexpr int messages_at_once = 64;        // then the loop looks at the others

/// The pid of a MAINPID= line, 0 if there is none or it is no pid.
int main_pid_in(std::string_view text) {
    for (std::string_view line : base::split(text, '\n')) {
        if (!line.starts_with("MAINPID="))
            continue;
        line.remove_prefix(8);
        int pid = 0;
        const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), pid);
        return error == std::errc{} && end == line.data() + line.size() && pid > 1 ? pid : 0;
    }
    return 0;
}

std::uint32_t record_of(int fd) { return notify_record + static_cast<std::uint32_t>(fd); }

std::string note_of(int pid, unsigned uid, std::string_view text) { return fmt::format("{} {}\n{}", pid, uid, text); }

} // namespace

NotifySockets::NotifySockets(sys::EpollLoop& loop, Checkpoint& checkpoint, SenderJudge& judge, Deliver deliver)
    : loop_(loop), checkpoint_(checkpoint), judge_(judge), deliver_(std::move(deliver)) {}

NotifySockets::~NotifySockets() {
    for (const auto& [unit, socket] : sockets_)
        loop_.remove(socket.fd.get());
}

std::string NotifySockets::path_of(std::uint64_t number) const { return fmt::format("{}/{}", directory_, number); }

base::Result<std::string> NotifySockets::path_for(base::UnitId unit) {
    if (directory_.empty())
        return base::fail(base::Errc::Unsupported, "no writable runtime directory for notify sockets");
    if (!sockets_.contains(unit)) {
        // Everybody may send; who counts is decided by where the sender lives.
        const std::uint64_t number = next_number_;
        sys::UniqueFd fd = TRY(sys::bind_unix(path_of(number), SOCK_DGRAM | SOCK_NONBLOCK, 0666));
        TRY(sys::pass_credentials(fd.get()));
        checkpoint_.keep({FdKind::Notify, fd.get(), number, unit.value, 0});
        adopt(unit, number, std::move(fd));
    }
    return path_of(sockets_.at(unit).number);
}

void NotifySockets::adopt(base::UnitId unit, std::uint64_t number, sys::UniqueFd fd) {
    const int raw = fd.get();
    next_number_ = std::max(next_number_, number + 1);
    sockets_[unit] = Socket{number, std::move(fd)};
    watch(unit, raw);
}

void NotifySockets::watch(base::UnitId unit, int fd) {
    (void)loop_.add(fd, EPOLLIN, [this, unit, fd](std::uint32_t) { drain(unit, fd); }); // ENOMEM: notifications are late, nothing else
}

void NotifySockets::remove(base::UnitId unit) {
    const auto found = sockets_.find(unit);
    if (found == sockets_.end())
        return;
    loop_.remove(found->second.fd.get());
    checkpoint_.forget(found->second.fd.get());
    checkpoint_.erase(record_of(found->second.fd.get()));
    ::unlink(path_of(found->second.number).c_str());
    sockets_.erase(found);
}

void NotifySockets::drain(base::UnitId unit, int fd) {
    std::array<char, message_limit> buffer;
    for (int i = 0; i < messages_at_once; i++) {
        const auto socket = sockets_.find(unit);
        if (socket == sockets_.end() || socket->second.held)
            return; // a message ended the unit, or waits for its sender's guard
        // The kernel has it no more once it is read, so it is noted before.
        const auto seen = sys::receive_message(fd, buffer, MSG_DONTWAIT | MSG_PEEK);
        if (!seen)
            return;
        if (seen->sender && !seen->truncated)
            checkpoint_.write(record_of(fd), note_of(seen->sender->pid, seen->sender->uid, seen->bytes));
        auto received = sys::receive_message(fd, buffer);
        if (!received)
            return;
        if (!received->sender || received->truncated)
            sys::close_elsewhere(std::move(received->descriptors));
        else
            take(unit, {std::string(received->bytes), std::move(received->descriptors), received->sender->pid, received->sender->uid});
    }
}

void NotifySockets::recall(const Records& records) {
    std::vector<base::UnitId> units;
    for (const auto& [unit, socket] : sockets_)
        units.push_back(unit);
    for (const base::UnitId unit : units) {
        const int fd = sockets_.at(unit).fd.get();
        const auto record = std::ranges::find(records, record_of(fd), &Records::value_type::first);
        if (record == records.end() || record->second.empty())
            continue;
        std::array<char, message_limit> buffer;
        if (const auto next = sys::receive_message(fd, buffer, MSG_DONTWAIT | MSG_PEEK);
            next && next->sender && record->second == note_of(next->sender->pid, next->sender->uid, next->bytes))
            continue; // noted and not read: it comes by itself
        const std::string& bytes = record->second;
        Message message;
        char* at = nullptr;
        message.pid = static_cast<int>(std::strtol(bytes.c_str(), &at, 10));
        message.uid = static_cast<unsigned>(std::strtoul(at, &at, 10));
        if (*at == '\n')
            message.text = bytes.substr(static_cast<std::size_t>(at + 1 - bytes.c_str()));
        take(unit, std::move(message));
    }
}

void NotifySockets::take(base::UnitId unit, Message message) {
    const base::GuardId guard = judge_.guard_above(unit, message.pid);
    if (guard && !judge_.has_started(guard)) {
        Socket& socket = sockets_.at(unit);
        if (loop_.modify(socket.fd.get(), 0)) {
            socket.held = std::move(message);
            return;
        }
    }
    deliver(unit, message, guard);
    if (const auto still = sockets_.find(unit); still != sockets_.end())
        checkpoint_.write(record_of(still->second.fd.get()), {});
    // After the message counted: whoever waits at a BARRIER=1 descriptor may rely on it. Foreign descriptors can block in
    // close(), so a child does it.
    if (!message.descriptors.empty())
        sys::close_elsewhere(std::move(message.descriptors));
}

void NotifySockets::resume(base::UnitId unit) {
    const auto found = sockets_.find(unit);
    if (found == sockets_.end() || !found->second.held)
        return;
    Message message = std::move(*found->second.held);
    found->second.held.reset();
    const int fd = found->second.fd.get();
    (void)loop_.modify(fd, EPOLLIN); // as in watch(): notifications are late, nothing else
    take(unit, std::move(message));
}

void NotifySockets::take_pending(base::UnitId unit) {
    if (const auto found = sockets_.find(unit); found != sockets_.end())
        drain(unit, found->second.fd.get());
}

void NotifySockets::deliver(base::UnitId unit, Message& message, base::GuardId guard) {
    using Sender = supervise::Notified::Sender;
    supervise::Notified notified;
    notified.pid = message.pid;
    notified.text = message.text;
    notified.descriptors = static_cast<int>(message.descriptors.size());
    if (guard)
        notified.sender = judge_.role_of(unit, message.pid, guard);
    else if (message.pid > 0 && !sys::stat_of(message.pid) && judge_.is_unit_user(unit, message.uid)) // one of `docker exec` lives, and has no parent here
        notified.sender = Sender::GoneSameUser;
    else
        notified.sender = Sender::Stranger;
    if (const int main_pid = main_pid_in(message.text))
        notified.mainpid_guard = judge_.guard_above(unit, main_pid);
    deliver_(unit, std::move(notified), message.descriptors);
}

} // namespace monoinit::runtime
