#pragma once
// Unit names: validity, parts, templates, escaping, as systemd.unit(5) and systemd-escape(1).
// Tested by tests/unit/unit/name_test.cpp.

#include "base/result.hpp"
#include "unit/config.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace monoinit::unit {

inline constexpr std::size_t name_limit = 255;

bool is_valid_name(std::string_view name);         ///< with a known suffix; plain, instance or template
bool is_template(std::string_view name);           ///< "foo@.service"
bool is_instance(std::string_view name);           ///< "foo@bar.service"
std::optional<UnitType> type_of(std::string_view name);
std::string_view prefix_of(std::string_view name);   ///< "foo" of "foo@bar.service" and "foo.service" (%p)
std::string_view instance_of(std::string_view name); ///< "bar" (%i), else empty
std::string template_of(std::string_view name);      ///< "foo@.service" of "foo@bar.service", else empty
std::string with_instance(std::string_view template_name, std::string_view instance);
/// "code-server" -> "code-server.service"; "/dev/sda" -> device, "/mnt/x" -> mount; leaves a full name alone (systemctl's mangling).
std::string with_suffix(std::string_view name, std::string_view default_suffix = ".service");
/// For people: "code-server.service" -> "code-server", other types keep their suffix.
std::string_view short_name(std::string_view name);

std::string escape(std::string_view text);
base::Result<std::string> unescape(std::string_view text);
std::string escape_path(std::string_view path); ///< empty if a component is ".."
base::Result<std::string> unescape_path(std::string_view text);
/// "/dev/sda1" of "dev-sda1.device"; empty if it is no path.
std::string device_path(std::string_view unit_name);

} // namespace monoinit::unit
