// start, stop, restart … of units: what initctl and systemctl say about how it went. The init sends an outcome as each
// unit is done; the jobs go on if we are killed. Tested by tests/unit/cli/operate_test.cpp.
#include "cli/operate.hpp"

#include "base/signals.hpp"
#include "base/strings.hpp"
#include "cli/json.hpp"
#include "cli/verbs.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace monoinit::cli {

using control::JobOutcome;
using control::Verb;

namespace {

/// What stands between "web:" and the time, when it went well, was so already, and in "not …".
struct VerbWords {
    Verb verb;
    std::string_view done, nothing_to_do, past;
};

// clang-format off
constexpr VerbWords words_of[] = {
    {Verb::Start,              "started",   "already running",      "started"},
    {Verb::Stop,               "stopped",   "not running",          "stopped"},
    {Verb::Restart,            "restarted", "already running",      "restarted"},
    {Verb::TryRestart,         "restarted", "not running, so left", "restarted"},
    {Verb::Reload,             "reloaded",  "nothing to reload",    "reloaded"},
    {Verb::ReloadOrRestart,    "reloaded or restarted", "already running", "reloaded"},
    {Verb::TryReloadOrRestart, "reloaded or restarted", "not running, so left", "reloaded"},
    {Verb::Isolate,            "reached",   "already reached",      "reached"},
};
// clang-format on

const VerbWords& words_for(Verb verb) {
    return *std::find_if(std::begin(words_of), std::end(words_of), [&](const VerbWords& w) { return w.verb == verb; });
}

/// Old and other names of the same thing.
std::string_view canonical(std::string_view verb) {
    if (verb == "condrestart")
        return "try-restart";
    if (verb == "force-reload" || verb == "reload-or-try-restart")
        return "try-reload-or-restart";
    return verb == "default" ? "isolate" : verb;
}

std::string hint_after_failure(const JobOutcome& outcome) {
    const std::string name(unit::short_name(outcome.unit));
    if (outcome.refusal == "masked")
        return "initctl unmask " + name + "; then start it";
    if (outcome.refusal == "manual")
        return "it is started by what needs it; its file forbids doing it by hand (RefuseManualStart=, RefuseManualStop=)";
    return outcome.result == "refused" ? "" : "initctl status " + name;
}

/// The name of the unit that is missing: a dependency, where the text names one, else the unit itself.
std::string missing_unit(const JobOutcome& outcome) {
    for (std::string_view word : base::split(outcome.text, ' ')) {
        while (!word.empty() && std::string_view(".,;:\"'()").find(word.back()) != std::string_view::npos)
            word.remove_suffix(1);
        while (!word.empty() && std::string_view("\"'(").find(word.front()) != std::string_view::npos)
            word.remove_prefix(1);
        if (word != outcome.unit && unit::is_valid_name(word))
            return std::string(word);
    }
    return outcome.unit;
}

} // namespace

// ---- initctl's words ------------------------------------------------------------------------------------------------

std::string outcome_line(Verb verb, const JobOutcome& outcome) {
    const VerbWords& words = words_for(verb);
    const std::string name(unit::short_name(outcome.unit));
    const bool running = outcome.pid != 0 && verb != Verb::Stop;
    const std::string pid = running ? fmt::format(" (pid {})", outcome.pid) : "";
    if (outcome.result == "queued")
        return fmt::format("{}: queued (job {})", name, outcome.job_id);
    if (outcome.result == "skipped" || (outcome.result == "done" && !outcome.changed))
        return fmt::format("{}: {}{}{}", name,
                           !outcome.text.empty()               ? "skipped: "
                           : verb == Verb::Start && outcome.sub_state == "exited" ? "already done"
                                                               : words.nothing_to_do,
                           outcome.text, pid);
    if (outcome.result != "done")
        return fmt::format("{}: not {}: {}", name, words.past, outcome.text.empty() ? outcome.result : outcome.text);
    const bool finished = verb != Verb::Stop && outcome.pid == 0 && outcome.sub_state != "running" &&
                          (outcome.sub_state == "exited" || outcome.sub_state == "dead") && unit::type_of(outcome.unit) == unit::UnitType::Service;
    return fmt::format("{}: {} in {}{}", name, finished && verb != Verb::Reload ? "done" : words.done,
                       base::human_time_span(outcome.took), pid);
}

