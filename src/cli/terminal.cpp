// Colours, tables, sizes. Tested by tests/unit/cli/terminal_test.cpp.
#include "cli/terminal.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "base/time.hpp"

#include <algorithm>
#include <cstdint>

namespace monoinit::cli {

namespace {

std::string_view escape_of(Color color) {
    switch (color) {
    case Color::None:
        return "";
    case Color::Bold:
        return "\x1b[1m";
    case Color::Dim:
        return "\x1b[2m";
    case Color::Green:
        return "\x1b[32m";
    case Color::Yellow:
        return "\x1b[33m";
    case Color::Red:
        return "\x1b[1;31m";
    case Color::Cyan:
        return "\x1b[36m";
    }
    return "";
}

} // namespace

std::string paint(std::string_view text, Color color, bool enabled) {
    if (!enabled || color == Color::None || text.empty())
        return std::string(text);
    return std::string(escape_of(color)) + std::string(text) + "\x1b[0m";
}

std::string Table::render(bool color, std::size_t gap, std::string_view indent) const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); i++)
            widths[i] = std::max(widths[i], base::display_width(row[i].text));
    }
    std::string out;
    for (const auto& row : rows_) {
        std::string line(indent);
        std::size_t pending = 0; // blanks that are only written if something follows
        for (std::size_t i = 0; i < row.size(); i++) {
            const std::size_t padding = widths[i] - base::display_width(row[i].text);
            pending += row[i].right ? padding : 0;
            if (!row[i].text.empty()) {
                line.append(pending, ' ');
                line += paint(row[i].text, row[i].color, color);
                pending = 0;
            }
            pending += (row[i].right ? 0 : padding) + (row[i].symbol ? 1 : gap);
        }
        out += line + "\n";
    }
    return out;
}

std::string human_size(std::uint64_t bytes) {
    if (bytes < 1000)
        return fmt::format("{} B", bytes);
    if (bytes < 1'000'000)
        return base::decimal(bytes, 1000, 0) + " kB";
    if (bytes < 10'000'000)
        return base::decimal(bytes, 1'000'000, 1) + " MB";
    if (bytes < 1'000'000'000)
        return base::decimal(bytes, 1'000'000, 0) + " MB";
    return base::decimal(bytes, 1'000'000'000, 1) + " GB";
}

std::string systemd_size(std::uint64_t bytes) {
    constexpr std::string_view units = "KMGTPE";
    if (bytes < 1024)
        return fmt::format("{}B", bytes);
    std::uint64_t unit = 1024;
    std::size_t index = 0;
    while (index + 1 < units.size() && bytes / unit >= 1024) {
        unit *= 1024;
        index++;
    }
    return fmt::format("{}.{}{}", bytes / unit, bytes % unit * 10 / unit, units[index]);
}

} // namespace monoinit::cli
