#pragma once
// What reaches a terminal: colours where they are wanted, tables whose columns fit East Asian text, nothing cut.
// Tested by tests/unit/cli/terminal_test.cpp.

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::cli {

enum class Color : unsigned char { None, Bold, Dim, Green, Yellow, Red, Cyan };

/// `text` in `color`, if `enabled`.
std::string paint(std::string_view text, Color color, bool enabled);

struct Cell {
    std::string text;
    Color color = Color::None;
    bool right = false; ///< numbers
    bool symbol = false; ///< one blank to the next cell, whatever the gap

    Cell(std::string content = {}, Color paint = Color::None, bool align_right = false)
        : text(std::move(content)), color(paint), right(align_right) {}
    Cell(const char* content) : text(content) {}
    static Cell mark(std::string_view sign, Color paint = Color::None) {
        Cell cell{std::string(sign), paint};
        cell.symbol = true;
        return cell;
    }
};

/// Rows of cells in columns as wide as their widest cell, `gap` spaces apart; no blanks at line ends.
class Table {
  public:
    void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
    bool empty() const { return rows_.empty(); }
    std::string render(bool color, std::size_t gap = 1, std::string_view indent = "") const;

  private:
    std::vector<std::vector<Cell>> rows_;
};

/// 131 MB, 2.2M (systemctl's form: `systemd`).
std::string human_size(std::uint64_t bytes);
std::string systemd_size(std::uint64_t bytes);

} // namespace monoinit::cli
