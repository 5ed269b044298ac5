#pragma once
// Units made from scripts in /etc/init.d, as systemd-sysv-generator(8) makes them: from the LSB header (or chkconfig's), and
// from the links in /etc/rcN.d, which decide what wants the service. Pure: what was read goes in, files to write come out.
// Tested by tests/unit/unit/init_scripts_test.cpp (expected values: systemd-sysv-generator 252).

#include "unit/source.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::unit {

/// Where the scripts and the runlevel directories are.
struct InitScriptPlaces {
    std::vector<std::string> scripts{"/etc/init.d"};
    std::vector<std::string> runlevels{"/etc"}; ///< each holds rc1.d to rc5.d
};

/// A file of the generator's output directory, by its path in it. With a target it is a symlink.
struct GeneratedFile {
    std::string path;
    std::string text, target;
};

/// Left by an editor or a package manager, or hidden: no script and no generator.
bool is_backup_file(std::string_view name);
/// The unit a script of this name becomes: "foo.service" for "foo" and "foo.sh"; empty where it can be none.
std::string init_script_unit(std::string_view script);

/// `is_taken` says of a unit's name that it needs no script, since there is a unit file or a mask; `is_executable` of a path.
/// Scripts that cannot be read are left out.
std::vector<GeneratedFile> units_of_init_scripts(const FileSource& files, const InitScriptPlaces& places,
                                                 const std::function<bool(const std::string& unit)>& is_taken,
                                                 const std::function<bool(const std::string& path)>& is_executable);
/// The same as a question without looking into files: whether there is a script that would become a unit.
bool has_init_scripts(const FileSource& files, const InitScriptPlaces& places, const std::function<bool(const std::string& unit)>& is_taken);

} // namespace monoinit::unit
