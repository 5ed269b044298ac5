#pragma once
// From read() to whole lines, such that a kill between any two instructions loses nothing and repeats one line at most.
//
// read() puts bytes straight into shared memory, where they were preceded by zeros: a successor finds how many came even
// though the count died with us (trailing NULs of that one read are then lost). Each line is offered to the sink, and only
// then the position moves on: the line at which we were killed is offered again. A line that has not ended moves to the
// stream's carry slot.
// Tested by tests/unit/log/flight_test.cpp (killed at every step).

#include "log/line_splitter.hpp"
#include "log/protocol.hpp"
#include "log/shared_memory.hpp"

#include <functional>
#include <map>
#include <memory>
#include <span>

namespace monoinit::log {

struct Stamp {
    std::uint64_t wall_us = 0, mono_us = 0;
};

/// What the sink gets. `continues`: cut because it is too long.
struct FlightLine {
    StreamId stream;
    Stamp stamp;
    std::string_view text;
    bool continues = false;
};

class Flight {
  public:
    /// Takes the line, or answers false: no room now, offer it again later.
    using Sink = std::function<bool(const FlightLine&)>;

    /// `part`: of the memory, one of flight_parts.
    explicit Flight(SharedMemory& memory, std::size_t part = 0);
    /// Lines are cut at this length; at most largest_line.
    void set_line_max(std::size_t size) { line_max_ = size; }

    /// Bytes of a chunk wait to be offered: after a false from the sink, or left by a former logger.
    bool pending() const;
    /// Whose they are, with what is known of it (a former logger's stream may not have come back yet).
    StreamId pending_stream() const;
    base::Result<StreamInfo> pending_info() const;

    /// Where the next read() may put up to chunk_size bytes; `encoded_info` as encode_stream_info() makes it.
    /// Not while pending().
    std::span<char> begin(StreamId stream, std::string_view encoded_info, Stamp stamp);
    /// How many bytes came (0: none). Then advance().
    void arrived(std::size_t size);
    /// Offers lines until the chunk is used up (true) or the sink refuses one (false).
    bool advance(const Sink& sink);

    /// End of file: offers the unfinished line; false when the sink refuses it.
    bool finish(StreamId stream, Stamp stamp, const Sink& sink);
    /// Streams that left an unfinished line behind, with what is known of them.
    std::vector<std::pair<StreamId, StreamInfo>> unfinished() const;

  private:
    struct Carry {
        CarrySlot* slot = nullptr;
        std::size_t index = 0;
        bool shared = false; ///< else on the heap, lost with us
        std::unique_ptr<CarrySlot> heap;
    };

    void recover_chunk();
    void recover_carries();
    Carry& carry_for(StreamId stream);
    CarrySlot* find_carry(StreamId stream) const;
    void release_carry(StreamId stream);
    void keep_tail(std::size_t position, std::size_t size, CarrySlot* carry, std::size_t carried);
    void close_chunk(std::size_t size);

    SharedMemory& memory_;
    std::size_t part_;
    FlightArea& area_;
    std::size_t line_max_ = default_line_max;
    std::map<StreamId, Carry> carries_;
    std::vector<bool> slot_taken_;
};

} // namespace monoinit::log
