// Bytes as a unit file: parsed, shown, described, and its commands expanded. The first byte chooses the type of unit.
// What must hold besides not crashing: no control bytes in what goes to the log, and bounded problems.
#include "unit/command_line.hpp"
#include "unit/directives.hpp"
#include "unit/parse.hpp"
#include "unit/verify.hpp"
#include "require.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

using namespace monoinit::unit;

namespace {

void expand_all(const UnitConfig& unit) {
    const auto lookup = [](std::string_view name) -> std::optional<std::string_view> {
        return name.size() % 2 == 0 ? std::nullopt : std::optional<std::string_view>("a 'b c' $x");
    };
    for (const auto& list : unit.service->commands)
        for (const auto& command : list) {
            (void)expand_argv(command, lookup);
            (void)format_command(command);
        }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    static const Environment environment;
    UnitConfig unit;
    unit.type = static_cast<UnitType>(data[0] % 11);
    unit.name = "fuzz@i." + std::string(suffix(unit.type));
    unit.files = {"/etc/systemd/system/" + unit.name};
    parse_unit_text(environment, unit, {reinterpret_cast<const char*>(data) + 1, size - 1});
    for (const auto& row : directives())
        if (row.show != nullptr)
            (void)row.show(unit);
    expand_all(unit);
    require(unit.problems.size() <= 101);
    for (const auto& line : log_lines(unit))
        for (const char c : line)
            require(static_cast<unsigned char>(c) >= ' ' && c != 0x7f);
    (void)problem_report(unit);
    (void)degraded_report(unit);
    return 0;
}
