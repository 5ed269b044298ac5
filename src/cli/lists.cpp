// list-units, list-jobs, list-timers, list-sockets, list-paths: systemctl's tables. Tested by tests/unit/cli/lists_test.cpp.
#include "cli/lists.hpp"

#include "base/strings.hpp"
#include "cli/json.hpp"
#include "cli/verbs.hpp"
#include "control/codec.hpp"
#include "sys/clock.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <charconv>

namespace monoinit::cli {

using control::UnitSummary;

namespace {

int failed(Context& context, const base::Error& error) {
    context.complain("{}: {}", context.program, error.what);
    return 1;
}

bool contains(const Names& list, const std::string& word) { return std::find(list.begin(), list.end(), word) != list.end(); }

/// As strcasecmp(3) orders it.
std::string folded(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return out;
}

/// The fields of systemctl -o json.
std::string units_as_json(const std::vector<UnitSummary>& units) {
    std::vector<std::string> rows;
    for (const UnitSummary& unit : units)
        rows.push_back(json_object({{"unit", json_string(unit.name)},
                                    {"load", json_string(unit.load_state)},
                                    {"active", json_string(unit.active_state)},
                                    {"sub", json_string(unit.sub_state)},
                                    {"description", json_string(unit.description)}}));
    return json_array(rows) + "\n";
}

std::string jobs_as_json(const std::vector<control::JobInfo>& jobs) {
    std::vector<std::string> rows;
    for (const control::JobInfo& job : jobs)
        rows.push_back(json_object({{"job", std::to_string(job.id)},
                                    {"unit", json_string(job.unit)},
                                    {"type", json_string(job.type)},
                                    {"state", json_string(job.state)}}));
    return json_array(rows) + "\n";
}

/// What systemctl shows without --all: what is or was active, failed, has a job, or cannot be loaded and is needed.
bool is_interesting(const UnitSummary& unit) { return unit.active_state != "inactive" || !unit.job.empty(); }

/// Of list-timers and kin: units of one type, those that are not up only with --all.
bool is_listed(const UnitSummary& unit, std::string_view suffix, const Options& options, const Names& patterns) {
    const bool named = patterns.empty() || std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
        return base::glob_match(unit::with_suffix(pattern, suffix), unit.name);
    });
    return unit.name.ends_with(suffix) && named && (options.all || (unit.active_state != "inactive" && unit.load_state == "loaded"));
}

Color color_of(const UnitSummary& unit) {
    if (unit.active_state == "failed")
        return Color::Red;
    return unit.load_state == "loaded" || unit.load_state == "stub" ? Color::None : Color::Red;
}

} // namespace

std::string render_units(const std::vector<UnitSummary>& units, const Options& options, bool color) {
    Table table;
    const bool dots = !options.plain;
    const bool job_column = std::any_of(units.begin(), units.end(), [](const UnitSummary& u) { return !u.job.empty(); });
    if (options.legend && !units.empty()) {
        std::vector<Cell> head = dots ? std::vector<Cell>{" "} : std::vector<Cell>{};
        for (const char* title : {"UNIT", "LOAD", "ACTIVE", "SUB"})
            head.emplace_back(title);
        if (job_column)
            head.emplace_back("JOB");
        head.emplace_back("DESCRIPTION");
        table.add(std::move(head));
    }
    for (const UnitSummary& unit : units) {
        const Color paint = color_of(unit);
        std::vector<Cell> row;
        if (dots)
            row.emplace_back(paint == Color::None ? " " : "●", paint);
        row.emplace_back(unit.name, paint);
        row.emplace_back(unit.load_state, paint);
        row.emplace_back(unit.active_state, paint);
        row.emplace_back(unit.sub_state, paint);
        if (job_column)
            row.emplace_back(unit.job);
        row.emplace_back(base::printable(unit.description));
        table.add(std::move(row));
    }
    std::string out = table.render(color);
    if (!options.legend)
        return out;
    if (!units.empty())
        out += "\nLOAD   = Reflects whether the unit definition was properly loaded.\n"
               "ACTIVE = The high-level unit activation state, i.e. generalization of SUB.\n"
               "SUB    = The low-level unit activation state, values depend on unit type.\n";
    if (job_column)
        out += "JOB    = Pending job for the unit.\n";
    const bool everything = options.all || contains(options.states, "inactive");
    const bool hints = everything || options.states.empty();
    out += fmt::format("{} loaded units listed.{}\n", units.size(),
                       everything || !hints ? "" : " Pass --all to see loaded but inactive units, too.");
    if (hints)
        out += "To show all installed unit files use 'systemctl list-unit-files'.\n";
    return out;
}

