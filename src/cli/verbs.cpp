// The table of verbs and the way from words to one of them. Tested by tests/unit/cli/verbs_test.cpp.
#include "cli/verbs.hpp"

#include "base/strings.hpp"

#include <algorithm>
#include <array>

namespace monoinit::cli {

namespace {

constexpr bool yes = true, no = false;

// clang-format off
constexpr auto table = std::to_array<VerbRow>({
    // name, initctl, systemctl, arguments, least, most, needs, section, run, help
    {"status",            yes, yes, "[UNIT…|PID…]", 0, any_number, Needs::Init, Section::Look, status, "how units are: state, why, what next, processes, last lines"},
    {"list",              yes, no,  "[GLOB…]",      0, any_number, Needs::Init, Section::Look, list, "a line a unit (--all, --masked, --failed)"},
    {"logs",              yes, no,  "[UNIT…]",      0, any_number, Needs::Nothing, Section::Look, logs, "output of units (-f, -n LINES)"},
    {"show",              yes, yes, "[UNIT…]",      0, any_number, Needs::Init, Section::Look, show, "properties (-p NAME, --value)"},
    {"cat",               yes, yes, "UNIT…",        1, any_number, Needs::Files, Section::Look, cat, "the files a unit is made of"},
    {"doctor",            yes, no,  "",             0, 0,          Needs::Nothing, Section::Look, doctor, "what this container allows and lacks, with the fix"},
    {"ports",             yes, no,  "",             0, 0,          Needs::Files, Section::Look, ports, "what services listen on (--devcontainer: forwardPorts of what is enabled)"},
    {"env",               yes, no,  "[UNIT]",       0, 1,          Needs::Init, Section::Look, env, "the environment its commands get, and from where"},
    {"is-active",         yes, yes, "UNIT…",        1, any_number, Needs::Init, Section::Look, is_active, "exit 0 if one is active"},
    {"is-failed",         yes, yes, "[UNIT…]",      0, any_number, Needs::Init, Section::Look, is_failed, "exit 0 if one has failed"},
    {"is-enabled",        yes, yes, "UNIT…",        1, any_number, Needs::Files, Section::Look, is_enabled, "exit 0 if one is enabled"},
    {"wait",              yes, no,  "[UNIT…]",      0, any_number, Needs::Init, Section::Look, wait, "until ready (--for=, --any, --timeout=); 0 reached, 1 failed, 3 timeout, 4 unknown"},
    {"health",            yes, no,  "[UNIT…]",      0, any_number, Needs::Init, Section::Look, health, "one verdict (--startup, --ready, --live); exit 0 if healthy, else 1"},
    {"list-units",        yes, yes, "[GLOB…]",      0, any_number, Needs::Init, Section::Look, list_units, "units in memory, systemctl's form"},
    {"list-unit-files",   yes, yes, "[GLOB…]",      0, any_number, Needs::Files, Section::Look, list_unit_files, "unit files and whether they are enabled"},
    {"list-jobs",         yes, yes, "[GLOB…]",      0, any_number, Needs::Init, Section::Look, list_jobs, "what is queued, and what it waits for"},
    {"list-dependencies", yes, yes, "[UNIT…]",      0, any_number, Needs::Init, Section::Look, list_dependencies, "what it needs (--reverse, --after, --before, --all)"},
    {"list-timers",       yes, yes, "[GLOB…]",      0, any_number, Needs::Init, Section::Look, list_timers, "timers: when next, when last, what they start (--all, --json)"},
    {"calendar",          yes, no,  "EXPR…",        1, any_number, Needs::Nothing, Section::Look, calendar, "when an OnCalendar= elapses (--iterations=N, --base-time=)"},
    {"list-paths",        yes, yes, "[GLOB…]",      0, any_number, Needs::Init, Section::Look, list_paths, "path units: what they watch, and what they start (--all, --json)"},
    {"list-sockets",      yes, yes, "[GLOB…]",      0, any_number, Needs::Init, Section::Look, list_sockets, "sockets: what is listened on, and what it starts (--all, --json)"},

    {"start",             yes, yes, "UNIT…",        1, any_number, Needs::Init, Section::Operate, operate, "start, with what it needs"},
    {"stop",              yes, yes, "UNIT…",        1, any_number, Needs::Init, Section::Operate, operate, "stop, with what needs it"},
    {"restart",           yes, yes, "UNIT…",        1, any_number, Needs::Init, Section::Operate, operate, "stop and start"},
    {"try-restart",       yes, yes, "UNIT…",        1, any_number, Needs::Init, Section::Operate, operate, "restart what runs"},
    {"condrestart",       no,  yes, "UNIT…",        1, any_number, Needs::Init, Section::Operate, operate, ""},
    {"reload",            yes, yes, "UNIT…",        1, any_number, Needs::Init, Section::Operate, operate, "have it read its configuration again"},
    {"reload-or-restart", yes, yes, "UNIT…",        1, any_number, Needs::Init, Section::Operate, operate, "reload, else restart"},
    {"try-reload-or-restart", yes, yes, "UNIT…",    1, any_number, Needs::Init, Section::Operate, operate, "the same, if it runs"},
    {"reload-or-try-restart", no, yes, "UNIT…",     1, any_number, Needs::Init, Section::Operate, operate, ""},
    {"force-reload",      no,  yes, "UNIT…",        1, any_number, Needs::Init, Section::Operate, operate, ""},
    {"isolate",           yes, yes, "TARGET",       1, 1,          Needs::Init, Section::Operate, operate, "start this and stop everything else"},
    {"run",               yes, no,  "[--name NAME] COMMAND…", 1, any_number, Needs::Nothing, Section::Operate, run, "a service without a file: it outlives who asked (--wait, --save, -p, --env …)"},
    {"kill",              yes, yes, "UNIT…",        1, any_number, Needs::Init, Section::Operate, kill, "send a signal (-s SIGTERM, --kill-whom=all)"},
    {"reset-failed",      yes, yes, "[UNIT…]",      0, any_number, Needs::Init, Section::Operate, reset_failed, "forget failures and counters"},
    {"cancel",            yes, yes, "[JOB…]",       0, any_number, Needs::Init, Section::Operate, cancel, "take jobs out of the queue"},

    {"enable",            yes, yes, "UNIT…",        1, any_number, Needs::Files, Section::Files, change_links, "start at boot (--now: also now)"},
    {"disable",           yes, yes, "UNIT…",        1, any_number, Needs::Files, Section::Files, change_links, "do not start at boot"},
    {"reenable",          yes, yes, "UNIT…",        1, any_number, Needs::Files, Section::Files, change_links, "disable and enable, as [Install] now says"},
    {"preset",            yes, yes, "UNIT…",        1, any_number, Needs::Files, Section::Files, change_links, "as the preset files say"},
    {"preset-all",        no,  yes, "",             0, 0,          Needs::Files, Section::Files, change_links, ""},
    {"mask",              yes, yes, "UNIT…",        1, any_number, Needs::Files, Section::Files, change_links, "never start it, whoever asks"},
    {"unmask",            yes, yes, "UNIT…",        1, any_number, Needs::Files, Section::Files, change_links, "undo mask; also lets a machine unit run"},
    {"link",              yes, yes, "PATH…",        1, any_number, Needs::Files, Section::Files, change_links, "use a unit file that lies elsewhere"},
    {"revert",            yes, yes, "UNIT…",        1, any_number, Needs::Files, Section::Files, change_links, "take away what stands over its package's file: copies, drop-ins, masks"},
    {"add-wants",         yes, yes, "TARGET UNIT…", 2, any_number, Needs::Files, Section::Files, change_links, "have the target want them, whatever their [Install] says"},
    {"add-requires",      yes, yes, "TARGET UNIT…", 2, any_number, Needs::Files, Section::Files, change_links, "have the target require them"},
    {"edit",              yes, yes, "UNIT…",        1, any_number, Needs::Files, Section::Files, edit, "a drop-in in your editor (--full: a copy of the unit, --stdin)"},
    {"get-default",       yes, yes, "",             0, 0,          Needs::Files, Section::Files, get_default, "the boot target"},
    {"set-default",       yes, yes, "TARGET",       1, 1,          Needs::Files, Section::Files, set_default, "another boot target"},
    {"verify",            yes, no,  "[UNIT…|FILE…]", 0, any_number, Needs::Files, Section::Files, verify, "what is wrong with unit files (--portable: under systemd)"},

    {"daemon-reload",     yes, yes, "",             0, 0,          Needs::Init, Section::Manager, daemon_reload, "read the unit files again"},
    {"daemon-reexec",     yes, yes, "",             0, 0,          Needs::Init, Section::Manager, daemon_reexec, "execute the binary anew; services do not notice"},
    {"is-system-running", yes, yes, "",             0, 0,          Needs::Nothing, Section::Manager, is_system_running, "running, degraded, starting …; exit 0 if running"},
    {"set-environment",   yes, yes, "NAME=VALUE…",  1, any_number, Needs::Init, Section::Manager, change_environment, "for services started from now on"},
    {"unset-environment", yes, yes, "NAME…",        1, any_number, Needs::Init, Section::Manager, change_environment, "take it out again"},
    {"import-environment", no, yes, "[NAME…]",      0, any_number, Needs::Init, Section::Manager, change_environment, ""},
    {"show-environment",  no,  yes, "",             0, 0,          Needs::Init, Section::Manager, env, ""},
    {"set-property",      yes, yes, "UNIT NAME=VALUE…", 2, any_number, Needs::Init, Section::Manager, set_property, "keep limits in a drop-in (--runtime: until the container ends)"},
    {"clean",             yes, yes, "UNIT…",        1, any_number, Needs::Init, Section::Manager, clean, "remove cache and runtime directories of what is down (--what=)"},
    {"freeze",            yes, yes, "UNIT…",        1, any_number, Needs::Init, Section::Manager, freeze, "stop its processes where they are"},
    {"thaw",              yes, yes, "UNIT…",        1, any_number, Needs::Init, Section::Manager, freeze, "let them go on"},
    {"whoami",            yes, yes, "[PID…]",       0, any_number, Needs::Init, Section::Look, whoami, "the unit that processes belong to"},
    {"log-level",         no,  yes, "[LEVEL]",      0, 1,          Needs::Init, Section::Manager, log_level, ""},
    {"log-target",        no,  yes, "[TARGET]",     0, 1,          Needs::Init, Section::Manager, log_level, ""},
    {"service-watchdogs", no,  yes, "[yes]",        0, 1,          Needs::Init, Section::Manager, log_level, ""},
    {"service-log-level", no,  yes, "UNIT [LEVEL]", 1, 2,          Needs::Init, Section::Manager, not_here, ""},
    {"service-log-target", no, yes, "UNIT [TARGET]", 1, 2,         Needs::Init, Section::Manager, not_here, ""},
    {"bind",              no,  yes, "UNIT PATH [PATH]", 2, 3,      Needs::Nothing, Section::Manager, not_here, ""},
    {"mount-image",       no,  yes, "UNIT PATH [PATH]", 2, any_number, Needs::Nothing, Section::Manager, not_here, ""},
    {"list-machines",     no,  yes, "[GLOB…]",      0, any_number, Needs::Nothing, Section::Manager, not_here, ""},
    {"hybrid-sleep",      no,  yes, "",             0, 0,          Needs::Nothing, Section::Manager, not_here, ""},
    {"suspend-then-hibernate", no, yes, "",         0, 0,          Needs::Nothing, Section::Manager, not_here, ""},
    {"sleep",             no,  yes, "",             0, 0,          Needs::Nothing, Section::Manager, not_here, ""},
    {"list-automounts",   no,  yes, "[GLOB…]",      0, any_number, Needs::Init, Section::Look, list_automounts, ""},
    {"shutdown",          yes, no,  "",             0, 0,          Needs::Init, Section::Manager, shutdown, "as docker stop: everything in order, in the time there is (--plan: show it)"},
    {"exit",              yes, yes, "[STATUS]",     0, 1,          Needs::Init, Section::Manager, exit_container, "stop everything in order and end the container"},
    {"halt",              no,  yes, "",             0, 0,          Needs::Init, Section::Manager, power, ""},
    {"poweroff",          no,  yes, "",             0, 0,          Needs::Init, Section::Manager, power, ""},
    {"reboot",            no,  yes, "[ARGUMENT]",   0, 1,          Needs::Init, Section::Manager, power, ""},
    {"kexec",             no,  yes, "",             0, 0,          Needs::Init, Section::Manager, power, ""},
    {"soft-reboot",       no,  yes, "",             0, 0,          Needs::Init, Section::Manager, power, ""},
    {"default",           no,  yes, "",             0, 0,          Needs::Init, Section::Manager, operate, ""},
    {"rescue",            no,  yes, "",             0, 0,          Needs::Nothing, Section::Manager, not_here, ""},
    {"emergency",         no,  yes, "",             0, 0,          Needs::Nothing, Section::Manager, not_here, ""},
    {"switch-root",       no,  yes, "ROOT [INIT]",  0, 2,          Needs::Nothing, Section::Manager, not_here, ""},
    {"suspend",           no,  yes, "",             0, 0,          Needs::Nothing, Section::Manager, not_here, ""},
    {"hibernate",         no,  yes, "",             0, 0,          Needs::Nothing, Section::Manager, not_here, ""},

    {"help",              yes, yes, "[directives|states|options|VERB]", 0, any_number, Needs::Nothing, Section::Other, help, "this, or a reference (--format=text, md, json)"},
    {"version",           yes, no,  "",             0, 0,          Needs::Nothing, Section::Other, version, "the version"},
});
// clang-format on

constexpr bool well_formed() {
    for (std::size_t i = 0; i < table.size(); i++) {
        if (table[i].run == nullptr || (table[i].initctl && table[i].help.empty()) || table[i].least > table[i].most)
            return false;
        for (std::size_t j = 0; j < i; j++)
            if (table[i].name == table[j].name)
                return false;
    }
    return true;
}
static_assert(well_formed(), "each verb has one row, a function, and words for people");

int usage_status(const Context& context) { return context.systemctl() ? 1 : 2; }

int unknown_verb(Context& context, const std::string& word) {
    if (context.systemctl()) {
        context.complain("Unknown command verb {}.", word);
        return 1;
    }
    std::vector<std::string_view> names;
    for (const VerbRow& verb : table)
        if (verb.initctl)
            names.push_back(verb.name);
    const std::string_view best = base::closest(word, names);
    context.complain("{}: there is no verb {}{}", context.program, base::printable(word),
                     best.empty() ? std::string("; see initctl help") : fmt::format("; did you mean {}?", best));
    return 2;
}

} // namespace

std::span<const VerbRow> verbs() { return table; }

const VerbRow* find_verb(Face face, std::string_view name) {
    const auto* found = std::find_if(table.begin(), table.end(), [&](const VerbRow& verb) {
        return verb.name == name && (face == Face::Systemctl ? verb.systemctl : verb.initctl);
    });
    return found == table.end() ? nullptr : found;
}

int dispatch(Context& context, const Names& words) {
    if (context.options.global) {
        context.remark("monoinit runs no user units; nothing was changed.");
        return 0;
    }
    if (!context.options.user_manager.empty()) {
        context.remark("Failed to connect to bus: No medium found"); // as where nobody is logged in
        return 1;
    }
    if (words.empty()) {
        context.verb = context.systemctl() ? "list-units" : "overview";
        return context.systemctl() ? list_units(context, words) : overview(context, words);
    }
    const VerbRow* verb = find_verb(context.face, words.front());
    if (verb == nullptr)
        return unknown_verb(context, words.front());
    context.verb = verb->name;
    const Names rest(words.begin() + 1, words.end());
    const int count = static_cast<int>(rest.size());
    if ((count < verb->least && !context.options.marked) || count > verb->most) {
        if (context.systemctl())
            context.complain("Too {} arguments.", count < verb->least ? "few" : "many");
        else
            context.complain("usage: initctl {} {}", verb->name, verb->arguments);
        return usage_status(context);
    }
    if (verb->needs == Needs::Init && context.options.root.empty()) {
        const auto init = context.init();
        if (!init)
            return context.complain_no_init(init.error());
    }
    return verb->run(context, rest);
}

} // namespace monoinit::cli
