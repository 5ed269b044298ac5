#pragma once
// X-Watch=: a process that hears of changes of a service's sources, however many directories that takes and however long
// their walk lasts, and tells PID 1 of them once they have settled. It ends when nobody listens any more.
// Tested by tests/unit/exec/watch_sources_test.cpp and tests/system/x_watch.py.

#include "base/result.hpp"
#include "sys/unique_fd.hpp"
#include "unit/path_section.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace monoinit::exec {

struct SourceWatcher {
    pid_t pid = 0;
    sys::UniqueFd pidfd;
    sys::UniqueFd news; ///< nonblocking; source_news() reads it
};
base::Result<SourceWatcher> start_source_watcher(const unit::WatchSection& section);

/// One thing that a watcher has said.
struct SourceNews {
    std::string path;       ///< what has changed last; empty: nothing has, but see `problem`
    std::uint32_t more = 0; ///< so many others
    std::string problem;
};
/// Takes whole lines from `bytes`; what is left of the last one stays.
std::vector<SourceNews> source_news(std::string& bytes);

/// What the process does, until `news` has no reader any more. For tests.
void watch_sources(const unit::WatchSection& section, int news);

} // namespace monoinit::exec
