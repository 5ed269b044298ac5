#pragma once
// Programs that make units at boot and at daemon-reload: systemd.generator(7). Which of them there are to run, and where their
// units go. Pure; they are run by exec/generators.hpp. Tested by tests/unit/unit/generators_test.cpp.

#include "unit/init_scripts.hpp"
#include "unit/loader.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace monoinit::unit {

struct Generator {
    std::string name, path;
};

/// The output directories by precedence against the unit path's others: arguments 1, 2 and 3 of a generator.
struct GeneratorDirectories {
    std::string normal, early, late;

    std::array<const std::string*, 3> all() const { return {&normal, &early, &late}; }
};

/// Where systemd has them; as they stand in default_unit_path().
GeneratorDirectories default_generator_directories();
/// Below another directory, where /run/systemd is not ours.
GeneratorDirectories generator_directories_in(const std::string& directory);
/// Puts the directories in the place of systemd's. False when the path has none of those (it was given by hand, and then no
/// generator is run, since nobody would see its units).
bool place_generator_directories(std::vector<std::string>& unit_path, const GeneratorDirectories& directories);
/// A file of such a directory, or one of the directories.
bool is_generated_path(std::string_view path);

/// $SYSTEMD_GENERATOR_PATH as systemd reads it; empty: the default directories.
std::vector<std::string> generator_path(std::string_view wished);
/// The programs to run, by name; of several of one name the first directory's. A link to /dev/null or an empty file masks;
/// those that packages bring and that are on the list of machine units (`masks`) are left out.
std::vector<Generator> find_generators(const FileSource& files, const std::vector<std::string>& directories, const std::vector<std::string>& masks);

/// $SYSTEMD_SYSVINIT_PATH and $SYSTEMD_SYSVRCND_PATH, each a list with colons; empty: the default.
InitScriptPlaces init_script_places(std::string_view scripts, std::string_view runlevels);
/// Whether a unit of this name needs no init script: there is a file, a mask, a built-in unit, or it is one of the machine's.
bool needs_no_init_script(const Loader& loader, const std::string& unit);

} // namespace monoinit::unit
