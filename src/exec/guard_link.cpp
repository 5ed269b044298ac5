// PID 1's end of a guard. Tested by tests/unit/exec.
#include "exec/guard_link.hpp"

#include "exec/spawn_slots.hpp"
#include "sys/syscalls.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace monoinit::exec {

namespace {

constexpr std::size_t queue_limit = 64;

template <std::size_t N>
std::string text_of(const char (&field)[N]) {
    return std::string(field, ::strnlen(field, N));
}

GuardReport report_of(const HelloMessage& message) {
    GuardHello hello;
    hello.guard = base::GuardId{message.header.guard};
    hello.guard_pid = message.guard_pid;
    hello.notify = message.notify;
    hello.output = message.output;
    hello.error = message.error;
    hello.main_pid = message.main_pid;
    hello.main_alive = message.main_alive != 0;
    std::copy(std::begin(message.invocation), std::end(message.invocation), hello.invocation.begin());
    hello.list = message.list;
    hello.index = message.index;
    hello.unit = text_of(message.unit);
    return hello;
}

GuardReport report_of(const StartResultMessage& message) {
    const auto stage = static_cast<Stage>(message.stage);
    return GuardStarted{stage == Stage::None, message.pid, stage, message.error, message.exit_status, text_of(message.detail)};
}

GuardReport report_of(const ExitMessage& message) {
    GuardExit exit;
    exit.sequence = message.sequence;
    exit.pid = message.pid;
    exit.is_command = message.is_command != 0;
    exit.tree_empty = message.tree_empty != 0;
    exit.out_of_memory = message.out_of_memory != 0;
    exit.status_known = message.code != ExitCode::Unknown;
    exit.exit.status = message.status;
    exit.exit.code = message.code == ExitCode::Killed   ? base::ExitInfo::Code::Killed
                     : message.code == ExitCode::Dumped ? base::ExitInfo::Code::Dumped
                                                        : base::ExitInfo::Code::Exited;
    exit.usage = message.usage;
    return exit;
}

GuardReport tree_report(const char* bytes, std::size_t size) {
    const auto message = message_from<TreeMessage>(bytes, size);
    constexpr std::size_t head = offsetof(TreeMessage, entries);
    const std::size_t arrived = size < head ? 0 : (size - head) / sizeof(TreeEntry);
    const std::size_t count = std::min({arrived, std::size_t{message.count}, tree_limit});
    return GuardTree{message.token, message.total, {message.entries, message.entries + count}};
}

GuardReport report_of(const TreeEmptyMessage& message) {
    return GuardEmpty{message.orphans, message.usage};
}

GuardReport report_of(const SignalResultMessage& message) {
    return GuardSignalled{message.signal, message.reached, message.refused, message.refused_pid, text_of(message.refused_name)};
}

GuardReport report_of(const WatchResultMessage& message) {
    return GuardWatching{message.pid, message.state};
}

/// Nothing for what we do not know: a newer guard may say more than we understand.
std::optional<GuardReport> parse(const char* bytes, std::size_t size) {
    if (size < sizeof(MessageHeader))
        return std::nullopt;
    switch (message_from<MessageHeader>(bytes, size).type) {
    case MessageType::Hello:
        return report_of(message_from<HelloMessage>(bytes, size));
    case MessageType::StartResult:
        return report_of(message_from<StartResultMessage>(bytes, size));
    case MessageType::Exit:
        return report_of(message_from<ExitMessage>(bytes, size));
    case MessageType::Tree:
        return tree_report(bytes, size);
    case MessageType::TreeEmpty:
        return report_of(message_from<TreeEmptyMessage>(bytes, size));
    case MessageType::SignalResult:
        return report_of(message_from<SignalResultMessage>(bytes, size));
    case MessageType::WatchResult:
        return report_of(message_from<WatchResultMessage>(bytes, size));
    case MessageType::Watch:
    case MessageType::Unwatch:
    case MessageType::Signal:
    case MessageType::Query:
    case MessageType::AckExit:
    case MessageType::Leave:
        break; // ours to send
    }
    return std::nullopt;
}

} // namespace

std::optional<GuardReport> GuardLink::receive() {
    alignas(8) char buffer[message_limit + 1024]; // a newer guard's messages may be a little longer
    while (!gone_) {
        const ssize_t size = sys::receive_bytes(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (size > 0) {
            release_slot(guard_);
            if (std::optional<GuardReport> report = parse(buffer, static_cast<std::size_t>(size)))
                return report;
            continue;
        }
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (release_dead_slot(guard_)) // it held the other end open: now we see the end of file
                continue;
            return std::nullopt;
        }
        if (size < 0 && errno == ECONNRESET)
            continue; // it ended with something unread: said once, ahead of what it had sent
        release_slot(guard_);
        gone_ = true;
        return GuardGone{};
    }
    return std::nullopt;
}

template <class Message>
void GuardLink::send(Message message) {
    message.header.guard = guard_.value;
    if (gone_)
        return;
    if (queue_.size() >= queue_limit) {
        dropped_++;
        return;
    }
    queue_.emplace_back(reinterpret_cast<const char*>(&message), sizeof message);
    flush();
}

bool GuardLink::flush() {
    while (!queue_.empty()) {
        const std::string& next = queue_.front();
        if (sys::send_bytes(socket_.get(), next.data(), next.size(), MSG_DONTWAIT) < 0) {
            if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR || errno == ENOMEM)
                return false;
            queue_.clear(); // the guard is gone; receive() tells
            return true;
        }
        queue_.pop_front();
    }
    return true;
}

void GuardLink::signal(SignalScope scope, int signal, bool then_continue, bool then_hangup, int pid) {
    SignalMessage message;
    message.scope = scope;
    message.signal = signal;
    message.then_continue = then_continue;
    message.then_hangup = then_hangup;
    message.pid = pid;
    send(message);
}

void GuardLink::queue_signal(int pid, int signal, int value) {
    SignalMessage message;
    message.scope = SignalScope::One;
    message.queued = 1;
    message.signal = signal;
    message.pid = pid;
    message.value = value;
    send(message);
}

void GuardLink::watch(int pid) {
    WatchMessage message;
    message.pid = pid;
    send(message);
}

void GuardLink::unwatch(int pid) {
    WatchMessage message;
    message.header.type = MessageType::Unwatch;
    message.pid = pid;
    send(message);
}

void GuardLink::query(std::uint32_t token, bool resync) {
    QueryMessage message;
    message.token = token;
    message.flags = resync ? query_resync : 0;
    send(message);
}

void GuardLink::acknowledge(std::uint32_t sequence) {
    AckExitMessage message;
    message.sequence = sequence;
    send(message);
}

void GuardLink::leave() {
    send(LeaveMessage{});
}

} // namespace monoinit::exec
