// Bytes as a service's output, cut into reads by the first byte, and as a packet of both log protocols. What must hold: the
// same lines however the reads fell, none with a line break or over the limit, nothing dangerous on a terminal.
#include "log/flight.hpp"
#include "log/format.hpp"
#include "log/reader_protocol.hpp"
#include "require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

using namespace monoinit::log;

namespace {

std::vector<std::string> lines_of(std::string_view data, std::size_t piece) {
    static auto memory = SharedMemory::map(-1);
    static std::uint64_t stream = 0;
    Flight flight(*memory);
    std::vector<std::string> lines;
    const Flight::Sink sink = [&](const FlightLine& line) {
        lines.emplace_back(line.text);
        return true;
    };
    stream++;
    for (; !data.empty(); data.remove_prefix(std::min(piece, data.size()))) {
        const auto room = flight.begin(StreamId{stream}, {}, {});
        const std::string_view part = data.substr(0, std::min(piece, room.size()));
        std::copy(part.begin(), part.end(), room.begin());
        flight.arrived(part.size());
        require(flight.advance(sink));
    }
    require(flight.finish(StreamId{stream}, {}, sink));
    return lines;
}

void check_line(const std::string& line) {
    require(line.size() <= default_line_max && line.find_first_of("\r\n") == std::string::npos);
    Record record;
    record.unit = line;
    record.text = line;
    std::string shown, json;
    append_line(shown, record, {.color = true, .terminal = true});
    append_line(json, record, {.format = Format::Json});
    for (const std::string* out : {&shown, &json})
        require(out->ends_with('\n') && std::count(out->begin(), out->end(), '\n') == 1);
    for (const char c : shown)
        require(static_cast<unsigned char>(c) >= ' ' || c == '\t' || c == '\n' || c == '\x1b');
    require(shown.find('\x7f') == std::string::npos && json.find('\x1b') == std::string::npos);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    // A read costs a clean chunk each: a long input comes in few.
    const std::size_t whole = chunk_size, piece = std::max(std::size_t{data[0]} + 1, size / 16);
    const auto lines = lines_of(bytes, piece);
    if (size < default_line_max) // longer lines are cut where reads end
        require(lines == lines_of(bytes, whole));
    for (const std::string& line : lines)
        check_line(line);
    (void)decode_to_logger(bytes);
    (void)decode_from_logger(bytes);
    (void)decode_query(bytes);
    (void)decode_record(bytes);
    return 0;
}
