// systemd-run: its options become what `initctl run` does. Judged by the real one in tests/system/tools.py (slips) and by what
// comes of it in tests/system/run.py.
#include "base/calendar.hpp"
#include "base/strings.hpp"
#include "cli/programs.hpp"
#include "cli/run.hpp"
#include "cli/tool.hpp"
#include "cli/verbs.hpp"
#include "sys/real_files.hpp"
#include "sys/users.hpp"
#include "unit/name.hpp"
#include "unit/values.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sys/random.h>
#include <unistd.h>

namespace monoinit::cli {

namespace {

constexpr Argument none = Argument::None, required = Argument::Required;
// clang-format off
constexpr ToolOption options[] = {
    {"unit",              'u', required, "UNIT",       "its name"},
    {"property",          'p', required, "NAME=VALUE", "a setting of its unit file"},
    {"description",        0,  required, "TEXT",       "what it is"},
    {"slice",              0,  required, "SLICE",      "the slice it belongs to"},
    {"slice-inherit",      0,  none,     "",           "below the slice of who asks"},
    {"expand-environment", 0,  required, "BOOL",       "whether ${VARIABLES} in the command are the service's (yes)"},
    {"no-block",           0,  none,     "",           "do not wait until it has started"},
    {"remain-after-exit", 'r', none,     "",           "it stays active when it has ended"},
    {"wait",               0,  none,     "",           "wait until it has ended; exit with its status"},
    {"send-sighup",        0,  none,     "",           "SIGHUP behind SIGTERM when it is stopped"},
    {"service-type",       0,  required, "TYPE",       "simple (the default), exec, oneshot, notify …"},
    {"uid",                0,  required, "USER",       "who it runs as"},
    {"gid",                0,  required, "GROUP",      "its group"},
    {"nice",               0,  required, "NICE",       "its nice level"},
    {"working-directory",  0,  required, "PATH",       "where it starts"},
    {"same-dir",          'd', none,     "",           "where you are"},
    {"setenv",            'E', required, "NAME[=VALUE]", "a variable of its environment; without a value, with yours"},
    {"pty",               't', none,     "",           "on a terminal that is connected to yours"},
    {"pipe",              'P', none,     "",           "with your standard input, output and error"},
    {"quiet",             'q', none,     "",           "say errors only"},
    {"collect",           'G', none,     "",           "forget it when it has ended, also when it has failed"},
    {"shell",             'S', none,     "",           "your shell, on a terminal, where you are"},
    {"scope",              0,  none,     "",           "run the command from here"},
    {"on-active",          0,  required, "SPAN",       "start it so long from now"},
    {"on-boot",            0,  required, "SPAN",       "… after the machine was booted"},
    {"on-startup",         0,  required, "SPAN",       "… after the init was started"},
    {"on-unit-active",     0,  required, "SPAN",       "… after it was started last"},
    {"on-unit-inactive",   0,  required, "SPAN",       "… after it ended last"},
    {"on-calendar",        0,  required, "CALENDAR",   "by the calendar"},
    {"on-clock-change",    0,  none,     "",           "when the clock is set"},
    {"on-timezone-change", 0,  none,     "",           "when the time zone is another"},
    {"timer-property",     0,  required, "NAME=VALUE", "a setting of the timer"},
    {"path-property",      0,  required, "NAME=VALUE", "a setting of a path unit that starts it"},
    {"socket-property",    0,  required, "NAME=VALUE", "a setting of a socket unit that starts it"},
    {"no-ask-password",    0,  none,     "",           ""},
    {"user",               0,  none,     "",           "as yourself"},
    {"system",             0,  none,     "",           ""},
    {"host",              'H', required, "HOST",       ""},
    {"machine",           'M', required, "CONTAINER",  ""},
    {"job-mode",           0,  required, "MODE",       "as systemctl's"},
    {"background",         0,  required, "COLOR",      ""},
    {"ignore-failure",     0,  none,     "",           "exit 0 whatever becomes of it"},
};
// clang-format on
constexpr Tool tool{"systemd-run", "[OPTIONS…] COMMAND…", "Runs a command as a service that no file describes.", options, true};

/// Options that make a line of the timer.
constexpr std::pair<std::string_view, std::string_view> timer_lines[] = {
    {"on-active", "OnActiveSec"}, {"on-boot", "OnBootSec"}, {"on-startup", "OnStartupSec"}, {"on-unit-active", "OnUnitActiveSec"},
    {"on-unit-inactive", "OnUnitInactiveSec"}, {"on-calendar", "OnCalendar"}};
/// Options that make a line of the service.
constexpr std::pair<std::string_view, std::string_view> service_lines[] = {{"service-type", "Type"}, {"gid", "Group"}, {"nice", "Nice"}};

struct Wish {
    const ToolLine& line;
    bool timer = false, path = false, socket = false;
    bool pty = false, pipe = false;
    bool triggered() const { return timer || path || socket; }
    bool shell() const { return line.has("shell"); }
};

Wish wish_of(const ToolLine& line) {
    Wish wish{line};
    for (const auto& [option, directive] : timer_lines)
        wish.timer = wish.timer || line.has(option);
    wish.timer = wish.timer || line.has("on-clock-change") || line.has("on-timezone-change");
    wish.path = line.has("path-property");
    wish.socket = line.has("socket-property");
    wish.pty = line.has("pty") || wish.shell();
    wish.pipe = line.has("pipe");
    if (wish.pty && wish.pipe) { // as a script wants it that may also run on a terminal
        wish.pty = ::isatty(0) == 1 && ::isatty(1) == 1 && ::isatty(2) == 1;
        wish.pipe = !wish.pty;
    }
    return wish;
}

/// What contradicts itself; nothing if it is fine.
std::optional<std::string> contradiction(const Wish& wish) {
    const ToolLine& line = wish.line;
    const bool scope = line.has("scope");
    if (wish.shell() && !line.words.empty())
        return "If --shell is used, no command line is expected.";
    if (const auto nice = line.last("nice"); nice && !unit::parse_integer(*nice, -20, 19))
        return "Failed to parse nice value: " + *nice;
    if (const auto expand = line.last("expand-environment"); expand && !unit::parse_bool(*expand))
        return "Failed to parse boolean argument to --expand-environment=: " + *expand + ".";
    const sys::RealFiles files;
    base::TimeZones zones(&files, "");
    for (const std::string& calendar : line.all("on-calendar"))
        if (!base::Calendar::parse(calendar, zones))
            return "Failed to parse calendar event specification: Invalid argument";
    if (!wish.shell() && line.words.empty() && !(line.has("unit") && wish.triggered()))
        return "Command line to execute required.";
    if ((wish.pty || wish.pipe) && line.has("no-block"))
        return "--pty/--pipe is not compatible with --no-block.";
    if (scope && wish.triggered())
        return "Path, socket or timer options are not supported in --scope mode.";
    if (wish.timer + wish.path + wish.socket > 1)
        return "Only single trigger (path, socket, timer) unit can be created.";
    if (line.has("timer-property") && !wish.timer)
        return "--timer-property= has no effect without any other timer options.";
    if ((wish.pty || wish.pipe) && (wish.triggered() || scope))
        return "--pty/--pipe is not compatible in timer or --scope mode.";
    if (scope && (line.has("remain-after-exit") || line.has("service-type")))
        return "--remain-after-exit and --service-type= are not supported in --scope mode.";
    if (line.has("wait") && line.has("no-block"))
        return "--wait may not be combined with --no-block.";
    if (line.has("wait") && wish.triggered())
        return "--wait may not be combined with path, socket or timer operations.";
    if (line.has("wait") && scope)
        return "--wait may not be combined with --scope.";
    return std::nullopt;
}

/// "run-r0123….": what systemd calls units without a name.
std::string nameless() {
    std::uint8_t bytes[16] = {};
    (void)!::getrandom(bytes, sizeof bytes, 0);
    std::string name = std::string(unit::nameless_prefix) + "r";
    for (const unsigned byte : bytes)
        name += fmt::format("{:02x}", byte);
    return name;
}

/// The name without its suffix; either the service's or that of what starts it may be given.
std::string stem_of(const Wish& wish) {
    const std::string name = wish.line.last("unit").value_or(nameless());
    const auto type = unit::type_of(name);
    return unit::is_valid_name(name) && type ? name.substr(0, name.rfind('.')) : unit::escape(name) == name ? name : unit::with_suffix(name).substr(0, unit::with_suffix(name).rfind('.'));
}

/// The slice it goes to: the one asked for, with --slice-inherit below that of the unit we are part of. Empty: the usual one.
std::string slice_of(Context& context, const ToolLine& line) {
    const auto asked = line.last("slice");
    const std::string name = asked ? unit::with_suffix(*asked, ".slice") : "";
    if (!line.has("slice-inherit"))
        return name;
    const auto own = ask<control::StatusReply>(context, control::StatusRequest{.pid = ::getpid()});
    if (!own)
        return name; // nobody's: a shell of docker exec
    const auto facts = ask<control::PropertiesReply>(context, control::PropertiesRequest{.unit = own->unit.summary.name, .only = {"Slice"}});
    const std::string above = facts && !facts->properties.empty() ? facts->properties.front().second : "";
    if (name.empty() || !unit::is_valid_name(above))
        return name.empty() ? above : name;
    return std::string(unit::prefix_of(above)) + "-" + name;
}

void fill_service(Context& context, const Wish& wish, unit::TransientSpec& spec) {
    const ToolLine& line = wish.line;
    const auto add = [&](std::string_view directive, const std::string& value) { spec.properties.push_back(fmt::format("{}={}", directive, value)); };
    spec.maker = "systemd-run";
    spec.literal = true;
    const auto expand = line.last("expand-environment");
    spec.expand_variables = !expand || *unit::parse_bool(*expand);
    spec.description = line.last("description").value_or(base::printable(base::join(spec.command, " "), 160));
    if (spec.description.ends_with('\\'))
        spec.description += ' ';
    spec.user = line.last("uid").value_or("");
    spec.working_directory = line.has("same-dir") || wish.shell() ? current_directory() : line.last("working-directory").value_or("");
    add("Type", "simple");
    for (const auto& [option, directive] : service_lines)
        if (const auto value = line.last(option))
            add(directive, *value);
    if (const std::string slice = slice_of(context, line); !slice.empty())
        add("Slice", slice);
    if (line.has("remain-after-exit"))
        add("RemainAfterExit", "yes");
    if (line.has("send-sighup") || wish.shell())
        add("SendSIGHUP", "yes");
    if (line.has("collect") || wish.shell())
        add("CollectMode", "inactive-or-failed");
    for (const std::string& property : line.all("property"))
        spec.properties.push_back(property);
}

unit::TriggerSpec trigger_of(const Wish& wish, const std::string& stem, const std::string& service, const std::string& description) {
    const ToolLine& line = wish.line;
    unit::TriggerSpec trigger{.name = stem + (wish.timer ? ".timer" : wish.path ? ".path" : ".socket"), .description = description, .maker = "systemd-run", .literal = true};
    if (service != stem + ".service")
        trigger.properties.push_back((wish.socket ? "Service=" : "Unit=") + service);
    for (const auto& [option, directive] : timer_lines)
        for (const std::string& value : line.all(option))
            trigger.properties.push_back(fmt::format("{}={}", directive, value));
    if (line.has("on-clock-change"))
        trigger.properties.emplace_back("OnClockChange=yes");
    if (line.has("on-timezone-change"))
        trigger.properties.emplace_back("OnTimezoneChange=yes");
    if (wish.timer)
        trigger.properties.emplace_back("RemainAfterElapse=no");
    for (const std::string& property : line.all(wish.timer ? "timer-property" : wish.path ? "path-property" : "socket-property"))
        trigger.properties.push_back(property);
    return trigger;
}

/// --setenv=NAME of a variable that we have not is nothing, as there.
std::vector<std::string> environment_of(const ToolLine& line) {
    std::vector<std::string> words = line.all("setenv");
    std::erase_if(words, [](const std::string& word) { return word.find('=') == std::string::npos && ::getenv(word.c_str()) == nullptr; });
    return std::move(assignments(words)).value_or(std::vector<std::string>());
}

int execute(const std::vector<std::string>& command, const std::string& program) {
    std::vector<std::string> words = command;
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execv(program.c_str(), argv.data());
    return complain("Failed to execute: {}", std::strerror(errno));
}

/// Makes this process a scope unit's. Without an init there is none, and the command runs even so.
base::Result<void> enter_scope(Context& context, const Wish& wish, const std::string& stem, const std::vector<std::string>& command) {
    const auto init = context.init();
    if (!init) {
        if (wish.line.has("property"))
            complain("Properties of a scope are not in force without a running monoinit.");
        return {};
    }
    unit::TriggerSpec scope{.name = stem + ".scope", .maker = "systemd-run", .literal = true};
    scope.description = wish.line.last("description").value_or(base::printable(base::join(command, " "), 160));
    if (const auto slice = wish.line.last("slice"))
        scope.properties.push_back("Slice=" + unit::with_suffix(*slice, ".slice"));
    for (const std::string& property : wish.line.all("property"))
        scope.properties.push_back(property);
    const std::string text = TRY(unit::transient_trigger(context.loader().environment(), scope));
    TRY((*init)->ask<control::Empty>(control::AdoptRequest{scope.name, text, {::getpid()}}));
    return {};
}

/// --scope: the command is ours, not the init's, which follows it.
int run_scope(Context& context, const Wish& wish, const std::string& stem, const std::vector<std::string>& command, const std::string& program) {
    const ToolLine& line = wish.line;
    if (const auto entered = enter_scope(context, wish, stem, command); !entered)
        return complain("Failed to start transient scope unit: {}", entered.error().what);
    if (const auto nice = line.last("nice"))
        if (errno = 0; ::nice(static_cast<int>(*unit::parse_integer(*nice, -20, 19))) == -1 && errno != 0)
            return complain("Failed to set nice level: {}", std::strerror(errno));
    for (const std::string& assignment : environment_of(line))
        ::setenv(assignment.substr(0, assignment.find('=')).c_str(), assignment.substr(assignment.find('=') + 1).c_str(), 1);
    const auto user = line.has("uid") ? sys::find_user(*line.last("uid")) : std::nullopt;
    if (line.has("uid") && !user)
        return complain("Failed to resolve user {}: No such process", *line.last("uid"));
    const auto group = line.has("gid") ? sys::find_group(*line.last("gid")) : user ? std::optional(user->gid) : std::nullopt;
    if (line.has("gid") && !group)
        return complain("Failed to resolve group {}: No such process", *line.last("gid"));
    if ((group && ::setresgid(*group, *group, *group) != 0) || (user && ::setresuid(user->uid, user->uid, user->uid) != 0))
        return complain("Failed to change identity: {}", std::strerror(errno));
    const std::string directory = line.has("same-dir") ? "" : line.last("working-directory").value_or("");
    if (!directory.empty() && ::chdir(directory.c_str()) != 0)
        return complain("Failed to change directory to {}: {}", directory, std::strerror(errno));
    if (!context.options.quiet)
        complain("Running scope as unit: {}.scope", stem);
    return execute(command, program);
}

/// What to execute: the words, or a shell.
std::vector<std::string> command_of(const Wish& wish) {
    if (!wish.shell())
        return wish.line.words;
    const char* const shell = ::getenv("SHELL");
    return {shell != nullptr && *shell == '/' ? shell : "/bin/sh"};
}

} // namespace

int run_main(int argc, char** argv, const Hooks&) {
    const ToolLine line = read_tool_line(tool, argc, argv);
    if (line.status)
        return *line.status;
    if (line.has("host") || line.has("machine"))
        return complain("Only this container can be controlled (no -H, no -M).");
    const Wish wish = wish_of(line);
    if (const auto wrong = contradiction(wish))
        return complain("{}", *wrong);
    Context context;
    context.face = Face::Systemctl;
    context.program = "systemd-run";
    context.options.quiet = line.has("quiet");
    context.options.no_block = line.has("no-block");
    context.options.job_mode = line.last("job-mode").value_or("");
    const std::string stem = stem_of(wish);
    RunRequest request{.wait = line.has("wait") || wish.shell(), .pty = wish.pty, .pipe = wish.pipe};
    const std::vector<std::string> command = command_of(wish);
    const char* const path = ::getenv("PATH");
    const auto program = command.empty() ? base::Result<std::string>(std::string()) : resolve_program(command.front(), current_directory(), path == nullptr ? "/usr/bin:/bin" : path);
    if (!program || (!program->empty() && ::access(program->c_str(), F_OK) != 0))
        return complain("Failed to find executable {}: {}", command.front(), std::strerror(ENOENT));
    if (line.has("scope"))
        return run_scope(context, wish, stem, command, *program);
    if (const auto init = context.init(); !init)
        return context.complain_no_init(init.error());
    unit::TransientSpec& spec = request.service;
    spec.name = stem + ".service";
    spec.command = command;
    if (!command.empty())
        spec.command.front() = *program;
    fill_service(context, wish, spec);
    if (spec.user.empty())
        spec.user = own_user(context);
    spec.environment = environment_of(line);
    if (wish.triggered()) {
        const std::string given = line.last("unit").value_or("");
        const std::string service = command.empty() && unit::is_valid_name(given) && unit::type_of(given) != unit::UnitType::Timer &&
                                            unit::type_of(given) != unit::UnitType::Path && unit::type_of(given) != unit::UnitType::Socket
                                        ? given
                                        : spec.name;
        request.trigger = trigger_of(wish, stem, service, spec.description.empty() ? service : spec.description);
    }
    const int status = carry_out(context, request);
    return line.has("ignore-failure") ? 0 : status;
}

} // namespace monoinit::cli
