#pragma once
// How a line looks: shared by the logger (stdout) and the command line (`logs`, `status`).
// Tested by tests/unit/log/format_test.cpp.

#include "log/protocol.hpp"
#include "log/record.hpp"

#include <string>
#include <string_view>

namespace monoinit::log {

struct FormatOptions {
    Format format = Format::Short;
    TimeForm time = TimeForm::None; ///< Short and Plain
    bool color = false;             ///< of the prefix
    bool terminal = false;          ///< control bytes are escaped
};

/// "web" for "web.service"; other kinds keep their suffix.
std::string_view short_unit_name(std::string_view unit);

/// "[web] ", coloured by the name where asked for.
std::string make_prefix(std::string_view unit, bool own, bool color);

/// Appends the line with its newline.
void append_line(std::string& out, const Record& record, const FormatOptions& options);
/// The same with a prefix made before: make_prefix() for each line costs.
void append_line(std::string& out, const Record& record, std::string_view prefix, const FormatOptions& options);

/// One field of an entry in systemd's Journal Export Format; an empty line ends an entry.
void append_export_field(std::string& out, std::string_view name, std::string_view value);

/// Local time of the TZ in force.
std::string format_time(std::uint64_t wall_us, std::uint64_t mono_us, TimeForm form);

/// Colour by rule: `mode`, then NO_COLOR, TERM=dumb, and whether `terminal`.
bool want_color(ColorMode mode, bool terminal);

} // namespace monoinit::log
