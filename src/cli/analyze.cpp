// systemd-analyze: the table of its verbs, and those that initctl has too. Judged by the real one in tests/system/tools.py.
#include "cli/analyze.hpp"

#include "base/strings.hpp"
#include "cli/programs.hpp"

#include <array>

namespace monoinit::cli {

namespace {

constexpr ToolOption options[] = {
    {"order", 0, Argument::None, "", "dot: ordering only"},
    {"require", 0, Argument::None, "", "dot: requirements only"},
    {"from-pattern", 0, Argument::Required, "GLOB", "dot: arrows from these units only"},
    {"to-pattern", 0, Argument::Required, "GLOB", "dot: arrows to these units only"},
    {"fuzz", 0, Argument::Required, "SPAN", "critical-chain: also what was up so little before the last"},
    {"iterations", 0, Argument::Required, "N", "calendar: how many moments"},
    {"base-time", 0, Argument::Required, "TIME", "calendar: after this moment, not now"},
    {"root", 0, Argument::Required, "DIR", "work on the file tree below DIR"},
    {"threshold", 0, Argument::Required, "N", "security: exit 1 if a service is more exposed than N of 100"},
    {"unit", 'u', Argument::Required, "UNIT", "condition: those of this unit"},
    {"no-legend", 0, Argument::None, "", "no headings, no hints"},
    {"quiet", 'q', Argument::None, "", "no hints"},
    // understood; what they ask for is so anyway, or has no meaning in a container
    {"system", 0, Argument::None, "", ""},
    {"no-pager", 0, Argument::None, "", ""},
    {"man", 0, Argument::Optional, "", ""},
    {"generators", 0, Argument::Optional, "", ""},
    {"recursive-errors", 0, Argument::Required, "", ""},
    {"user", 0, Argument::None, "", ""},
    {"global", 0, Argument::None, "", ""},
    {"host", 'H', Argument::Required, "", ""},
    {"machine", 'M', Argument::Required, "", ""},
};

int analyze_calendar(Analysis& analysis) {
    const int status = calendar(analysis.context, analysis.words);
    return status == 0 ? 0 : 1;
}

int analyze_manager(Analysis& analysis) { return log_level(analysis.context, analysis.words); }

int analyze_verify(Analysis& analysis) {
    const int status = verify(analysis.context, analysis.words);
    return status == 0 ? 0 : 1;
}

struct Row {
    std::string_view name, arguments;
    int least = 0, most = any_number;
    bool needs_init = false;
    int (*run)(Analysis&) = nullptr;
    std::string_view help;
};

// clang-format off
constexpr auto verbs_of_analyze = std::to_array<Row>({
    {"time",             "",                         0, 0,          true,  analyze_time,             "how long it took until everything was up"},
    {"blame",            "",                         0, 0,          true,  analyze_blame,            "units by the time they took"},
    {"critical-chain",   "[UNIT…]",                  0, any_number, true,  analyze_critical_chain,   "what a unit waited for, and that for what"},
    {"plot",             "",                         0, 0,          true,  analyze_plot,             "the start as a picture (SVG)"},
    {"dot",              "[GLOB…]",                  0, any_number, true,  analyze_dot,              "dependencies as a graph for dot(1)"},
    {"log-level",        "[LEVEL]",                  0, 1,          true,  analyze_manager,          "the level of monoinit's own lines"},
    {"log-target",       "[TARGET]",                 0, 1,          true,  analyze_manager,          "where they go: console, or null"},
    {"service-watchdogs", "[BOOL]",                  0, 1,          true,  analyze_manager,          "whether missed watchdogs have consequences"},
    {"dump",             "[GLOB…]",                  0, any_number, true,  analyze_dump,             "all that is known of units"},
    {"cat-config",       "NAME…",                    1, any_number, false, analyze_cat_config,       "a configuration file and its drop-ins"},
    {"unit-files",       "[GLOB…]",                  0, any_number, false, analyze_unit_files,       "unit files by name"},
    {"unit-paths",       "",                         0, 0,          false, analyze_unit_paths,       "where unit files are looked for"},
    {"exit-status",      "[STATUS…]",                0, any_number, false, analyze_exit_status,      "names of exit statuses"},
    {"capability",       "[CAPABILITY…]",            0, any_number, false, analyze_capability,       "names of capabilities"},
    {"condition",        "CONDITION…",               0, any_number, false, analyze_condition,        "whether conditions and assertions hold"},
    {"compare-versions", "VERSION [OPERATOR] VERSION", 2, 3,          false, analyze_compare_versions, "which is newer"},
    {"verify",           "UNIT…|FILE…",              1, any_number, false, analyze_verify,           "what is wrong with unit files"},
    {"security",         "[UNIT…]",                  0, any_number, false, analyze_security,         "what a service could do if it were taken over"},
    {"calendar",         "EXPRESSION…",              1, any_number, false, analyze_calendar,         "when OnCalendar= elapses"},
    {"timestamp",        "TIME…",                    1, any_number, false, analyze_timestamp,        "what a moment means"},
    {"timespan",         "SPAN…",                    1, any_number, false, analyze_timespan,         "what a time span means"},
});
// clang-format on

std::string commands() {
    Table table;
    for (const Row& row : verbs_of_analyze)
        table.add({std::string(row.name) + (row.arguments.empty() ? "" : " ") + std::string(row.arguments), std::string(row.help)});
    return "Commands:\n" + table.render(false, 2, "  ");
}

} // namespace

int analyze_main(int argc, char** argv, const Hooks& hooks) {
    const std::string more = commands();
    const Tool tool{"systemd-analyze", "[OPTIONS…] COMMAND…", "Looks at the start of this container, at units and at what their settings mean.", options, false, more};
    const ToolLine line = read_tool_line(tool, argc, argv);
    if (line.status)
        return *line.status;
    if (line.has("user") || line.has("global"))
        return complain("Failed to connect to bus: No medium found");
    if (line.has("host") || line.has("machine"))
        return complain("Only this container can be looked at (no -H, no -M).");
    const std::string verb = line.words.empty() ? "time" : line.words.front();
    const auto row = std::find_if(verbs_of_analyze.begin(), verbs_of_analyze.end(), [&](const Row& each) { return each.name == verb; });
    if (row == verbs_of_analyze.end())
        return complain("Unknown command verb {}.", verb);
    Context context;
    context.program = "systemd-analyze";
    context.verb = verb;
    context.hooks = hooks;
    context.options.root = line.last("root").value_or("");
    context.options.iterations = line.last("iterations").value_or("");
    context.options.base_time = line.last("base-time").value_or("");
    context.options.quiet = line.has("quiet");
    Analysis analysis{context, line, line.words.empty() ? Names() : Names(line.words.begin() + 1, line.words.end())};
    const int count = static_cast<int>(analysis.words.size());
    if (count < row->least || count > row->most)
        return complain("Too {} arguments.", count < row->least ? "few" : "many");
    if (row->needs_init)
        if (const auto init = context.init(); !init) {
            context.face = Face::Systemctl;
            return context.complain_no_init(init.error());
        }
    return row->run(analysis);
}

} // namespace monoinit::cli
