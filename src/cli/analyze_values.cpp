// systemd-analyze: what words of unit files mean, and where files lie; no init is needed for any of it. Judged by the real one in
// tests/system/tools.py.
#include "base/signals.hpp"
#include "base/strings.hpp"
#include "base/time.hpp"
#include "base/timestamp.hpp"
#include "base/version.hpp"
#include "cli/analyze.hpp"
#include "sys/clock.hpp"
#include "sys/real_files.hpp"
#include "unit/parse.hpp"
#include "unit/values.hpp"

#include <charconv>
#include <cstdlib>
#include <map>

namespace monoinit::cli {

namespace {

std::optional<int> number_of(std::string_view text, int most) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error != std::errc{} || end != text.data() + text.size() || value < 0 || value > most ? std::nullopt : std::optional(value);
}

/// One answer a word, a blank line between them.
template <class F> int each_word(Analysis& analysis, F answer) {
    int status = 0;
    for (const std::string& word : analysis.words) {
        const bool good = answer(word);
        status = good ? status : 1;
        if (good && &word != &analysis.words.back())
            analysis.context.print("\n");
    }
    return status;
}

std::string_view class_of(int status) { return status < 2 ? "libc" : status < 8 ? "LSB" : status < 100 ? "BSD" : "systemd"; }

void exit_status_row(Table& table, int status) {
    const std::string_view name = base::exit_status_name(status);
    table.add({Cell(name.empty() ? "-" : std::string(name)), Cell(std::to_string(status), Color::None, true), Cell(name.empty() ? "-" : std::string(class_of(status)))});
}

constexpr int capabilities = 41;

std::string capability_name(int number) { return unit::format_capabilities(std::uint64_t{1} << number); }

} // namespace

int analyze_timespan(Analysis& analysis) {
    return each_word(analysis, [&](const std::string& word) {
        const auto span = base::parse_time_span(word);
        if (!span) {
            analysis.context.complain("Failed to parse time span '{}': Invalid argument", base::printable(word, 200));
            return false;
        }
        const auto micros = *span == base::infinity ? ~std::uint64_t{0} : static_cast<std::uint64_t>(span->count());
        analysis.context.print("Original: {}\n      μs: {}\n   Human: {}\n", base::printable(word), micros, base::format_time_span(*span));
        return true;
    });
}

int analyze_timestamp(Analysis& analysis) {
    const sys::RealFiles files;
    const char* tz = ::getenv("TZ");
    base::TimeZones zones(&files, tz == nullptr ? "" : tz);
    const auto local = zones.local();
    return each_word(analysis, [&](const std::string& word) {
        const auto moment = base::parse_timestamp(word, sys::wall_now(), zones);
        if (!moment) {
            analysis.context.complain("Failed to parse \"{}\": Invalid argument", base::printable(word, 200));
            return false;
        }
        Context& context = analysis.context;
        const base::Duration now = sys::wall_now();
        context.print("  Original form: {}\nNormalized form: {}\n", base::printable(word), base::format_timestamp(*moment, *local));
        if (local->at(moment->count() / 1'000'000).offset != 0 || local->name(false) != local->name(true))
            context.print("       (in UTC): {}\n", base::format_timestamp(*moment, base::TimeZone()));
        const std::int64_t fraction = moment->count() % 1'000'000;
        context.print("   UNIX seconds: @{}{}\n", moment->count() / 1'000'000, fraction == 0 ? "" : fmt::format(".{:06}", fraction));
        const std::string span = systemd_relative(*moment < now ? now - *moment : *moment - now);
        context.print("       From now: {}{}\n", span, span == "now" ? "" : *moment <= now ? " ago" : " left");
        return true;
    });
}

