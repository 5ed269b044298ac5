#pragma once
// THE table of names this binary answers to: main() dispatches by it, `monoinit install` links by it, the build links by it
// (CMakeLists.txt reads the rows, so each stands on a line of its own). Tested by tests/unit/cli/programs_test.cpp.

#include "cli/cli.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace monoinit::cli {

/// Where a name is looked for, and so where `monoinit install --systemctl` puts it.
enum class Place : unsigned char {
    Beside, ///< in the directory of the binary; made without --systemctl too
    Bin,    ///< /usr/bin
    Sbin,   ///< /sbin
};

struct Program {
    std::string_view name;
    Place place = Place::Bin;
    int (*main)(int argc, char** argv, const Hooks& hooks) = nullptr;
};

// clang-format off
inline constexpr auto programs = std::to_array<Program>({
    {"initctl",             Place::Beside, initctl_main},
    {"monoctl",             Place::Beside, initctl_main},
    {"systemctl",           Place::Bin,    systemctl_main},
    {"journalctl",          Place::Bin,    journalctl_main},
    {"systemd-analyze",     Place::Bin,    analyze_main},
    {"systemd-cat",         Place::Bin,    cat_main},
    {"systemd-detect-virt", Place::Bin,    detect_virt_main},
    {"systemd-escape",      Place::Bin,    escape_main},
    {"systemd-id128",       Place::Bin,    id128_main},
    {"systemd-notify",      Place::Bin,    notify_main},
    {"systemd-path",        Place::Bin,    path_main},
    {"systemd-run",         Place::Bin,    run_main},
    {"halt",                Place::Sbin,   halt_main},
    {"poweroff",            Place::Sbin,   halt_main},
    {"reboot",              Place::Sbin,   halt_main},
    {"shutdown",            Place::Sbin,   shutdown_main},
    {"telinit",             Place::Sbin,   telinit_main},
    {"runlevel",            Place::Sbin,   runlevel_main},
});
// clang-format on

/// By the name that a path ends in; null: none of the tools, so the init.
constexpr const Program* find_program(std::string_view path) {
    const std::string_view name = path.substr(path.rfind('/') + 1);
    const auto found = std::find_if(programs.begin(), programs.end(), [&](const Program& each) { return each.name == name; });
    return found == programs.end() ? nullptr : &*found;
}

/// The directory of a place; nothing where it is the binary's own.
constexpr std::string_view directory_of(Place place) {
    switch (place) {
    case Place::Beside: return "";
    case Place::Bin: return "/usr/bin";
    case Place::Sbin: return "/sbin";
    }
    return "";
}

} // namespace monoinit::cli
