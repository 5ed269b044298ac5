// The lexer of unit files, systemd.syntax(7). A line is measured and checked after joining, as systemd does; a line that is
// too long, holds a NUL or is not UTF-8 costs that line and nothing else. Tested by tests/unit/unit/lexer_test.cpp.
#include "unit/lexer.hpp"

#include "base/strings.hpp"
#include "unit/parse.hpp"

namespace monoinit::unit {

namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
constexpr std::string_view blanks = " \t";

bool is_comment(std::string_view line) {
    const auto first = line.find_first_not_of(blanks);
    return first != std::string_view::npos && (line[first] == '#' || line[first] == ';');
}

/// An odd number of backslashes at the end: the last one is not itself escaped.
bool continues(std::string_view line) {
    const auto last = line.find_last_not_of('\\');
    const std::size_t count = last == std::string_view::npos ? line.size() : line.size() - last - 1;
    return count % 2 == 1;
}

} // namespace

Lexer::Lexer(std::string_view text) : rest_(text) {
    if (rest_.starts_with(byte_order_mark))
        rest_.remove_prefix(byte_order_mark.size());
}

bool Lexer::take_line(std::string_view& line) {
    if (rest_.empty())
        return false;
    line_++;
    line = rest_.substr(0, rest_.find('\n'));
    line = line.substr(0, line.find('\r'));
    const std::size_t end = line.size() == rest_.size() ? std::string_view::npos : line.size();
    if (end == std::string_view::npos)
        rest_ = {};
    else
        rest_.remove_prefix(end + (rest_.substr(end, 2) == "\r\n" ? 2 : 1));
    return true;
}

bool Lexer::take_logical(std::string_view& logical, Token& token) {
    std::string_view line;
    do {
        if (!take_line(line))
            return false;
    } while (is_comment(line));
    token.line = line_;
    token.excerpt = token.last_line = line;
    logical = line;
    if (!continues(line))
        return true;
    joined_ = line;
    while (true) {
        joined_.back() = ' '; // the backslash
        do {
            if (!take_line(line)) {
                logical = joined_;
                return true;
            }
        } while (is_comment(line));
        joined_ += line;
        token.last_line = line;
        // A backslash before the join was replaced, so only this line's own count.
        if (!continues(line) || joined_.size() > line_limit)
            break;
    }
    logical = joined_;
    return true;
}

void Lexer::classify(std::string_view logical, Token& token) {
    token.kind = Token::Kind::Bad;
    if (logical.size() > line_limit) {
        token.complaint = "line too long";
        return;
    }
    if (logical.find('\0') != std::string_view::npos) {
        token.complaint = "line holds a NUL byte";
        return;
    }
    if (!base::is_valid_utf8(logical)) {
        token.complaint = "line is not valid UTF-8";
        token.fatal_elsewhere = true;
        return;
    }
    if (logical.front() == '[') {
        if (logical.back() != ']' || logical.size() == 2) {
            token.complaint = "section header without closing bracket";
            token.fatal_elsewhere = logical.size() != 2;
            return;
        }
        token.kind = Token::Kind::Section;
        token.name = logical.substr(1, logical.size() - 2);
        return;
    }
    const auto equals = logical.find('=');
    if (equals == std::string_view::npos || equals == 0) {
        token.complaint = equals == 0 ? "nothing before \"=\"" : "neither a [Section] nor Key=value";
        return;
    }
    token.kind = Token::Kind::Assignment;
    token.name = base::trim(logical.substr(0, equals));
    token.value = base::trim(logical.substr(equals + 1));
}

bool Lexer::next(Token& token) {
    token = {};
    std::string_view logical;
    do {
        if (!take_logical(logical, token))
            return false;
        logical = base::trim(logical);
    } while (logical.empty());
    classify(logical, token);
    return true;
}

} // namespace monoinit::unit