bool succeeded(const JobOutcome& outcome) {
    return outcome.result == "done" || outcome.result == "skipped" || outcome.result == "queued";
}

int initctl_status(const JobOutcome& outcome) {
    return succeeded(outcome) ? 0 : outcome.refusal == "not-found" ? 4 : 1;
}

// ---- systemctl's words ----------------------------------------------------------------------------------------------

namespace {

struct Sentence {
    std::string_view key, text;
};

constexpr Sentence reasons[] = {
    {"resources", "of unavailable resources or another system error"},
    {"protocol", "the service did not take the steps required by its unit configuration"},
    {"timeout", "a timeout was exceeded"},
    {"exit-code", "the control process exited with error code"},
    {"signal", "a fatal signal was delivered to the control process"},
    {"core-dump", "a fatal signal was delivered causing the control process to dump core"},
    {"watchdog", "the service failed to send watchdog ping"},
    {"start-limit-hit", "start of the service was attempted too often"},
};

std::string job_failed(const JobOutcome& outcome, std::string_view service_result) {
    const auto* reason =
        std::find_if(std::begin(reasons), std::end(reasons), [&](const Sentence& s) { return s.key == service_result; });
    const std::string& unit = outcome.unit;
    std::string text = reason == std::end(reasons) ? fmt::format("Job for {} failed.", unit)
                                                   : fmt::format("Job for {} failed because {}.", unit, reason->text);
    return text + fmt::format("\nSee \"systemctl status {}\" and \"journalctl -xeu {}\" for details.", unit, unit);
}

std::string refused(std::string_view verb, const JobOutcome& outcome) {
    const std::string& unit = outcome.unit;
    const std::string failed = fmt::format("Failed to {} {}: ", verb == "isolate" ? "start" : verb, unit);
    const std::string see = fmt::format("\nSee system logs and 'systemctl status {}' for details.", unit);
    if (!unit::is_valid_name(unit))
        return fmt::format("Failed to {} {}: Unit name {} is not valid.", verb, base::printable(unit, 100), base::printable(unit, 100));
    if (outcome.refusal == "template")
        return failed + fmt::format("Unit name {} is missing the instance name.", unit) + see;
    if (outcome.refusal == "not-found")
        return failed + fmt::format("Unit {} not {}.", missing_unit(outcome), verb == "stop" ? "loaded" : "found");
    if (outcome.refusal == "masked")
        return failed + fmt::format("Unit {} is masked.", unit);
    if (outcome.refusal == "bad-setting")
        return failed + fmt::format("Unit {} has a bad unit file setting.", unit) + see;
    if (outcome.refusal == "load-error")
        return failed + fmt::format("Unit {} failed to load properly, please adjust/correct and reload service manager: {}", unit, outcome.text) + see;
    if (outcome.refusal == "not-applicable")
        return failed + fmt::format("Job type {} is not applicable for unit {}.", verb, unit);
    if (outcome.refusal == "manual")
        return failed + fmt::format("Operation refused, unit {} may be requested by dependency only (it is configured to refuse manual start/stop).", unit) + see;
    if (outcome.refusal == "isolate")
        return failed + "Operation refused, unit may not be isolated." + see;
    if (outcome.refusal == "cycle")
        return failed + "Transaction order is cyclic. See system logs for details." + see;
    if (outcome.refusal == "destructive")
        return failed + fmt::format("Transaction for {}/{} is destructive.", unit, verb) + see;
    return failed + outcome.text;
}

} // namespace

std::string systemctl_failure(std::string_view verb, const JobOutcome& outcome, std::string_view service_result) {
    const std::string& unit = outcome.unit;
    if (outcome.result == "refused")
        return refused(verb, outcome);
    if (outcome.result == "canceled")
        return fmt::format("Job for {} canceled.", unit);
    if (outcome.result == "timeout")
        return fmt::format("Job for {} timed out.", unit);
    if (outcome.result == "dependency")
        return fmt::format("A dependency job for {} failed. See 'journalctl -xe' for details.", unit);
    if (outcome.result == "invalid")
        return fmt::format("{} is not active, cannot reload.", unit);
    if (outcome.result == "assert")
        return fmt::format("Assertion failed on job for {}.", unit);
    if (outcome.result == "unsupported")
        return fmt::format("Operation on or unit type of {} not supported on this system.", unit);
    if (outcome.result == "collected")
        return fmt::format("Queued job for {} was garbage collected.", unit);
    if (outcome.result == "once")
        return fmt::format("Unit {} was started already once and can't be started again.", unit);
    return job_failed(outcome, service_result);
}

