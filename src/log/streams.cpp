// Reading the pipes. Tested by tests/unit/log/logger_test.cpp.

#include "log/streams.hpp"

#include "log/stored_record.hpp"

#include "base/fmt.hpp"
#include "base/time.hpp"
#include "sys/clock.hpp"

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

Streams::Streams(SharedMemory& memory, Multiplexer& multiplexer, std::function<void(StreamId)> ended)
    : flight_(memory), multiplexer_(multiplexer), ended_(std::move(ended)), epoll_(epoll_create1(EPOLL_CLOEXEC)),
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

Streams::Source& Streams::adopt(StreamId stream, StreamInfo info) {
    Source& source = sources_[stream];
    source.info = std::move(info);
    source.encoded = encode_stream_info(source.info);
    if (source.info.rate_burst != 0)
        source.limit = &limits_.try_emplace(source.info.unit, source.info.rate_interval_us, source.info.rate_burst).first->second;
    source.fields.clear();
    for (std::string_view rest = source.info.extra_fields; !rest.empty();) {
        const std::string_view field = rest.substr(0, rest.find('\0'));
        if (const std::size_t equals = field.find('='); equals != std::string_view::npos)
            append_field(source.fields, field.substr(0, equals), field.substr(equals + 1));
        rest.remove_prefix(std::min(field.size() + 1, rest.size()));
    }
    source.identifier = source.info.identifier.empty() ? short_unit_name(source.info.unit) : source.info.identifier;
    set_filter(source);
    refresh(source);
    return source;
}

void Streams::set_filter(Source& source) {
    source.kept.clear();
    source.left_out.clear();
    for (std::string_view rest = source.info.filter_patterns; !rest.empty();) {
        const std::string_view text = rest.substr(0, rest.find('\0'));
        const bool without = text.starts_with('~');
        if (auto pattern = Pattern::compile(std::string(text.substr(without ? 1 : 0)), false)) {
            (without ? source.left_out : source.kept).push_back(std::move(*pattern));
        } else {
            const Stamp stamp = stamp_now();
            multiplexer_.own_line(4, source.info.unit, fmt::format("{}: LogFilterPatterns: {}", short_unit_name(source.info.unit), pattern.error().what), stamp.wall_us, stamp.mono_us);
        }
        rest.remove_prefix(std::min(text.size() + 1, rest.size()));
    }
}

bool Streams::passes(const Source& source, std::string_view text) {
    const auto matches = [&](const Pattern& pattern) { return pattern.matches(text); };
    return (source.kept.empty() || std::ranges::any_of(source.kept, matches)) && std::ranges::none_of(source.left_out, matches);
}

void Streams::refresh(Source& source) const {
    source.prefix = multiplexer_.prefix_for(source.info.unit);
    source.muted = multiplexer_.is_muted(source.info.unit);
}

void Streams::refresh() {
    for (auto& [id, source] : sources_)
        refresh(source);
}

void Streams::say_dropped(Source& source, std::uint64_t dropped, Stamp stamp) {
    if (dropped != 0)
        multiplexer_.own_line(4, source.info.unit, fmt::format("{}: {} lines dropped: more than LogRateLimitBurst={} in {}", short_unit_name(source.info.unit),
                                                               dropped, source.info.rate_burst, base::human_time_span(base::Duration(source.info.rate_interval_us))),
                              stamp.wall_us, stamp.mono_us);
}

bool Streams::take(const FlightLine& line) {
    Source& source = *current_;
    if (source.limit != nullptr && !source.continued) {
        say_dropped(source, source.limit->take_dropped(line.stamp.mono_us), line.stamp);
        source.dropping = !source.limit->allow(line.stamp.mono_us);
    }
    if (source.dropping) {
        source.continued = line.continues;
        return true;
    }
    Record record;
    record.wall_us = line.stamp.wall_us;
    record.mono_us = line.stamp.mono_us;
    record.priority = source.info.default_priority;
    record.unit = source.info.unit;
    record.identifier = source.identifier;
    record.facility = source.info.facility;
    record.fields = source.fields;
    record.text = line.text;
    record.continues = line.continues;
    record.continued = source.continued;
    if (source.info.level_prefix && !source.continued)
        record.priority = take_level_prefix(record.text).value_or(record.priority);
    const Destination destination{source.prefix, source.info.to_console && !source.muted, source.info.to_store};
    const bool wanted = record.priority <= source.info.level_max && passes(source, record.text);
    if (wanted && !multiplexer_.offer(record, destination, Urgency::MayWait))
        return false;
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
    const ssize_t size = read(source.fd.get(), room.data(), room.size());
    const int error = errno;
    flight_.arrived(size > 0 ? static_cast<std::size_t>(size) : 0);
    if (size > 0)
        return flight_.advance(sink_);
    if (size < 0 && (error == EAGAIN || error == EINTR))
        return true;
    return end(stream, source);
}

bool Streams::end(StreamId stream, Source& source) {
    current_ = &source;
    source.at_end = true;
    if (!flight_.finish(stream, stamp_now(), sink_))
        return false;
    if (source.limit != nullptr)
        say_dropped(source, source.limit->take_dropped(), stamp_now());
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
