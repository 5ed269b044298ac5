// help and version. Everything here is printed from the tables: verbs, options, settings, directives.
// Tested by tests/unit/cli/verbs_test.cpp.
#include "base/strings.hpp"
#include "cli/json.hpp"
#include "cli/verbs.hpp"
#include "config/options.hpp"
#include "sys/program.hpp"
#include "unit/directives.hpp"
#include "unit/reference.hpp"

#include <algorithm>
#include <cstring>

namespace monoinit::cli {

namespace {

constexpr std::string_view heading(Section section) {
    switch (section) {
    case Section::Look:
        return "Look";
    case Section::Operate:
        return "Start and stop";
    case Section::Files:
        return "Unit files (also without a running init)";
    case Section::Manager:
        return "The init itself";
    case Section::Other:
        return "More";
    }
    return "";
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            out += '\\';
        out += c;
    }
    return out + "\"";
}

std::string directives_text(std::string_view form) {
    std::string out;
    if (form == "json")
        out = "[";
    if (form == "md")
        return unit::directives_markdown();
    Table table;
    for (const unit::Directive& d : unit::directives()) {
        const std::string doc = std::string(d.doc) + (d.note.empty() ? "" : (d.doc.empty() ? "" : " ") + std::string(d.note));
        if (form == "json")
            out += fmt::format("{}\n  {{\"name\": {}, \"support\": {}, \"type\": {}, \"default\": {}, \"example\": {}, \"doc\": {}, \"note\": {}}}",
                               out.size() == 1 ? "" : ",", quoted(d.name), quoted(unit::support_name(d.support)), quoted(d.type),
                               quoted(d.dflt), quoted(d.example), quoted(d.doc), quoted(d.note));
        else
            table.add({std::string(d.name) + "=", std::string(unit::support_name(d.support)), std::string(d.dflt), doc});
    }
    if (form == "json")
        return out + "\n]\n";
    return table.render(false, 2);
}

int help_of_verb(Context& context, const VerbRow& verb) {
    context.print("{} {}{}{}\n    {}\n", context.program, verb.name, verb.arguments.empty() ? "" : " ", verb.arguments, verb.help);
    return 0;
}

} // namespace

std::string help_text(Face face) {
    std::string out = face == Face::Initctl
                          ? "initctl [OPTIONS] [VERB]   control of monoinit, the init of this container\n\n"
                            "Without a verb: an overview. UNIT is a name such as web (that is web.service); globs work.\n"
                      : face == Face::Journalctl
                          ? "journalctl [OPTIONS…] [FIELD=VALUE…]\n\nPrints the log of this container.\n"
                          : "systemctl [OPTIONS…] COMMAND …\n\nControl of monoinit, the init of this container, in systemctl's words.\n";
    for (const Section section : {Section::Look, Section::Operate, Section::Files, Section::Manager, Section::Other}) {
        if (face == Face::Journalctl)
            break; // it has no verbs
        Table table;
        for (const VerbRow& verb : verbs())
            if (verb.section == section && !verb.help.empty() && (face == Face::Initctl ? verb.initctl : verb.systemctl))
                table.add({std::string(verb.name) + (verb.arguments.empty() ? "" : " ") + std::string(verb.arguments), std::string(verb.help)});
        out += fmt::format("\n{}:\n{}", heading(section), table.render(false, 2, "  "));
    }
    Table table;
    for (const OptionRow& row : option_rows()) {
        if (row.help.empty() || (row.faces & (1U << static_cast<unsigned>(face))) == 0)
            continue;
        const std::string letter = row.letter == 0 ? "    " : fmt::format("-{}, ", row.letter);
        table.add({letter + "--" + std::string(row.name) + (row.argument == Argument::Required ? "=" : ""), std::string(row.help)});
    }
    return out + "\nOptions:\n" + table.render(false, 2, "  ");
}

namespace {

/// `systemctl help UNIT`: the manual pages that Documentation= names, one after the other.
int manual_pages(Context& context, Words words) {
    for (const std::string& name : mangled(context, words)) {
        const auto config = context.loader().load_as_written(name);
        if (config->unit.documentation.empty())
            context.remark("Documentation for {} not known.", name);
        for (const std::string& uri : config->unit.documentation) {
            const std::size_t open = uri.find('('), close = uri.find(')');
            if (!uri.starts_with("man:")) {
                context.remark("Can't show: {}", uri);
                continue;
            }
            const bool has_section = open != std::string::npos && close != std::string::npos && close > open;
            std::vector<std::string> command{"man"};
            if (has_section)
                command.push_back(uri.substr(open + 1, close - open - 1));
            command.push_back(uri.substr(4, (has_section ? open : uri.size()) - 4));
            context.flush();
            if (const auto ended = sys::run_program(command); !ended)
                context.complain("Failed to execute man: {}", std::strerror(ended.error().errnum));
        }
    }
    return 0;
}

} // namespace

int help(Context& context, Words words) {
    const std::string topic = words.empty() ? "" : words.front();
    const std::string& form = context.options.format;
    if (topic.empty()) {
        context.out = help_text(context.face);
        return 0;
    }
    if (topic == "directives") {
        context.out = directives_text(context.options.json ? "json" : form);
        return 0;
    }
    if (auto described = unit::describe_directive(topic)) { // "initctl help RestartSec"
        context.out = std::move(*described);
        return 0;
    }
    if (topic == "options") {
        context.out = form == "md" ? config::reference_text() : config::help_text();
        return 0;
    }
    if (topic == "states" && context.hooks.states != nullptr) {
        context.out = context.hooks.states(form);
        return 0;
    }
    if (const VerbRow* verb = find_verb(context.face, topic); verb != nullptr)
        return help_of_verb(context, *verb);
    if (context.systemctl())
        return manual_pages(context, words);
    const std::string_view close = unit::closest_directive(topic);
    context.complain("no help on {}; there is: directives, states, options, every verb and every directive{}", base::printable(topic),
                     close.empty() ? "" : fmt::format("; did you mean {}?", close));
    return 2;
}

std::string systemd_version() { return "systemd 252 (monoinit " MONOINIT_VERSION ")"; }

int version(Context& context, Words) {
    if (context.options.json)
        context.print("{}\n", json_object({{"version", json_string(MONOINIT_VERSION)}}));
    else if (context.face == Face::Initctl)
        context.print("monoinit {}\n", MONOINIT_VERSION);
    else
        context.print("{}\n", systemd_version());
    return 0;
}

int not_here(Context& context, Words) {
    constexpr std::pair<std::string_view, std::string_view> reasons[] = {
        {"service-log-level", "asks services over the bus for org.freedesktop.LogControl1; use their own tools"},
        {"service-log-target", "asks services over the bus for org.freedesktop.LogControl1; use their own tools"},
        {"bind", "needs a mount namespace for each service; BindPaths= is not in force here either"},
        {"mount-image", "needs a mount namespace for each service"},
        {"list-machines", "asks systemd-machined, which does not run in a container"}};
    const auto* reason = std::ranges::find(reasons, std::string_view(context.verb), [](const auto& row) { return row.first; });
    if (reason != std::end(reasons))
        context.complain("{}: {} {}", context.program, reason->first, reason->second);
    else
        context.complain("{}: a container cannot {}", context.program, context.verb);
    return 1;
}

} // namespace monoinit::cli
