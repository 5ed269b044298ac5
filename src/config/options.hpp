#pragma once
// THE table of monoinit's settings. One row makes the key of monoinit.toml, the flag, the MONOINIT_ variable, the line of
// `--help` and the row of the reference. Adding a setting = one row (options.cpp) + one field (config.hpp).
// Tested by tests/unit/config/options_test.cpp.

#include "base/result.hpp"
#include "config/config.hpp"

#include <span>
#include <string>
#include <string_view>

namespace monoinit::config {

enum class Kind : std::uint8_t { Text, Bool, Span, Size, Choice, List };

struct Option {
    std::string_view key;   ///< "log_dir": in the file; "--log-dir" and MONOINIT_LOG_DIR follow from it
    std::string_view value; ///< what stands for the value in help: "DIR", "yes|no"
    Kind kind = Kind::Text;
    bool in_file = true;    ///< false: the path of the file itself
    std::string_view doc;   ///< one line
    base::Result<void> (*set)(InitConfig&, std::string_view text) = nullptr;
    std::string (*show)(const InitConfig&) = nullptr; ///< of InitConfig{}: the default
};

std::span<const Option> options();
const Option* find_option(std::string_view key); ///< null if there is none

std::string flag_of(const Option& option);        ///< "--log-dir"
std::string environment_of(const Option& option); ///< "MONOINIT_LOG_DIR"
std::vector<std::string_view> option_keys();      ///< for "did you mean"

/// The whole of `monoinit --help`.
std::string help_text();
/// The reference page in Markdown: a row an option.
std::string reference_text();

} // namespace monoinit::config
