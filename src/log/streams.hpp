#pragma once
// The pipes of all units' stdout and stderr. They are read 64 kB at a time, in turn; when stdout has no room they are not
// read, so that the services wait as they would on the pipe itself. The streams have an epoll set of their own: the loop
// outside watches it, or does not. Tested by tests/unit/log/logger_test.cpp.

#include "log/flight.hpp"
#include "log/multiplexer.hpp"
#include "log/unit_policies.hpp"
#include "sys/unique_fd.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace monoinit::log {

class Streams {
  public:
    /// `part`: of the memory; `urgency`: whether the streams wait for room.
    Streams(SharedMemory& memory, std::size_t part, Urgency urgency, Multiplexer& multiplexer, UnitPolicies& policies, std::function<void(StreamId)> ended);

    /// A stream handed over by PID 1; a known one is left as it is.
    base::Result<void> add(StreamId stream, StreamInfo info, sys::UniqueFd read_end);
    bool knows(StreamId stream) const;
    std::size_t open() const { return open_; }
    /// Of StreamKind::Connection: all, and those of one uid.
    std::pair<std::size_t, std::size_t> connections(std::uint32_t uid) const;

    int fd() const { return epoll_.get(); } ///< readable when a pipe is
    /// One turn over the pipes that have something. False: stdout has no room; resume() when it may have.
    bool run();
    bool stuck() const { return stuck_; }
    /// Also first thing after start, for what a former logger left.
    bool resume();

    /// After the last run() of a drain: unfinished lines come out. False: no room.
    bool finish_all();
    /// Prefixes and mutes have changed.
    void refresh();
    void set_line_max(std::size_t size) { flight_.set_line_max(size); }

  private:
    struct Source {
        StreamInfo info;
        std::string encoded, prefix, identifier, fields;
        sys::UniqueFd fd;
        UnitPolicy* policy = nullptr; ///< of its unit; adopted
        bool muted = false;
        std::uint8_t priority = 6; ///< of the line under way
        bool dropping = false;  ///< ... which does not go on: nor do its other parts
        bool continued = false; ///< the line before was cut: no prefix to be parsed
        bool at_end = false;    ///< end of file seen; its last line waits for room
    };

    Source& adopt(StreamId stream, StreamInfo info);
    void refresh(Source& source) const;
    bool read_once(StreamId stream, Source& source);
    bool end(StreamId stream, Source& source);
    bool take(const FlightLine& line);
    std::size_t receive(Source& source, std::span<char> room, bool& ended);

    Flight flight_;
    Urgency urgency_;
    Multiplexer& multiplexer_;
    UnitPolicies& policies_;
    std::function<void(StreamId)> ended_;
    sys::UniqueFd epoll_;
    std::map<StreamId, Source> sources_;
    std::size_t open_ = 0;
    Flight::Sink sink_;
    Source* current_ = nullptr; ///< whose lines sink_ gets
    bool stuck_ = false;
};

} // namespace monoinit::log
