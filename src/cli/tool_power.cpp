// halt, poweroff, reboot, shutdown, telinit, runlevel: old names for the end of everything, which here is the end of the container.
// A time that is not now becomes a timer of the init. Tested by tests/unit/cli/tools_test.cpp and tests/system/tools.py.
#include "base/strings.hpp"
#include "base/timestamp.hpp"
#include "cli/power.hpp"
#include "cli/programs.hpp"
#include "cli/tool.hpp"
#include "cli/verbs.hpp"
#include "sys/clock.hpp"
#include "sys/local_zone.hpp"
#include "unit/name.hpp"

#include <charconv>
#include <cstdlib>

namespace monoinit::cli {

namespace {

constexpr ToolOption halt_options[] = {
    {"halt", 0, Argument::None, "", "end the container, as all of these do"},
    {"poweroff", 'p', Argument::None, "", "the same"},
    {"reboot", 0, Argument::None, "", "the same; whoever runs the container may start it again"},
    {"force", 'f', Argument::None, "", "at once, without the time that units are given"},
    {"wtmp-only", 'w', Argument::None, "", "only write a record that nobody reads here: nothing"},
    {"no-wtmp", 'd', Argument::None, "", "do not write that record"},
    {"no-sync", 'n', Argument::None, "", "understood; the kernel keeps what was written"},
    {"no-wall", 0, Argument::None, "", "understood; nobody is told"},
};
constexpr ToolOption shutdown_options[] = {
    {"halt", 'H', Argument::None, "", "end the container, as all of these do"},
    {"poweroff", 'P', Argument::None, "", "the same"},
    {"reboot", 'r', Argument::None, "", "the same; whoever runs the container may start it again"},
    {nullptr, 'h', Argument::None, "", "the same"},
    {nullptr, 'k', Argument::None, "", "only say so: nothing"},
    {"no-wall", 0, Argument::None, "", "understood; nobody is told"},
    {nullptr, 'c', Argument::None, "", "cancel a shutdown that waits for its time"},
    {"show", 0, Argument::None, "", "when it will be"},
    // of sysvinit
    {nullptr, 'a', Argument::None, "", ""},
    {nullptr, 't', Argument::Required, "", ""},
    {nullptr, 'f', Argument::None, "", ""},
    {nullptr, 'F', Argument::None, "", ""},
};
constexpr Tool shutdown_tool{"shutdown", "[OPTIONS…] [TIME] [TEXT…]", "Ends the container at a time: now, +MINUTES (the default is +1) or HH:MM.", shutdown_options};
constexpr ToolOption no_wall[] = {{"no-wall", 0, Argument::None, "", "understood; nobody is told"}};
constexpr Tool telinit_tool{"telinit", "[OPTIONS…] COMMAND", "0 and 6 end the container, 2 to 5 go to its normal state, q reads the unit files again, u executes the init anew.", no_wall};
constexpr Tool runlevel_tool{"runlevel", "", "Prints the previous and the current runlevel of SysV: always N 5.", {}};

constexpr std::string_view scheduled = "scheduled-shutdown";

void prepare(Context& context, std::string_view program, std::string_view verb) {
    context.face = Face::Systemctl;
    context.program = program;
    context.verb = verb;
}

/// Runs a verb of systemctl's; with the words for "no init" where none answers.
int perform(Context& context, int (*verb)(Context&, Words), Words words = {}) {
    if (const auto init = context.init(); !init)
        return context.complain_no_init(init.error());
    return verb(context, words);
}

/// What `shutdown` asks for.
struct Wish {
    bool reboot = false;
    std::string word() const { return reboot ? "Reboot" : "Shutdown"; }
    std::string announcement(base::Duration when) const {
        return fmt::format("{} scheduled for {}, use 'shutdown -c' to cancel.", word(), base::format_timestamp(when, sys::local_zone()));
    }
};

int refused(Context& context, const base::Error& error) {
    context.complain("Failed to schedule shutdown: {}", error.what);
    return error.code == base::Errc::Denied ? 4 : 1;
}

base::Result<void> drop_schedule(Context& context) {
    context.options.quiet = true;
    TRY(ask<control::OperateReply>(context, control::OperateRequest{.verb = control::Verb::Stop, .units = {std::string(scheduled) + ".timer"}}));
    return {};
}

int schedule(Context& context, const Wish& wish, base::Duration when, const Names& text) {
    (void)drop_schedule(context); // there need not be one
    const std::string name(scheduled), at = base::format_timestamp(when, base::TimeZone());
    std::string what = wish.announcement(when);
    if (!text.empty())
        what += " " + base::printable(base::join(text, " "), 200);
    for (std::size_t at_percent = 0; (at_percent = what.find('%', at_percent)) != std::string::npos; at_percent += 2)
        what.insert(at_percent, 1, '%');
    const std::string service = fmt::format("[Unit]\nDescription={} (shutdown)\n[Service]\nType=oneshot\nExecStart=@{} initctl shutdown\n", what, own_binary());
    const std::string timer = fmt::format("[Unit]\nDescription={} (shutdown)\n[Timer]\nOnCalendar={}\nAccuracySec=1us\nRemainAfterElapse=no\n", what, at.substr(at.find(' ') + 1));
    for (const auto& [suffix, body] : {std::pair{".service", service}, std::pair{".timer", timer}})
        if (const auto put = ask<control::Empty>(context, control::PutUnitRequest{name + suffix, body}); !put)
            return refused(context, put.error());
    const auto started = ask<control::OperateReply>(context, control::OperateRequest{.units = {name + ".timer"}});
    if (!started)
        return refused(context, started.error());
    context.complain("{}", wish.announcement(when));
    return 0;
}

int show_schedule(Context& context) {
    const auto units = ask<control::ListReply>(context, control::ListRequest{.all = false});
    if (!units)
        return refused(context, units.error());
    for (const control::UnitSummary& unit : units->units)
        if (unit.name == std::string(scheduled) + ".timer" && unit.active_state == "active") {
            context.complain("{}", Wish{unit.description.starts_with("Reboot")}.announcement(unit.next_elapse.wall));
            return 0;
        }
    context.complain("No scheduled shutdown.");
    return 1;
}

int end_now(Context& context, bool reboot) {
    context.verb = reboot ? "reboot" : "poweroff";
    return perform(context, power);
}

} // namespace

base::Result<std::optional<base::Duration>> parse_shutdown_time(std::string_view text, base::Duration now, const base::TimeZone& zone) {
    if (text == "now" || text == "+0")
        return std::optional<base::Duration>();
    const bool relative = text.starts_with('+');
    const std::string_view digits = relative ? text.substr(1) : text;
    const std::size_t colon = digits.find(':');
    const auto number = [](std::string_view word) -> std::optional<int> {
        int value = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
        return error != std::errc{} || end != word.data() + word.size() || value < 0 || word.size() > 7 ? std::nullopt : std::optional(value);
    };
    if (relative || colon == std::string_view::npos) {
        if (const auto minutes = number(digits))
            return *minutes == 0 ? std::optional<base::Duration>() : std::optional(now + std::chrono::minutes(*minutes));
    } else {
        const auto hour = number(digits.substr(0, colon)), minute = number(digits.substr(colon + 1));
        if (hour && minute && *hour < 24 && *minute < 60) {
            base::TimeZones zones(nullptr, "");
            const auto calendar = base::Calendar::parse(fmt::format("*-*-* {}:{:02}:00", *hour, *minute), zones);
            if (const auto next = calendar ? calendar->next(now, zone) : std::nullopt)
                return next;
        }
    }
    return base::fail(base::Errc::Invalid, fmt::format("Failed to parse time specification '{}': Invalid argument", base::printable(text, 80)));
}

int halt_main(int argc, char** argv, const Hooks&) {
    std::string_view name = argv[0];
    name = name.substr(name.rfind('/') + 1);
    const Tool tool{name, "[OPTIONS…]", "Ends the container: stops everything in order, then the init.", halt_options};
    const ToolLine line = read_tool_line(tool, argc, argv);
    if (line.status)
        return *line.status;
    if (!line.words.empty() && name != "reboot") // its argument is for a boot loader
        return complain("Too many arguments.");
    if (line.has("wtmp-only"))
        return 0;
    Context context;
    prepare(context, name, name);
    context.options.force = line.has("force") ? 1 : 0;
    return end_now(context, line.has("reboot") || (name == "reboot" && !line.has("halt") && !line.has("poweroff")));
}

int shutdown_main(int argc, char** argv, const Hooks&) {
    for (int i = 1; i < argc; i++) // -h is no question here
        if (std::string_view(argv[i]) == "--help")
            return put_out(tool_help(shutdown_tool)) ? 0 : 1;
    const ToolLine line = read_tool_line(shutdown_tool, argc, argv);
    if (line.status)
        return *line.status;
    Context context;
    prepare(context, "shutdown", "poweroff");
    const Wish wish{line.has("reboot")};
    if (const auto init = context.init(); !init)
        return context.complain_no_init(init.error());
    if (line.has("show"))
        return show_schedule(context);
    if (line.has("c")) {
        const auto dropped = drop_schedule(context);
        return dropped ? 0 : refused(context, dropped.error());
    }
    const auto when = parse_shutdown_time(line.words.empty() ? "+1" : line.words.front(), sys::wall_now(), sys::local_zone());
    if (!when)
        return complain("{}", when.error().what);
    if (line.has("k"))
        return 0;
    if (!*when)
        return end_now(context, wish.reboot);
    return schedule(context, wish, **when, line.words.size() < 2 ? Names() : Names(line.words.begin() + 1, line.words.end()));
}

int telinit_main(int argc, char** argv, const Hooks&) {
    const ToolLine line = read_tool_line(telinit_tool, argc, argv);
    if (line.status)
        return *line.status;
    if (line.words.size() != 1)
        return complain("telinit: {}.", line.words.empty() ? "required argument missing" : "too many arguments");
    const std::string& word = line.words.front();
    Context context;
    prepare(context, "telinit", "");
    if (word == "0" || word == "6")
        return end_now(context, word == "6");
    if (word.size() == 1 && word.find_first_of("2345") == 0) {
        context.verb = "isolate";
        return perform(context, operate, {"multi-user.target"});
    }
    if (word == "q" || word == "Q")
        return perform(context, daemon_reload);
    if (word == "u" || word == "U")
        return perform(context, daemon_reexec);
    if (word == "1" || word == "s" || word == "S") {
        context.verb = "rescue";
        return not_here(context, {});
    }
    return complain("Unknown command {}.", word);
}

bool is_telinit_call(int argc, char** argv) {
    const std::string_view path = argc == 2 ? argv[0] : "";
    const std::string_view word = argc == 2 ? argv[1] : "";
    return path.substr(path.rfind('/') + 1) == "init" && word.size() == 1 && word.find_first_of("0123456sSqQuU") == 0;
}

int runlevel_main(int argc, char** argv, const Hooks&) {
    const ToolLine line = read_tool_line(runlevel_tool, argc, argv);
    if (line.status)
        return *line.status;
    const char* const now = ::getenv("RUNLEVEL");
    const char* const before = ::getenv("PREVLEVEL");
    const bool told = now != nullptr && *now != '\0';
    return put_out(fmt::format("{} {}\n", told && before != nullptr && *before != '\0' ? before : "N", told ? now : "5")) ? 0 : 1;
}

} // namespace monoinit::cli