int systemctl_status(const JobOutcome& outcome) {
    if (succeeded(outcome))
        return 0;
    if (outcome.refusal == "not-found" || outcome.refusal == "load-error")
        return unit::is_valid_name(outcome.unit) ? 5 : 1;
    if (outcome.refusal == "not-applicable")
        return 3;
    if (outcome.refusal == "manual" || outcome.refusal == "isolate" || outcome.refusal == "destructive")
        return 4;
    return 1;
}

// ---- the verbs ------------------------------------------------------------------------------------------------------

namespace {

class Operation {
  public:
    Operation(Context& context, Verb verb) : context_(context), verb_(verb) {}

    int run(const Names& units) {
        auto client = context_.init();
        if (!client)
            return context_.complain_no_init(client.error());
        control::OperateRequest request{.verb = verb_, .units = units, .no_block = context_.options.no_block, .show_transaction = context_.options.show_transaction};
        if (!context_.options.job_mode.empty())
            request.mode = context_.options.job_mode;
        const auto asked = (*client)->call_more(request, [&](const control::Reply& reply, bool continues) {
            if (const auto* outcomes = std::get_if<control::OperateReply>(&reply)) {
                for (const JobOutcome& outcome : outcomes->outcomes)
                    take(outcome);
                if (!continues && context_.options.json)
                    context_.out += control::to_json(reply) + "\n";
            }
            context_.flush();
            return true;
        });
        if (!asked)
            return failed(units, asked.error());
        warn_of_triggers();
        if (context_.options.until_over && !context_.options.no_block && verb_ != Verb::Stop && verb_ != Verb::Isolate)
            wait_until_over();
        return status_;
    }

  private:
    void take(const JobOutcome& outcome) {
        if (std::find(seen_.begin(), seen_.end(), outcome.unit) != seen_.end())
            return;
        seen_.push_back(outcome.unit);
        for (std::size_t i = 0; i < outcome.transaction.size(); i++)
            context_.remark("Enqueued {} job {}.", i == 0 ? "anchor" : "auxiliary", outcome.transaction[i]);
        if (context_.systemctl() && verb_ == Verb::Isolate && outcome.refusal == "not-found") {
            take_as_not_isolated(outcome);
            return;
        }
        const int status = context_.systemctl() ? systemctl_status(outcome) : initctl_status(outcome);
        status_ = status_ == 0 ? status : status_;
        if (status != 0)
            failed_.push_back(outcome.unit);
        if (context_.systemctl())
            say_as_systemctl(outcome, status);
        else if (!context_.options.json)
            say(outcome);
    }
    /// systemctl asks whether a unit may be isolated before it asks whether there is one.
    void take_as_not_isolated(JobOutcome outcome) {
        outcome.refusal = "isolate";
        status_ = status_ == 0 ? systemctl_status(outcome) : status_;
        say_as_systemctl(outcome, status_);
    }
    /// --wait: what was started is to end; that it failed is a failure of ours.
    void wait_until_over() {
        Names started;
        for (const std::string& unit : seen_)
            if (std::find(failed_.begin(), failed_.end(), unit) == failed_.end())
                started.push_back(unit);
        if (started.empty() || !ask<control::WaitReply>(context_, control::WaitRequest{.condition = "inactive", .units = started}))
            return;
        for (const std::string& unit : started) {
            const auto reply = ask<control::PropertiesReply>(context_, control::PropertiesRequest{.unit = unit, .only = {"ActiveState"}});
            for (const auto& [name, value] : reply ? reply->properties : control::PropertyList{})
                if (name == "ActiveState" && value == "failed")
                    status_ = 1;
        }
    }
    /// A unit that is stopped may be started again at once by what triggers it.
    void warn_of_triggers() {
        if (verb_ != Verb::Stop || !context_.systemctl() || context_.options.quiet || context_.options.no_warn)
            return;
        for (const std::string& unit : seen_) {
            const auto reply = ask<control::DependenciesReply>(context_, control::DependenciesRequest{unit, {"TriggeredBy"}});
            Names active;
            for (const control::Dependency& trigger : reply ? reply->dependencies : std::vector<control::Dependency>{})
                if (trigger.active_state == "active" || trigger.active_state == "reloading")
                    active.push_back(trigger.unit);
            if (!active.empty())
                context_.complain("Stopping '{}', but its triggering units are still active:\n{}", unit, base::join(active, ", "));
        }
    }
    void say_as_systemctl(const JobOutcome& outcome, int status) {
        if (status == 0)
            return;
        std::string result;
        if (outcome.result == "failed")
            if (const auto reply = ask_again(control::StatusRequest{.unit = outcome.unit}))
                result = *reply;
        if (outcome.result == "refused" || !context_.options.quiet)
            context_.complain("{}", systemctl_failure(canonical(context_.verb), outcome, result));
    }
    /// The service's Result=, over a connection of its own: this one may be waiting for other units.
    std::optional<std::string> ask_again(const control::StatusRequest& request) {
        auto client = control::Client::connect(control::find_options(context_.options.socket));
        if (!client)
            return std::nullopt;
        auto reply = client->ask<control::StatusReply>(request);
        if (!reply)
            return std::nullopt;
        return reply->unit.summary.result;
    }
    void say(const JobOutcome& outcome) {
        const std::string line = outcome_line(verb_, outcome);
        if (succeeded(outcome)) {
            context_.say("{}\n", line);
            return;
        }
        context_.complain("{}", line);
        std::string hint = hint_after_failure(outcome);
        if (outcome.refusal == "not-found" && missing_unit(outcome) == outcome.unit) {
            const std::string best = suggest_unit(context_, outcome.unit);
            hint = best.empty() ? "initctl list --all shows what there is" : "did you mean " + best + "?";
        }
        if (!hint.empty())
            context_.complain("  {}", hint);
    }
    int failed(const Names& units, const base::Error& error) {
        if (context_.systemctl()) {
            context_.complain("Failed to {} {}: {}", context_.verb, base::join(units, " "), error.what);
            return error.code == base::Errc::Denied ? 4 : 1;
        }
        context_.complain("{}: {}", context_.program, error.what);
        return 1;
    }

