#pragma once
// Makes hostile bytes harmless. Tested by tests/unit/log/escape_test.cpp.

#include <string>
#include <string_view>

namespace monoinit::log {

/// For a terminal: control bytes but tab and colour (SGR) become "\x1b"-like escapes, C1 controls too, invalid UTF-8 U+FFFD.
/// Colour that a line leaves switched on is switched off at its end.
void append_for_terminal(std::string& out, std::string_view text);
/// For a pipe or file: bytes as they are but NUL, which becomes "\x00".
void append_without_nul(std::string& out, std::string_view text);
/// With its quotes. Invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

} // namespace monoinit::log