bool matches(const UnitSummary& unit, const Options& options, const Names& patterns) {
    const std::string type = unit.name.substr(unit.name.rfind('.') + 1);
    if (!options.types.empty() && !contains(options.types, type) && !contains(options.types, unit.load_state))
        return false;
    if (!options.states.empty() && !contains(options.states, unit.load_state) && !contains(options.states, unit.active_state) &&
        !contains(options.states, unit.sub_state))
        return false;
    if (patterns.empty())
        return true;
    return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
        return base::glob_match(pattern, unit.name) || base::glob_match(unit::with_suffix(pattern), unit.name);
    });
}

int list_units(Context& context, Words given) {
    const Names words = with_dependencies(context, given);
    auto init = context.init();
    if (!init)
        return context.complain_no_init(init.error());
    if (context.options.failed)
        context.options.states.emplace_back("failed");
    auto reply = ask<control::ListReply>(context, control::ListRequest{});
    if (!reply)
        return failed(context, reply.error());
    const bool everything = context.options.all || !context.options.states.empty() || !words.empty();
    std::erase_if(reply->units, [&](const UnitSummary& unit) {
        return !matches(unit, context.options, words) || (!everything && !is_interesting(unit)) ||
               (!context.options.all && context.options.states.empty() && unit.load_state != "loaded" && !is_interesting(unit));
    });
    const auto type_of = [](const UnitSummary& unit) { return std::string_view(unit.name).substr(unit.name.rfind('.') + 1); };
    std::ranges::stable_sort(reply->units, {}, [&](const UnitSummary& unit) { return std::pair(type_of(unit), folded(unit.name)); });
    if (context.options.json)
        context.out = context.systemctl() ? units_as_json(reply->units) : control::to_json(*reply) + "\n";
    else
        context.out = render_units(reply->units, context.options, context.color);
    return 0;
}

/// list-jobs --after, --before: below a job those it waits for, and those that wait for it.
void add_neighbours(Table& table, const control::JobInfo& job, const std::vector<control::JobInfo>& all, const Options& options) {
    const auto add = [&](std::string_view how, const control::JobInfo& other) {
        table.add({{"└─", Color::None, true}, fmt::format("{} job {} ({}/{})", how, other.id, other.unit, other.type), "-", "-"});
    };
    for (const control::JobInfo& other : all) {
        if (options.after && contains(job.waits_for, other.unit))
            add("waiting for", other);
        if (options.before && contains(other.waits_for, job.unit))
            add("blocking", other);
    }
}

int list_jobs(Context& context, Words words) {
    auto reply = ask<control::JobsReply>(context, control::JobsRequest{});
    if (!reply)
        return failed(context, reply.error());
    const std::vector<control::JobInfo> all = reply->jobs;
    std::erase_if(reply->jobs, [&](const control::JobInfo& job) {
        return !words.empty() && std::none_of(words.begin(), words.end(), [&](const std::string& pattern) {
            return base::glob_match(unit::with_suffix(pattern), job.unit) || base::glob_match(pattern, job.unit);
        });
    });
    if (context.options.json) {
        context.out = context.systemctl() ? jobs_as_json(reply->jobs) : control::to_json(*reply) + "\n";
        return 0;
    }
    if (reply->jobs.empty()) {
        if (context.options.legend)
            context.print("No jobs {}.\n", words.empty() ? "running" : "listed");
        return 0;
    }
    Table table;
    const bool ours = !context.systemctl();
    if (context.options.legend)
        table.add(ours ? std::vector<Cell>{{"JOB", Color::None, true}, "UNIT", "TYPE", "STATE", "SINCE", "WAITS FOR"}
                       : std::vector<Cell>{{"JOB", Color::None, true}, "UNIT", "TYPE", "STATE"});
    for (const control::JobInfo& job : reply->jobs) {
        std::vector<Cell> row{{std::to_string(job.id), Color::None, true}, job.unit, job.type, job.state};
        if (ours) {
            row.emplace_back(base::human_time_span(job.age));
            row.emplace_back(base::join(job.waits_for, " "));
        }
        table.add(std::move(row));
        if (!ours)
            add_neighbours(table, job, all, context.options);
    }
    context.out = table.render(context.color);
    if (context.options.legend)
        context.print("\n{} jobs listed.\n", reply->jobs.size());
    return 0;
}

