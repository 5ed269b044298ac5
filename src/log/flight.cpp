// The journal of what is being read. Two kinds of words commit everything:
//   flight: state, whether the carried part has been used, position and size in the chunk, sequence number of the chunk
//   carry:  size of the unfinished line, sequence number of the chunk that last changed it
// A carry that bears the current chunk's number holds that chunk's tail: the chunk is finished, whatever `flight` says.
// Tested by tests/unit/log/flight_test.cpp.

#include "log/flight.hpp"

#include <algorithm>

namespace monoinit::log {
namespace {

enum class State : std::uint64_t { Idle, Reading, Have, Done };

constexpr std::uint64_t size_bits = 17, size_mask = (1U << size_bits) - 1;
constexpr std::uint64_t sequence_mask = (1U << 27) - 1;

struct FlightWord {
    State state = State::Idle;
    bool carry_used = false;
    std::uint64_t position = 0, size = 0, sequence = 0;

    static FlightWord load(const Word& word) {
        const std::uint64_t raw = word.load(std::memory_order_acquire);
        return {static_cast<State>(raw & 3), (raw >> 2 & 1) != 0, raw >> 3 & size_mask,
                raw >> (3 + size_bits) & size_mask, raw >> (3 + 2 * size_bits) & sequence_mask};
    }
    void store(Word& word) const {
        word.store(static_cast<std::uint64_t>(state) | (carry_used ? 4U : 0U) | position << 3 |
                       size << (3 + size_bits) | sequence << (3 + 2 * size_bits),
                   std::memory_order_release);
    }
};
static_assert(chunk_size <= size_mask && largest_line <= size_mask);

struct CarryWord {
    std::uint64_t size = 0, sequence = 0;

