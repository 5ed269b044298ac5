// initctl status: state, Why and Next, needs, notices, processes, last lines. Tested by tests/unit/cli/status_test.cpp.
#include "cli/status.hpp"

#include "base/strings.hpp"
#include "cli/lists.hpp"
#include "cli/logs.hpp"
#include "cli/port_holder.hpp"
#include "cli/verbs.hpp"
#include "cli/words.hpp"
#include "control/codec.hpp"
#include "sys/clock.hpp"
#include "unit/install_links.hpp"
#include "unit/name.hpp"

#include <algorithm>

namespace monoinit::cli {

using control::UnitDetail;
using control::UnitSummary;

namespace {

constexpr std::uint32_t default_lines = 10;

std::string shorter(std::string_view name) { return std::string(unit::short_name(name)); }

/// The right-aligned labels in front of each line.
class Sheet {
  public:
    explicit Sheet(bool color) : color_(color) {}
    void line(std::string_view label, std::string_view text) {
        out_ += std::string(label.size() < 11 ? 11 - label.size() : 0, ' ') + std::string(label) + ": " + std::string(text) + "\n";
    }
    void more(std::string_view text) { out_ += std::string(13, ' ') + std::string(text) + "\n"; }
    void raw(std::string_view text) { out_ += text; }
    bool color() const { return color_; }
    std::string take() { return std::move(out_); }

