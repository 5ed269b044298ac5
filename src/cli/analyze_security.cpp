// systemd-analyze security, in little: what a service could do if it were taken over, as far as its own settings decide it here.
// A setting that is not in force in this container counts as not made, and is named. Tested by tests/system/analyze.py.
#include "base/strings.hpp"
#include "cli/analyze.hpp"
#include "unit/directives.hpp"
#include "unit/name.hpp"
#include "unit/values.hpp"

#include <linux/capability.h>

namespace monoinit::cli {

namespace {

using unit::ExecSection;

struct Check {
    std::string_view name, good, bad;
    int weight = 0;
    bool (*safe)(const ExecSection& exec) = nullptr;
};

bool is_root(const ExecSection& exec) { return exec.user.empty() || exec.user == "root" || exec.user == "0"; }

/// Root keeps what the bounding set leaves; others have what they are given.
bool has_any(const ExecSection& exec, std::uint64_t capabilities) {
    const std::uint64_t bounding = exec.capability_bounding_set.value_or(unit::all_capabilities);
    return ((is_root(exec) ? bounding : exec.ambient_capabilities & bounding) & capabilities) != 0;
}

constexpr std::uint64_t bit(int capability) { return std::uint64_t{1} << capability; }

// clang-format off
constexpr Check checks[] = {
    {"User=", "runs as a user that is not root", "runs as root", 2000, [](const ExecSection& exec) { return !is_root(exec); }},
    {"NoNewPrivileges=", "cannot get more rights (sudo, setuid programs)", "may get more rights (sudo, setuid programs)", 1000, [](const ExecSection& exec) { return exec.no_new_privileges; }},
    {"CapabilityBoundingSet=~CAP_SYS_ADMIN", "has no administrator's rights", "has administrator's rights, if the container does", 1500, [](const ExecSection& exec) { return !has_any(exec, bit(CAP_SYS_ADMIN)); }},
    {"CapabilityBoundingSet=~CAP_SYS_PTRACE", "cannot debug others' processes", "may debug others' processes", 1500, [](const ExecSection& exec) { return !has_any(exec, bit(CAP_SYS_PTRACE)); }},
    {"CapabilityBoundingSet=~CAP_SET(UID|GID|PCAP)", "cannot become another user", "may become another user", 1500, [](const ExecSection& exec) { return !has_any(exec, bit(CAP_SETUID) | bit(CAP_SETGID) | bit(CAP_SETPCAP)); }},
    {"CapabilityBoundingSet=~CAP_(CHOWN|FSETID|SETFCAP)", "cannot change owners of files", "may change owners of files", 1000, [](const ExecSection& exec) { return !has_any(exec, bit(CAP_CHOWN) | bit(CAP_FSETID) | bit(CAP_SETFCAP)); }},
    {"CapabilityBoundingSet=~CAP_(DAC_*|FOWNER|IPC_OWNER)", "is held by modes of files", "may read and write any file", 1000, [](const ExecSection& exec) { return !has_any(exec, bit(CAP_DAC_OVERRIDE) | bit(CAP_DAC_READ_SEARCH) | bit(CAP_FOWNER) | bit(CAP_IPC_OWNER)); }},
    {"CapabilityBoundingSet=~CAP_NET_ADMIN", "cannot configure the network", "may configure the network, if the container may", 1000, [](const ExecSection& exec) { return !has_any(exec, bit(CAP_NET_ADMIN)); }},
    {"CapabilityBoundingSet=~CAP_NET_RAW", "cannot send raw packets", "may send raw packets", 500, [](const ExecSection& exec) { return !has_any(exec, bit(CAP_NET_RAW)); }},
    {"CapabilityBoundingSet=~CAP_KILL", "cannot signal others' processes", "may signal others' processes", 500, [](const ExecSection& exec) { return !has_any(exec, bit(CAP_KILL)); }},
    {"AmbientCapabilities=", "programs inherit no capabilities", "programs inherit capabilities", 500, [](const ExecSection& exec) { return exec.ambient_capabilities == 0; }},
    {"SupplementaryGroups=", "has no further groups", "has further groups", 100, [](const ExecSection& exec) { return exec.supplementary_groups.empty(); }},
    {"UMask=", "what it writes is its own", "what it writes others may read", 100, [](const ExecSection& exec) { return (exec.umask & 0077U) == 0077U; }},
    {"RootDirectory=", "sees a part of the files only", "sees all files", 200, [](const ExecSection& exec) { return !exec.root_directory.empty(); }},
};

/// systemd's words, by whole points.
constexpr std::string_view words_of_points[] = {"PERFECT", "SAFE", "OK", "OK", "OK", "MEDIUM", "MEDIUM", "EXPOSED", "EXPOSED", "UNSAFE", "DANGEROUS"};
// clang-format on

/// 0 to 100: tenths of systemd's points.
int exposure_of(const ExecSection& exec) {
    int all = 0, open = 0;
    for (const Check& check : checks) {
        all += check.weight;
        open += check.safe(exec) ? 0 : check.weight;
    }
    return open * 100 / all;
}

std::string points(int tenths) { return fmt::format("{}.{}", tenths / 10, tenths % 10); }

std::string_view word(int tenths) { return words_of_points[tenths / 10]; }

void explain(Context& context, const unit::UnitConfig& unit) {
    const ExecSection& exec = *unit.exec;
    int all = 0;
    for (const Check& check : checks)
        all += check.weight;
    Table table;
    table.add({"", "NAME", "DESCRIPTION", Cell("EXPOSURE", Color::None, true)});
    for (const Check& check : checks) {
        const bool safe = check.safe(exec);
        table.add({Cell::mark(safe ? "✓" : "✗", safe ? Color::Green : Color::Red), Cell(std::string(check.name)), Cell(std::string(safe ? check.good : check.bad)),
                   Cell(safe ? "" : points(std::max(check.weight * 100 / all, 1)), Color::None, true)});
    }
    context.out += table.render(context.color, 1);
    std::string idle;
    for (const unit::Degraded& used : unit.degraded)
        if (const unit::Directive& row = unit::directives()[used.row]; row.group == unit::Group::Exec)
            idle += (idle.empty() ? "" : " ") + std::string(row.name) + "=";
    if (!idle.empty())
        context.print("\nSet, and not wholly in force in a container (initctl verify says why): {}\n", idle);
    const int tenths = exposure_of(exec);
    context.print("\n→ Overall exposure level for {}: {} {}\n", unit.name, points(tenths), word(tenths));
}

} // namespace

int analyze_security(Analysis& analysis) {
    Context& context = analysis.context;
    int threshold = 100;
    if (const auto given = analysis.line.last("threshold")) {
        const auto number = unit::parse_integer(*given, 0, 100);
        if (!number) {
            context.complain("Failed to parse --threshold= value: {}", base::printable(*given, 80));
            return 1;
        }
        threshold = static_cast<int>(*number);
    }
    const unit::Loader& loader = context.loader();
    Names names = mangled(analysis.words);
    const bool all = names.empty();
    for (const std::string& name : all ? loader.all_names() : Names())
        if (name.ends_with(".service") && !unit::is_template(name) && !loader.fragment_path(name).empty())
            names.push_back(name);
    bool over = false;
    Table table;
    table.add({Cell("UNIT"), Cell("EXPOSURE", Color::None, true), Cell("PREDICATE")});
    for (const std::string& name : names) {
        const auto unit = loader.load(name);
        if (unit->load_state != unit::LoadState::Loaded || unit->type != unit::UnitType::Service) {
            if (all)
                continue;
            context.complain("Unit {} not found, or no service.", name);
            return 1;
        }
        const int tenths = exposure_of(*unit->exec);
        over = over || tenths > threshold;
        if (all)
            table.add({Cell(unit->name), Cell(points(tenths), Color::None, true), Cell(std::string(word(tenths)))});
        else
            explain(context, *unit);
    }
    if (all)
        context.out += table.render(context.color);
    return over ? 1 : 0;
}

} // namespace monoinit::cli