    Context& context_;
    Verb verb_;
    int status_ = 0;
    Names seen_, failed_;
};

/// 32 bits with a sign: decimal, or with "0x", "0o", "0b" in front.
std::optional<int> whole_number(std::string_view text) {
    const bool negative = text.starts_with('-');
    text.remove_prefix(negative || text.starts_with('+') ? 1 : 0);
    const int base = text.starts_with("0x") ? 16 : text.starts_with("0o") ? 8 : text.starts_with("0b") ? 2 : 10;
    text.remove_prefix(base == 10 ? 0 : 2);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    value = negative ? -value : value;
    const bool fits = value >= std::numeric_limits<int>::min() && value <= std::numeric_limits<int>::max();
    return error == std::errc{} && end == text.data() + text.size() && fits ? std::optional(static_cast<int>(value)) : std::nullopt;
}

/// A glob that matches nothing: systemctl warns about start, is silent about the rest, and succeeds.
int nothing_matched(Context& context, const Names& words) {
    if (!context.systemctl()) {
        context.complain("no loaded unit matches {}", base::join(words, " "));
        return 4;
    }
    if (context.verb == "start") {
        context.remark("Warning: systemctl start called with a glob pattern.");
        context.remark("Hint: unit globs expand to loaded units, so start will usually have no effect.");
        context.remark("      Passing --all will also load units which are pulled in by other units.");
        context.remark("      See systemctl(1) for more details.");
    }
    return 0;
}

} // namespace

int operate_units(Context& context, Verb verb, const Names& units) { return Operation(context, verb).run(units); }

