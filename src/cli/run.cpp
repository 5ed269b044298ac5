// initctl run: a command becomes a service, without a file of anybody's. The client writes the unit's text (and resolves the command as
// the shell that asked would); the init keeps it, and starts it as any unit. Tested by tests/unit/cli/run_test.cpp and
// tests/system/run.py.
#include "cli/run.hpp"

#include "base/calendar.hpp"
#include "base/strings.hpp"
#include "cli/verbs.hpp"
#include "sys/real_files.hpp"

#include <cstdlib>
#include <ctime>
#include <unistd.h>

namespace monoinit::cli {

namespace {

std::string nameless() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return fmt::format("{}{:x}-{:x}", unit::nameless_prefix, static_cast<unsigned long>(now.tv_sec) << 20 | static_cast<unsigned long>(now.tv_nsec) >> 10, ::getpid());
}

/// --every=5min, --every=daily: now and then every so often, or by the calendar.
base::Result<unit::TriggerSpec> every(const std::string& when, const std::string& name, bool save) {
    unit::TriggerSpec timer{.name = name + ".timer", .description = "Starts " + name + ".service, every " + base::printable(when, 80) + " (initctl run)"};
    if (base::parse_time_span(when)) {
        timer.properties = {save ? "OnBootSec=0" : "OnActiveSec=0", "OnUnitActiveSec=" + when};
    } else {
        const sys::RealFiles files;
        base::TimeZones zones(&files, "");
        if (const auto calendar = base::Calendar::parse(when, zones); !calendar)
            return base::fail(base::Errc::Invalid, "--every=" + base::printable(when, 80) + ": neither a time span (5min) nor a calendar expression (daily, \"Mon 9:00\")");
        timer.properties = {"OnCalendar=" + when};
        if (save)
            timer.properties.emplace_back("Persistent=yes");
    }
    timer.properties.emplace_back("AccuracySec=1s");
    if (save)
        timer.properties.emplace_back("WantedBy=timers.target");
    return timer;
}

int refuse(Context& context, const base::Error& error) {
    context.complain("{}: {}", context.program, error.what);
    return error.code == base::Errc::Invalid || error.code == base::Errc::TooLarge ? 2 : 1;
}

} // namespace

int run(Context& context, Words words) {
    const Options& options = context.options;
    const std::string stem = options.name.empty() ? nameless() : options.name.ends_with(".service") ? options.name.substr(0, options.name.size() - 8) : options.name;
    RunRequest request{.wait = options.wait_for_end, .pty = options.pty, .pipe = options.pipe, .save = options.save};
    unit::TransientSpec& spec = request.service;
    spec.name = stem + ".service";
    spec.description = options.description;
    spec.working_directory = options.directory.empty() ? current_directory() : options.directory;
    spec.user = options.run_as.empty() ? own_user(context) : options.run_as;
    spec.restart = options.restart;
    spec.health = options.health;
    spec.command = words;
    if (const auto init = context.init(); !init)
        return context.complain_no_init(init.error());
    if (!options.every.empty()) {
        if (options.wait_for_end || options.pty || options.pipe)
            return refuse(context, base::fail(base::Errc::Invalid, "--every does not go with --wait, --pty and --pipe"));
        auto timer = every(options.every, stem, options.save);
        if (!timer)
            return refuse(context, timer.error());
        request.trigger = std::move(*timer);
        spec.properties = {"Type=oneshot"};
    }
    if (options.save && (options.pty || options.pipe))
        return refuse(context, base::fail(base::Errc::Invalid, "--save does not go with --pty and --pipe, which end with this command"));
    spec.properties.insert(spec.properties.end(), options.assignments.begin(), options.assignments.end());
    const char* const path = ::getenv("PATH");
    auto program = resolve_program(words.front(), current_directory(), path == nullptr ? "/usr/bin:/bin" : path);
    auto environment = assignments(options.environment);
    if (!program || !environment)
        return refuse(context, program ? environment.error() : program.error());
    spec.command.front() = std::move(*program);
    spec.environment = std::move(*environment);
    context.options.quiet = context.options.quiet || request.pty || request.pipe; // what is printed is the command's
    return carry_out(context, request);
}

} // namespace monoinit::cli
