// initctl verify: the same parser as PID 1's, with excerpts that the log must not hold.
// Tested by tests/unit/cli/verify_test.cpp.
#include "cli/verify.hpp"

#include "base/strings.hpp"
#include "cli/verbs.hpp"
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
        if (context.options.portable)
            add(found, describe_portability(*unit, context.files()));
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