int cancel(Context& context, Words words) {
    control::CancelRequest request;
    for (const std::string& word : words) {
        std::uint32_t id = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
        if (error != std::errc{} || end != word.data() + word.size()) {
            context.complain("Failed to parse job id \"{}\": Invalid argument", base::printable(word));
            return context.systemctl() ? 1 : 2;
        }
        request.jobs.push_back(id);
    }
    if (words.empty()) {
        const auto done = ask<control::Empty>(context, request);
        if (!done)
            return failed(context, done.error());
    }
    int status = 0;
    for (const std::uint32_t id : request.jobs) // each, though one is not there
        if (const auto done = ask<control::Empty>(context, control::CancelRequest{{id}}); !done) {
            context.complain("Failed to cancel job {}: {}", id, done.error().what);
            status = 1;
        }
    if (status == 0)
        context.done_silently();
    return status;
}

std::string render_timers(std::vector<UnitSummary> timers, const Options& options, base::Duration now, bool color) {
    const auto due = [](const UnitSummary& timer) { return timer.next_elapse ? timer.next_elapse.wall : base::infinity; };
    std::sort(timers.begin(), timers.end(), [&](const UnitSummary& a, const UnitSummary& b) {
        return due(a) != due(b) ? due(a) < due(b) : a.name < b.name;
    });
    Table table;
    if (options.legend && !timers.empty())
        table.add({"NEXT", "LEFT", "LAST", "PASSED", "UNIT", "ACTIVATES"});
    const auto relative = [now](base::Duration wall) {
        const std::string span = systemd_relative(wall < now ? now - wall : wall - now);
        return span == "now" ? span : span + (wall < now ? " ago" : " left");
    };
    for (const UnitSummary& timer : timers) {
        const bool next = static_cast<bool>(timer.next_elapse), last = static_cast<bool>(timer.last_trigger);
        table.add({next ? systemd_timestamp(timer.next_elapse, options.timestamp) : "-", next ? relative(timer.next_elapse.wall) : "-",
                   last ? systemd_timestamp(timer.last_trigger, options.timestamp) : "-", last ? relative(timer.last_trigger.wall) : "-", timer.name, timer.triggers});
    }
    std::string out = table.render(color);
    if (options.legend)
        out += fmt::format("{}{} timers listed.\n{}", timers.empty() ? "" : "\n", timers.size(),
                           options.all ? "" : "Pass --all to see loaded but inactive timers, too.\n");
    return out;
}

int list_timers(Context& context, Words words) {
    auto reply = ask<control::ListReply>(context, control::ListRequest{});
    if (!reply)
        return failed(context, reply.error());
    std::erase_if(reply->units, [&](const UnitSummary& unit) { return !is_listed(unit, ".timer", context.options, words); });
    const base::Duration now = sys::wall_now();
    if (!context.options.json) {
        context.out = render_timers(std::move(reply->units), context.options, now, context.color);
        return 0;
    }
    std::vector<std::string> items; // systemd's fields: microseconds since 1970
    const auto micros = [](base::Duration span) { return std::to_string(std::max<std::int64_t>(span.count(), 0)); };
    for (const UnitSummary& timer : reply->units) {
        const base::Duration next = timer.next_elapse.wall, last = timer.last_trigger.wall;
        items.push_back(json_object({{"next", micros(next)},
                                     {"left", micros(next.count() != 0 ? next - now : next)},
                                     {"last", micros(last)},
                                     {"passed", micros(last.count() != 0 ? now - last : last)},
                                     {"unit", json_string(timer.name)},
                                     {"activates", json_string(timer.triggers)}}));
    }
    context.out = json_array(items) + "\n";
    return 0;
}