int analyze_exit_status(Analysis& analysis) {
    Table table;
    table.add({Cell("NAME"), Cell("STATUS", Color::None, true), Cell("CLASS")});
    constexpr int most = 255;
    for (int status = 0; analysis.words.empty() && status <= most; status++)
        if (!base::exit_status_name(status).empty())
            exit_status_row(table, status);
    for (const std::string& word : analysis.words) {
        const auto named = base::exit_status_from_name(word);
        const auto status = named ? named : number_of(word, most);
        if (!status) {
            analysis.context.complain("Invalid exit status \"{}\".", base::printable(word, 80));
            return 1;
        }
        exit_status_row(table, *status);
    }
    analysis.context.out += table.render(false);
    return 0;
}

int analyze_capability(Analysis& analysis) {
    Table table;
    table.add({Cell("NAME"), Cell("NUMBER", Color::None, true)});
    const auto add = [&](int number) { table.add({Cell(number < capabilities ? capability_name(number) : "cap_???"), Cell(std::to_string(number), Color::None, true)}); };
    for (int number = 0; analysis.words.empty() && number < capabilities; number++)
        add(number);
    for (const std::string& word : analysis.words) {
        const auto number = unit::capability_from_name(word);
        if (!number || *number >= capabilities) {
            analysis.context.complain("Capability \"{}\" not known.", base::printable(word, 80));
            return 1;
        }
        add(*number);
    }
    analysis.context.out += table.render(false);
    return 0;
}

int analyze_condition(Analysis& analysis) {
    Context& context = analysis.context;
    const std::string name = analysis.line.last("unit").value_or("");
    if (name.empty() == analysis.words.empty()) {
        context.complain("{}", name.empty() ? "Too few arguments for condition" : "No conditions can be passed if --unit= is used.");
        return 1;
    }
    unit::UnitConfig unit;
    unit.name = name.empty() ? "test.service" : name;
    unit.type = unit::UnitType::Service;
    unit.files = {unit.name};
    if (!name.empty())
        unit = *context.loader().load(mangled({name}).front());
    for (const std::string& word : analysis.words) {
        const std::size_t before = unit.unit.conditions.size();
        parse_unit_text(context.loader().environment(), unit, "[Unit]\n" + word + "\n");
        if (unit.unit.conditions.size() == before || word.find('\n') != std::string::npos) {
            context.complain("Cannot parse \"{}\".", base::printable(word, 200));
            return 1;
        }
    }
    bool good = true;
    for (const bool assertion : {true, false}) {
        bool all = true, any = false, triggers = false, some = false;
        for (auto condition = unit.unit.conditions.rbegin(); condition != unit.unit.conditions.rend(); ++condition) {
            if (condition->assertion != assertion)
                continue;
            const bool holds = context.hooks.holds(*condition);
            some = true;
            triggers = triggers || condition->trigger;
            any = any || (condition->trigger && holds);
            all = all && (condition->trigger || holds);
            context.complain("{}: {}={}{}{} {}.", unit.name, context.hooks.condition_name(*condition), condition->trigger ? "|" : "", condition->negate ? "!" : "",
                             base::printable(condition->parameter), holds ? "succeeded" : "failed");
            if (!all)
                break; // as systemd: the others are not asked any more
        }
        const bool fine = all && (!triggers || any);
        if (some)
            context.complain("{} {}.", assertion ? "Asserts" : "Conditions", fine ? "succeeded" : "failed");
        good = good && fine;
    }
    return good ? 0 : 1;
}

int analyze_compare_versions(Analysis& analysis) {
    Context& context = analysis.context;
    const std::string &left = analysis.words.front(), &right = analysis.words.back();
    const int order = base::compare_versions(left, right);
    const auto shown = [](const std::string& version) { return version.empty() ? std::string("''") : base::printable(version); };
    if (analysis.words.size() == 2) {
        constexpr int right_is_older = 11, left_is_older = 12; // as rpmdev-vercmp
        context.print("{} {} {}\n", shown(left), order < 0 ? "<" : order > 0 ? ">" : "==", shown(right));
        return order == 0 ? 0 : order > 0 ? right_is_older : left_is_older;
    }
    const std::string_view sign = analysis.words[1];
    const auto is = [&](std::string_view word, std::string_view symbol, std::string_view other = "") { return sign == word || sign == symbol || (!other.empty() && sign == other); };
    if (is("lt", "<"))
        return order < 0 ? 0 : 1;
    if (is("le", "<="))
        return order <= 0 ? 0 : 1;
    if (is("eq", "=", "=="))
        return order == 0 ? 0 : 1;
    if (is("ne", "!=", "<>"))
        return order != 0 ? 0 : 1;
    if (is("ge", ">="))
        return order >= 0 ? 0 : 1;
    if (is("gt", ">"))
        return order > 0 ? 0 : 1;
    context.complain("Unknown operator \"{}\".", base::printable(sign, 80));
    return 1;
}