/// reload-or-restart --marked: what set-property has marked with Markers=.
int operate_marked(Context& context, Words words) {
    if (!words.empty() || canonical(context.verb) != "reload-or-restart") {
        context.complain("--marked may only be used with 'reload-or-restart', and without names of units.");
        return 1;
    }
    const auto reply = ask<control::PropertiesReply>(context, control::PropertiesRequest{.only = {"X-Marked"}});
    if (!reply || reply->properties.empty()) {
        context.complain("Failed to find marked units: {}", reply ? "no answer" : reply.error().what);
        return 1;
    }
    Names restart, reload;
    for (const std::string_view word : base::split(reply->properties.front().second, ' '))
        if (!word.empty())
            (word.starts_with("restart:") ? restart : reload).emplace_back(word.substr(word.find(':') + 1));
    const int restarted = restart.empty() ? 0 : operate_units(context, Verb::TryRestart, restart);
    const int reloaded = reload.empty() ? 0 : operate_units(context, Verb::TryReloadOrRestart, reload);
    return restarted != 0 ? restarted : reloaded;
}

int operate(Context& context, Words words) {
    if (context.options.marked)
        return operate_marked(context, words);
    const auto verb = control::verb_from_name(canonical(context.verb));
    bool globbed = false;
    Names given = words;
    if (verb == Verb::Isolate)
        given = {unit::with_suffix(words.empty() ? "default.target" : words.front(), ".target")};
    const auto units = expand(context, given, &globbed);
    if (!units) {
        context.complain("{}: {}", context.program, units.error().what);
        return 1;
    }
    if (units->empty() && globbed)
        return nothing_matched(context, words);
    return operate_units(context, verb.value_or(Verb::Start), *units);
}

int kill(Context& context, Words words) {
    control::KillRequest request;
    const std::string& name = context.options.signal;
    const auto signal = base::signal_from_name(name.empty() ? "SIGTERM" : name);
    if (!signal) {
        context.complain("{}: there is no signal {}", context.program, base::printable(name));
        return context.systemctl() ? 1 : 2;
    }
    request.signal = *signal;
    if (!context.options.kill_value.empty()) {
        request.value = whole_number(context.options.kill_value);
        if (!request.value) {
            context.complain("Unable to parse signal value as integer: {}", base::printable(context.options.kill_value, 80));
            return 1;
        }
    }
    if (!context.options.whom.empty())
        request.who = context.options.whom;
    const auto units = expand(context, words);
    if (!units) {
        context.complain("{}: {}", context.program, units.error().what);
        return 1;
    }
    int status = 0;
    std::vector<std::string> rows;
    for (const std::string& unit : *units) {
        request.units = {unit};
        const auto state = ask<control::StatusReply>(context, control::StatusRequest{.unit = unit});
        const bool nobody = state && state->unit.summary.load_state != "not-found" && state->unit.summary.guards.empty() && state->unit.summary.processes.empty();
        const auto done = ask<control::Empty>(context, request);
        if (done) {
            if (context.options.json)
                rows.push_back(json_object({{"unit", json_string(unit)},
                                            {"signal", json_string(base::signal_name(request.signal))},
                                            {"sent", nobody ? "false" : "true"}}));
            else if (!context.systemctl() && nobody)
                context.say("{}: has no process, so nothing was sent\n", unit::short_name(unit));
            else if (!context.systemctl())
                context.say("{}: sent {}\n", unit::short_name(unit), base::signal_name(request.signal));
            continue;
        }
        const bool unknown = done.error().code == base::Errc::NotFound;
        if (!context.systemctl())
            context.complain("{}: {}", unit::short_name(unit), done.error().what);
        else
            context.complain("Failed to kill unit {}: {}", unit, unknown ? "Unit " + unit + " not loaded." : done.error().what);
        status = !context.systemctl() && unknown ? 4 : 1;
    }
    if (context.options.json)
        context.print("{}\n", json_array(rows));
    return status;
}

int reset_failed(Context& context, Words words) {
    const auto units = expand(context, words);
    if (!units) {
        context.complain("{}: {}", context.program, units.error().what);
        return 1;
    }
    if (units->empty() && !words.empty())
        return 0;
    const auto done = ask<control::Empty>(context, control::ResetFailedRequest{*units});
    if (done) {
        context.done_silently();
        return 0;
    }
    if (context.systemctl() && !units->empty())
        context.complain("Failed to reset failed state of unit {}: {}", units->front(),
                         done.error().code == base::Errc::NotFound ? "Unit " + units->front() + " not loaded." : done.error().what);
    else
        context.complain("{}: {}", context.program, done.error().what);
    return !context.systemctl() && done.error().code == base::Errc::NotFound ? 4 : 1;
}

} // namespace monoinit::cli
