// Options whose values are words of a list: "help" prints them, another word is refused. Tested by tests/system/systemctl_verbs.py.
#include "base/signals.hpp"
#include "base/strings.hpp"
#include "cli/journal_output.hpp"
#include "cli/verbs.hpp"
#include "unit/name.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>

namespace monoinit::cli {

namespace {

constexpr std::string_view types = "service mount swap socket target device automount timer path slice scope",
                           load_states = "stub loaded not-found bad-setting error merged masked",
                           active_states = "active reloading inactive failed activating deactivating maintenance",
                           file_states = "enabled enabled-runtime linked linked-runtime alias masked masked-runtime static disabled indirect generated transient bad",
                           job_modes = "fail replace replace-irreversibly isolate flush ignore-dependencies ignore-requirements triggering restart-dependencies",
                           timestamps = "pretty us utc us+utc unix";

bool holds(std::string_view words, std::string_view word) {
    const auto list = base::split(words, ' ');
    return std::ranges::find(list, word) != list.end();
}

void print_words(Context& context, std::string_view words) {
    for (const std::string_view word : base::split(words, ' '))
        context.print("{}\n", word);
}

void print_states(Context& context) {
    constexpr std::pair<std::string_view, std::string_view> lists[] = {
        {"Available unit load states:\n", load_states}, {"\nAvailable unit active states:\n", active_states}, {"\nAvailable unit file states:\n", file_states}};
    for (const auto& [title, words] : lists) {
        context.print("{}", context.options.legend ? title : "");
        print_words(context, words);
    }
}

void print_signals(Context& context, bool as_table) {
    if (as_table && context.options.legend)
        context.print("SIGNAL NAME\n");
    for (int signal = 1; signal <= SIGRTMAX; signal++) {
        const std::string name = base::signal_name(signal);
        if (as_table)
            context.print("{:<6} {}\n", signal, name);
        else
            context.print("{}\n", name.starts_with("SIG") ? name.substr(3) : name);
    }
}

} // namespace

std::optional<int> check_option_values(Context& context) {
    const Options& options = context.options;
    const auto refuse = [&](std::string_view form, const std::string& word, std::string_view after) {
        context.complain("{}{}{}", form, base::printable(word, 80), after);
        return context.systemctl() ? 1 : 2;
    };
    const auto wants_help = [](const std::vector<std::string>& words) { return std::ranges::find(words, "help") != words.end(); };
    if (wants_help(options.types)) {
        context.print("{}", options.legend ? "Available unit types:\n" : "");
        return print_words(context, types), 0;
    }
    if (wants_help(options.states))
        return print_states(context), 0;
    for (const std::string& type : options.types)
        if (!holds(types, type) && !holds(load_states, type))
            return refuse("Unknown unit type or load state '", type, "'.\nUse -t help to see a list of allowed values.");
    if (options.signal == "help" || options.signal == "list")
        return print_signals(context, options.signal == "list"), 0;
    if (options.job_mode == "help")
        return print_words(context, job_modes), 0;
    if (options.timestamp_word == "help")
        return print_words(context, timestamps), 0;
    if (options.output == "help") {
        const std::string names = journal_form_names();
        for (const std::string_view name : base::split(names, ','))
            context.print("{}\n", base::trim(name));
        return 0;
    }
    if (!options.output.empty() && !journal_form(options.output))
        return refuse("Unknown output '", options.output, "'.");
    std::uint32_t lines = 0;
    if (options.lines && *options.lines != "all") {
        const std::string_view text = std::string_view(*options.lines).substr(options.lines->starts_with('+') ? 1 : 0);
        if (const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), lines); error != std::errc{} || end != text.data() + text.size())
            return refuse("Failed to parse lines '", *options.lines, "'");
    }
    if (!options.machine.empty() && options.machine != ".host" && options.user_manager.empty())
        return refuse("", "only this container can be controlled (no -M)", "");
    return std::nullopt;
}

} // namespace monoinit::cli
