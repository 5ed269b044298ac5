// systemctl status, in the form of systemd 252. Tested by tests/unit/cli/status_test.cpp against recorded output.
#include "base/signals.hpp"
#include "base/strings.hpp"
#include "cli/context.hpp"
#include "cli/status.hpp"
#include "sys/proc.hpp"
#include "unit/cgroup_settings.hpp"

namespace monoinit::cli {

using control::ExecRecord;
using control::UnitDetail;

namespace {

std::pair<std::string_view, Color> dot(const UnitDetail& unit) {
    const std::string& state = unit.summary.active_state;
    if (state == "active")
        return {"●", Color::Green};
    if (state == "reloading")
        return {"↻", Color::Green};
    if (state == "failed")
        return {"×", Color::Red};
    if (state == "activating" || state == "deactivating")
        return {"●", Color::Yellow};
    return {"○", Color::None};
}

std::string loaded(const StatusView& view) {
    const UnitDetail& unit = view.unit;
    const std::string& state = unit.summary.load_state;
    if (state == "masked")
        return "masked (Reason: Unit " + unit.summary.name + " is masked.)";
    if (state == "bad-setting")
        return "bad-setting (Reason: Unit " + unit.summary.name + " has a bad unit file setting.)";
    if (state != "loaded" && state != "stub")
        return state + " (Reason: " + (unit.load_error.empty() ? "Unit " + unit.summary.name + " not found." : unit.load_error) + ")";
    const std::string& path = unit.source_path.empty() ? unit.fragment_path : unit.source_path;
    if (path.empty())
        return "loaded";
    std::string text = "loaded (" + path;
    if (!view.file_state.empty())
        text += "; " + view.file_state;
    if (!view.preset.empty())
        text += "; preset: " + view.preset;
    return text + ")";
}

std::string ago(base::Duration span) {
    const std::string relative = systemd_relative(span);
    return relative == "now" ? relative : relative + " ago";
}

/// The moment the present state began.
const base::Moment& since(const UnitDetail& unit) {
    const std::string& state = unit.summary.active_state;
    if (state == "active" || state == "reloading")
        return unit.active_enter;
    if (state == "inactive" || state == "failed")
        return unit.inactive_enter;
    return state == "activating" ? unit.inactive_exit : unit.active_exit;
}

std::string active(const StatusView& view) {
    const UnitDetail& unit = view.unit;
    const std::string& state = unit.summary.active_state;
    const auto [symbol, color] = dot(unit);
    std::string words = state;
    if (!unit.summary.sub_state.empty() && unit.summary.sub_state != state)
        words += " (" + unit.summary.sub_state + ")";
    if (!unit.freezer_state.empty())
        words += " (" + unit.freezer_state + ")";
    if (!unit.summary.result.empty() && unit.summary.result != "success" && (state == "failed" || state == "activating"))
        words += " (Result: " + unit.summary.result + ")";
    std::string text = paint(words, color, view.color);
    const base::Moment& moment = since(unit);
    if (moment)
        text += fmt::format(" since {}; {}", systemd_timestamp(moment, view.timestamp), ago(view.now - moment.wall));
    return text;
}

std::string ended(const ExecRecord& record) {
    if (record.code == "exited") {
        const std::string_view name = record.status == 0 ? "SUCCESS" : record.status == 1 ? "FAILURE" : base::exit_status_name(record.status);
        return fmt::format("(code=exited, status={}{}{})", record.status, name.empty() ? "" : "/", name);
    }
    std::string name = base::signal_name(record.status);
    if (name.starts_with("SIG"))
        name = name.substr(3);
    return fmt::format("(code={}, signal={})", record.code, name);
}

std::string span_text(base::Duration span) {
    if (span >= std::chrono::minutes(1))
        return base::format_time_span(span, std::chrono::seconds(1));
    return base::format_time_span(span, std::chrono::milliseconds(1));
}

void processes_that_ran(std::string& out, const UnitDetail& unit) {
    const ExecRecord* main = nullptr;
    for (const ExecRecord& record : unit.history) {
        if (record.directive == "ExecStart")
            main = &record;
        if (!record.code.empty())
            out += fmt::format("    Process: {} {}={} {}\n", record.pid, record.directive, base::printable(record.command), ended(record));
    }
    if (unit.summary.main_pid != 0)
        out += fmt::format("   Main PID: {} ({})\n", unit.summary.main_pid, base::printable(sys::command_name(unit.summary.main_pid), 64));
    else if (main != nullptr && !main->code.empty() && unit.type != "forking")
        out += fmt::format("   Main PID: {} {}\n", main->pid, ended(*main));
    if (unit.control_pid != 0)
        out += fmt::format("    Cntrl PID: {} ({})\n", unit.control_pid, base::printable(sys::command_name(unit.control_pid), 64));
}

/// "/batch.slice": where its group is, or would be.
std::string home_of(const UnitDetail& unit) {
    std::string home;
    for (const control::Dependency& dependency : unit.dependencies)
        if (dependency.kind == "Requires" && dependency.unit.ends_with(".slice"))
            for (const std::string& slice : unit::slices_down_to(dependency.unit))
                home += "/" + slice;
    return home.empty() ? "/system.slice" : home;
}

void resources(std::string& out, const StatusView& view) {
    if (view.processes.empty())
        return;
    std::uint64_t memory = view.unit.memory.value_or(0), cpu = view.unit.cpu_usec.value_or(0);
    for (const Process& process : view.processes) {
        memory += view.unit.memory ? 0 : process.memory.value_or(0);
        cpu += view.unit.cpu_usec ? 0 : process.cpu_usec;
    }
    out += fmt::format("      Tasks: {}\n     Memory: {}\n", view.unit.tasks.value_or(view.processes.size()), systemd_size(memory));
    if (cpu != 0)
        out += fmt::format("        CPU: {}\n", span_text(base::Duration(static_cast<std::int64_t>(cpu))));
    out += fmt::format("     CGroup: {}/{}\n", view.unit.summary.name == "init.scope" ? "" : home_of(view.unit), view.unit.summary.name);
    for (const std::string& line : process_lines(view.processes, false))
        out += "             " + line + "\n";
}

} // namespace

std::string render_status_block(const StatusView& view) {
    const UnitDetail& unit = view.unit;
    const auto [symbol, color] = dot(unit);
    const std::string description = base::printable(unit.summary.description);
    std::string out = paint(symbol, color, view.color) + " " + unit.summary.name;
    if (!description.empty() && description != unit.summary.name)
        out += " - " + description;
    out += "\n     Loaded: " + loaded(view) + "\n";
    for (std::size_t i = 0; i < unit.drop_in_paths.size(); i++)
        out += (i == 0 ? "    Drop-In: " : "             ") + unit.drop_in_paths[i] + "\n";
    out += "     Active: " + active(view) + "\n";
    const bool is_over = unit.summary.active_state == "inactive" || unit.summary.active_state == "failed";
    if (is_over && unit.active_enter && unit.active_exit && unit.active_exit.mono >= unit.active_enter.mono)
        out += "   Duration: " + span_text(unit.active_exit.mono - unit.active_enter.mono) + "\n";
    const auto related = [&](std::string_view kind, std::string label) {
        for (const control::Dependency& dependency : unit.dependencies)
            if (dependency.kind == kind) {
                const bool up = dependency.active_state == "active" || dependency.active_state == "reloading";
                out += label + (up ? "● " : dependency.active_state == "failed" ? "× " : "○ ") + dependency.unit + "\n";
                label.assign(label.size(), ' ');
            }
    };
    related("TriggeredBy", "TriggeredBy: ");
    if (unit.summary.name.ends_with(".timer")) {
        const base::Moment& next = unit.summary.next_elapse;
        out += "    Trigger: " + (next ? systemd_timestamp(next, view.timestamp) + "; " + systemd_relative(next.wall - view.now) + " left" : std::string("n/a")) + "\n";
        related("Triggers", "   Triggers: ");
    }
    related("Contains", "   Contains: ");
    if (unit.summary.name.ends_with(".socket") || unit.summary.name.ends_with(".path"))
        related("Triggers", "   Triggers: ");
    for (std::size_t i = 0; i < unit.summary.listens.size(); i++)
        out += (i == 0 ? "     Listen: " : "             ") + base::printable(unit.summary.listens[i]) + "\n";
    if (!unit.condition_failed.empty()) {
        const base::Moment& when = unit.condition_time;
        out += fmt::format("  Condition: start condition failed at {}; {}\n", systemd_timestamp(when, view.timestamp), ago(view.now - when.wall));
        out += "             └─ " + unit.condition_failed.substr(0, unit.condition_failed.rfind(" (")) + " was not met\n";
    }
    for (std::size_t i = 0; i < unit.documentation.size(); i++)
        out += (i == 0 ? "       Docs: " : "             ") + unit.documentation[i] + "\n";
    processes_that_ran(out, unit);
    if (!unit.status_text.empty())
        out += "     Status: \"" + base::printable(unit.status_text) + "\"\n";
    resources(out, view);
    if (!view.lines.empty())
        out += "\n";
    for (const std::string& line : view.lines)
        out += line + "\n";
    return out;
}

} // namespace monoinit::cli
