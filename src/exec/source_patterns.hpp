#pragma once
// The patterns of X-Watch= and X-WatchIgnore= against absolute paths, part by part: ** stands for any number of parts, none
// included; a pattern without wildcards means all below it too. Tested by tests/unit/exec/source_patterns_test.cpp.

#include "unit/path_section.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace monoinit::exec {

class SourcePatterns {
  public:
    explicit SourcePatterns(const unit::WatchSection& section);

    bool matches(std::string_view path) const;   ///< and is not ignored
    bool may_match_below(std::string_view directory) const;
    /// What can match in this directory is named by the patterns: only these entries matter. False: look at them all.
    bool only_names(std::string_view directory, std::vector<std::string>& names) const;

  private:
    struct Pattern {
        std::vector<std::string> parts;
        std::size_t literal = 0; ///< so many of the first parts are names, which are never ignored
    };
    static Pattern parsed(std::string_view text);
    /// Which parts of the pattern may come next when the path is used up; parts.size() = it matches.
    static std::vector<bool> reached(const Pattern& pattern, const std::vector<std::string_view>& path);
    bool is_ignored(const std::vector<std::string_view>& path, std::size_t from) const;

    std::vector<Pattern> watched_;
    std::vector<std::string> ignored_names_;
    std::vector<Pattern> ignored_paths_;
};

} // namespace monoinit::exec
