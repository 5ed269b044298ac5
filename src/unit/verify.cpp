// The words of `initctl verify` and of the boot log. Problems are collected while parsing; what follows from them is said
// here, when all files of the unit have been read and the values in force are known.
// Tested by tests/unit/unit/verify_test.cpp.
#include "unit/verify.hpp"

#include "base/fmt.hpp"
#include "base/strings.hpp"
#include "unit/directives.hpp"
#include "unit/name.hpp"

#include <algorithm>

namespace monoinit::unit {

namespace {

using Kind = Problem::Kind;

constexpr std::size_t value_columns = 60;
constexpr std::size_t logged_problems = 10;
constexpr std::size_t logged_names = 8;

const Directive* row_of(const Problem& problem) {
    return problem.row < directives().size() ? &directives()[problem.row] : nullptr;
}

std::string place(const Problem& problem) {
    return problem.line == 0 ? problem.file : fmt::format("{}:{}", problem.file, problem.line);
}

std::string key_of(const Problem& problem) {
    return std::string(base::trim(std::string_view(problem.excerpt).substr(0, problem.excerpt.find('='))));
}

bool points_at_line(Kind kind) {
    switch (kind) {
    case Kind::UnknownDirective:
    case Kind::UnknownSection:
    case Kind::Syntax:
        return true;
    case Kind::BadValue:
    case Kind::TrailingRemark:
    case Kind::File:
    case Kind::Note:
        return false;
    }
    return false;
}

/// "the default applies (100 ms, growing to 30 s)" or "Restart=no applies, so difit will NOT come back when it ends".
std::string in_force(const UnitConfig& unit, const Directive& row) {
    static const UnitConfig untouched;
    if (row.show == nullptr)
        return {};
    const std::string value = row.show(unit);
    const bool is_default = value == row.show(untouched);
    std::string text;
    if (is_default && (row.dflt.view().find(' ') != std::string_view::npos || (value.empty() && !row.dflt.empty())))
        text = fmt::format("the default applies ({})", row.dflt.view());
    else if (!value.empty())
        text = fmt::format("{}={} applies", row.name.view(), base::printable(value, value_columns));
    if (is_default && !text.empty() && !row.loss.empty())
        text += fmt::format(", so {} {}", short_name(unit.name), row.loss.view());
    return text;
}

std::string consequence(const UnitConfig& unit, const Problem& problem) {
    if (!problem.consequence.empty())
        return problem.consequence;
    const Directive* row = row_of(problem);
    const std::string follows = row == nullptr ? std::string() : in_force(unit, *row);
    switch (problem.kind) {
    case Kind::UnknownDirective:
        return follows.empty() ? "Ignored, as systemd does." : "Ignored, as systemd does: " + follows + ".";
    case Kind::BadValue:
        return follows.empty() ? "Ignored, as systemd does." : "Ignored: " + follows + ".";
    case Kind::Syntax:
        return "Ignored, as systemd does.";
    case Kind::UnknownSection:
    case Kind::TrailingRemark:
    case Kind::File:
    case Kind::Note:
        return {};
    }
    return {};
}

/// The line as it stands in the file, what is meant underlined.
std::string excerpt(const Problem& problem) {
    if (problem.excerpt.empty())
        return {};
    const std::string number = std::to_string(problem.line);
    const auto shown = std::string_view(problem.excerpt);
    const auto indent = std::min(shown.find_first_not_of(" \t"), shown.size());
    const auto meant = problem.kind == Kind::UnknownDirective ? shown.substr(0, shown.find('=')) : shown;
    const auto width = base::display_width(base::trim(meant));
    std::string text = fmt::format("    {} | {}\n", number, shown);
    text += fmt::format("    {:{}} | {}^{:~<{}}", "", number.size(), shown.substr(0, indent), "", width == 0 ? 0 : width - 1);
    if (!problem.suggestion.empty())
        text += "   did you mean " + problem.suggestion + " ?";
    return text + "\n";
}

/// The heading: a name in quotes, or the setting with its value, which the log must not show.
std::string heading(const Problem& problem) {
    std::string text = problem.text;
    const std::string key = key_of(problem);
    if (problem.kind == Kind::UnknownDirective) {
        if (const auto at = text.find(" " + key + "="); at != std::string::npos && !key.empty())
            text.replace(at + 1, key.size() + 1, "\"" + key + "\"");
    } else if (problem.kind == Kind::BadValue && !key.empty() && text.starts_with(key + "=: ")) {
        text.replace(0, key.size() + 1, base::printable(base::trim(problem.excerpt), value_columns));
    }
    if (!points_at_line(problem.kind) && !problem.suggestion.empty())
        text += "; did you mean " + problem.suggestion + "?";
    return text;
}

// ---- lines of one kind --------------------------------------------------------------------------------------------

/// Trailing remarks of one file that have the same effect.
struct Remarks {
    std::string file, effect;
    std::vector<const Problem*> lines;
};

std::vector<Remarks> remarks_of(const UnitConfig& unit) {
    std::vector<Remarks> groups;
    for (const auto& problem : unit.problems) {
        if (problem.kind != Kind::TrailingRemark)
            continue;
        auto group = std::find_if(groups.begin(), groups.end(), [&](const Remarks& known) {
            return known.file == problem.file && known.effect == problem.consequence;
        });
        if (group == groups.end())
            group = groups.insert(groups.end(), {problem.file, problem.consequence, {}});
        group->lines.push_back(&problem);
    }
    return groups;
}

std::string remark_line(const Remarks& remarks, std::size_t most_names) {
    std::vector<std::string> names;
    for (const Problem* problem : remarks.lines)
        if (const Directive* row = row_of(*problem); row != nullptr && names.size() < most_names)
            names.push_back(fmt::format("{} ({})", row->name.view(), problem->line));
    const bool one = remarks.lines.size() == 1;
    return fmt::format("{}: {} \"# …\"{}: {}{}", remarks.file,
                       one ? std::string("a line ends in") : fmt::format("{} lines end in", remarks.lines.size()),
                       !remarks.effect.empty() ? ", which is no remark there: " + remarks.effect
                       : one ? "; unit files have no trailing remarks, so this setting is not in force"
                             : "; unit files have no trailing remarks, so these settings are not in force",
                       base::join(names, ", "), remarks.lines.size() > names.size() ? " …" : "");
}

/// What settings lost to remarks mean for the unit: "Restart=no applies, so app will NOT come back when it ends".
std::string losses(const UnitConfig& unit, const Remarks& remarks) {
    std::string text;
    for (const Problem* problem : remarks.lines)
        if (const Directive* row = row_of(*problem); row != nullptr && !row->loss.empty() && remarks.effect.empty())
            if (const std::string follows = in_force(unit, *row); follows.find(", so ") != std::string::npos)
                text += "  " + follows + ".\n";
    return text;
}

/// Lines in a row with the same thing wrong: the first, and how many there are.
std::size_t run_of(const std::vector<Problem>& problems, std::size_t first) {
    std::size_t end = first + 1;
    while (end < problems.size() && problems[end].kind == Kind::Syntax && problems[end].kind == problems[first].kind &&
           problems[end].file == problems[first].file && problems[end].text == problems[first].text)
        end++;
    return end - first;
}

std::string and_more(const std::vector<Problem>& problems, std::size_t first, std::size_t count) {
    std::string lines;
    for (std::size_t i = first + 1; i < first + count; i++)
        lines += (lines.empty() ? "" : ", ") + std::to_string(problems[i].line);
    return count == 1 ? std::string() : fmt::format(" (also {} {})", count == 2 ? "line" : "lines", lines);
}

std::string file_of(const UnitConfig& unit, const Degraded& used) {
    return used.file < unit.files.size() ? unit.files[used.file] : unit.name;
}

std::string lowered_first(std::string text) {
    if (!text.empty() && text.back() == '.')
        text.pop_back();
    if (!text.empty() && text.front() >= 'A' && text.front() <= 'Z')
        text.front() = static_cast<char>(text.front() - 'A' + 'a');
    return text;
}

std::string log_line(const Problem& problem) {
    std::string text = place(problem) + ": " + problem.text;
    if (problem.kind == Kind::File || problem.kind == Kind::Note)
        return text;
    if (problem.consequence.empty() || problem.consequence.starts_with("Ignored"))
        text += ", ignored";
    else if (problem.text.find("left out") == std::string::npos)
        text += "; " + lowered_first(problem.consequence);
    if (!problem.suggestion.empty())
        text += "; did you mean " + problem.suggestion + "?";
    return text;
}

std::string count_of(std::size_t number, std::string_view noun) {
    return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

} // namespace

Report problem_report(const UnitConfig& unit) {
    Report report;
    for (std::size_t i = 0, count = 1; i < unit.problems.size(); i += count) {
        const auto& problem = unit.problems[i];
        count = run_of(unit.problems, i);
        if (problem.kind == Kind::TrailingRemark)
            continue;
        report.text += place(problem) + ": " + heading(problem) + and_more(unit.problems, i, count) + "\n";
        if (points_at_line(problem.kind))
            report.text += excerpt(problem);
        if (const std::string follows = consequence(unit, problem); !follows.empty())
            report.text += "  " + follows + "\n";
        (problem.kind == Kind::Note ? report.notes : report.problems) += count;
    }
    for (const auto& remarks : remarks_of(unit)) {
        report.text += remark_line(remarks, remarks.lines.size()) + "\n" + losses(unit, remarks);
        report.problems += remarks.lines.size();
    }
    return report;
}

Report degraded_report(const UnitConfig& unit) {
    struct Reason {
        std::string file;
        const Directive* row;
        std::string names;
    };
    std::vector<Reason> groups; // one a file and reason, in the order of their first line
    Report report;
    for (const auto& used : unit.degraded) {
        const Directive& row = directives()[used.row];
        const std::string file = file_of(unit, used);
        auto group = std::find_if(groups.begin(), groups.end(), [&](const Reason& known) {
            return known.file == file && known.row->note == row.note && known.row->support == row.support;
        });
        if (group == groups.end())
            group = groups.insert(groups.end(), {file, &row, {}});
        group->names += fmt::format("{}{} ({})", group->names.empty() ? "" : ", ", row.name.view(), used.line);
        report.notes++;
    }
    for (const auto& [file, row, names] : groups)
        report.text += fmt::format("{}: {}: {}: {}\n", file, row->support == Support::Ignored ? "not in force" : "in force in part",
                                   names, row->note.view());
    return report;
}

bool acts_here(const Directive& row, Allowed allowed) {
    return row.support == Support::Degraded &&
           ((allowed.limits && row.group == Group::Cgroup) || (allowed.mounting && row.group == Group::Mount));
}

std::vector<std::string> log_lines(const UnitConfig& unit, Allowed allowed) {
    std::vector<std::string> lines;
    std::size_t more = 0;
    for (std::size_t i = 0, count = 1; i < unit.problems.size(); i += count) {
        const auto& problem = unit.problems[i];
        count = run_of(unit.problems, i);
        if (problem.kind == Kind::TrailingRemark)
            continue;
        if (lines.size() < logged_problems)
            lines.push_back(log_line(problem) + and_more(unit.problems, i, count));
        else
            more += count;
    }
    if (more != 0)
        lines.push_back(fmt::format("{}: {}; all of them: initctl verify {}", short_name(unit.name), count_of(more, "more problem"),
                                    short_name(unit.name)));
    for (const auto& remarks : remarks_of(unit))
        lines.push_back(remark_line(remarks, logged_names));
    std::vector<std::string> names;
    for (const auto& used : unit.degraded) {
        const Directive& row = directives()[used.row];
        if (const auto name = std::string(row.name); !acts_here(row, allowed) && std::find(names.begin(), names.end(), name) == names.end())
            names.push_back(name);
    }
    if (names.empty())
        return lines;
    const std::size_t count = names.size();
    names.resize(std::min(count, logged_names));
    lines.push_back(fmt::format("{}: not or not wholly in force in a container: {}{}; why: initctl verify {}", short_name(unit.name),
                                base::join(names, ", "), count > names.size() ? " …" : "", short_name(unit.name)));
    return lines;
}

} // namespace monoinit::unit
