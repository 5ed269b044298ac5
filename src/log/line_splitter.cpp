// Cutting bytes into lines. Tested by tests/unit/log/line_splitter_test.cpp.

#include "log/line_splitter.hpp"

#include <algorithm>
#include <cstring>

namespace monoinit::log {
namespace {

std::size_t find(std::string_view data, char c) {
    const void* found = std::memchr(data.data(), c, data.size());
    return found == nullptr ? std::string_view::npos
                            : static_cast<std::size_t>(static_cast<const char*>(found) - data.data());
}

/// Moves a cut back so that it does not fall inside a UTF-8 character.
std::size_t character_boundary(std::string_view data, std::size_t cut) {
    for (std::size_t back = 0; back < 4 && back < cut; back++) {
        const auto byte = static_cast<unsigned char>(data[cut - back]);
        if ((byte & 0xC0) != 0x80)
            return cut - back;
    }
    return cut;
}

std::optional<LineCut> cut_too_long(std::string_view data, std::size_t line_size, std::size_t carried, std::size_t line_max) {
    if (carried + line_size <= line_max)
        return std::nullopt;
    const std::size_t room = line_max - std::min(carried, line_max); // what is carried may be of a larger limit
    const std::size_t cut = character_boundary(data, room);
    return LineCut{cut, cut, true, false};
}

/// The line break at `end`, a \r: all of the run, and a \n after it.
std::optional<LineCut> cut_at_cr(std::string_view data, std::size_t end, Carried carried, std::size_t line_max) {
    const bool no_text = end == 0 && carried.only_cr;
    std::size_t after = end;
    while (after < data.size() && data[after] == '\r')
        after++;
    if (after == data.size()) { // whether a \n follows is not known yet
        if (carried.size + data.size() <= line_max)
            return std::nullopt;
        return LineCut{end, after, false, no_text};
    }
    const bool newline = data[after] == '\n';
    return LineCut{end, newline ? after + 1 : after, false, !newline && no_text};
}

} // namespace

std::optional<LineCut> next_line(std::string_view data, Carried carried, bool has_cr, std::size_t line_max) {
    if (data.empty())
        return std::nullopt;
    if (carried.ends_in_cr && data.front() != '\r') {
        const bool newline = data.front() == '\n';
        return LineCut{0, newline ? 1U : 0U, false, !newline && carried.only_cr};
    }
    std::size_t end = find(data, '\n');
    const bool ended = end != std::string_view::npos;
    if (!ended)
        end = data.size();
    const std::size_t cr = has_cr ? find(data.substr(0, end), '\r') : std::string_view::npos;
    const std::size_t size = cr == std::string_view::npos ? end : cr;
    if (const auto cut = cut_too_long(data, size, carried.size, line_max))
        return cut;
    if (cr != std::string_view::npos)
        return cut_at_cr(data, cr, carried, line_max);
    if (!ended)
        return std::nullopt;
    return LineCut{end, end + 1, false, false};
}

Carried Carried::of(std::string_view bytes) {
    return {bytes.size(), bytes.ends_with('\r'), bytes.empty() || (bytes.ends_with('\r') && strip_cr(bytes).empty())};
}

std::string_view strip_cr(std::string_view line) {
    while (line.ends_with('\r'))
        line.remove_suffix(1);
    return line;
}

std::optional<unsigned char> take_level_prefix(std::string_view& text) {
    if (text.size() < 3 || text.front() != '<')
        return std::nullopt;
    unsigned value = 0;
    std::size_t i = 1;
    for (; i < text.size() && i <= 3 && text[i] >= '0' && text[i] <= '9'; i++)
        value = value * 10 + static_cast<unsigned>(text[i] - '0');
    if (i == 1 || i >= text.size() || text[i] != '>' || value > 191)
        return std::nullopt;
    text.remove_prefix(i + 1);
    return static_cast<unsigned char>(value & 7);
}

} // namespace monoinit::log
