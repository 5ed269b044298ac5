// initctl verify: the same parser as PID 1's, with excerpts that the log must not hold.
// Tested by tests/unit/cli.
#include "cli/verify.hpp"

#include "base/strings.hpp"
#include "cli/json.hpp"
#include "cli/verbs.hpp"
#include "unit/directives.hpp"
#include "unit/name.hpp"
#include "unit/verify.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <unistd.h>

namespace monoinit::cli {

using unit::UnitConfig;

namespace {

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

/// The findings as objects: "problem" with its place, "degraded" and "ignored" settings, "difference" for --portable.
class JsonFindings {
  public:
    void add(const UnitConfig& unit) {
        for (const unit::Problem& problem : unit.problems)
            put(problem.kind == unit::Problem::Kind::Note ? "note" : "problem", unit.name, problem.file, problem.line,
                {{"text", json_string(problem.text)},
                 {"suggestion", json_string(problem.suggestion)},
                 {"consequence", json_string(problem.consequence)}});
        for (const unit::Degraded& used : unit.degraded) {
            const unit::Directive& row = unit::directives()[used.row];
            put(row.support == unit::Support::Ignored ? "ignored" : "degraded", unit.name,
                used.file < unit.files.size() ? unit.files[used.file] : unit.name, used.line,
                {{"directive", json_string(row.name)}, {"text", json_string(row.note)}});
        }
    }
    void add_lines(std::string_view kind, const std::string& unit, const std::string& text) {
        for (const std::string_view line : base::split(text, '\n'))
            if (!line.empty())
                put(kind, unit, "", 0, {{"text", json_string(line)}});
    }
    std::string take() { return json_array(rows_); }

  private:
    void put(std::string_view kind, const std::string& unit, const std::string& file, std::uint32_t line, JsonFields more) {
        JsonFields fields{{"kind", json_string(kind)}, {"unit", json_string(unit)}, {"file", json_string(file)}, {"line", std::to_string(line)}};
        std::ranges::move(more, std::back_inserter(fields));
        rows_.push_back(json_object(fields));
    }
    std::vector<std::string> rows_;
};

} // namespace

Findings describe_problems(const UnitConfig& unit) {
    const unit::Report wrong = unit::problem_report(unit), less = unit::degraded_report(unit);
    return {wrong.text + less.text, wrong.problems, wrong.notes + less.notes};
}

Findings describe_portability(const UnitConfig& unit, const base::FileSource& files) {
    const unit::Report report = unit::portable_report(unit, files);
    return {report.text, report.problems, report.notes};
}

int verify(Context& context, Words words) {
    const auto loader = loader_for(context, words);
    Names names;
    for (const std::string& word : words)
        names.push_back(unit::with_suffix(word.substr(word.rfind('/') + 1)));
    if (words.empty())
        names = all_of_interest(*loader);
    Findings all;
    JsonFindings json;
    std::set<std::string> files;
    for (const std::string& name : names) {
        // With drop-ins and the checks of the whole, as PID 1 loads it; templates and masked units as far as that goes.
        auto unit = unit::is_template(name) ? loader->load_as_written(name) : loader->load(name);
        if (unit->machine_masked)
            unit = loader->load_as_written(name);
        if (unit->load_state == unit::LoadState::NotFound) {
            const std::string best = suggest_unit(context, name);
            context.complain("{}: there is no such unit{}", unit::short_name(name), best.empty() ? "" : "; did you mean " + best + "?");
            return 4;
        }
        UnitConfig checked = *unit;
        std::ranges::move(check_environment(*unit, *loader, context.install_options().root), std::back_inserter(checked.problems));
        std::ranges::stable_sort(checked.problems, [](const unit::Problem& a, const unit::Problem& b) {
            return std::tie(a.file, a.line) < std::tie(b.file, b.line);
        });
        Findings found = describe_problems(checked);
        if (context.options.portable) {
            // What has less effect here is told from the other side: it takes effect there.
            const unit::Report wrong = unit::problem_report(checked);
            found = {wrong.text, wrong.problems, wrong.notes};
            const Findings there = describe_portability(*unit, context.files());
            json.add_lines("difference", unit->name, there.text);
            add(found, there);
        }
        json.add(checked);
        if (found.problems != 0)
            files.insert(unit->files.empty() || unit->files.front().empty() ? unit->name : unit->files.front());
        add(all, found);
    }
    for (const std::string& path : words.empty() ? loader->misnamed() : Names()) {
        json.add_lines("problem", "", unit::misnamed_line(path));
        all.text += unit::misnamed_line(path) + "\n";
        all.problems++;
        files.insert(path);
    }
    for (const std::string& cycle : ordering_cycles(loader->load_closure(names))) {
        json.add_lines("cycle", "", cycle);
        all.text += "ordering cycle: " + cycle + "\n  One of these jobs is left out at start, as systemd does; remove an After= or Before=.\n";
        all.problems++;
    }
    if (context.options.json) {
        context.print("{}\n", json.take());
        return all.problems == 0 ? 0 : 1;
    }
    context.out += all.text;
    if (all.problems != 0)
        context.print("{} problem{} in {} file{}\n", all.problems, all.problems == 1 ? "" : "s", std::max<std::size_t>(files.size(), 1),
                      files.size() > 1 ? "s" : "");
    else if (!context.options.quiet)
        context.print("no problem in {} unit{}{}\n", names.size(), names.size() == 1 ? "" : "s",
                      all.notes == 0 ? "" : fmt::format("; {} {}", all.notes, context.options.portable ? all.notes == 1 ? "thing is different under systemd" : "things are different under systemd"
                                                                              : all.notes == 1         ? "setting has less effect here than under systemd"
                                                                                                       : "settings have less effect here than under systemd"));
    return all.problems == 0 ? 0 : 1;
}

} // namespace monoinit::cli
