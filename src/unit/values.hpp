#pragma once
// Values of directives: text -> numbers, sizes, limits, capabilities, exit statuses, and back. Error texts never hold the
// value: they go to the log. Tested by tests/unit/unit/values_test.cpp.

#include "base/result.hpp"
#include "unit/config.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::unit {

base::Result<bool> parse_bool(std::string_view text); ///< 1 yes y true t on, 0 no n false f off, any case
base::Result<std::int64_t> parse_integer(std::string_view text, std::int64_t least, std::int64_t most); ///< decimal, 0x, 0b, 0o
/// "1.5G", "4K", "4096", "1G 512M": base 1024, up to E.
base::Result<std::uint64_t> parse_size(std::string_view text);
base::Result<std::uint32_t> parse_mode(std::string_view text, std::uint32_t most); ///< octal
std::string format_mode(std::uint32_t mode);                                       ///< "0755"

/// The value of a Limit…= for RLIMIT `resource`: "soft:hard" or one for both; infinity; sizes, times and nice levels where
/// the limit is one.
base::Result<ResourceLimit> parse_limit(int resource, std::string_view text);
std::string format_limit(const ResourceLimit& limit);

/// The word of SuccessExitStatus= and kin: status number or name, or signal.
base::Result<void> add_exit_status(ExitStatusSet& set, std::string_view word);
std::string format_exit_statuses(const ExitStatusSet& set);

inline constexpr std::uint64_t all_capabilities = ~std::uint64_t{0};
std::optional<int> capability_from_name(std::string_view name); ///< "CAP_CHOWN" in any case, or a number
std::string format_capabilities(std::uint64_t mask);            ///< "cap_chown cap_kill", as systemctl shows them

/// "0-3,7 9" -> numbers, sorted, each once.
base::Result<std::vector<std::uint16_t>> parse_cpu_list(std::string_view text);
std::string format_cpu_list(const std::vector<std::uint16_t>& cpus);

base::Result<std::string> decode_base64(std::string_view text); ///< blanks allowed
std::string encode_base64(std::string_view bytes);

/// Without doubled slashes, "." parts and a trailing slash.
std::string simplify_path(std::string_view path);
bool has_parent_part(std::string_view path); ///< any ".."
bool is_safe_text(std::string_view text);    ///< no control bytes, quotes or backslashes

bool is_variable_name(std::string_view name);     ///< [A-Za-z_][A-Za-z0-9_]*
bool is_assignment(std::string_view text);        ///< NAME=value without control bytes but tab and newline
bool is_account_name(std::string_view name);      ///< of a user or group, or its number
bool is_credential_name(std::string_view name);   ///< a file name of printable ASCII without ":", at most 255

} // namespace monoinit::unit
