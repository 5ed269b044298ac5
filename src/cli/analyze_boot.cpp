// systemd-analyze time, blame, critical-chain, plot: how long the start took, and because of what. The init says when each unit began
// and when it was up; the rest is arithmetic. Tested by tests/unit/cli/analyze_test.cpp and tests/system/analyze.py.
#include "base/strings.hpp"
#include "cli/analyze.hpp"

#include <algorithm>
#include <set>

namespace monoinit::cli {

namespace {

constexpr base::Duration milli = std::chrono::milliseconds(1);

std::string words(std::int64_t micros) { return base::format_time_span(base::Duration(micros), milli); }

struct Start {
    control::ManagerInfo info;
    std::map<std::string, StartTimes> times; ///< of units that have started
};

/// Since the init was started, at least 1: it did begin.
std::int64_t since(const base::Moment& moment, const control::ManagerInfo& info) {
    return moment ? std::max<std::int64_t>((moment.mono - info.started.mono).count(), 1) : 0;
}

base::Result<Start> ask_start(Context& context) {
    Start start;
    start.info = TRY(ask<control::ManagerInfo>(context, control::InfoRequest{}));
    const auto list = TRY(ask<control::ListReply>(context, control::ListRequest{}));
    for (const control::UnitSummary& unit : list.units) {
        const auto status = ask<control::StatusReply>(context, control::StatusRequest{.unit = unit.name});
        if (!status)
            continue; // it has gone meanwhile
        const std::int64_t up = since(status->unit.active_enter, start.info), began = since(status->unit.inactive_exit, start.info);
        if (up > 0 || began > 0)
            start.times[unit.name] = {unit.name, unit.active_state, began, std::max(up, began)};
    }
    return start;
}

/// Nothing is said of a start that is not over.
int not_over(Context& context) {
    context.complain("Bootup is not yet finished (initctl list-jobs shows what is waited for). Please try again later.");
    return 1;
}

int refuse(Context& context, const base::Error& error) {
    context.complain("{}: {}", context.program, error.what);
    return 1;
}

class Chain {
  public:
    Chain(const std::map<std::string, StartTimes>& times, const AfterOf& after, std::int64_t fuzz) : times_(times), after_(after), fuzz_(fuzz) {}

    std::string draw(const std::string& root) {
        line(root);
        seen_.insert(root);
        below(root, "");
        return std::move(out_);
    }

  private:
    void line(const std::string& name) {
        const auto known = times_.find(name);
        out_ += name;
        if (known != times_.end()) {
            const StartTimes& times = known->second;
            out_ += " @" + words(times.took() > 0 ? times.began : times.up);
            if (times.took() > 0)
                out_ += " +" + words(times.took());
        }
        out_ += "\n";
    }

    void below(const std::string& unit, const std::string& branch) {
        constexpr std::size_t deepest = 200;
        if (branch.size() > deepest)
            return;
        std::vector<const StartTimes*> waited_for;
        for (const std::string& name : after_(unit))
            if (const auto known = times_.find(name); known != times_.end() && !seen_.contains(name))
                waited_for.push_back(&known->second);
        std::sort(waited_for.begin(), waited_for.end(), [](const auto* a, const auto* b) { return a->up != b->up ? a->up > b->up : a->name < b->name; });
        if (waited_for.empty())
            return;
        const std::int64_t last = waited_for.front()->up;
        std::erase_if(waited_for, [&](const StartTimes* each) { return last - each->up > fuzz_; });
        if (fuzz_ == 0)
            waited_for.resize(1);
        for (const StartTimes* each : waited_for) {
            const bool is_last = each == waited_for.back();
            seen_.insert(each->name);
            out_ += branch + (is_last ? "└─" : "├─");
            line(each->name);
            below(each->name, branch + (is_last ? "  " : "│ "));
        }
    }