std::string render_sockets(const std::vector<UnitSummary>& sockets, const Options& options, bool color) {
    struct Line {
        std::string address, type, unit, triggers;
    };
    std::vector<Line> lines;
    for (const UnitSummary& socket : sockets)
        for (const std::string& listen : socket.listens)
            lines.push_back({listen.substr(0, listen.rfind(" (")), listen.substr(listen.rfind(" (") + 2, listen.size() - listen.rfind(" (") - 3), socket.name, socket.triggers.empty() ? "-" : socket.triggers});
    std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.address < b.address; });
    Table table;
    const auto add = [&](std::string address, std::string type, std::string unit, std::string triggers) {
        std::vector<Cell> row{std::move(address)};
        if (options.show_types)
            row.emplace_back(std::move(type));
        row.emplace_back(std::move(unit));
        row.emplace_back(std::move(triggers));
        table.add(std::move(row));
    };
    if (options.legend && !lines.empty())
        add("LISTEN", "TYPE", "UNIT", "ACTIVATES");
    for (const Line& line : lines)
        add(base::printable(line.address), line.type, line.unit, line.triggers);
    std::string out = table.render(color);
    if (options.legend)
        out += fmt::format("{}{} sockets listed.\n{}", lines.empty() ? "" : "\n", lines.size(),
                           options.all ? "" : "Pass --all to see loaded but inactive sockets, too.\n");
    return out;
}

int list_automounts(Context& context, Words) { // they need the kernel's autofs, which a container has not
    if (context.options.json)
        context.print("[]\n");
    else if (context.options.legend)
        context.print("0 automounts listed.\n{}", context.options.all ? "" : "Pass --all to see loaded but inactive automounts, too.\n");
    return 0;
}

int list_sockets(Context& context, Words words) {
    auto reply = ask<control::ListReply>(context, control::ListRequest{});
    if (!reply)
        return failed(context, reply.error());
    std::erase_if(reply->units, [&](const UnitSummary& unit) { return !is_listed(unit, ".socket", context.options, words); });
    if (!context.options.json) {
        context.out = render_sockets(reply->units, context.options, context.color);
        return 0;
    }
    std::vector<std::string> items; // systemd's fields
    for (const UnitSummary& socket : reply->units)
        for (const std::string& listen : socket.listens)
            items.push_back(json_object({{"listen", json_string(listen.substr(0, listen.rfind(" (")))},
                                         {"unit", json_string(socket.name)},
                                         {"activates", json_string(socket.triggers)}}));
    context.out = json_array(items) + "\n";
    return 0;
}

std::string render_paths(const std::vector<UnitSummary>& paths, const Options& options, bool color) {
    struct Line {
        std::string path, condition, unit, triggers;
    };
    std::vector<Line> lines;
    for (const UnitSummary& path : paths)
        for (const std::string& watch : path.watches) {
            const std::size_t equals = watch.find('=');
            lines.push_back({watch.substr(equals + 1), watch.substr(0, equals), path.name, path.triggers.empty() ? "-" : path.triggers});
        }
    std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.path < b.path; });
    Table table;
    if (options.legend && !lines.empty())
        table.add({"PATH", "CONDITION", "UNIT", "ACTIVATES"});
    for (const Line& line : lines)
        table.add({base::printable(line.path), line.condition, line.unit, line.triggers});
    std::string out = table.render(color);
    if (options.legend)
        out += fmt::format("{}{} paths listed.\n{}", lines.empty() ? "" : "\n", lines.size(),
                           options.all ? "" : "Pass --all to see loaded but inactive paths, too.\n");
    return out;
}

int list_paths(Context& context, Words words) {
    auto reply = ask<control::ListReply>(context, control::ListRequest{});
    if (!reply)
        return failed(context, reply.error());
    std::erase_if(reply->units, [&](const UnitSummary& unit) { return !is_listed(unit, ".path", context.options, words); });
    if (!context.options.json) {
        context.out = render_paths(reply->units, context.options, context.color);
        return 0;
    }
    std::vector<std::string> items; // systemd's fields
    for (const UnitSummary& path : reply->units)
        for (const std::string& watch : path.watches)
            items.push_back(json_object({{"path", json_string(watch.substr(watch.find('=') + 1))},
                                         {"condition", json_string(watch.substr(0, watch.find('=')))},
                                         {"unit", json_string(path.name)},
                                         {"activates", json_string(path.triggers)}}));
    context.out = json_array(items) + "\n";
    return 0;
}

} // namespace monoinit::cli
