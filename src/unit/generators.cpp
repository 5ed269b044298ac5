// See generators.hpp. Tested by tests/unit/unit/generators_test.cpp.
#include "unit/generators.hpp"

#include "base/strings.hpp"
#include "unit/index.hpp"

#include <algorithm>
#include <map>

namespace monoinit::unit {

namespace {

constexpr std::string_view search_path[] = {
    "/run/systemd/system-generators",           "/etc/systemd/system-generators", "/usr/local/lib/systemd/system-generators",
    "/lib/systemd/system-generators", "/usr/lib/systemd/system-generators",
};
constexpr std::size_t most_generators = 200;

std::vector<std::string> list_of(std::string_view text) {
    std::vector<std::string> list;
    for (const std::string_view part : base::split(text, ':'))
        if (!part.empty())
            list.emplace_back(part);
    return list;
}

bool is_mask(const FileSource& files, const DirEntry& entry, const std::string& path) {
    if (entry.kind == DirEntry::Kind::Symlink) {
        const auto target = files.read_link(path);
        return target && *target == "/dev/null";
    }
    const auto text = files.read(path, 0); // one byte is too many for a mask
    return text && text->empty();
}

} // namespace

GeneratorDirectories default_generator_directories() { return generator_directories_in("/run/systemd"); }

GeneratorDirectories generator_directories_in(const std::string& directory) {
    const std::string normal = directory + "/generator";
    return {normal, normal + ".early", normal + ".late"};
}

bool place_generator_directories(std::vector<std::string>& unit_path, const GeneratorDirectories& directories) {
    const GeneratorDirectories systemds = default_generator_directories();
    bool found = false;
    for (std::string& path : unit_path)
        for (std::size_t i = 0; i < systemds.all().size(); i++)
            if (path == *systemds.all()[i]) {
                path = *directories.all()[i];
                found = true;
                break;
            }
    return found;
}

bool is_generated_path(std::string_view path) {
    for (const std::string_view part : base::split(path, '/'))
        if (part == "generator" || part == "generator.early" || part == "generator.late")
            return path.starts_with("/run/") || path.starts_with("/tmp/") || path.starts_with("/dev/shm/");
    return false;
}

std::vector<std::string> generator_path(std::string_view wished) {
    std::vector<std::string> path = list_of(wished);
    if (path.empty() || wished.ends_with(':'))
        path.insert(path.end(), std::begin(search_path), std::end(search_path));
    return path;
}

std::vector<Generator> find_generators(const FileSource& files, const std::vector<std::string>& directories, const std::vector<std::string>& masks) {
    std::map<std::string, std::string> chosen; // without a path: masked
    for (const std::string& directory : directories) {
        const auto entries = files.list(directory);
        for (const DirEntry& entry : entries ? *entries : std::vector<DirEntry>{}) {
            const bool file = entry.kind == DirEntry::Kind::Regular || entry.kind == DirEntry::Kind::Symlink;
            if (!file || is_backup_file(entry.name) || chosen.size() == most_generators || chosen.contains(entry.name))
                continue;
            std::string path = directory + "/" + entry.name;
            const bool masked = (is_vendor_directory(path) && machine_mask(masks, entry.name)) || is_mask(files, entry, path);
            chosen.emplace(entry.name, masked ? std::string() : std::move(path));
        }
    }
    std::vector<Generator> found;
    for (auto& [name, path] : chosen)
        if (!path.empty())
            found.push_back({name, std::move(path)});
    return found;
}

InitScriptPlaces init_script_places(std::string_view scripts, std::string_view runlevels) {
    InitScriptPlaces places;
    if (auto given = list_of(scripts); !given.empty())
        places.scripts = std::move(given);
    if (auto given = list_of(runlevels); !given.empty())
        places.runlevels = std::move(given);
    return places;
}

bool needs_no_init_script(const Loader& loader, const std::string& unit) {
    return loader.knows(unit) || machine_mask(loader.environment().masked_patterns, unit);
}

} // namespace monoinit::unit