  private:
    bool color_;
    std::string out_;
};

std::string loaded_line(const StatusView& view) {
    const UnitDetail& unit = view.unit;
    const std::string& state = unit.summary.load_state;
    if (state == "masked")
        return unit.summary.machine_masked ? "masked: " + unit.summary.note + "; initctl unmask " + shorter(unit.summary.name) + " lets it run"
                                           : "masked" + (unit.fragment_path.empty() ? "" : " by " + unit.fragment_path);
    if (state != "loaded" && state != "stub")
        return state + (unit.load_error.empty() ? "" : ": " + unit.load_error);
    std::string text = !unit.source_path.empty() ? unit.source_path : unit.fragment_path.empty() ? "built into monoinit" : unit.fragment_path;
    if (!view.file_state.empty())
        text += " (" + view.file_state + ")";
    return text;
}

std::string active_line(const StatusView& view) {
    const UnitSummary& unit = view.unit.summary;
    const StateWords words = state_words(unit);
    std::string text = paint(words.text, words.color, view.color);
    const bool lasting = unit.active_state == "active" || unit.active_state == "reloading";
    if (unit.state_changed && !unit.next_attempt)
        text += fmt::format(" since {}, {}{}", clock_time(unit.state_changed),
                            base::human_time_span(view.now - unit.state_changed.wall), lasting ? "" : " ago");
    const std::string& failure = view.unit.last_failure;
    if (unit.restarts > 0)
        text += fmt::format("; {} restart{}{}", unit.restarts, unit.restarts == 1 ? "" : "s", failure.empty() ? "" : " (" + failure + ")");
    else if (!failure.empty() && unit.active_state != "active")
        text += ": " + failure;
    else if (unit.active_state == "inactive" && !view.unit.condition_failed.empty())
        text += ": skipped, since " + view.unit.condition_failed + " does not hold";
    return text;
}

/// "unhealthy: HTTP 500 from http://… (3 of 3), 4 s ago", and the end of what the check printed.
void health_lines(Sheet& sheet, const control::CheckInfo& check, base::Duration now) {
    constexpr std::size_t most_lines = 5;
    std::string text = check.state;
    if (!check.ok && !check.text.empty())
        text += ": " + base::printable(check.text);
    if (check.streak > 0)
        text += fmt::format(" ({} of {})", check.streak, check.retries);
    text += check.last_run ? ", checked " + base::human_time_span(now - check.last_run.wall) + " ago" : ", not checked yet";
    sheet.line(check.kind == "health" ? "Health" : check.kind == "startup" ? "Startup" : check.kind == "ready" ? "Ready" : "Live", text);
    std::vector<std::string_view> lines;
    for (const std::string_view line : base::split(check.output, '\n'))
        if (!line.empty())
            lines.push_back(line);
    const std::size_t first = lines.size() > most_lines ? lines.size() - most_lines : 0;
    for (std::size_t i = first; i < lines.size() && !check.ok; i++)
        sheet.more(base::printable(lines[i]));
}

/// "docker-entrypoint (done), db (running)": ordinary needs only, built-in targets left out.
std::string names_of(const UnitDetail& unit, std::initializer_list<std::string_view> kinds, bool with_state) {
    std::string text;
    std::vector<std::string> seen;
    for (const control::Dependency& dependency : unit.dependencies) {
        const bool wanted = std::find(kinds.begin(), kinds.end(), dependency.kind) != kinds.end();
        const bool plumbing = with_state && !dependency.unit.ends_with(".service") && dependency.active_state != "failed";
        if (!wanted || plumbing || std::find(seen.begin(), seen.end(), dependency.unit) != seen.end())
            continue;
        seen.push_back(dependency.unit);
        UnitSummary other{.name = dependency.unit, .load_state = dependency.load_state, .active_state = dependency.active_state, .sub_state = dependency.sub_state};
        text += (text.empty() ? "" : ", ") + shorter(dependency.unit) + (with_state ? " (" + state_words(other).text + ")" : "");
    }
    return text;
}

void resources(Sheet& sheet, const StatusView& view) {
    const UnitDetail& unit = view.unit;
    std::uint64_t memory = unit.memory.value_or(0), cpu = unit.cpu_usec.value_or(0);
    if (!unit.memory)
        for (const Process& process : view.processes)
            memory += process.memory.value_or(0);
    if (!unit.cpu_usec)
        for (const Process& process : view.processes)
            cpu += process.cpu_usec;
    Table row;
    std::vector<Cell> cells;
    if (!unit.user.empty())
        cells.emplace_back("User: " + unit.user + (unit.group.empty() ? "" : ":" + unit.group));
    if (memory != 0)
        cells.emplace_back("Memory: " + human_size(memory));
    if (cpu != 0)
        cells.emplace_back("CPU: " + base::human_time_span(base::Duration(static_cast<std::int64_t>(cpu))));
    if (cells.empty())
        return;
    row.add(std::move(cells));
    std::string text = row.render(false, 5);
    text.pop_back();
    const std::size_t colon = text.find(':');
    sheet.line(text.substr(0, colon), text.substr(colon + 2));
}

/// The unit at the root of the chain of causes: the first word of the last line that names one.
std::string root_cause(const UnitDetail& unit) {
    for (auto line = unit.why.rbegin(); line != unit.why.rend(); ++line)
        for (const std::string_view word : base::split(*line, ' '))
            if (unit::is_valid_name(word) && word != unit.summary.name)
                return std::string(word);
    return "";
}

/// What happens next by itself, or the command to type.
std::string next_line(const UnitDetail& unit) {
    if (!unit.next.empty())
        return unit.next;
    const UnitSummary& summary = unit.summary;
    const std::string name = shorter(summary.name);
    if (summary.next_attempt)
        return "starts again in " + base::human_time_span(*summary.next_attempt);
    if (!summary.job.empty() && summary.active_state == "inactive")
        return "waits its turn: initctl list-jobs";
    if (unit.type.starts_with("notify") && summary.active_state == "activating" && summary.sub_state == "start")
        return "up when it says READY=1 (Type=" + unit.type + ")";
    if (summary.load_state == "masked" || summary.machine_masked)
        return "initctl unmask " + name + "; then: initctl start " + name;
    if (summary.load_state == "bad-setting" || summary.load_state == "error")
        return "initctl verify " + name;
    if (summary.result == "start-limit-hit")
        return "stays failed; initctl restart " + name + " tries again";
    const std::string cause = root_cause(unit);
    if (summary.active_state == "failed" && cause.empty())
        return "initctl logs " + name + "; then: initctl restart " + name;
    if (!cause.empty() && (summary.active_state == "failed" || summary.active_state == "inactive"))
        return fmt::format("initctl logs {}; then: initctl restart {} {}", shorter(cause), shorter(cause), name);
    return "";
}

} // namespace

std::string render_status(const StatusView& view) {
    const UnitDetail& unit = view.unit;
    const StateWords words = state_words(unit.summary);
    Sheet sheet(view.color);
    const std::string description = base::printable(unit.summary.description);
    sheet.raw(fmt::format("{} {}{}\n", paint(words.symbol, words.color, view.color), unit.summary.name,
                          description.empty() || description == unit.summary.name ? "" : " - " + description));
    sheet.line("Loaded", loaded_line(view));
    for (const std::string& path : unit.drop_in_paths)
        sheet.more("with " + path);
    sheet.line("Active", active_line(view));
    for (const control::CheckInfo& check : unit.checks)
        health_lines(sheet, check, view.now);
    if (unit.summary.name.ends_with(".timer")) {
        const base::Moment &next = unit.summary.next_elapse, &last = unit.summary.last_trigger;
        sheet.line("Trigger", (next ? systemd_timestamp(next) + ", in " + base::human_time_span(next.wall - view.now) : std::string("none to come")) +
                                  (last ? "; last " + systemd_timestamp(last) + ", " + base::human_time_span(view.now - last.wall) + " ago" : ""));
        sheet.line("Starts", unit.summary.triggers);
    }
    for (std::size_t i = 0; i < unit.summary.listens.size(); i++)
        i == 0 ? sheet.line("Listen", base::printable(unit.summary.listens[i])) : sheet.more(base::printable(unit.summary.listens[i]));
    for (std::size_t i = 0; i < unit.summary.watches.size(); i++)
        i == 0 ? sheet.line("Watch", base::printable(unit.summary.watches[i])) : sheet.more(base::printable(unit.summary.watches[i]));
    if ((unit.summary.name.ends_with(".socket") || unit.summary.name.ends_with(".path")) && !unit.summary.triggers.empty())
        sheet.line("Starts", unit.summary.triggers);
    if (!unit.why.empty()) {
        sheet.line("Why", base::printable(unit.why.front()));
        for (std::size_t i = 1; i < unit.why.size(); i++)
            sheet.more(base::printable(unit.why[i]));
    }
    if (const std::string next = next_line(unit); !next.empty())
        sheet.line("Next", next);
    if (!unit.status_text.empty())
        sheet.line("Status", "\"" + base::printable(unit.status_text) + "\"");
    resources(sheet, view);
    if (const std::string inside = names_of(unit, {"Contains"}, false); !inside.empty())
        sheet.line("Contains", inside);
    const std::string needs = names_of(unit, {"Requires", "Wants", "BindsTo", "Requisite"}, true);
    const std::string needed_by = names_of(unit, {"RequiredBy", "WantedBy", "BoundBy", "RequisiteOf", "UpheldBy"}, false);
    if (const std::string triggers = names_of(unit, {"TriggeredBy"}, false); !triggers.empty())
        sheet.line("Triggered", "by " + triggers);
    if (!needs.empty())
        sheet.line("Needs", needs + (needed_by.empty() ? "" : "     Needed by: " + needed_by));
    else if (!needed_by.empty())
        sheet.line("Needed by", needed_by);
    if (unit.notices.empty())
        sheet.line("Notices", "none");
    for (std::size_t i = 0; i < unit.notices.size(); i++)
        i == 0 ? sheet.line("Notices", base::printable(unit.notices[i])) : sheet.more(base::printable(unit.notices[i]));
    const std::vector<std::string> processes = process_lines(view.processes, false);
    for (std::size_t i = 0; i < processes.size(); i++)
        i == 0 ? sheet.line("Processes", processes[i]) : sheet.more(processes[i]);
    for (const std::string& line : view.lines)
        sheet.raw("  " + line + "\n");
    return sheet.take();
}

int status_exit(const UnitDetail& unit) {
    return unit.summary.active_state == "active" || unit.summary.active_state == "reloading" ? 0 : 3;
}

namespace {

/// A word of the command line: a unit's name, or the number of a process.
base::Result<UnitDetail> look_up(Context& context, const std::string& word) {
    const bool number = !word.empty() && word.size() < 10 && word.find_first_not_of("0123456789") == std::string::npos;
    control::StatusRequest request;
    if (number)
        request.pid = std::stoi(word);
    else
        request.unit = unit::with_suffix(word);
    return TRY(ask<control::StatusReply>(context, request)).unit;
}

int not_found(Context& context, const std::string& word, const base::Error& error) {
    if (error.code != base::Errc::NotFound) {
        context.complain("{}: {}", context.program, error.what);
        return 1;
    }
    const bool number = word.find_first_not_of("0123456789") == std::string::npos;
    if (context.systemctl() || number) {
        context.complain("{}", number ? "PID " + word + " does not belong to any loaded unit." : "Unit " + unit::with_suffix(word) + " could not be found.");
        return 4;
    }
    const std::string best = suggest_unit(context, word);
    context.complain("{}: there is no such unit{}", shorter(unit::with_suffix(word)),
                     best.empty() ? std::string("; initctl list --all shows what there is") : "; did you mean " + best + "?");
    return 4;
}

/// A port that is taken is the cause, though the service's own words are all there is to tell it by.
void explain_port(Context& context, UnitDetail& unit, std::vector<std::string> lines) {
    const UnitSummary& summary = unit.summary;
    const bool down = summary.active_state == "failed" || summary.next_attempt;
    if (!down || !unit.why.empty() || !says_address_in_use(lines))
        return;
    for (std::string& line : lines)
        line.erase(0, line.find(' ')); // the time looks like ports
    const auto command = ask<control::PropertiesReply>(context, control::PropertiesRequest{.unit = summary.name, .only = {"ExecStart"}});
    const bool known = command && !command->properties.empty();
    const auto holder = find_port_holder(ports_complained_of(lines, known ? command->properties.front().second : std::string()));
    if (!holder)
        return;
    std::string who = "a process of another user";
    if (holder->pid != 0) {
        const auto owner = ask<control::StatusReply>(context, control::StatusRequest{.pid = holder->pid});
        const std::string name = owner ? owner->unit.summary.name : std::string();
        who = fmt::format("pid {}{}", holder->pid, name.empty() ? ", which belongs to no unit" : " of " + name);
        if (!name.empty() && summary.active_state == "failed" && unit.next.empty())
            unit.next = fmt::format("initctl stop {}, or give one of the two another port; then: initctl restart {}", shorter(name), shorter(summary.name));
    }
    unit.why.push_back(fmt::format("port {} is in use: {} holds it", holder->port, who));
}

std::string print_one(Context& context, UnitDetail unit) {
    StatusView view{.unit = unit, .processes = unit.summary.name == "init.scope" ? init_process() : processes_of(unit.summary, true), .file_state = unit.file_state, .preset = unit.preset,
                    .now = sys::wall_now(), .color = context.color, .timestamp = context.options.timestamp};
    if (view.file_state.empty())
        view.file_state = unit::file_state_name(unit::file_state(context.files(), context.loader(), unit.summary.name, context.install_options()));
    const auto lines = line_count(context.options, default_lines);
    if (!lines || *lines > 0)
        view.lines = last_lines(context, unit.summary.name, lines.value_or(default_lines));
    if (!context.systemctl())
        explain_port(context, unit, view.lines);
    Names files{unit.fragment_path};
    files.insert(files.end(), unit.drop_in_paths.begin(), unit.drop_in_paths.end());
    if (unit.summary.load_state == "loaded" && changed_on_disk(context, unit.summary.name, files, unit.loaded.wall)) {
        if (context.systemctl())
            context.remark("Warning: The unit file, source configuration file or drop-ins of {} changed on disk. Run 'systemctl daemon-reload' to reload units.",
                           unit.summary.name);
        else
            unit.notices.push_back("its files have changed since they were read; initctl daemon-reload reads them again");
    }
    if (!context.systemctl())
        return render_status(view);
    const bool has_preset = view.file_state == "enabled" || view.file_state == "disabled" || view.file_state == "enabled-runtime";
    if (view.preset.empty() && has_preset)
        view.preset = unit::Presets(context.files()).verdict(unit.summary.name) == unit::Presets::Verdict::Enable ? "enabled" : "disabled";
    return render_status_block(view);
}

/// systemctl status without a name: the system itself.
int system_status(Context& context) {
    const auto info = ask<control::ManagerInfo>(context, control::InfoRequest{});
    if (!info) {
        context.complain("{}: {}", context.program, info.error().what);
        return 1;
    }
    context.print("● {}\n    State: {}\n    Units: {} loaded\n     Jobs: {} queued\n   Failed: {} units\n    Since: {}; {} ago\n",
                  context.loader().environment().host_name, info->system_state, info->units, info->jobs, info->failed,
                  systemd_timestamp(info->started, context.options.timestamp), systemd_relative(info->uptime));
    return 0;
}

} // namespace

int status(Context& context, Words words) {
    if (words.empty() && !context.systemctl())
        return overview(context, words);
    bool globbed = false;
    Names wanted;
    if (words.empty()) {
        const int shown = system_status(context);
        if (shown != 0 || !context.options.all)
            return shown;
        const auto reply = ask<control::ListReply>(context, control::ListRequest{});
        for (const UnitSummary& unit : reply ? reply->units : std::vector<UnitSummary>{})
            if (unit.load_state != "not-found" && matches(unit, context.options, {}))
                wanted.push_back(unit.name);
    }
    for (const std::string& word : words) {
        if (word.find_first_of("*?[") == std::string::npos) {
            wanted.push_back(word);
            continue;
        }
        const auto names = expand(context, {word}, &globbed);
        if (!names)
            return not_found(context, word, names.error());
        wanted.insert(wanted.end(), names->begin(), names->end());
    }
    int exit = 0;
    bool first = true;
    for (const std::string& word : with_dependencies(context, wanted)) {
        const auto unit = look_up(context, word);
        if (!unit) {
            exit = not_found(context, word, unit.error());
            continue;
        }
        if (context.options.json)
            context.out += control::to_json(control::StatusReply{*unit}) + "\n";
        else
            context.out += (first ? "" : "\n") + print_one(context, *unit);
        first = false;
        if (exit == 0)
            exit = status_exit(*unit);
    }
    return exit;
}

} // namespace monoinit::cli
