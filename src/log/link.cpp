// PID 1's end of the logger. What the logger must know is kept as state (streams, configuration, mutes), not as a queue,
// so that a new logger can be told all of it; only messages are queued, and only up to a limit.
// Tested by tests/unit/log/link_test.cpp and logger_test.cpp.

#include "log/link.hpp"

#include "sys/socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <new>
#include <poll.h>
#include <sys/stat.h>

namespace monoinit::log {
namespace {

// Descriptors on their way count against RLIMIT_NOFILE of the sender's user: few at a time.
constexpr std::size_t max_in_flight = 32;
constexpr std::size_t max_messages = 1024;
constexpr std::size_t max_messages_bytes = 128 * 1024;
constexpr int packets_a_turn = 64; ///< so that a chatty logger cannot hold the loop

bool is_open_socket(int fd) {
    struct stat info{};
    return fd >= 0 && fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
}

bool is_open_stream(int fd) {
    struct stat info{};
    return fd >= 0 && fstat(fd, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
}

} // namespace

LoggerLink LoggerLink::import_state(LinkState state, Events events) {
    LoggerLink link(std::move(events));
    link.next_stream_ = state.next_stream;
    link.config_ = state.config;
    link.shutdown_ = state.shutdown;
    link.muted_.insert(state.muted.begin(), state.muted.end());
    for (HeldStream& held : state.streams) {
        link.next_stream_ = std::max(link.next_stream_, held.stream.value + 1);
        if (!is_open_stream(held.fd) || link.streams_.contains(held.stream))
            continue;
        link.open_by_unit_[held.info.unit]++;
        Stream stream{std::move(held.info), sys::UniqueFd(held.fd), Stage::Unsent, true};
        // Handed over but not acknowledged: sent again, which the logger answers with Ack once more.
        if (held.acknowledged && state.socket >= 0)
            stream.stage = Stage::Acknowledged;
        else
            link.unsent_.push_back(held.stream);
        link.streams_.emplace(held.stream, std::move(stream));
    }
    if (!is_open_socket(state.socket))
        return link;
    link.socket_.reset(state.socket);
    // What the former image had not sent yet is not known: all of it may be said twice.
    link.sync_unsent_ = link.config_unsent_ = true;
    link.shutdown_unsent_ = link.shutdown_;
    link.flush();
    return link;
}

LinkState LoggerLink::export_state() const {
    LinkState state;
    state.socket = socket_.get();
    state.next_stream = next_stream_;
    state.config = config_;
    state.muted.assign(muted_.begin(), muted_.end());
    state.shutdown = shutdown_;
    for (const auto& [id, stream] : streams_)
        state.streams.push_back({id, stream.info, stream.read_end.get(), stream.stage == Stage::Acknowledged});
    return state;
}

std::vector<int> LoggerLink::held_fds() const {
    std::vector<int> fds;
    if (socket_)
        fds.push_back(socket_.get());
    for (const auto& [id, stream] : streams_)
        fds.push_back(stream.read_end.get());
    return fds;
}

void LoggerLink::attach(sys::UniqueFd socket) {
    detach();
    socket_ = std::move(socket);
    (void)sys::set_nonblocking(socket_.get(), true); // every send and receive says MSG_DONTWAIT as well
    resend_everything();
    flush();
}

void LoggerLink::detach() {
    socket_.reset();
    want_write_ = want_retry_ = false;
}

void LoggerLink::resend_everything() {
    unsent_.clear();
    eof_acks_.clear(); // were for the old logger
    in_flight_ = 0;
    refused_ = false;
    for (auto& [id, stream] : streams_) {
        stream.stage = Stage::Unsent;
        unsent_.push_back(id);
    }
    mutes_unsent_.clear();
    for (const std::string& unit : muted_)
        mutes_unsent_.push_back({unit, true});
    config_unsent_ = true;
    shutdown_unsent_ = shutdown_;
    drain_unsent_ = drain_.has_value();
    sync_unsent_ = false;
}

LoggerLink::Sent LoggerLink::send(const ToLogger& message, int descriptor) {
    const std::string packet = encode(message);
    const auto sent = descriptor < 0 ? sys::send_message(socket_.get(), packet)
                                     : sys::send_message(socket_.get(), packet, std::array{descriptor});
    if (sent)
        return Sent::Yes;
    if (sent.error().code == base::Errc::Busy)
        return Sent::Later;
    return sent.error().errnum == EPIPE || sent.error().errnum == ECONNRESET ? Sent::Dead : Sent::Later;
}

void LoggerLink::flush() {
    if (!attached())
        return;
    want_write_ = false;
    // A dead logger shows as end of file in on_readable(); here it only means that nothing more can be sent.
    try {
        if (!flush_state() || !flush_messages())
            want_write_ = true;
        else
            (void)flush_streams();
    } catch (const std::bad_alloc&) { // of the packet: nothing is forgotten before it is sent
        want_retry_ = true;
    }
}

bool LoggerLink::flush_state() {
    const auto take = [this](bool& unsent, auto&& message) {
        if (unsent && send(message) != Sent::Yes)
            return false;
        unsent = false;
        return true;
    };
    if (!take(sync_unsent_, to_logger::Sync{}) || !take(config_unsent_, to_logger::Configure{config_}) ||
        !take(shutdown_unsent_, to_logger::Shutdown{}))
        return false;
    for (; !mutes_unsent_.empty(); mutes_unsent_.pop_front())
        if (send(mutes_unsent_.front()) != Sent::Yes)
            return false;
    for (; !eof_acks_.empty(); eof_acks_.pop_front())
        if (send(to_logger::EofAck{eof_acks_.front()}) != Sent::Yes)
            return false;
    return true;
}

bool LoggerLink::flush_messages() {
    for (; !messages_.empty(); messages_.pop_front()) {
        if (send(messages_.front()) != Sent::Yes)
            return false;
        messages_bytes_ -= messages_.front().text.size();
    }
    // After the last message and the last stream, so that nothing that was said before is cut off.
    if (drain_unsent_ && unsent_.empty()) {
        if (send(to_logger::Drain{*drain_}) != Sent::Yes)
            return false;
        drain_unsent_ = false;
    }
    return true;
}

bool LoggerLink::flush_streams() {
    want_retry_ = refused_;
    for (; !unsent_.empty() && in_flight_ < max_in_flight; unsent_.pop_front()) {
        const auto found = streams_.find(unsent_.front());
        if (found == streams_.end() || found->second.stage != Stage::Unsent)
            continue;
        Stream& stream = found->second;
        if (send(to_logger::AddStream{found->first, stream.info}, stream.read_end.get()) != Sent::Yes) {
            // The socket's buffer being full and ETOOMANYREFS look alike; acknowledgements or retry() bring us back.
            want_retry_ = refused_ || in_flight_ == 0;
            return false;
        }
        stream.stage = Stage::Sent;
        stream.was_sent = true;
        in_flight_++;
    }
    if (unsent_.empty() && drain_unsent_)
        return flush_messages();
    return true;
}

void LoggerLink::retry() {
    refused_ = false;
    for (auto& [id, stream] : streams_)
        if (stream.stage == Stage::Unsent && std::find(unsent_.begin(), unsent_.end(), id) == unsent_.end())
            unsent_.push_back(id);
    flush();
}

bool LoggerLink::on_readable() {
    if (!attached())
        return false;
    std::array<char, max_packet> buffer;
    for (int turn = 0; turn < packets_a_turn; turn++) {
        auto received = sys::receive_message(socket_.get(), buffer);
        if (!received) {
            // It has left with something unread: said once, ahead of the packets that are here ("drained" may be among them).
            if (received.error().errnum == ECONNRESET)
                continue;
            if (received.error().code != base::Errc::Busy && received.error().errnum != EINTR)
                return false;
            break;
        }
        if (received->bytes.empty())
            return false;
        sys::UniqueFd fd;
        if (!received->descriptors.empty())
            fd = std::move(received->descriptors.front());
        if (const auto message = decode_from_logger(received->bytes))
            receive(*message, std::move(fd));
    }
    flush();
    return true;
}

void LoggerLink::receive(const FromLogger& message, sys::UniqueFd fd) {
    struct Visitor {
        LoggerLink& link;
        sys::UniqueFd& fd;

        void operator()(const from_logger::Ready&) const {}
        void operator()(const from_logger::Ack& m) const {
            const auto found = link.streams_.find(m.stream);
            if (found == link.streams_.end() || found->second.stage != Stage::Sent)
                return;
            found->second.stage = Stage::Acknowledged;
            link.in_flight_--;
        }
        void operator()(const from_logger::Refused& m) const { link.refused(m.stream); }
        void operator()(const from_logger::StreamEof& m) const { link.end_of_file(m.stream); }
        void operator()(const from_logger::Output& m) const {
            link.output_ = {m.stalled, m.lines_lost, m.errnum};
            if (link.events_.output_changed)
                link.events_.output_changed(link.output_);
        }
        void operator()(const from_logger::Configured& m) const {
            if (m.sequence == link.config_.sequence && link.events_.configured)
                link.events_.configured();
        }
        void operator()(const from_logger::Drained& m) const {
            if (link.events_.drained)
                link.events_.drained(m.lines_not_written);
        }
        void operator()(const from_logger::Adopt& m) const {
            if (fd && link.events_.connected)
                link.events_.connected(m.info, std::move(fd));
        }
    };
    std::visit(Visitor{*this, fd}, message);
}

void LoggerLink::refused(StreamId stream) {
    const auto found = streams_.find(stream);
    if (found == streams_.end() || found->second.stage != Stage::Sent)
        return;
    found->second.stage = Stage::Unsent; // not back into unsent_ before retry(): no busy loop
    in_flight_--;
    refused_ = want_retry_ = true;
}

void LoggerLink::end_of_file(StreamId stream) {
    eof_acks_.push_back(stream);
    const auto found = streams_.find(stream);
    if (found == streams_.end())
        return; // a repeated one
    if (found->second.stage == Stage::Sent)
        in_flight_--;
    const std::string unit = std::move(found->second.info.unit);
    streams_.erase(found);
    if (const auto open = open_by_unit_.find(unit); open != open_by_unit_.end() && --open->second == 0)
        open_by_unit_.erase(open);
    if (events_.stream_closed)
        events_.stream_closed(stream, unit);
}

/// Where no logger can be started, or it is behind, services that end at once, again and again, would use up descriptors.
void LoggerLink::forget_empty() {
    std::vector<StreamId> over;
    for (const auto& [id, stream] : streams_) {
        pollfd look{stream.read_end.get(), POLLIN, 0};
        if (!stream.was_sent && poll(&look, 1, 0) == 1 && (look.revents & (POLLIN | POLLHUP)) == POLLHUP)
            over.push_back(id);
    }
    for (const StreamId id : over) {
        std::erase(unsent_, id);
        end_of_file(id);
    }
}

StreamId LoggerLink::add_stream(StreamInfo info, sys::UniqueFd read_end) {
    (void)sys::set_nonblocking(read_end.get(), true); // the logger could do without; ours alone, not the writers'
    if (attached() ? unsent_.size() >= look_again_at_ : streams_.size() >= held_at_ease) {
        forget_empty();
        look_again_at_ = std::max(held_at_ease, 2 * unsent_.size()); // a look at each of them: not with every start
    }
    const StreamId id{next_stream_++};
    open_by_unit_[info.unit]++;
    streams_.emplace(id, Stream{std::move(info), std::move(read_end), Stage::Unsent});
    unsent_.push_back(id);
    flush();
    return id;
}

std::size_t LoggerLink::streams_open(std::string_view unit) const {
    const auto found = open_by_unit_.find(unit);
    return found == open_by_unit_.end() ? 0 : found->second;
}

void LoggerLink::message(int priority, std::string_view unit, std::string_view text) {
    text = text.substr(0, max_message_text);
    bool full = messages_.size() >= max_messages || messages_bytes_ + text.size() > max_messages_bytes;
    try { // what is said of an event is not worth the event
        if (!full)
            messages_.push_back({static_cast<std::uint8_t>(std::clamp(priority, 0, 7)), std::string(unit), std::string(text), dropped_since_});
    } catch (const std::bad_alloc&) {
        full = true;
    }
    if (full) {
        dropped_since_++;
        dropped_total_++;
        return;
    }
    dropped_since_ = 0;
    messages_bytes_ += text.size();
    flush();
}

void LoggerLink::configure(Config config) {
    config.sequence = config_.sequence + 1;
    config_ = config;
    config_unsent_ = true;
    flush();
}

void LoggerLink::mute(std::string_view unit, bool muted) {
    if (muted)
        muted_.emplace(unit);
    else if (unit.empty())
        muted_.clear();
    else if (const auto found = muted_.find(unit); found != muted_.end())
        muted_.erase(found);
    mutes_unsent_.push_back({std::string(unit), muted});
    if (!attached())
        mutes_unsent_.clear(); // attach() sends what is muted then
    flush();
}

void LoggerLink::begin_shutdown() {
    shutdown_ = shutdown_unsent_ = true;
    flush();
}

void LoggerLink::begin_drain(base::Instant deadline) {
    drain_ = deadline;
    drain_unsent_ = true;
    flush();
}

} // namespace monoinit::log
