// Reading the pipes. Tested by tests/unit/log/logger_test.cpp.

#include "log/streams.hpp"

#include "log/stored_record.hpp"

#include "sys/clock.hpp"
#include "sys/socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/epoll.h>
#include <unistd.h>

namespace monoinit::log {
namespace {

constexpr int events_a_turn = 32;

Stamp stamp_now() {
    return {static_cast<std::uint64_t>(sys::wall_now().count()), static_cast<std::uint64_t>(sys::monotonic_now().count())};
}

} // namespace

Streams::Streams(SharedMemory& memory, std::size_t part, Urgency urgency, Multiplexer& multiplexer, UnitPolicies& policies,
                 std::function<void(StreamId)> ended)
    : flight_(memory, part), urgency_(urgency), multiplexer_(multiplexer), policies_(policies), ended_(std::move(ended)), epoll_(epoll_create1(EPOLL_CLOEXEC)),
      sink_([this](const FlightLine& line) { return take(line); }), stuck_(flight_.pending()) {}

bool Streams::knows(StreamId stream) const {
    const auto found = sources_.find(stream);
    return found != sources_.end() && found->second.fd;
}

base::Result<void> Streams::add(StreamId stream, StreamInfo info, sys::UniqueFd read_end) {
    if (knows(stream))
        return {};
    epoll_event event{EPOLLIN, {.u64 = stream.value}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, read_end.get(), &event) != 0)
        return base::fail_errno(errno, "watching a stream");
    adopt(stream, std::move(info)).fd = std::move(read_end);
    open_++;
    return {};
}

std::pair<std::size_t, std::size_t> Streams::connections(std::uint32_t uid) const {
    std::pair<std::size_t, std::size_t> count{};
    for (const auto& [id, source] : sources_)
        if (source.info.kind == StreamKind::Connection) {
            count.first++;
            count.second += source.info.uid == uid ? 1 : 0;
        }
    return count;
}

Streams::Source& Streams::adopt(StreamId stream, StreamInfo info) {
    Source& source = sources_[stream];
    source.info = std::move(info);
    source.encoded = encode_stream_info(source.info);
    UnitPolicy* const former = source.policy;
    source.policy = &policies_.adopt(source.info);
    if (former != nullptr)
        policies_.release(*former);
    source.identifier = source.info.identifier.empty() ? short_unit_name(source.info.unit) : source.info.identifier;
    source.fields.clear();
    if (source.info.kind == StreamKind::Connection)
        append_field(source.fields, "_UID", std::to_string(source.info.uid));
    source.fields += source.policy->fields;
    refresh(source);
    return source;
}

void Streams::refresh(Source& source) const {
    const StreamInfo& info = source.info;
    source.prefix = info.kind == StreamKind::Connection ? multiplexer_.prefix_for(info.unit, source.identifier, info.pid) : multiplexer_.prefix_for(info.unit);
    source.muted = multiplexer_.is_muted(info.unit);
}

void Streams::refresh() {
    for (auto& [id, source] : sources_)
        refresh(source);
}

bool Streams::take(const FlightLine& line) {
    Source& source = *current_;
    Record record;
    record.wall_us = line.stamp.wall_us;
    record.mono_us = line.stamp.mono_us;
    record.unit = source.info.unit;
    record.identifier = source.identifier;
    record.facility = source.info.facility;
    record.pid = source.info.pid;
    record.fields = source.fields;
    record.text = line.text;
    record.continues = line.continues;
    record.continued = source.continued;
    if (!source.continued) {
        source.priority = source.info.default_priority;
        if (source.info.level_prefix)
            source.priority = take_level_prefix(record.text).value_or(source.priority);
        record.priority = source.priority;
        source.dropping = !policies_.admits(*source.policy, record);
    }
    record.priority = source.priority;
    const Destination destination{source.prefix, !source.muted && source.policy->shows(record.priority), source.info.to_store,
                                  source.info.kind == StreamKind::Error};
    if (!source.dropping && !multiplexer_.offer(record, destination, urgency_)) {
        if (!source.continued)
            source.policy->limit.take_back(); // it comes again
        return false;
    }
    source.continued = line.continues;
    return true;
}

bool Streams::run() {
    if (stuck_ && !resume())
        return false;
    std::array<epoll_event, events_a_turn> events;
    const int count = epoll_wait(epoll_.get(), events.data(), events_a_turn, 0);
    for (int i = 0; i < count && !stuck_; i++) {
        const StreamId stream{events[static_cast<std::size_t>(i)].data.u64};
        const auto found = sources_.find(stream);
        if (found != sources_.end())
            stuck_ = !read_once(stream, found->second);
    }
    return !stuck_;
}

bool Streams::read_once(StreamId stream, Source& source) {
    current_ = &source;
    const std::span<char> room = flight_.begin(stream, source.encoded, stamp_now());
    bool ended = false;
    const std::size_t size = receive(source, room, ended);
    flight_.arrived(size);
    if (size > 0)
        return flight_.advance(sink_);
    return ended ? end(stream, source) : true;
}

/// Reads what there is. `ended`: no more will come.
std::size_t Streams::receive(Source& source, std::span<char> room, bool& ended) {
    if (source.info.kind != StreamKind::Connection) {
        const ssize_t size = read(source.fd.get(), room.data(), room.size());
        ended = size == 0 || (size < 0 && errno != EINTR && !base::is_shortage(errno));
        return size > 0 ? static_cast<std::size_t>(size) : 0;
    }
    auto received = sys::receive_message(source.fd.get(), room); // descriptors that come along must not be closed here
    if (!received) {
        const int error = received.error().errnum; // ECONNRESET is said once, ahead of what is there
        ended = received.error().code != base::Errc::Busy && error != EINTR && error != ECONNRESET && !base::is_shortage(error);
        return 0;
    }
    if (!received->descriptors.empty())
        (void)sys::close_elsewhere(std::move(received->descriptors));
    ended = received->bytes.empty();
    return received->bytes.size();
}

bool Streams::end(StreamId stream, Source& source) {
    current_ = &source;
    source.at_end = true;
    if (!flight_.finish(stream, stamp_now(), sink_))
        return false;
    policies_.finish(*source.policy);
    policies_.release(*source.policy);
    (void)epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, source.fd.get(), nullptr);
    sources_.erase(stream);
    open_--;
    ended_(stream);
    return true;
}

bool Streams::resume() {
    if (flight_.pending()) {
        const StreamId stream = flight_.pending_stream();
        auto found = sources_.find(stream);
        if (found == sources_.end()) { // a former logger's; PID 1 will hand it over again
            (void)adopt(stream, flight_.pending_info().value_or(StreamInfo{}));
            found = sources_.find(stream);
        }
        current_ = &found->second;
        stuck_ = !flight_.advance(sink_);
        return !stuck_;
    }
    stuck_ = false;
    for (auto source = sources_.begin(); source != sources_.end() && !stuck_;) {
        const auto next = std::next(source);
        if (source->second.at_end)
            stuck_ = !end(source->first, source->second);
        source = next;
    }
    return !stuck_;
}

bool Streams::finish_all() {
    for (auto& [stream, info] : flight_.unfinished()) {
        auto found = sources_.find(stream);
        current_ = found != sources_.end() ? &found->second : &adopt(stream, std::move(info));
        if (!flight_.finish(stream, stamp_now(), sink_))
            return false;
    }
    return true;
}

} // namespace monoinit::log
