#pragma once
// Text of a unit file -> sections and assignments: systemd.syntax(7). Joins continuation lines (comment lines between
// them are dropped), skips comments and empty lines, and reports lines that can be neither. Knows no directive.
// Tested by tests/unit/unit/lexer_test.cpp and tests/fuzz/unit_file.cpp.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace monoinit::unit {

struct Token {
    enum class Kind : std::uint8_t { Section, Assignment, Bad } kind = Kind::Bad;
    std::uint32_t line = 0;   ///< where it begins
    std::string_view name;    ///< section without brackets, or key
    std::string_view value;   ///< of an assignment, trimmed; may be empty
    std::string_view excerpt; ///< the first physical line as written
    std::string_view last_line; ///< the last physical line
    std::string_view complaint; ///< of a Bad line: why, safe for the log
    bool fatal_elsewhere = false; ///< systemd gives up the whole file for it
};

/// The views of a token hold until the next call of next().
class Lexer {
  public:
    explicit Lexer(std::string_view text);
    bool next(Token& token); ///< false at the end of the file

  private:
    /// One physical line without its end; handles "\n", "\r\n" and "\r".
    bool take_line(std::string_view& line);
    /// One logical line: continuations joined into `joined_` where there are any.
    bool take_logical(std::string_view& logical, Token& token);
    static void classify(std::string_view logical, Token& token);

    std::string_view rest_;
    std::string joined_;
    std::uint32_t line_ = 0;
};

} // namespace monoinit::unit
