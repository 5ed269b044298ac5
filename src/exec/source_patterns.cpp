// See source_patterns.hpp. Tested by tests/unit/exec/source_patterns_test.cpp.
#include "exec/source_patterns.hpp"

#include "base/strings.hpp"
#include "exec/glob.hpp"

#include <algorithm>

namespace monoinit::exec {

namespace {

constexpr std::string_view any_depth = "**";

std::vector<std::string_view> parts_of(std::string_view path) {
    std::vector<std::string_view> parts;
    for (const std::string_view part : base::split(path, '/'))
        if (!part.empty())
            parts.push_back(part);
    return parts;
}

} // namespace

SourcePatterns::Pattern SourcePatterns::parsed(std::string_view text) {
    Pattern pattern;
    for (const std::string_view part : parts_of(text))
        pattern.parts.emplace_back(part);
    while (pattern.literal < pattern.parts.size() && !has_glob(pattern.parts[pattern.literal]))
        pattern.literal++;
    if (pattern.literal == pattern.parts.size())
        pattern.parts.emplace_back(any_depth);
    return pattern;
}

SourcePatterns::SourcePatterns(const unit::WatchSection& section) {
    for (const std::string& text : section.patterns)
        watched_.push_back(parsed(text));
    if (section.default_ignored)
        ignored_names_.assign(std::begin(unit::default_watch_ignored), std::end(unit::default_watch_ignored));
    for (const std::string& text : section.ignored) {
        if (text.starts_with('/'))
            ignored_paths_.push_back(parsed(text));
        else if (text.find('/') == text.npos)
            ignored_names_.push_back(text);
        else
            ignored_paths_.push_back(parsed("**/" + text + "/**"));
    }
}

std::vector<bool> SourcePatterns::reached(const Pattern& pattern, const std::vector<std::string_view>& path) {
    const auto& parts = pattern.parts;
    std::vector<bool> now(parts.size() + 1);
    const auto skip_depths = [&](std::vector<bool>& at) { // ** may be none
        for (std::size_t i = 0; i < parts.size(); i++)
            if (at[i] && parts[i] == any_depth)
                at[i + 1] = true;
    };
    now[0] = true;
    skip_depths(now);
    for (const std::string_view part : path) {
        std::vector<bool> next(parts.size() + 1);
        for (std::size_t i = 0; i < parts.size(); i++) {
            if (!now[i])
                continue;
            if (parts[i] == any_depth)
                next[i] = true;
            else if (base::glob_match(parts[i], part))
                next[i + 1] = true;
        }
        skip_depths(next);
        now = std::move(next);
    }
    return now;
}

bool SourcePatterns::is_ignored(const std::vector<std::string_view>& path, std::size_t from) const {
    for (std::size_t i = from; i < path.size(); i++)
        for (const std::string& name : ignored_names_)
            if (base::glob_match(name, path[i]))
                return true;
    return std::ranges::any_of(ignored_paths_, [&](const Pattern& pattern) -> bool { return reached(pattern, path).back(); });
}

bool SourcePatterns::matches(std::string_view path) const {
    const auto parts = parts_of(path);
    return std::ranges::any_of(watched_, [&](const Pattern& pattern) -> bool {
        return reached(pattern, parts).back() && !is_ignored(parts, pattern.literal);
    });
}

bool SourcePatterns::may_match_below(std::string_view directory) const {
    const auto parts = parts_of(directory);
    return std::ranges::any_of(watched_, [&](const Pattern& pattern) {
        std::vector<bool> at = reached(pattern, parts);
        at.pop_back();
        return std::ranges::find(at, true) != at.end() && !is_ignored(parts, pattern.literal);
    });
}

bool SourcePatterns::only_names(std::string_view directory, std::vector<std::string>& names) const {
    const auto parts = parts_of(directory);
    for (const Pattern& pattern : watched_) {
        const std::vector<bool> at = reached(pattern, parts);
        for (std::size_t i = 0; i < pattern.parts.size(); i++) {
            if (!at[i])
                continue;
            if (i >= pattern.literal)
                return false;
            if (std::ranges::find(names, pattern.parts[i]) == names.end())
                names.push_back(pattern.parts[i]);
        }
    }
    return true;
}

} // namespace monoinit::exec
