// The screen of `initctl` alone, and `initctl list`. Tested by tests/unit/cli/overview_test.cpp.
#include "cli/overview.hpp"

#include "base/strings.hpp"
#include "cli/processes.hpp"
#include "cli/verbs.hpp"
#include "cli/words.hpp"
#include "control/codec.hpp"
#include "sys/clock.hpp"
#include "unit/name.hpp"

#include <algorithm>

namespace monoinit::cli {

using control::ManagerInfo;
using control::UnitSummary;

namespace {

int failed(Context& context, const base::Error& error) {
    context.complain("{}: {}", context.program, error.what);
    return 1;
}

std::string shorter(const std::string& name) { return std::string(unit::short_name(name)); }

/// How long it has been so; nothing for what never ran or is between two attempts.
std::string duration_of(const UnitSummary& unit, base::Duration now) {
    if (!unit.state_changed || unit.next_attempt || now < unit.state_changed.wall)
        return "–";
    return base::human_time_span(now - unit.state_changed.wall);
}

std::string memory_of(const UnitSummary& unit) {
    std::uint64_t sum = 0;
    for (const Process& process : processes_of(unit, false))
        sum += process.memory.value_or(0);
    return sum == 0 ? "–" : human_size(sum);
}

std::string footer(const ManagerInfo& info, const std::vector<UnitSummary>& units) {
    Names parts;
    std::vector<std::string> failed_units;
    for (const UnitSummary& unit : units)
        if (unit.active_state == "failed")
            failed_units.push_back(shorter(unit.name));
    if (!failed_units.empty())
        parts.push_back(fmt::format("{} failed: initctl status {}", failed_units.size(), base::join(failed_units, " ")));
    if (info.masked != 0)
        parts.push_back(fmt::format("{} machine units masked: initctl list --masked", info.masked));
    std::string text = base::join(parts, "      ");
    if (!info.not_enabled.empty()) {
        std::vector<std::string> names;
        for (const std::string& name : info.not_enabled)
            names.push_back(shorter(name));
        const bool one = names.size() == 1;
        text += fmt::format("{}{} {} [Install] but {} not enabled. Run: initctl enable {}", text.empty() ? "" : "\n", 
                            one ? "1 unit" : fmt::format("{} units", names.size()), one ? "has" : "have", one ? "is" : "are",
                            base::join(names, " "));
    }
    return text.empty() ? "" : "\n" + text + "\n";
}

} // namespace

std::string render_rows(const std::vector<UnitSummary>& units, base::Duration now, bool heading, bool memory, bool color) {
    Table table;
    if (heading) {
        std::vector<Cell> head{Cell::mark(" "), {"UNIT", Color::Bold}, {"STATE", Color::Bold}, {"FOR", Color::Bold}, {"PID", Color::Bold, true}, {"RESTARTS", Color::Bold, true}};
        if (memory)
            head.emplace_back("MEMORY", Color::Bold, true);
        head.emplace_back("NOTE", Color::Bold);
        table.add(std::move(head));
    }
    for (const UnitSummary& unit : units) {
        const StateWords words = state_words(unit);
        std::vector<Cell> row{Cell::mark(words.symbol, words.color), shorter(unit.name), {words.text, words.color}, duration_of(unit, now),
                              {unit.main_pid == 0 ? "–" : std::to_string(unit.main_pid), Color::None, true},
                              {std::to_string(unit.restarts), Color::None, true}};
        if (memory)
            row.emplace_back(memory_of(unit), Color::None, true);
        row.emplace_back(base::printable(unit.note));
        table.add(std::move(row));
    }
    return table.render(color, 2);
}

std::string render_overview(const ManagerInfo& info, const std::vector<UnitSummary>& units, base::Duration now, bool color) {
    std::string head = fmt::format("monoinit {}   up {}   ", info.version, base::human_time_span(info.uptime));
    head += info.ready_after ? "ready after " + base::human_time_span(*info.ready_after)
            : info.system_state == "stopping" ? "stopping" : fmt::format("starting {}", info.boot_target);
    if (!info.place.empty())
        head += "   " + info.place;
    std::vector<UnitSummary> shown;
    std::copy_if(units.begin(), units.end(), std::back_inserter(shown), is_notable);
    std::string text = head + "\n\n";
    if (shown.empty())
        text += "no unit has been started; unit files are looked for in " + base::join(info.unit_path, ", ") + "\n";
    else
        text += render_rows(shown, now, true, true, color);
    return text + footer(info, units);
}

int overview(Context& context, Words) {
    auto init = context.init();
    if (!init)
        return context.complain_no_init(init.error());
    const auto info = (*init)->ask<ManagerInfo>(control::InfoRequest{});
    if (!info)
        return failed(context, info.error());
    if (context.options.json) {
        context.out = control::to_json(*info) + "\n";
        return 0;
    }
    const auto units = (*init)->ask<control::ListReply>(control::ListRequest{});
    if (!units)
        return failed(context, units.error());
    context.out = render_overview(*info, units->units, sys::wall_now(), context.color);
    return 0;
}

int list(Context& context, Words words) {
    auto reply = ask<control::ListReply>(context, control::ListRequest{});
    if (!reply)
        return failed(context, reply.error());
    const Options& options = context.options;
    std::erase_if(reply->units, [&](const UnitSummary& unit) {
        if (options.masked)
            return !unit.machine_masked;
        if (options.failed && unit.active_state != "failed")
            return true;
        const std::string type = unit.name.substr(unit.name.rfind('.') + 1);
        if (!options.types.empty() && std::find(options.types.begin(), options.types.end(), type) == options.types.end())
            return true;
        if (!words.empty())
            return std::none_of(words.begin(), words.end(), [&](const std::string& pattern) {
                return base::glob_match(pattern, unit.name) || base::glob_match(unit::with_suffix(pattern), unit.name);
            });
        return !options.all && !is_notable(unit);
    });
    if (options.json) {
        context.out = control::to_json(*reply) + "\n";
        return 0;
    }
    if (options.masked) {
        Table table;
        for (const UnitSummary& unit : reply->units)
            table.add({unit.name, unit.note});
        context.out = table.render(context.color, 2);
        if (options.legend)
            context.print("{} machine units are masked; initctl unmask UNIT lets one run.\n", reply->units.size());
        return 0;
    }
    context.out = render_rows(reply->units, sys::wall_now(), options.legend, false, context.color);
    return 0;
}

} // namespace monoinit::cli
