// systemd-analyze dot and dump: what the init knows of units. Tested by tests/system/analyze.py.
#include "base/strings.hpp"
#include "cli/analyze.hpp"

#include <set>

namespace monoinit::cli {

namespace {

struct Arrow {
    std::string_view kind, color;
    bool order = false;
};

constexpr Arrow arrows[] = {{"After", "green", true},      {"Requires", "black"}, {"Requisite", "darkblue"}, {"BindsTo", "gold"},
                            {"Wants", "grey66"},           {"Conflicts", "red"},  {"Upholds", "purple"}};

bool matches(const Names& patterns, const std::string& name) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) { return base::glob_match(pattern, name); });
}

/// The names of loaded units that a pattern names, all without patterns.
base::Result<Names> loaded_units(Context& context, const Names& patterns) {
    const auto list = TRY(ask<control::ListReply>(context, control::ListRequest{}));
    Names names;
    for (const control::UnitSummary& unit : list.units)
        if (patterns.empty() || matches(patterns, unit.name))
            names.push_back(unit.name);
    return names;
}

} // namespace

int analyze_dot(Analysis& analysis) {
    Context& context = analysis.context;
    const bool order = analysis.line.has("order"), require = analysis.line.has("require");
    const Names from = analysis.line.all("from-pattern"), to = analysis.line.all("to-pattern");
    const auto names = loaded_units(context, {});
    if (!names) {
        context.complain("{}: {}", context.program, names.error().what);
        return 1;
    }
    context.print("digraph systemd {{\n");
    for (const std::string& name : *names) {
        if (!from.empty() && !matches(from, name))
            continue;
        const auto reply = ask<control::DependenciesReply>(context, control::DependenciesRequest{name, {}});
        for (const control::Dependency& each : reply ? reply->dependencies : std::vector<control::Dependency>()) {
            const auto arrow = std::find_if(std::begin(arrows), std::end(arrows), [&](const Arrow& row) { return row.kind == each.kind; });
            if (arrow == std::end(arrows) || (order && !require && !arrow->order) || (require && !order && arrow->order))
                continue;
            if ((!to.empty() && !matches(to, each.unit)) || (!analysis.words.empty() && !matches(analysis.words, name) && !matches(analysis.words, each.unit)))
                continue;
            context.print("\t\"{}\"->\"{}\" [color=\"{}\"];\n", name, each.unit, arrow->color);
        }
    }
    context.print("}}\n");
    if (!context.options.quiet)
        context.complain("   Color legend: black     = Requires\n                 dark blue = Requisite\n                 gold      = BindsTo\n                 dark grey = Wants\n"
                         "                 red       = Conflicts\n                 green     = After");
    return 0;
}

int analyze_dump(Analysis& analysis) {
    Context& context = analysis.context;
    const auto names = loaded_units(context, analysis.words);
    if (!names) {
        context.complain("{}: {}", context.program, names.error().what);
        return 1;
    }
    const auto print = [&](const std::string& unit) {
        const auto reply = ask<control::PropertiesReply>(context, control::PropertiesRequest{.unit = unit});
        for (const auto& [name, value] : reply ? reply->properties : control::PropertyList())
            if (!value.empty())
                context.print("{}{}: {}\n", unit.empty() ? "" : "\t", name, base::printable(value, 1 << 16));
    };
    if (analysis.words.empty())
        print("");
    for (const std::string& name : *names) {
        context.print("-> Unit {}:\n", name);
        print(name);
    }
    return 0;
}

} // namespace monoinit::cli