    static CarryWord load(const Word& word) {
        const std::uint64_t raw = word.load(std::memory_order_acquire);
        return {std::min<std::uint64_t>(raw & size_mask, largest_line), raw >> size_bits & sequence_mask};
    }
    void store(Word& word) const { word.store(size | sequence << size_bits, std::memory_order_release); }
};

std::uint32_t put_info(std::array<char, max_stream_info>& to, std::string_view info) {
    info = info.substr(0, to.size());
    std::copy(info.begin(), info.end(), to.begin());
    return static_cast<std::uint32_t>(info.size());
}

base::Result<StreamInfo> get_info(const std::array<char, max_stream_info>& from, std::uint32_t size) {
    return decode_stream_info({from.data(), std::min<std::size_t>(size, from.size())});
}

} // namespace

Flight::Flight(SharedMemory& memory, std::size_t part)
    : memory_(memory), part_(part), area_(memory.header().flights[part]), slot_taken_(carry_slots[part], false) {
    recover_carries();
    recover_chunk();
}

void Flight::recover_carries() {
    const std::uint64_t touched = std::min<std::uint64_t>(area_.slots_touched, slot_taken_.size());
    for (std::size_t i = 0; i < touched; i++) {
        CarrySlot& slot = memory_.slot(part_, i);
        const StreamId stream{slot.stream};
        if (!stream || CarryWord::load(slot.word).size == 0 || carries_.contains(stream)) {
            slot.stream = 0;
            continue;
        }
        slot_taken_[i] = true;
        carries_.emplace(stream, Carry{&slot, i, true, nullptr});
    }
}

void Flight::recover_chunk() {
    FlightWord word = FlightWord::load(area_.flight);
    word.size = std::min<std::uint64_t>(word.size, chunk_size);
    word.position = std::min(word.position, word.size);
    char* chunk = memory_.chunk(part_);
    if (word.state == State::Reading) {
        std::size_t size = chunk_size;
        while (size > 0 && chunk[size - 1] == 0)
            size--;
        word = {size > 0 ? State::Have : State::Done, false, 0, size, word.sequence};
    }
    const StreamId stream{area_.stream};
    CarrySlot* carry = find_carry(stream);
    if (word.state == State::Have && carry != nullptr) {
        const CarryWord carried = CarryWord::load(carry->word);
        if (carried.sequence == word.sequence)
            word.state = State::Done; // its tail is there already
    }
    if (word.state == State::Done && word.carry_used && carry != nullptr &&
        CarryWord::load(carry->word).sequence != word.sequence)
        release_carry(stream);
    word.store(area_.flight);
    if (word.state == State::Done)
        close_chunk(chunk_size);
}

bool Flight::pending() const { return FlightWord::load(area_.flight).state == State::Have; }

StreamId Flight::pending_stream() const { return StreamId{area_.stream}; }

base::Result<StreamInfo> Flight::pending_info() const {
    return get_info(area_.info, area_.info_size);
}

std::span<char> Flight::begin(StreamId stream, std::string_view encoded_info, Stamp stamp) {
    if (area_.stream != stream.value) {
        area_.info_size = put_info(area_.info, encoded_info);
        area_.stream = stream.value;
    }
    area_.wall_us = stamp.wall_us;
    area_.mono_us = stamp.mono_us;
    const std::uint64_t sequence = (FlightWord::load(area_.flight).sequence + 1) & sequence_mask;
    FlightWord{State::Reading, false, 0, 0, sequence}.store(area_.flight);
    return {memory_.chunk(part_), chunk_size};
}

void Flight::arrived(std::size_t size) {
    FlightWord word = FlightWord::load(area_.flight);
    word.state = size > 0 ? State::Have : State::Idle;
    word.size = size;
    word.store(area_.flight);
}

bool Flight::advance(const Sink& sink) {
    FlightWord word = FlightWord::load(area_.flight);
    if (word.state != State::Have)
        return true;
    const StreamId stream{area_.stream};
    const Stamp stamp{area_.wall_us, area_.mono_us};
    const std::string_view chunk(memory_.chunk(part_), word.size);
    const bool has_cr = chunk.find('\r') != std::string_view::npos;
    CarrySlot* carry = find_carry(stream);
    std::size_t carried = carry != nullptr && !word.carry_used ? CarryWord::load(carry->word).size : 0;

    for (;;) {
        const std::string_view rest = chunk.substr(word.position);
        const std::string_view before = carried > 0 ? std::string_view(carry->text.data(), carried) : std::string_view();
        const auto cut = next_line(rest, Carried::of(before), has_cr, line_max_);
        if (!cut)
            break;
        std::string_view text = rest.substr(0, cut->length);
        if (carried > 0) { // beyond what is committed there: harmless until it is
            std::copy(text.begin(), text.end(), carry->text.begin() + static_cast<std::ptrdiff_t>(carried));
            text = strip_cr({carry->text.data(), carried + cut->length});
        }
        if (!cut->nothing && !sink({stream, stamp, text, cut->too_long}))
            return false;
        carried = 0;
        word.carry_used = true;
        word.position += cut->consumed;
        word.store(area_.flight);
    }
    keep_tail(word.position, word.size, carry, carried);
    close_chunk(word.size);
    return true;
}

void Flight::keep_tail(std::size_t position, std::size_t size, CarrySlot* carry, std::size_t carried) {
    const StreamId stream{area_.stream};
    FlightWord word = FlightWord::load(area_.flight);
    if (position < size) {
        if (carry == nullptr)
            carry = carry_for(stream).slot;
        std::copy(memory_.chunk(part_) + position, memory_.chunk(part_) + size,
                  carry->text.begin() + static_cast<std::ptrdiff_t>(carried));
        CarryWord{carried + (size - position), word.sequence}.store(carry->word);
    }
    word.state = State::Done;
    word.store(area_.flight);
    if (position == size && carry != nullptr && word.carry_used)
        release_carry(stream);
}

void Flight::close_chunk(std::size_t size) {
    std::fill_n(memory_.chunk(part_), size, '\0'); // the next read() must find zeros
    FlightWord word = FlightWord::load(area_.flight);
    word.state = State::Idle;
    word.store(area_.flight);
}

bool Flight::finish(StreamId stream, Stamp stamp, const Sink& sink) {
    const CarrySlot* carry = find_carry(stream);
    if (carry == nullptr)
        return true;
    const std::string_view text = strip_cr({carry->text.data(), CarryWord::load(carry->word).size});
    if (!text.empty() && !sink({stream, stamp, text, false}))
        return false;
    release_carry(stream);
    return true;
}

std::vector<std::pair<StreamId, StreamInfo>> Flight::unfinished() const {
    std::vector<std::pair<StreamId, StreamInfo>> streams;
    for (const auto& [stream, carry] : carries_)
        streams.emplace_back(stream, get_info(carry.slot->info, carry.slot->info_size).value_or(StreamInfo{}));
    return streams;
}

CarrySlot* Flight::find_carry(StreamId stream) const {
    const auto found = carries_.find(stream);
    return found == carries_.end() ? nullptr : found->second.slot;
}

Flight::Carry& Flight::carry_for(StreamId stream) {
    Carry carry;
    const auto free = std::find(slot_taken_.begin(), slot_taken_.end(), false);
    if (free != slot_taken_.end()) {
        carry.index = static_cast<std::size_t>(free - slot_taken_.begin());
        carry.slot = &memory_.slot(part_, carry.index);
        slot_taken_[carry.index] = true;
        carry.shared = true;
        Word& touched = area_.slots_touched;
        touched = std::max<std::uint64_t>(touched, carry.index + 1);
    } else {
        carry.heap = std::make_unique<CarrySlot>();
        carry.slot = carry.heap.get();
    }
    CarryWord{}.store(carry.slot->word);
    carry.slot->info_size = put_info(carry.slot->info, {area_.info.data(), area_.info_size});
    carry.slot->stream = stream.value;
    return carries_.emplace(stream, std::move(carry)).first->second;
}

void Flight::release_carry(StreamId stream) {
    const auto found = carries_.find(stream);
    if (found == carries_.end())
        return;
    CarryWord{}.store(found->second.slot->word);
    found->second.slot->stream = 0;
    if (found->second.shared)
        slot_taken_[found->second.index] = false;
    carries_.erase(found);
}

} // namespace monoinit::log
