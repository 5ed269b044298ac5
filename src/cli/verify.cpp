// initctl verify: the same parser as PID 1's, with excerpts that the log must not hold.
// Tested by tests/unit/cli/verify_test.cpp.
#include "cli/verify.hpp"

#include "base/strings.hpp"
#include "cli/verbs.hpp"
#include "unit/directives.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unistd.h>

namespace monoinit::cli {

using unit::Problem;
using unit::UnitConfig;

namespace {

std::string place(const std::string& file, std::uint32_t line) { return line == 0 ? file : fmt::format("{}:{}", file, line); }

std::string directive_name(const Problem& problem) {
    if (problem.row != Problem::no_row && problem.row < unit::directives().size())
        return std::string(unit::directives()[problem.row].name);
    return std::string(base::trim(std::string_view(problem.excerpt).substr(0, problem.excerpt.find('='))));
}

/// The line itself, with what is meant underlined.
std::string excerpt_of(const Problem& problem) {
    if (problem.excerpt.empty())
        return "";
    const std::string number = std::to_string(problem.line);
    const std::string margin(4 + number.size(), ' ');
    std::string text = fmt::format("    {} | {}\n", number, problem.excerpt);
    const bool points_at_name = problem.kind == Problem::Kind::UnknownDirective || problem.kind == Problem::Kind::UnknownSection;
    if (!points_at_name)
        return text;
    const std::size_t equals = problem.kind == Problem::Kind::UnknownSection ? std::string::npos : problem.excerpt.find('=');
    const std::size_t width = base::display_width(std::string_view(problem.excerpt).substr(0, equals));
    text += fmt::format("{} | ^{}{}\n", margin, std::string(width == 0 ? 0 : width - 1, '~'),
                        problem.suggestion.empty() ? "" : fmt::format("   did you mean {} ?", problem.suggestion));
    return text;
}

std::string one(const Problem& problem) {
    std::string text = place(problem.file, problem.line) + ": " + problem.text;
    const bool points_at_name = problem.kind == Problem::Kind::UnknownDirective || problem.kind == Problem::Kind::UnknownSection;
    if (!points_at_name && !problem.suggestion.empty() && problem.text.find("did you mean") == std::string::npos)
        text += "; did you mean " + problem.suggestion + "?";
    text += "\n";
    if (points_at_name || problem.kind == Problem::Kind::Syntax)
        text += excerpt_of(problem);
    if (!problem.consequence.empty())
        text += "  " + problem.consequence + "\n";
    return text;
}

/// "14 lines end in "# …"; unit files have no trailing remarks, so these settings are not in force: CPUQuota (16) …".
std::string trailing_remarks(const std::string& file, const std::vector<const Problem*>& list) {
    std::string names;
    for (const Problem* problem : list)
        names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", directive_name(*problem), problem->line);
    const bool single = list.size() == 1;
    std::string text = fmt::format("{}: {} \"# …\"; unit files have no trailing remarks, so {} not as meant: {}\n", file,
                                   single ? "a line ends in" : fmt::format("{} lines end in", list.size()),
                                   single ? "this setting is" : "these settings are", names);
    if (single)
        text += excerpt_of(*list.front());
    return text;
}

/// Groups by name: "CPUWeight, MemoryMax (12, 13): ignored: no cgroup controller in a container".
std::string degraded_lines(const UnitConfig& unit, std::size_t& count) {
    std::map<std::pair<std::string, std::string>, std::string> by_reason; // file, reason -> names with lines
    for (const unit::Degraded& used : unit.degraded) {
        const unit::Directive& row = unit::directives()[used.row];
        const std::string file = used.file < unit.files.size() ? unit.files[used.file] : unit.name;
        const std::string reason = fmt::format("{}: {}", row.support == unit::Support::Ignored ? "without effect" : "honoured in part", row.note);
        std::string& names = by_reason[{file, reason}];
        names += fmt::format("{}{}= ({})", names.empty() ? "" : ", ", row.name, used.line);
        count++;
    }
    std::string text;
    for (const auto& [key, names] : by_reason)
        text += fmt::format("{}: {} {}\n", key.first, names, key.second);
    return text;
}

} // namespace

Findings describe_problems(const UnitConfig& unit) {
    Findings findings;
    std::map<std::string, std::vector<const Problem*>> remarks;
    for (const Problem& problem : unit.problems) {
        if (problem.kind == Problem::Kind::TrailingRemark) {
            remarks[problem.file].push_back(&problem);
            continue;
        }
        findings.text += one(problem);
        (problem.kind == Problem::Kind::Note ? findings.notes : findings.problems)++;
    }
    for (const auto& [file, list] : remarks) {
        findings.text += trailing_remarks(file, list);
        findings.problems += list.size();
    }
    findings.text += degraded_lines(unit, findings.notes);
    return findings;
}

Findings describe_portability(const UnitConfig& unit) {
    Findings findings;
    const auto note = [&](const std::string& text) {
        findings.text += unit.name + ": " + text + "\n";
        findings.notes++;
    };
    if (unit.type == unit::UnitType::Service) {
        note("under systemd it does not inherit the container's environment; name what it needs (Environment=, PassEnvironment=)");
        for (const auto& commands : unit.service->commands)
            for (const unit::Command& command : commands)
                if (!command.path.starts_with('/'))
                    note(fmt::format("{} is looked up in systemd's own PATH there, not in the container's", command.path));
        if (unit.service->restart != unit::RestartPolicy::No && !unit.service->restart_timing_set)
            note("under systemd it restarts after 100 ms each time and gives up after 5 starts in 10 s; here it waits longer and longer instead");
        if (unit.exec->standard_output.kind == unit::StdoutKind::Inherit || unit.exec->standard_output.kind == unit::StdoutKind::Journal)
            note("its output goes to the journal there, not to the container's stdout");
    }
    return findings;
}

namespace {

/// Names of directives newer than Debian 12's systemd, and our own keys, as the files hold them.
Findings describe_keys(const UnitConfig& unit, const base::FileSource& files) {
    Findings findings;
    for (const std::string& path : unit.files) {
        const auto text = path.empty() ? base::Result<std::string>(base::fail(base::Errc::NotFound, "")) : files.read(path, 1 << 20);
        if (!text)
            continue;
        std::uint32_t number = 0;
        std::string section;
        for (std::string_view line : base::split(*text, '\n')) {
            number++;
            line = base::trim(line);
            if (line.starts_with('['))
                section = line.substr(1, line.find(']') == std::string_view::npos ? line.size() - 1 : line.find(']') - 1);
            const std::size_t equals = line.find('=');
            if (line.starts_with("[X-") || (line.starts_with("X-") && equals != std::string_view::npos)) {
                findings.text += fmt::format("{}: {} is monoinit's; systemd ignores it\n", place(path, number), line.substr(0, equals));
                findings.notes++;
            } else if (equals != std::string_view::npos && !line.starts_with('#') && !line.starts_with(';')) {
                const unit::Directive* row = unit::find_directive(unit.type, section, base::trim(line.substr(0, equals)));
                if (row != nullptr && row->since > 252) {
                    findings.text += fmt::format("{}: {}= needs systemd {}; Debian 12 has 252\n", place(path, number), row->name, row->since);
                    findings.notes++;
                }
            }
        }
    }
    return findings;
}

void add(Findings& all, const Findings& some) {
    all.text += some.text;
    all.problems += some.problems;
    all.notes += some.notes;
}

/// A loader that sees the directories of files named by path first.
std::unique_ptr<unit::Loader> loader_for(Context& context, const Names& words) {
    Names directories;
    for (const std::string& word : words) {
        if (word.find('/') == std::string::npos)
            continue;
        std::string directory = word.substr(0, word.rfind('/'));
        if (!word.starts_with('/')) {
            char here[4096];
            if (::getcwd(here, sizeof here) != nullptr)
                directory = std::string(here) + "/" + directory;
        }
        directories.push_back(directory.empty() ? "/" : directory);
    }
    unit::Environment environment = context.loader().environment();
    environment.unit_path.insert(environment.unit_path.begin(), directories.begin(), directories.end());
    return std::make_unique<unit::Loader>(context.files(), std::move(environment));
}

Names all_of_interest(const unit::Loader& loader) {
    Names names;
    for (const std::string& name : loader.all_names())
        if (const auto unit = loader.load_as_written(name); !unit->builtin && !loader.load(name)->machine_masked)
            names.push_back(name);
    return names;
}

} // namespace

int verify(Context& context, Words words) {
    const auto loader = loader_for(context, words);
    Names names;
    for (const std::string& word : words)
        names.push_back(unit::with_suffix(word.substr(word.rfind('/') + 1)));
    if (words.empty())
        names = all_of_interest(*loader);
    Findings all;
    std::set<std::string> files;
    for (const std::string& name : names) {
        const auto unit = loader->load_as_written(name);
        if (unit->load_state == unit::LoadState::NotFound) {
            const std::string best = suggest_unit(context, name);
            context.complain("{}: there is no such unit{}", unit::short_name(name), best.empty() ? "" : "; did you mean " + best + "?");
            return 4;
        }
        Findings found = describe_problems(*unit);
        UnitConfig around;
        around.problems = check_environment(*unit, *loader, context.install_options().root);
        add(found, describe_problems(around));
        if (context.options.portable) {
            add(found, describe_portability(*unit));
            add(found, describe_keys(*unit, context.files()));
        }
        if (found.problems != 0)
            files.insert(unit->files.empty() || unit->files.front().empty() ? unit->name : unit->files.front());
        add(all, found);
    }
    for (const std::string& cycle : ordering_cycles(loader->load_closure(names))) {
        all.text += "ordering cycle: " + cycle + "\n  One of these jobs is left out at start, as systemd does; remove an After= or Before=.\n";
        all.problems++;
    }
    context.out += all.text;
    if (all.problems != 0)
        context.print("{} problem{} in {} file{}\n", all.problems, all.problems == 1 ? "" : "s", std::max<std::size_t>(files.size(), 1),
                      files.size() > 1 ? "s" : "");
    else if (!context.options.quiet)
        context.print("no problem in {} unit{}{}\n", names.size(), names.size() == 1 ? "" : "s",
                      all.notes == 0 ? "" : fmt::format("; {} setting{} less effect here than under systemd", all.notes, all.notes == 1 ? " has" : "s have"));
    return all.problems == 0 ? 0 : 1;
}

} // namespace monoinit::cli