int analyze_unit_paths(Analysis& analysis) {
    for (const std::string& path : analysis.context.loader().environment().unit_path)
        analysis.context.print("{}\n", path);
    return 0;
}

int analyze_unit_files(Analysis& analysis) {
    const unit::Loader& loader = analysis.context.loader();
    for (const std::string& name : loader.all_names()) {
        const std::string path = loader.fragment_path(name);
        const bool wanted = analysis.words.empty() ||
                            std::any_of(analysis.words.begin(), analysis.words.end(), [&](const std::string& pattern) { return base::glob_match(pattern, name); });
        if (wanted && !path.empty())
            analysis.context.print("ids: {} → {}\n", name, path);
    }
    return 0;
}

namespace {

constexpr std::string_view configuration_places[] = {"/etc/", "/run/", "/usr/local/lib/", "/usr/lib/", "/lib/"};

/// Drop-ins of all places; of one name, the first place's counts, and an empty file (/dev/null) takes it away.
std::map<std::string, std::string> drop_ins(const base::FileSource& files, const std::string& directory, std::string_view ending) {
    std::map<std::string, std::string> found; // by name
    for (const std::string_view place : configuration_places)
        if (const auto names = files.list(std::string(place) + directory))
            for (const auto& entry : *names)
                if (entry.name.ends_with(ending))
                    found.try_emplace(entry.name, std::string(place) + directory + "/" + entry.name);
    return found;
}

/// The part behind /etc, /usr/lib …
std::string without_place(const std::string& word) {
    for (const std::string_view place : configuration_places)
        if (word.starts_with(place))
            return word.substr(place.size());
    return word;
}

} // namespace

int analyze_cat_config(Analysis& analysis) {
    Context& context = analysis.context;
    bool first = true;
    const auto show = [&](const std::string& path) {
        const auto text = context.files().read(path, 1 << 20);
        if (!text)
            return;
        context.print("{}# {}\n{}{}", first ? "" : "\n", path, *text, text->empty() || text->ends_with('\n') ? "" : "\n");
        first = false;
    };
    for (const std::string& word : analysis.words) {
        const std::string name = without_place(word);
        if (name.starts_with('/')) {
            context.complain("Path {} does not start with any known prefix.", base::printable(word, 200));
            return 1;
        }
        const bool is_directory = name.ends_with(".d");
        if (!is_directory) {
            const auto place = std::find_if(std::begin(configuration_places), std::end(configuration_places),
                                            [&](std::string_view each) { return context.files().read(std::string(each) + name, 1).has_value() || context.files().kind(std::string(each) + name); });
            if (place == std::end(configuration_places)) {
                context.print("{}# Main configuration file {} not found\n", first ? "" : "\n", name);
                first = false;
            } else {
                show(std::string(*place) + name);
            }
        }
        const std::size_t dot = name.rfind('.');
        const std::string_view ending = name == "udev/rules.d" ? ".rules" : name == "kernel/install.d" ? ".install" : is_directory || dot == std::string::npos ? ".conf" : std::string_view(name).substr(dot);
        for (const auto& [file, path] : drop_ins(context.files(), is_directory ? name : name + ".d", ending))
            show(path);
    }
    return 0;
}

} // namespace monoinit::cli
