#pragma once
// systemd-analyze, by the files its verbs stand in, and what of it can be tested without an init.
// Tested by tests/unit/cli/analyze_test.cpp and tests/system/analyze.py.

#include "cli/tool.hpp"
#include "cli/verbs.hpp"

#include <functional>
#include <map>

namespace monoinit::cli {

/// A verb's words (without it) and what the command line says besides.
struct Analysis {
    Context& context;
    const ToolLine& line;
    Names words;
};

// analyze_values.cpp: words of unit files, judged without an init
int analyze_timespan(Analysis&);
int analyze_timestamp(Analysis&);
int analyze_exit_status(Analysis&);
int analyze_capability(Analysis&);
int analyze_condition(Analysis&);
int analyze_compare_versions(Analysis&);
int analyze_unit_paths(Analysis&);
int analyze_unit_files(Analysis&);
int analyze_cat_config(Analysis&);
// analyze_security.cpp
int analyze_security(Analysis&);
// analyze_boot.cpp: how the start went
int analyze_time(Analysis&);
int analyze_blame(Analysis&);
int analyze_critical_chain(Analysis&);
int analyze_plot(Analysis&);
// analyze_graph.cpp: what the init knows
int analyze_dot(Analysis&);
int analyze_dump(Analysis&);

/// When a unit began to start and when it was up, microseconds after the init was started; nothing: it did not start.
struct StartTimes {
    std::string name, state;
    std::int64_t began = 0, up = 0; ///< began 0: it was up at once
    std::int64_t took() const { return began > 0 && up > began ? up - began : 0; }
};

using AfterOf = std::function<Names(const std::string& unit)>; ///< what a unit is ordered after
/// The tree of critical-chain: of what a unit waited for, those that were up last (within `fuzz`), and so on.
std::string draw_critical_chain(const std::string& root, const std::map<std::string, StartTimes>& times, const AfterOf& after, std::int64_t fuzz);
/// The picture of plot.
std::string draw_plot(std::vector<StartTimes> units, const std::string& title);

} // namespace monoinit::cli
