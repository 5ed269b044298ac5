#pragma once
// Codecs of [Path] and of X-Watch=. Included by rows_path.hpp only. Tested by tests/unit/unit/path_test.cpp.

#include "unit/codecs_timer.hpp"

namespace monoinit::unit::codec {

Result<void> add_watched_path(ParseContext& context, Value value, PathKind kind, std::vector<WatchedPath>& list);
std::string show_watched_paths(const std::vector<WatchedPath>& list, PathKind kind);

/// PathExists= and kin; an empty value takes back every one so far, of whatever kind, as systemd does.
template <PathKind Kind> struct PathsToWatch {
    static constexpr base::Literal type = Kind == PathKind::ExistsGlob ? "pattern" : "path";
    static Result<void> parse(ParseContext& context, Value value, std::vector<WatchedPath>& list) { return add_watched_path(context, value, Kind, list); }
    static std::string show(const std::vector<WatchedPath>& list) { return show_watched_paths(list, Kind); }
};

/// X-Watch=: patterns, absolute or below WorkingDirectory=; they add up, an empty value resets.
struct SourcePatterns {
    static constexpr base::Literal type = "patterns";
    static Result<void> parse(ParseContext& context, Value value, std::vector<std::string>& field);
    static std::string show(const std::vector<std::string>& field);
};

/// X-WatchIgnore=: adds to what is ignored anyway; an empty value takes that back too.
struct IgnoredSources {
    static constexpr base::Literal type = "patterns";
    static Result<void> parse(ParseContext& context, Value value, WatchSection& section);
    static std::string show(const WatchSection& section);
};

/// X-WatchAction=: restart, reload or a signal.
struct SourceAction {
    static constexpr base::Literal type = "restart, reload or a signal";
    static Result<void> parse(ParseContext& context, Value value, WatchSection& section);
    static std::string show(const WatchSection& section);
};

} // namespace monoinit::unit::codec
