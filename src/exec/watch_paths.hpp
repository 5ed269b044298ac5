#pragma once
// Looks at the paths of a path unit and makes inotify watches for them, in a probe: paths may hang, and watches belong to the
// instance, whoever adds them. What is not there yet is waited for in the deepest directory that is; symlinks are followed by
// hand, so that each of them is watched too. Tested by tests/unit/exec/watch_paths_test.cpp and tests/system/paths.py.

#include "exec/probe.hpp"
#include "unit/path_section.hpp"
#include "unit/paths_seen.hpp"

#include <string>
#include <vector>

struct inotify_event;

namespace monoinit::exec {

/// What a watch is for.
struct PathMark {
    int watch = -1;         ///< descriptor of the watch
    std::size_t path = 0;   ///< into PathSection::paths
    bool primary = false;   ///< it is on the path itself, not above it
    std::string child;      ///< not empty: of what happens in this directory only this name, or pattern, matters
    bool last = false;      ///< and it is the path itself that is to come
    bool operator==(const PathMark&) const = default;
};

struct PathsAnswer {
    unit::PathsSeen seen;
    std::vector<PathMark> marks;
    std::string warning; ///< MakeDirectory= came to nothing
};

/// `inotify`: the instance; `old`: watches of the look before, removed where they are not needed any more.
base::Result<Probe> probe_paths(const unit::PathSection& section, bool make_directories, int inotify, const std::vector<PathMark>& old);
PathsAnswer paths_answer(const std::string& bytes);
/// What the probe does; for tests.
PathsAnswer look_at_paths(const unit::PathSection& section, bool make_directories, int inotify, const std::vector<PathMark>& old);

/// What an event means.
struct PathNews {
    bool look = false;            ///< something around the paths
    std::size_t path = SIZE_MAX;  ///< this one has changed
    bool any() const { return look || path != SIZE_MAX; }
};
/// Adds what one event means to `news`. An overflow means that everything may have changed.
void judge_event(const inotify_event& event, const unit::PathSection& section, const std::vector<PathMark>& marks, PathNews& news);

} // namespace monoinit::exec
