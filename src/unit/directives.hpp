#pragma once
// THE table of directives: parser, show, verify, completion, reference and coverage pages and the fuzz dictionary read it.
// Adding a directive = one row here + one struct field in config.hpp + (if it acts at exec) one step in exec/.
// Tested by tests/unit/unit/directives_test.cpp.

#include "base/literal.hpp"
#include "base/result.hpp"
#include "unit/config.hpp"
#include "unit/loader.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::unit {

/// Rows of Exec and Kill serve [Service], [Socket], [Mount] and [Swap], as systemd's macros do.
enum class Group : std::uint8_t { Unit, Install, Service, Exec, Kill, Cgroup, Socket, Mount, Automount, Swap, Timer, Path, Slice, Scope, Health };
enum class Support : std::uint8_t { Full, Degraded, Ignored };

/// What a codec needs beside the text.
struct ParseContext {
    const Environment& environment;
    UnitConfig& unit;
    std::uint16_t file = 0;
    std::uint32_t line = 0;
    HealthKind health = HealthKind::Both; ///< which of the [X-Health…] sections this stands in
    bool refuse = false;    ///< set by a codec beside its error: systemd does not load such a unit
    std::string suggestion; ///< set by a codec beside its error: what may have been meant
};

using ParseFn = base::Result<void> (*)(ParseContext&, std::string_view value);
using ShowFn = std::string (*)(const UnitConfig&);

struct Directive {
    Group group;
    Support support;
    std::uint16_t since = 0; ///< systemd version that brought it, where newer than 252
    base::Literal name, type, dflt, example, doc, note;
    ParseFn parse; ///< null for ignored rows
    ShowFn show;   ///< null where nothing is kept, and for old names
    base::Literal replaced_by; ///< of an old name or place: today's
    base::Literal loss;        ///< what the default means for the unit, said when the setting could not be used
};

std::span<const Directive> directives();
/// The row for `name` in `section` of a unit of `type` ("Service" -> groups Service, Exec, Kill, Cgroup); null if unknown.
const Directive* find_directive(UnitType type, std::string_view section, std::string_view name);
/// The property name `systemctl show` uses: "RestartUSec" for RestartSec=, else the directive's own.
std::string property_name(const Directive& directive);
/// Directive names valid in a section, for "did you mean".
std::vector<std::string_view> names_in_section(UnitType type, std::string_view section);
/// "Unit", "Install" and the type's own section, where it has one.
std::vector<std::string_view> sections_of(UnitType type);
/// Of the sections [X-Health], [X-HealthStartup], [X-HealthReady], [X-HealthLive].
std::optional<HealthKind> health_kind_of(std::string_view section);
std::string_view section_of(Group group); ///< "Service" for Exec, Kill and Cgroup
std::uint16_t row_index(const Directive& directive); ///< into directives()
std::string_view limit_directive(int resource); ///< RLIMIT_NOFILE: "LimitNOFILE"
/// "/etc/systemd/system/web.service:5", where an execution directive was last set; empty if it was not.
std::string place_of(const UnitConfig& unit, std::string_view directive);

} // namespace monoinit::unit
