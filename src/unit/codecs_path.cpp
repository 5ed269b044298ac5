// See codecs_path.hpp. Tested by tests/unit/unit/path_test.cpp.
#include "unit/codecs_path.hpp"

#include "base/signals.hpp"
#include "base/strings.hpp"
#include "unit/codec_tools.hpp"
#include "unit/values.hpp"
#include "unit/words.hpp"

namespace monoinit::unit {

std::string_view name(PathKind kind) {
    switch (kind) {
    case PathKind::Exists: return "PathExists";
    case PathKind::ExistsGlob: return "PathExistsGlob";
    case PathKind::Changed: return "PathChanged";
    case PathKind::Modified: return "PathModified";
    case PathKind::DirectoryNotEmpty: return "DirectoryNotEmpty";
    }
    return {};
}

} // namespace monoinit::unit

namespace monoinit::unit::codec {

namespace {

constexpr std::size_t most_paths = 256; ///< each is looked at at every change, and costs a few inotify watches
constexpr std::size_t most_patterns = 256;

Result<void> add_patterns(ParseContext& context, Value value, std::vector<std::string>& field) {
    TRY(add_words(context, value, Unquote, field, [](std::string_view pattern) { return !pattern.empty() && !has_parent_part(pattern); },
                  "a pattern with \"..\" in it, left out"));
    if (field.size() <= most_patterns)
        return {};
    field.resize(most_patterns);
    return base::fail(base::Errc::TooLarge, "too many patterns");
}

} // namespace

Result<void> add_watched_path(ParseContext& context, Value value, PathKind kind, std::vector<WatchedPath>& list) {
    if (value.empty()) {
        list.clear();
        return {};
    }
    if (list.size() >= most_paths)
        return base::fail(base::Errc::TooLarge, "too many paths");
    list.push_back({kind, TRY(absolute_path(context, value))});
    return {};
}

std::string show_watched_paths(const std::vector<WatchedPath>& list, PathKind kind) {
    std::string text;
    for (const WatchedPath& each : list)
        if (each.kind == kind)
            text += (text.empty() ? "" : "\n") + each.path;
    return text;
}

Result<void> SourcePatterns::parse(ParseContext& context, Value value, std::vector<std::string>& field) { return add_patterns(context, value, field); }

std::string SourcePatterns::show(const std::vector<std::string>& field) { return base::join(field, " "); }

Result<void> IgnoredSources::parse(ParseContext& context, Value value, WatchSection& section) {
    if (value.empty())
        section.default_ignored = false;
    return add_patterns(context, value, section.ignored);
}

std::string IgnoredSources::show(const WatchSection& section) { return base::join(section.ignored, " "); }

Result<void> SourceAction::parse(ParseContext& context, Value value, WatchSection& section) {
    if (value == "restart" || value == "reload") {
        section.action = value == "restart" ? WatchAction::Restart : WatchAction::Reload;
        section.signal = 0;
        return {};
    }
    const auto signal = base::signal_from_name(value);
    if (!signal)
        return not_one_of(context, value, {"restart", "reload", "SIGHUP", "SIGUSR1", "SIGUSR2"});
    section.action = WatchAction::Signal;
    section.signal = *signal;
    return {};
}

std::string SourceAction::show(const WatchSection& section) {
    switch (section.action) {
    case WatchAction::Restart: return "restart";
    case WatchAction::Reload: return "reload";
    case WatchAction::Signal: return base::signal_name(section.signal);
    }
    return {};
}

} // namespace monoinit::unit::codec
