// enable, disable, reenable, preset, mask, unmask, link, set-default: changes to links, in docker build as well as online;
// a running init re-reads its units afterwards, as systemd does. Tested by tests/unit/cli/offline_test.cpp.
#include "base/enum_names.hpp"
#include "base/strings.hpp"
#include "cli/json.hpp"
#include "cli/operate.hpp"
#include "cli/verbs.hpp"
#include "sys/program.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <unistd.h>

namespace monoinit::cli {

using unit::InstallChange;
using unit::InstallResult;
using unit::first_failure;

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

/// One row a verb: what it does to the files, what follows with --now, how it is called when it went well, and when not.
struct LinkVerb {
    std::string_view name, done;
    std::optional<control::Verb> now;
    InstallResult (*run)(Context&, const unit::InstallOptions&, const Names&);
    std::string_view attempt; ///< "Failed to … unit"; empty: the name
};

template <InstallResult (*Function)(unit::FileTree&, const unit::Loader&, const Names&, const unit::InstallOptions&)>
InstallResult plain(Context& context, const unit::InstallOptions& options, const Names& names) {
    return Function(context.files(), context.loader(), names, options);
}

constexpr auto preset_modes = base::enum_names<unit::PresetMode>(
    {{unit::PresetMode::Full, "full"}, {unit::PresetMode::EnableOnly, "enable-only"}, {unit::PresetMode::DisableOnly, "disable-only"}});

unit::PresetMode preset_mode(const Context& context) {
    return base::value_of(preset_modes, context.options.preset_mode).value_or(unit::PresetMode::Full);
}

InstallResult run_preset(Context& context, const unit::InstallOptions& options, const Names& names) {
    return unit::preset(context.files(), context.loader(), names, options, preset_mode(context));
}

InstallResult run_preset_all(Context& context, const unit::InstallOptions& options, const Names&) {
    return unit::preset_all(context.files(), context.loader(), options, preset_mode(context));
}

InstallResult run_add(Context& context, const unit::InstallOptions& options, const Names& names) {
    const std::string_view side = context.verb == "add-wants" ? ".wants" : ".requires";
    return unit::add_dependency(context.files(), context.loader(), names.front(), side, {names.begin() + 1, names.end()}, options);
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
    {"preset-all", "set as presets say", std::nullopt,       run_preset_all, "preset"},
    {"revert",     "as its package has it", std::nullopt,    plain<unit::revert>},
    {"add-wants",    "wanted",         std::nullopt,         run_add, "add dependency on"},
    {"add-requires", "required",       std::nullopt,         run_add, "add dependency on"},
};
// clang-format on

std::string_view attempt_of(const LinkVerb& verb) { return verb.attempt.empty() ? verb.name : verb.attempt; }

/// What systemctl says where it works on the files itself; where the manager does, the text is the bus's.
std::string offline_failure(std::string_view attempt, const InstallChange& change) {
    const auto line = [&](std::string_view form) { return fmt::format(fmt::runtime(form), attempt, change.subject, change.other); };
    switch (change.refusal) {
    case unit::Refusal::Exists:
        return line(change.other.empty() ? "Failed to {} unit, file \"{}\" already exists." : "Failed to {} unit, file \"{}\" already exists and is a symlink to \"{}\".");
    case unit::Refusal::Masked:
        return line("Failed to {} unit, unit {} is masked.");
    case unit::Refusal::Generated:
        return line("Failed to {} unit, unit {} is transient or generated.");
    case unit::Refusal::AliasName:
        return line("Failed to {} unit, refusing to operate on linked unit file {}.");
    case unit::Refusal::CannotAlias:
        return line("Failed to {} unit, cannot alias {} as {}.");
    case unit::Refusal::NotFound:
        return line("Failed to {} unit, unit {} does not exist.");
    case unit::Refusal::InvalidName:
        return line("Failed to {} unit, \"{}\" is not a valid unit name.");
    case unit::Refusal::NotTemplate:
        return line("Failed to {} {}, destination unit {} is a non-template unit.");
    case unit::Refusal::NotAbsolute:
        return line("Failed to {} unit, {} is not an absolute path.");
    case unit::Refusal::System:
        return change.errnum != 0 ? fmt::format("Failed to {} unit, file \"{}\": {}", attempt, change.subject, std::strerror(change.errnum))
                                  : fmt::format("Failed to {} unit, file \"{}\": {}", attempt, change.subject, change.other);
    case unit::Refusal::None:
        break;
    }
    return change.path;
}

void report_as_systemctl(Context& context, std::string_view attempt, const InstallResult& changes) {
    for (const InstallChange& change : changes) {
        switch (change.kind) {
        case InstallChange::Kind::Symlink:
            context.remark("Created symlink {} → {}.", change.path, change.target);
            break;
        case InstallChange::Kind::Removed:
            context.remark("Removed \"{}\".", change.path);
            break;
        case InstallChange::Kind::Note:
            if (change.refusal == unit::Refusal::None || context.has_init())
                context.remark("{}", is_nothing_to_install(change.path) ? nothing_to_install : std::string_view(change.path));
            break;
        case InstallChange::Kind::Failed:
            if (context.has_init())
                context.complain("Failed to {} unit: {}", attempt, change.path);
            else
                context.complain("{}", offline_failure(attempt, change));
            break;
        }
    }
}

void report(Context& context, const LinkVerb& verb, const Names& names, const InstallResult& changes) {
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

/// Paths are made absolute, names complete.
base::Result<Names> file_names(Context& context, const Names& words) {
    Names names;
    for (const std::string& word : words) {
        const bool is_path = word.find('/') != std::string::npos || context.verb == "link";
        if (!is_path) {
            names.push_back(full_name(context, word, names.empty() && context.verb.starts_with("add-") ? ".target" : ".service"));
        } else if (word.starts_with('/')) {
            names.push_back(word);
        } else {
            if (!context.options.root.empty())
                return base::fail(base::Errc::Invalid, "Non-absolute paths are not allowed when --root is used: " + word);
            std::error_code error;
            names.push_back(std::filesystem::absolute(word, error).lexically_normal().string());
        }
    }
    return names;
}

int refused(Context& context, const LinkVerb& verb, const Names& names, const InstallChange& failure) {
    const bool missing = failure.refusal == unit::Refusal::NotFound;
    context.complain("{}: not {}: {}", names.empty() ? std::string(verb.name) : std::string(unit::short_name(names.front())), verb.done, failure.path);
    if (failure.errnum == EACCES || failure.errnum == EPERM)
        context.complain("  uid {} may not change {}; what works: sudo initctl {} {}", ::geteuid(), context.install_options().root + "/etc/systemd/system",
                         verb.name, base::join(names, " "));
    if (missing && !names.empty())
        if (const std::string best = suggest_unit(context, names.front()); !best.empty())
            context.complain("  did you mean {}?", best);
    return missing ? 4 : 1;
}

bool did_something(const InstallResult& changes) {
    return std::ranges::any_of(changes, [](const InstallChange& change) {
        return change.kind == InstallChange::Kind::Symlink || change.kind == InstallChange::Kind::Removed;
    });
}

/// Away from a manager systemctl does not mind that what is to be disabled is not there.
bool counts_as_failed(Context& context, const InstallChange& change) {
    return change.kind == InstallChange::Kind::Failed &&
           !(context.systemctl() && context.verb == "disable" && change.refusal == unit::Refusal::NotFound && !context.has_init());
}

} // namespace

int reload_after(Context& context) {
    if (!context.options.reload || !context.options.root.empty() || !context.has_init())
        return 0;
    const auto done = ask<control::Empty>(context, control::DaemonReloadRequest{});
    if (done)
        return 0;
    context.complain("{}: the files are changed, but monoinit did not read them again: {}", context.program, done.error().what);
    return 1;
}

int change_links(Context& context, Words words) {
    const LinkVerb& verb = *std::find_if(std::begin(link_verbs), std::end(link_verbs),
                                         [&](const LinkVerb& row) { return row.name == context.verb; });
    const std::string& mode = context.options.preset_mode;
    if (!mode.empty() && !base::value_of(preset_modes, mode)) {
        context.complain("Failed to parse preset mode: {}.", base::printable(mode));
        return context.systemctl() ? 1 : 2;
    }
    const auto named = file_names(context, words);
    if (!named) {
        context.complain("{}", named.error().what);
        return context.systemctl() ? 1 : 2;
    }
    const Names& names = *named;
    if (const int followed = follow_init_scripts(context, names); followed != 0)
        return followed;
    const InstallResult changes = verb.run(context, context.install_options(), names);
    if (const InstallChange* failure = first_failure(changes); failure != nullptr && !context.systemctl() && !did_something(changes))
        return refused(context, verb, names, *failure);
    if (context.options.json)
        report_as_json(context, changes);
    else if (context.systemctl())
        report_as_systemctl(context, attempt_of(verb), changes);
    else
        report(context, verb, names, changes);
    int status = std::ranges::any_of(changes, [&](const auto& change) { return counts_as_failed(context, change); }) ? 1 : 0;
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
    const std::string target = full_name(context, words.front(), ".target");
    const InstallResult changes = unit::set_default(context.files(), context.loader(), target, context.install_options());
    if (const InstallChange* failure = first_failure(changes); failure != nullptr) {
        const bool missing = failure->refusal == unit::Refusal::NotFound;
        if (!context.systemctl())
            context.complain("set-default: {}", failure->path);
        else if (context.has_init())
            context.complain("Failed to set default target: {}", failure->path);
        else
            context.complain("{}", failure->refusal == unit::Refusal::System ? "Failed to set default: Invalid argument." : offline_failure("set default", *failure));
        return !context.systemctl() && missing ? 4 : 1;
    }
    report_as_systemctl(context, "set default", changes);
    (void)reload_after(context); // it matters at the next boot only
    return 0;
}

} // namespace monoinit::cli