    const std::map<std::string, StartTimes>& times_;
    const AfterOf& after_;
    std::int64_t fuzz_;
    std::set<std::string> seen_;
    std::string out_;
};

std::string xml(std::string_view text) {
    std::string out;
    for (const char c : text)
        out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
    return out;
}

} // namespace

std::string draw_critical_chain(const std::string& root, const std::map<std::string, StartTimes>& times, const AfterOf& after, std::int64_t fuzz) {
    return Chain(times, after, fuzz).draw(root);
}

std::string draw_plot(std::vector<StartTimes> units, const std::string& title) {
    std::sort(units.begin(), units.end(), [](const StartTimes& a, const StartTimes& b) { return std::pair(a.began > 0 ? a.began : a.up, a.name) < std::pair(b.began > 0 ? b.began : b.up, b.name); });
    std::int64_t end = 1;
    for (const StartTimes& unit : units)
        end = std::max(end, unit.up);
    constexpr std::int64_t width = 1000, row = 20, top = 60, left = 20, room_for_names = 400, label_room = 4;
    const auto x = [&](std::int64_t micros) { return left + micros * width / end; };
    std::string out = fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" font-size=\"12\">\n"
                                  "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{}\" y=\"24\" font-size=\"16\">{}</text>\n",
                                  left + width + room_for_names, top + row * static_cast<std::int64_t>(units.size()) + row, left, xml(title));
    constexpr int marks = 10;
    for (int i = 0; i <= marks; i++)
        out += fmt::format("<line x1=\"{0}\" y1=\"{1}\" x2=\"{0}\" y2=\"100%\" stroke=\"#ddd\"/><text x=\"{0}\" y=\"{2}\" fill=\"#777\">{3}</text>\n", x(end * i / marks), top - label_room, top - 2 * label_room,
                           words(end * i / marks));
    std::int64_t y = top;
    for (const StartTimes& unit : units) {
        const std::int64_t from = unit.took() > 0 ? unit.began : unit.up, length = std::max<std::int64_t>(x(unit.up) - x(from), 2);
        const std::string_view color = unit.state == "failed" ? "#c00" : unit.took() > 0 ? "#e07000" : "#40a040";
        out += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/><text x=\"{}\" y=\"{}\">{}{}</text>\n", x(from), y + 2, length, row - 4, color, x(unit.up) + label_room, y + row - 5, xml(unit.name),
                           unit.took() > 0 ? " (" + words(unit.took()) + ")" : "");
        y += row;
    }
    return out + "</svg>\n";
}

int analyze_time(Analysis& analysis) {
    Context& context = analysis.context;
    const auto start = ask_start(context);
    if (!start)
        return refuse(context, start.error());
    if (!start->info.ready_after)
        return not_over(context);
    const std::int64_t ready = start->info.ready_after->count();
    context.print("Startup finished in {} (userspace)\n", words(ready));
    const auto target = start->times.find(start->info.boot_target);
    if (target != start->times.end())
        context.print("{} reached after {} in userspace.\n", target->first, words(target->second.up));
    return 0;
}

int analyze_blame(Analysis& analysis) {
    Context& context = analysis.context;
    const auto start = ask_start(context);
    if (!start)
        return refuse(context, start.error());
    if (!start->info.ready_after)
        return not_over(context);
    std::vector<StartTimes> slow;
    for (const auto& [name, times] : start->times)
        if (times.took() > 0)
            slow.push_back(times);
    std::stable_sort(slow.begin(), slow.end(), [](const StartTimes& a, const StartTimes& b) { return a.took() > b.took(); });
    Table table;
    for (const StartTimes& unit : slow)
        table.add({Cell(words(unit.took()), Color::None, true), Cell(unit.name)});
    context.out += table.render(false);
    return 0;
}

int analyze_critical_chain(Analysis& analysis) {
    Context& context = analysis.context;
    std::int64_t fuzz = 0;
    if (const auto given = analysis.line.last("fuzz")) {
        const auto span = base::parse_time_span(*given);
        if (!span) {
            context.complain("Failed to parse --fuzz= parameter: {}", base::printable(*given, 80));
            return 1;
        }
        fuzz = span->count();
    }
    const auto start = ask_start(context);
    if (!start)
        return refuse(context, start.error());
    if (!start->info.ready_after)
        return not_over(context);
    const AfterOf after = [&](const std::string& unit) {
        Names names;
        if (const auto reply = ask<control::DependenciesReply>(context, control::DependenciesRequest{unit, {"After"}}))
            for (const control::Dependency& each : reply->dependencies)
                names.push_back(each.unit);
        return names;
    };
    if (!analysis.line.has("no-legend") && !context.options.quiet)
        context.print("The time when unit became active or started is printed after the \"@\" character.\n"
                      "The time the unit took to start is printed after the \"+\" character.\n\n");
    const Names roots = analysis.words.empty() ? Names{start->info.boot_target} : mangled(analysis.words);
    for (const std::string& root : roots)
        context.out += draw_critical_chain(root, start->times, after, fuzz);
    return 0;
}

int analyze_plot(Analysis& analysis) {
    Context& context = analysis.context;
    const auto start = ask_start(context);
    if (!start)
        return refuse(context, start.error());
    if (!start->info.ready_after)
        return not_over(context);
    std::vector<StartTimes> units;
    for (const auto& [name, times] : start->times)
        if (times.up <= start->info.ready_after->count() || times.took() > 0)
            units.push_back(times);
    context.out += draw_plot(std::move(units), fmt::format("monoinit {}: {} (userspace)", start->info.version, words(start->info.ready_after->count())));
    return 0;
}

} // namespace monoinit::cli
