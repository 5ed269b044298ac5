// enable, disable, reenable, preset, mask, unmask, link, set-default: changes to links, in docker build as well as online;
// a running init re-reads its units afterwards, as systemd does. Tested by tests/unit/cli/offline_test.cpp.
#include "base/strings.hpp"
#include "cli/json.hpp"
#include "cli/operate.hpp"
#include "cli/verbs.hpp"
#include "sys/program.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

namespace monoinit::cli {

using unit::InstallChange;
using unit::InstallResult;

namespace {

/// systemctl's own words; the loader's note says the same to people in two lines.
constexpr std::string_view nothing_to_install =
    "The unit files have no installation config (WantedBy=, RequiredBy=, Also=,\n"
    "Alias= settings in the [Install] section, and DefaultInstance= for template\n"
    "units). This means they are not meant to be enabled using systemctl.\n"
    " \n"
    "Possible reasons for having this kind of units are:\n"
    "• A unit may be statically enabled by being symlinked from another unit's\n"
    "  .wants/ or .requires/ directory.\n"
    "• A unit's purpose may be to act as a helper for some other unit which has\n"
    "  a requirement dependency on it.\n"
    "• A unit may be started when needed via activation (socket, path, timer,\n"
    "  D-Bus, udev, scripted systemctl call, ...).\n"
    "• In case of template units, the unit is meant to be enabled with some\n"
    "  instance name specified.";

bool is_nothing_to_install(std::string_view note) { return note.starts_with("The unit files have no installation config"); }

/// One row a verb: what it does to the files, what follows with --now, how it is called when it went well.
struct LinkVerb {
    std::string_view name, done;
    std::optional<control::Verb> now;
    InstallResult (*run)(Context&, const unit::InstallOptions&, const Names&);
};

template <InstallResult (*Function)(unit::FileTree&, const unit::Loader&, const Names&, const unit::InstallOptions&)>
InstallResult plain(Context& context, const unit::InstallOptions& options, const Names& names) {
    return Function(context.files(), context.loader(), names, options);
}

InstallResult run_preset(Context& context, const unit::InstallOptions& options, const Names& names) {
    const std::string& mode = context.options.preset_mode;
    if (!mode.empty() && mode != "full" && mode != "enable-only")
        return base::fail(base::Errc::Invalid, "--preset-mode=" + base::printable(mode) + " is not supported; full and enable-only are.");
    return unit::preset(context.files(), context.loader(), names, options, mode == "enable-only");
}

InstallResult run_preset_all(Context& context, const unit::InstallOptions& options, const Names&) {
    return run_preset(context, options, context.loader().all_names());
}

// clang-format off
constexpr LinkVerb link_verbs[] = {
    {"enable",     "enabled",          control::Verb::Start, plain<unit::enable>},
    {"disable",    "disabled",         control::Verb::Stop,  plain<unit::disable>},
    {"reenable",   "enabled anew",     control::Verb::Start, plain<unit::reenable>},
    {"mask",       "masked",           control::Verb::Stop,  plain<unit::mask>},
    {"unmask",     "unmasked",         std::nullopt,         plain<unit::unmask>},
    {"link",       "linked",           std::nullopt,         plain<unit::link>},
    {"preset",     "set as its preset says", std::nullopt,   run_preset},
    {"preset-all", "set as presets say", std::nullopt,       run_preset_all},
};
// clang-format on

void report_as_systemctl(Context& context, const LinkVerb& verb, const std::vector<InstallChange>& changes) {
    for (const InstallChange& change : changes) {
        switch (change.kind) {
        case InstallChange::Kind::Symlink:
            context.remark("Created symlink {} → {}.", change.path, change.target);
            break;
        case InstallChange::Kind::Removed:
            context.remark("Removed \"{}\".", change.path);
            break;
        case InstallChange::Kind::Note:
            context.remark("{}", is_nothing_to_install(change.path) ? nothing_to_install : std::string_view(change.path));
            break;
        case InstallChange::Kind::Failed:
            context.complain("Failed to {} unit: {}", verb.name, change.path);
            break;
        }
    }
}

void report(Context& context, const LinkVerb& verb, const Names& names, const std::vector<InstallChange>& changes) {
    bool changed = false, noted = false;
    std::string details;
    for (const InstallChange& change : changes) {
        switch (change.kind) {
        case InstallChange::Kind::Symlink:
            details += fmt::format("  {} → {}\n", change.path, change.target);
            changed = true;
            break;
        case InstallChange::Kind::Removed:
            details += fmt::format("  {} removed\n", change.path);
            changed = true;
            break;
        case InstallChange::Kind::Note:
            context.complain("{}", change.path);
            noted = true;
            break;
        case InstallChange::Kind::Failed:
            context.complain("{}", change.path);
            noted = true;
            break;
        }
    }
    if (!changed && noted)
        return;
    std::vector<std::string> shorter;
    for (const std::string& name : names)
        shorter.emplace_back(unit::short_name(name));
    context.say("{}: {}{}\n{}", base::join(shorter, ", "), changed ? "" : "already ", verb.done, details);
}

void report_as_json(Context& context, const std::vector<InstallChange>& changes) {
    std::vector<std::string> rows;
    for (const InstallChange& change : changes) {
        const bool link = change.kind == InstallChange::Kind::Symlink, removed = change.kind == InstallChange::Kind::Removed;
        rows.push_back(json_object({{"change", json_string(link ? "symlink" : removed ? "removed" : "note")},
                                    {link || removed ? "path" : "text", json_string(change.path)},
                                    {"target", json_string(change.target)}}));
    }
    context.print("{}\n", json_array(rows));
}

/// The links of init scripts follow those of the unit, where the machine's tool for that is installed.
int follow_init_scripts(Context& context, const Names& names) {
    constexpr const char* tool = "/lib/systemd/systemd-sysv-install";
    if (!context.systemctl() || (context.verb != "enable" && context.verb != "disable" && context.verb != "reenable"))
        return 0;
    int status = 0;
    for (const std::string& name : names) {
        const std::string script(unit::short_name(name));
        const std::string path = context.options.root + "/etc/init.d/" + script;
        if (!name.ends_with(".service") || name.find('/') != std::string::npos || ::access(path.c_str(), F_OK) != 0 || ::access(tool, X_OK) != 0)
            continue;
        std::vector<std::string> command{tool, context.verb == "disable" ? "disable" : "enable", script};
        if (!context.options.root.empty())
            command.insert(command.begin() + 1, "--root=" + context.options.root);
        context.remark("Synchronizing state of {} with SysV service script with {}.", name, tool);
        context.remark("Executing: {}", base::join(command, " "));
        context.flush();
        const auto ended = sys::run_program(command);
        if (!ended || *ended != 0)
            status = 1;
    }
    return status;
}

/// What a file change means for a running init: it reads its units again.
int reload_after(Context& context) {
    if (!context.options.reload || !context.options.root.empty() || !context.has_init())
        return 0;
    const auto done = ask<control::Empty>(context, control::DaemonReloadRequest{});
    if (done)
        return 0;
    context.complain("{}: the files are changed, but monoinit did not read them again: {}", context.program, done.error().what);
    return 1;
}

Names file_names(const Names& words) {
    Names names;
    for (const std::string& word : words)
        names.push_back(word.find('/') != std::string::npos ? word : unit::with_suffix(word));
    return names;
}

int refused(Context& context, const LinkVerb& verb, const Names& names, const base::Error& error) {
    if (context.systemctl()) {
        context.complain("Failed to {} unit: {}", verb.name, error.what);
        return 1;
    }
    context.complain("{}: not {}: {}", names.empty() ? std::string(verb.name) : std::string(unit::short_name(names.front())), verb.done, error.what);
    if (error.errnum == EACCES || error.errnum == EPERM || error.code == base::Errc::Denied)
        context.complain("  uid {} may not change {}; what works: sudo initctl {} {}", ::geteuid(), context.install_options().root + "/etc/systemd/system",
                         verb.name, base::join(names, " "));
    if (error.code == base::Errc::NotFound && !names.empty())
        if (const std::string best = suggest_unit(context, names.front()); !best.empty())
            context.complain("  did you mean {}?", best);
    return error.code == base::Errc::NotFound ? 4 : 1;
}

} // namespace

int change_links(Context& context, Words words) {
    const LinkVerb& verb = *std::find_if(std::begin(link_verbs), std::end(link_verbs),
                                         [&](const LinkVerb& row) { return row.name == context.verb; });
    const Names names = file_names(words);
    if (const int followed = follow_init_scripts(context, names); followed != 0)
        return followed;
    const auto changes = verb.run(context, context.install_options(), names);
    if (!changes)
        return refused(context, verb, names, changes.error());
    if (context.options.json)
        report_as_json(context, *changes);
    else if (context.systemctl())
        report_as_systemctl(context, verb, *changes);
    else
        report(context, verb, names, *changes);
    int status = std::any_of(changes->begin(), changes->end(), [](const auto& c) { return c.kind == InstallChange::Kind::Failed; });
    context.flush();
    if (const int reloaded = reload_after(context); status == 0 && !context.systemctl())
        status = reloaded;
    if (!context.options.now || !verb.now || !context.options.root.empty())
        return status;
    if (!context.has_init())
        return context.complain_no_init(base::fail(base::Errc::NotFound, ""));
    context.verb = *verb.now == control::Verb::Start ? "start" : "stop";
    Names units;
    for (const std::string& name : names)
        units.push_back(name.substr(name.rfind('/') + 1));
    const int started = operate_units(context, *verb.now, units);
    return status == 0 ? started : status;
}

int set_default(Context& context, Words words) {
    const std::string target = unit::with_suffix(words.front(), ".target");
    const auto changes = unit::set_default(context.files(), context.loader(), target, context.install_options());
    if (!changes) {
        context.complain("{}: {}", context.systemctl() ? "Failed to set default target" : "set-default", changes.error().what);
        return !context.systemctl() && changes.error().code == base::Errc::NotFound ? 4 : 1;
    }
    for (const InstallChange& change : *changes) {
        if (change.kind == InstallChange::Kind::Symlink)
            context.remark("Created symlink {} → {}.", change.path, change.target);
        else if (change.kind == InstallChange::Kind::Removed)
            context.remark("Removed \"{}\".", change.path);
    }
    (void)reload_after(context); // it matters at the next boot only
    return 0;
}

} // namespace monoinit::cli
