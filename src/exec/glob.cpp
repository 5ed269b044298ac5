// One path component at a time: plain ones are appended, patterns are matched against the directory's names.
// Tested by tests/unit/exec.
#include "exec/glob.hpp"

#include "base/strings.hpp"
#include "sys/directory_reader.hpp"
#include "sys/syscalls.hpp"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>

namespace monoinit::exec {

namespace {

std::vector<std::string> matching_entries(const std::string& directory, std::string_view pattern) {
    std::vector<std::string> found;
    sys::DirectoryReader reader(
        sys::UniqueFd(sys::open_file(directory.empty() ? "/" : directory.c_str(), O_RDONLY | O_DIRECTORY)));
    while (const char* const name = reader.next())
        if ((name[0] != '.' || pattern.starts_with('.')) && base::glob_match(pattern, name))
            found.push_back(directory + "/" + name);
    return found;
}

} // namespace

bool has_glob(std::string_view path) {
    return path.find_first_of("*?[") != path.npos;
}

std::vector<std::string> glob_paths(std::string_view pattern) {
    std::vector<std::string> paths{""};
    for (const std::string_view part : base::split(pattern, '/')) {
        if (part.empty())
            continue;
        std::vector<std::string> next;
        for (const std::string& path : paths) {
            if (!has_glob(part)) {
                next.push_back(path + "/" + std::string(part));
                continue;
            }
            std::vector<std::string> entries = matching_entries(path, part);
            next.insert(next.end(), entries.begin(), entries.end());
        }
        paths = std::move(next);
    }
    std::erase_if(paths, [](const std::string& path) {
        struct stat status;
        return path.empty() || ::lstat(path.c_str(), &status) != 0;
    });
    std::sort(paths.begin(), paths.end());
    return paths;
}

} // namespace monoinit::exec
